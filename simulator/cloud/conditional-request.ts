// What a request's conditions and range make of an answer (RFC 9110, sections 13 and 14). Pure.

import { type ByteRange, parseRangeHeader, resolveRange } from '../../common/byte-range.ts';

/** What the conditions and the range are judged against. */
export type Representation = {
  readonly sizeBytes: number;
  /** Strong, quotes included. */
  readonly etag: string;
  /** Epoch milliseconds, whole seconds. */
  readonly lastModifiedMs: number;
};

/** The request header fields that decide, in Node's lower-case names. */
export type ConditionFields = {
  readonly 'if-match'?: string | undefined;
  readonly 'if-none-match'?: string | undefined;
  readonly 'if-modified-since'?: string | undefined;
  readonly 'if-unmodified-since'?: string | undefined;
  readonly 'if-range'?: string | string[] | undefined;
  readonly range?: string | undefined;
};

/** Status 200, 206, 304, 412 and 416, in this order. */
export type Decision =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly range: ByteRange }
  | { readonly kind: 'notModified' }
  | { readonly kind: 'preconditionFailed' }
  | { readonly kind: 'rangeNotSatisfiable' };

/** Decides in the order of RFC 9110, 13.2.2. A range counts for GET only; several ranges get the whole object. */
export function decide(method: 'GET' | 'HEAD', fields: ConditionFields, found: Representation): Decision {
  const ifMatch = fields['if-match'];
  if (ifMatch !== undefined) {
    if (!listsTag(ifMatch, found.etag, 'strong')) return { kind: 'preconditionFailed' };
  } else {
    const unmodifiedSince = parseHttpDate(fields['if-unmodified-since']);
    if (unmodifiedSince !== undefined && found.lastModifiedMs > unmodifiedSince) return { kind: 'preconditionFailed' };
  }
  const ifNoneMatch = fields['if-none-match'];
  if (ifNoneMatch !== undefined) {
    if (listsTag(ifNoneMatch, found.etag, 'weak')) return { kind: 'notModified' };
  } else {
    const modifiedSince = parseHttpDate(fields['if-modified-since']);
    if (modifiedSince !== undefined && found.lastModifiedMs <= modifiedSince) return { kind: 'notModified' };
  }
  if (method !== 'GET' || fields.range === undefined || !rangeApplies(fields['if-range'], found))
    return { kind: 'whole' };
  const specs = parseRangeHeader(lastLine(fields.range));
  const spec = specs?.[0];
  if (specs === undefined || spec === undefined || specs.length > 1) return { kind: 'whole' };
  const range = resolveRange(spec, found.sizeBytes);
  return range === undefined ? { kind: 'rangeNotSatisfiable' } : { kind: 'part', range };
}

/** Of several Range lines, which Node joins, the last counts: the Linux client repeats its old ones before it (facts, 1.2). */
function lastLine(range: string): string {
  const at = range.lastIndexOf(', bytes=');
  return at < 0 ? range : range.slice(at + 2);
}

/** If-Range (13.1.5): a strong tag that is equal, or a date that is exactly Last-Modified. */
function rangeApplies(ifRange: string | string[] | undefined, found: Representation): boolean {
  if (ifRange === undefined) return true;
  if (typeof ifRange !== 'string') return false;
  const validator = ifRange.trim();
  if (validator.startsWith('"') || validator.startsWith('W/')) return validator === found.etag;
  return parseHttpDate(validator) === found.lastModifiedMs;
}

/** Whether a list of entity tags, or `*`, matches. A weak tag matches in weak comparison only (8.8.3.2). */
function listsTag(list: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (list.trim() === '*') return true;
  for (const match of list.matchAll(/(W\/)?("[^"]*")/g)) {
    if (match[2] === etag && (comparison === 'weak' || match[1] === undefined)) return true;
  }
  return false;
}

const month = '(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)';
const day = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const time = '[0-9]{2}:[0-9]{2}:[0-9]{2}';
const dateForms = [
  new RegExp(`^${day}, [0-9]{2} ${month} [0-9]{4} ${time} GMT$`),
  new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, [0-9]{2}-${month}-[0-9]{2} ${time} GMT$`),
  new RegExp(`^${day} ${month} [ 0-9][0-9] ${time} [0-9]{4}$`),
];

/** Epoch milliseconds of an HTTP date in one of its three forms (5.6.7); `undefined` for anything else, which is ignored. */
export function parseHttpDate(text: string | undefined): number | undefined {
  if (text === undefined || !dateForms.some((form) => form.test(text))) return undefined;
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(ms) ? undefined : ms;
}
