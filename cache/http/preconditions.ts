// Preconditions of a GET or HEAD, in the order of RFC 9110, 13.2.2: If-Match, If-Unmodified-Since, If-None-Match,
// If-Modified-Since, If-Range.

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
    const since = httpDate(fields['if-unmodified-since']);
    const modified = httpDate(of.lastModified);
    if (since !== undefined && modified !== undefined && modified > since) return 412;
  }
  const ifNoneMatch = fields['if-none-match'];
  if (ifNoneMatch !== undefined) return matches(ifNoneMatch, of.etag, weakEqual) ? 304 : 'proceed';
  if (fields['if-modified-since'] !== undefined) {
    const since = httpDate(fields['if-modified-since']);
    const modified = httpDate(of.lastModified);
    if (since !== undefined && modified !== undefined && modified <= since) return 304;
  }
  return 'proceed';
}

/** Whether a Range may be honoured: no If-Range, the same strong ETag, or exactly the same date. */
export function ifRangeHolds(ifRange: string | undefined, of: Representation): boolean {
  if (ifRange === undefined) return true;
  const value = ifRange.trim();
  if (value.startsWith('"') || value.startsWith('W/')) return of.etag !== undefined && strongEqual(value, of.etag);
  const date = httpDate(value);
  return date !== undefined && date === httpDate(of.lastModified);
}

function matches(list: string, etag: string | undefined, equal: (a: string, b: string) => boolean): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined) return false;
  for (const match of list.matchAll(/(?:W\/)?"[^"]*"/g)) if (equal(match[0], etag)) return true;
  return false;
}

const strongEqual = (a: string, b: string): boolean => a === b && !a.startsWith('W/');
const weakEqual = (a: string, b: string): boolean => a.replace(/^W\//, '') === b.replace(/^W\//, '');

function httpDate(text: string | undefined): number | undefined {
  const value = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(value) ? undefined : value;
}
