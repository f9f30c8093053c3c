// Whether a shared cache may store an answer, and how long it is fresh (RFC 9111, sections 3, 4.2 and 5.2; RFC 9213 for
// CDN-Cache-Control).

import type { Freshness } from '../protocol.ts';

export type FieldReader = (name: string) => string | undefined;

/** A heuristic lifetime is a tenth of the age since the last change (RFC 9111, 4.2.2), at most this long. */
const heuristicMsMax = 24 * 3600e3;
const heuristicShare = 0.1;

/** What `Cache-Control` and its kin say of an answer; `undefined`: it must not be stored. */
export function freshnessOf(field: FieldReader, nowMs: number): Freshness | undefined {
  const directives = parseCacheControl(field('cdn-cache-control') ?? field('cache-control') ?? '');
  if (directives.has('no-store') || directives.has('private')) return undefined;
  const vary = field('vary');
  if (vary?.split(',').some((name) => name.trim().toLowerCase() !== 'accept-encoding')) {
    return undefined;
  }
  const encoding = field('content-encoding');
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') return undefined;
  const ageMs = seconds(field('age')) ?? 0;
  const generatedAtMs = nowMs - ageMs;
  const lifetimeMs = directives.has('no-cache') ? 0 : lifetime(directives, field, nowMs);
  return { generatedAtMs, freshUntilMs: generatedAtMs + lifetimeMs };
}

function lifetime(directives: ReadonlyMap<string, string>, field: FieldReader, nowMs: number): number {
  const shared = seconds(directives.get('s-maxage')) ?? seconds(directives.get('max-age'));
  if (shared !== undefined) return shared;
  const expires = field('expires');
  const date = Date.parse(field('date') ?? '');
  if (expires !== undefined) {
    const until = Date.parse(expires);
    return Number.isNaN(until) ? 0 : Math.max(0, until - (Number.isNaN(date) ? nowMs : date));
  }
  const modified = Date.parse(field('last-modified') ?? '');
  if (Number.isNaN(modified)) return 0;
  return Math.min(heuristicMsMax, Math.max(0, (nowMs - modified) * heuristicShare));
}

/** Whether an answer with these fields may not be served stale before its origin was asked (RFC 9111, 5.2.2). */
export function mustRevalidate(fields: readonly (readonly [string, string])[]): boolean {
  const control = fields.find(([name]) => name.toLowerCase() === 'cache-control')?.[1] ?? '';
  return /\b(no-cache|must-revalidate|proxy-revalidate|s-maxage)\b/i.test(control);
}

/** `delta-seconds` as ms; `undefined` when absent or malformed. */
function seconds(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text.trim())) return undefined;
  return Number(text.trim()) * 1000;
}

/** Directive names in lower case with their (unquoted) values; an argument-less one has ''. */
export function parseCacheControl(value: string): Map<string, string> {
  const directives = new Map<string, string>();
  for (const match of value.matchAll(/([A-Za-z0-9_-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?/g)) {
    if (match[1] !== undefined) directives.set(match[1].toLowerCase(), match[2] ?? match[3] ?? '');
  }
  return directives;
}
