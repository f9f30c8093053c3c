// Preconditions of a GET or HEAD, in the order of RFC 9110, 13.2.2: If-Match, If-Unmodified-Since, If-None-Match,
// If-Modified-Since, If-Range.

import { parseHttpDate } from './http-date.ts';

/** `etag` may be a weak one: it then matches If-None-Match only. */
export type Representation = { readonly etag: string | undefined; readonly lastModified: string | undefined };

export type ConditionFields = {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
  readonly 'if-modified-since'?: string | undefined;
  readonly 'if-unmodified-since'?: string | undefined;
  readonly 'if-range'?: string | undefined;
};

/** What the conditions say: answer as asked, 304, or 412. */
export function evaluateConditions(fields: ConditionFields, of: Representation): 'proceed' | 304 | 412 {
  const ifMatch = fields['if-match'];
  if (ifMatch !== undefined) {
    if (!matches(ifMatch, of.etag, strongEqual)) return 412;
  } else if (fields['if-unmodified-since'] !== undefined) {
    const since = parseHttpDate(fields['if-unmodified-since']);
    const modified = parseHttpDate(of.lastModified);
    if (since !== undefined && modified !== undefined && modified > since) return 412;
  }
  const ifNoneMatch = fields['if-none-match'];
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, of.etag, weakEqual) ? 304 : 'proceed';
  if (fields['if-modified-since'] !== undefined) {
    const since = parseHttpDate(fields['if-modified-since']);
    const modified = parseHttpDate(of.lastModified);
    if (since !== undefined && modified !== undefined && modified <= since) return 304;
  }
  return 'proceed';
}

/** Whether a Range may be honoured: no If-Range, the same strong ETag, or exactly the same strong date. */
export function ifRangeHolds(
  ifRange: string | undefined,
  of: Representation & { readonly date?: string | undefined },
): boolean {
  if (ifRange === undefined) return true;
  const value = ifRange.trim();
  if (value.startsWith('"') || value.startsWith('W/')) return of.etag !== undefined && strongEqual(value, of.etag);
  const date = parseHttpDate(value);
  return date !== undefined && date === parseHttpDate(of.lastModified) && isStrongDate(of.lastModified, of.date);
}

/**
 * Whether a Last-Modified tells versions apart: a change within the second in which the answer was made could not be seen
 * (RFC 9110, 8.8.2.2). Without a Date, or a Last-Modified, there is nothing to hold against it.
 */
export function isStrongDate(lastModified: string | undefined, date: string | undefined): boolean {
  const modifiedMs = parseHttpDate(lastModified);
  const dateMs = parseHttpDate(date);
  return modifiedMs === undefined || dateMs === undefined || modifiedMs + 1000 <= dateMs;
}

/** `*` holds for whatever exists. A list is entity tags between commas: one that is malformed ends it, and matches nothing. */
function matches(list: string, etag: string | undefined, equal: (a: string, b: string) => boolean): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined) return false;
  const tag = /[\s,]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*")\s*(?=,|$)/y;
  for (let match = tag.exec(list); match !== null; match = tag.exec(list)) {
    if (match[1] !== undefined && equal(match[1], etag)) return true;
  }
  return false;
}

const strongEqual = (a: string, b: string): boolean => a === b && !a.startsWith('W/');
const weakEqual = (a: string, b: string): boolean => a.replace(/^W\//, '') === b.replace(/^W\//, '');
