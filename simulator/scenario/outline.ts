// The parts of a document that refer to each other, as plain entries with their places. Whatever has the wrong form is
// left out: the schema reports that, and the checks between entries (cross-checks.ts) need not.

import { parseQuantity } from '../../common/units.ts';
import type { DocumentPath, Problem } from './problem.ts';

/** An entry of a section, or an object within it. */
export type Entry = { readonly path: DocumentPath; readonly keys: Readonly<Record<string, unknown>> };

/** The sections that others refer to or that refer to others. */
export type Outline = {
  readonly content: readonly Entry[];
  readonly sites: readonly Entry[];
  readonly nodes: readonly Entry[];
  readonly fleet: readonly Entry[];
  readonly events: readonly Entry[];
  readonly expect: readonly ExpectEntry[];
  /** The keys of the whole document. */
  readonly root: Entry;
};

/** An expectation's text; `world` as written beside it. */
export type ExpectEntry = { readonly path: DocumentPath; readonly text: string; readonly world: unknown };

/** The sections whose entries have ids. */
export type SectionWithIds = 'content' | 'sites' | 'nodes' | 'fleet';

/** What an entry of a section is called. */
export const singular: Readonly<Record<SectionWithIds, string>> = {
  content: 'content',
  sites: 'a site',
  nodes: 'a node',
  fleet: 'a group',
};

export function outlineOf(document: unknown): Outline {
  const section = (key: string): Entry[] =>
    listOf(document, key).flatMap((value, index) => (isObject(value) ? [{ path: [key, index], keys: value }] : []));
  const expect = listOf(document, 'expect').flatMap((value, index): ExpectEntry[] => {
    if (typeof value === 'string') return [{ path: ['expect', index], text: value, world: undefined }];
    const that = isObject(value) ? value['that'] : undefined;
    if (!isObject(value) || typeof that !== 'string') return [];
    return [{ path: ['expect', index, 'that'], text: that, world: value['world'] }];
  });
  return {
    content: section('content'),
    sites: section('sites'),
    nodes: section('nodes'),
    fleet: section('fleet'),
    events: section('events'),
    expect,
    root: { path: [], keys: isObject(document) ? document : {} },
  };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function listOf(value: unknown, key: string): readonly unknown[] {
  const list = isObject(value) ? value[key] : undefined;
  return Array.isArray(list) ? list : [];
}

/** The object under a key of an entry, with its place; `undefined` when there is none. */
export function within(entry: Entry, key: string): Entry | undefined {
  const value = entry.keys[key];
  return isObject(value) ? { path: [...entry.path, key], keys: value } : undefined;
}

export function idsOf(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap(({ keys }) => (typeof keys['id'] === 'string' ? [keys['id']] : []));
}

/** The keys of the entry with this id; `undefined` when there is none. */
export function entryWithId(entries: readonly Entry[], id: unknown): Entry | undefined {
  return entries.find(({ keys }) => typeof id === 'string' && keys['id'] === id);
}

/** `hq` and `wan` of `hq.wan`; `undefined` for what names no link. */
export function linkParts(
  link: unknown,
): { readonly section: 'nodes' | 'sites'; readonly id: string; readonly suffix: string } | undefined {
  const [, id, kind] = typeof link === 'string' ? (/^([^.]+)\.(wan|link)$/.exec(link) ?? []) : [];
  if (id === undefined) return undefined;
  return { section: kind === 'wan' ? 'nodes' : 'sites', id, suffix: `.${kind}` };
}

/** Milliseconds; `undefined` for what is no duration. */
export function durationOf(value: unknown): number | undefined {
  return typeof value === 'string' ? parseQuantity(value, 'duration') : undefined;
}

/** A problem with a value. */
export function problem(path: DocumentPath, expected: string, found: string, didYouMean?: string): Problem {
  return { path, at: 'value', expected, found, didYouMean };
}
