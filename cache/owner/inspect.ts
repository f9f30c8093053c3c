// One object as an operator sees it: its generations, what is stored of each and where, and how fresh it is.

import type { OriginTable } from '../http/origin-table.ts';
import { readRequestTarget } from '../http/request-target.ts';
import type { KeyQuery } from '../settings.ts';
import type { Generation } from '../store/generation.ts';
import type { CachedObject } from './catalogue.ts';

/** More intervals than this are counted, not listed. */
const intervalsListedMax = 1000;

export type InspectedObject = {
  readonly key: string;
  /** The current one first. */
  readonly generations: readonly InspectedGeneration[];
};

export type InspectedGeneration = {
  readonly id: number;
  readonly isCurrent: boolean;
  readonly host: string;
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly intervalCount: number;
  /** [start, end) in bytes, the first 1,000. */
  readonly intervals: readonly (readonly [number, number])[];
  /** Bytes that are being fetched. */
  readonly claimedBytes: number;
  readonly waitingCount: number;
  readonly extents: readonly {
    readonly index: number;
    readonly id: number;
    readonly drive: string;
    readonly reservedBytes: number;
  }[];
  readonly isFresh: boolean;
  readonly freshUntil: string;
  readonly ageSeconds: number;
  readonly fields: readonly (readonly [string, string])[];
};

export function inspect(object: CachedObject, nowMs: number): InspectedObject {
  const { current, older } = object;
  const all = current === undefined ? older : [current, ...older];
  return { key: object.key, generations: all.map((each) => inspectGeneration(each, each === current, nowMs)) };
}

function inspectGeneration(generation: Generation, isCurrent: boolean, nowMs: number): InspectedGeneration {
  const { meta, host, stored, claimed, freshness } = generation;
  const intervals: [number, number][] = [];
  for (const { start, end } of stored) {
    if (intervals.length === intervalsListedMax) break;
    intervals.push([start, end]);
  }
  return {
    ...{ id: meta.id, isCurrent, host, etag: meta.etag, lastModified: meta.lastModified, sizeBytes: meta.sizeBytes },
    ...{ storedBytes: stored.bytes, intervalCount: stored.count, intervals },
    ...{ claimedBytes: claimed.bytes, waitingCount: generation.askCount },
    extents: [...generation.extents.values()].map(({ index, id, drive, reserved }) => ({
      ...{ index, id, drive: drive.path, reservedBytes: reserved.bytes },
    })),
    isFresh: nowMs < freshness.freshUntilMs,
    freshUntil: new Date(freshness.freshUntilMs).toISOString(),
    ageSeconds: Math.max(0, Math.floor((nowMs - freshness.generatedAtMs) / 1000)),
    fields: meta.fields,
  };
}

/**
 * The object that a query names: `key=…` as /objects shows it, or `url=…` as a client asks for it. A URL that is not
 * percent-encoded may have a query of its own, and reaches to the end.
 */
export function keyOf(query: string, origins: OriginTable, keyQuery: KeyQuery): { key: string } | { error: string } {
  const key = argument(query, 'key');
  if (key !== undefined && key !== '') return { key };
  const text = argument(query, 'url');
  if (text === undefined || text === '') return { error: 'expected ?url=http://host/path or ?key=…, found neither' };
  const found = readRequestTarget(asUrl(text), undefined, origins, keyQuery);
  return 'status' in found ? { error: `url ${text}: ${found.reason}` } : { key: found.key };
}

/** An argument that may be a URL as it is, and then is the last one. */
export function argument(query: string, name: string): string | undefined {
  const at = query.startsWith(`${name}=`) ? 0 : query.indexOf(`&${name}=`) + 1;
  if (at === 0 && !query.startsWith(`${name}=`)) return undefined;
  const rest = query.slice(at + name.length + 1);
  if (/^[^&%]*\//.test(rest)) return rest;
  const value = rest.split('&', 1)[0] ?? '';
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // a percent sign that begins no escape: it is meant as it is
  }
}

/** `host/path` and `https://…` name the same object as `http://…`. */
export function asUrl(text: string): string {
  return /^https?:\/\//i.test(text) ? text.replace(/^https:/i, 'http:') : `http://${text}`;
}
