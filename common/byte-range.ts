// Byte ranges as HTTP writes them (RFC 9110, section 14) and as the code uses them: [start, end), end exclusive.

/** Bytes `start` up to but not including `end` of an object. */
export type ByteRange = { readonly start: number; readonly end: number };

/** One asked range before the object's size is known: `first`-`last` inclusive, or the last `suffixBytes` bytes. */
export type RangeSpec =
  | { readonly kind: 'fromTo'; readonly first: number; readonly last: number }
  | { readonly kind: 'from'; readonly first: number }
  | { readonly kind: 'suffix'; readonly suffixBytes: number };

/**
 * Reads the value of a `Range` header. The unit is case-insensitive; digits may be of any length (a position beyond
 * 2^53 is read as "beyond every object"). Returns `undefined` for an unknown unit or a malformed set, which a server
 * ignores (RFC 9110, 14.2).
 */
export function parseRangeHeader(value: string): readonly RangeSpec[] | undefined {
  const usual = parseUsualRange(value);
  if (usual !== undefined) return [usual];
  const equals = value.indexOf('=');
  if (equals < 0 || value.slice(0, equals).trim().toLowerCase() !== 'bytes') return undefined;
  const specs: RangeSpec[] = [];
  for (const part of value.slice(equals + 1).split(',')) {
    const text = part.trim();
    if (text === '') continue;
    const match = /^([0-9]*)-([0-9]*)$/.exec(text);
    if (match?.[1] === undefined || match[2] === undefined) return undefined;
    const spec = rangeSpec(match[1], match[2]);
    if (spec === undefined) return undefined;
    specs.push(spec);
  }
  return specs.length === 0 ? undefined : specs;
}

/** `bytes=<digits>-<digits>`, which is what nearly every client sends: read without an expression or a split. */
function parseUsualRange(value: string): RangeSpec | undefined {
  if (!value.startsWith(usualPrefix) || value.length > usualPrefix.length + 31) return undefined;
  let first = 0;
  let at = usualPrefix.length;
  for (; ; at += 1) {
    const digit = value.charCodeAt(at) - zero;
    if (!(digit >= 0 && digit <= 9)) break;
    first = first * 10 + digit;
  }
  const dash = at;
  if (dash === usualPrefix.length || value.charCodeAt(dash) !== minus) return undefined;
  let last = 0;
  for (at += 1; at < value.length; at += 1) {
    const digit = value.charCodeAt(at) - zero;
    if (!(digit >= 0 && digit <= 9)) return undefined;
    last = last * 10 + digit;
  }
  if (at === dash + 1 || first > last || last >= Number.MAX_SAFE_INTEGER) return undefined;
  return { kind: 'fromTo', first, last };
}

const usualPrefix = 'bytes=';
const zero = 0x30;
const minus = 0x2d;

function rangeSpec(first: string, last: string): RangeSpec | undefined {
  if (first === '') return last === '' ? undefined : { kind: 'suffix', suffixBytes: position(last) };
  if (last === '') return { kind: 'from', first: position(first) };
  const spec = { kind: 'fromTo', first: position(first), last: position(last) } as const;
  return spec.first > spec.last ? undefined : spec;
}

/** Positions past 2^53 - 2 are all beyond any object: clamping keeps the arithmetic exact. */
function position(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1);
}

/** The part of an object of `sizeBytes` that a spec names, or `undefined` when it names none (416). */
export function resolveRange(spec: RangeSpec, sizeBytes: number): ByteRange | undefined {
  switch (spec.kind) {
    case 'suffix': {
      const start = Math.max(0, sizeBytes - spec.suffixBytes);
      return spec.suffixBytes === 0 || sizeBytes === 0 ? undefined : { start, end: sizeBytes };
    }
    case 'from':
      return spec.first < sizeBytes ? { start: spec.first, end: sizeBytes } : undefined;
    case 'fromTo':
      return spec.first < sizeBytes ? { start: spec.first, end: Math.min(spec.last + 1, sizeBytes) } : undefined;
  }
}

/** `bytes=<first>-<last>` for a request. */
export const rangeHeader = (range: ByteRange): string => `bytes=${range.start}-${range.end - 1}`;

/** `bytes <first>-<last>/<size>` for a 206. */
export const contentRangeHeader = (range: ByteRange, sizeBytes: number): string =>
  `bytes ${range.start}-${range.end - 1}/${sizeBytes}`;

/** A `Content-Range` of a 206, or of a 416 (then `range` is undefined). `sizeBytes` is undefined for `*`. */
export type ContentRange = { readonly range: ByteRange | undefined; readonly sizeBytes: number | undefined };

/** Reads a `Content-Range`; `undefined` when it is malformed or contradicts itself. */
export function parseContentRange(value: string): ContentRange | undefined {
  const match = /^bytes\s+(?:([0-9]{1,15})-([0-9]{1,15})|\*)\/([0-9]{1,15}|\*)$/i.exec(value.trim());
  if (match === null) return undefined;
  const sizeBytes = match[3] === '*' || match[3] === undefined ? undefined : Number(match[3]);
  // `bytes */*` says nothing at all: the grammar has no such form (RFC 9110, 14.4).
  if (match[1] === undefined || match[2] === undefined) {
    return sizeBytes === undefined ? undefined : { range: undefined, sizeBytes };
  }
  const range = { start: Number(match[1]), end: Number(match[2]) + 1 };
  if (range.end <= range.start || (sizeBytes !== undefined && range.end > sizeBytes)) return undefined;
  return { range, sizeBytes };
}
