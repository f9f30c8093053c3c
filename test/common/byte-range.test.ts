import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ByteRange,
  contentRangeHeader,
  parseContentRange,
  parseRangeHeader,
  rangeHeader,
  resolveRange,
} from '../../common/byte-range.ts';

describe('a Range header', () => {
  it.each([
    // header, size, the bytes of the object that it names (undefined: 416)
    ['bytes=0-0', 10, { start: 0, end: 1 }],
    ['bytes=2-5', 10, { start: 2, end: 6 }],
    ['BYTES=2-5', 10, { start: 2, end: 6 }],
    ['bytes=2-', 10, { start: 2, end: 10 }],
    ['bytes=2-99', 10, { start: 2, end: 10 }],
    ['bytes=10-', 10, undefined],
    ['bytes=10-20', 10, undefined],
    ['bytes=-3', 10, { start: 7, end: 10 }],
    ['bytes=-30', 10, { start: 0, end: 10 }],
    ['bytes=-0', 10, undefined],
    ['bytes=0-', 0, undefined],
    ['bytes=-1', 0, undefined],
    [`bytes=5-${'9'.repeat(400)}`, 10, { start: 5, end: 10 }],
    [`bytes=-${'9'.repeat(400)}`, 10, { start: 0, end: 10 }],
    [`bytes=${'9'.repeat(400)}-`, 10, undefined],
    ['bytes=0000000000000000000002-5', 10, { start: 2, end: 6 }],
  ])('%s of %d bytes', (header, sizeBytes, range) => {
    const specs = parseRangeHeader(header);
    expect(specs).toHaveLength(1);
    expect(specs?.[0] && resolveRange(specs[0], sizeBytes)).toEqual(range);
  });

  it('may hold several ranges, with spaces and empty entries', () => {
    expect(parseRangeHeader('bytes=0-1, -5 ,,7-')).toEqual([
      { kind: 'fromTo', first: 0, last: 1 },
      { kind: 'suffix', suffixBytes: 5 },
      { kind: 'from', first: 7 },
    ]);
  });

  it.each([
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=a-b',
    'bytes=5-2',
    'bytes=1-2,x',
    'bytes=1-2-3',
    'bytes=+1-2',
    'items=0-1',
  ])('%j is ignored', (header) => {
    expect(parseRangeHeader(header)).toBeUndefined();
  });

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(anyRange, ({ range, sizeBytes }) => {
        const specs = parseRangeHeader(rangeHeader(range)) ?? [];
        expect(specs.map((spec) => resolveRange(spec, sizeBytes))).toEqual([range]);
      }),
    );
  });

  it('resolves inside the object and never to nothing', () => {
    const position = fc.oneof(fc.constant(''), fc.nat(50).map(String), fc.bigInt({ min: 0n }).map(String));
    fc.assert(
      fc.property(position, position, fc.nat(60), (first, last, sizeBytes) => {
        for (const spec of parseRangeHeader(`bytes=${first}-${last}`) ?? []) {
          const range = resolveRange(spec, sizeBytes);
          if (range === undefined) continue;
          expect(range.start).toBeGreaterThanOrEqual(0);
          expect(range.start).toBeLessThan(range.end);
          expect(range.end).toBeLessThanOrEqual(sizeBytes);
        }
      }),
    );
  });
});

describe('a Content-Range header', () => {
  it.each([
    ['bytes 0-9/10', { range: { start: 0, end: 10 }, sizeBytes: 10 }],
    ['Bytes 2-5/*', { range: { start: 2, end: 6 }, sizeBytes: undefined }],
    ['bytes */10', { range: undefined, sizeBytes: 10 }],
  ])('%s is read', (header, expected) => {
    expect(parseContentRange(header)).toEqual(expected);
  });

  it.each([
    '',
    'bytes',
    'bytes 0-9',
    'bytes 5-2/10',
    'bytes 0-10/10',
    'bytes */*',
    'bytes 0-/10',
    'items 0-9/10',
    'bytes=0-9/10',
  ])('%j is malformed', (header) => {
    expect(parseContentRange(header)).toBeUndefined();
  });

  it('comes back as it was written', () => {
    fc.assert(
      fc.property(anyRange, ({ range, sizeBytes }) => {
        expect(parseContentRange(contentRangeHeader(range, sizeBytes))).toEqual({ range, sizeBytes });
      }),
    );
  });
});

/** A range inside an object of up to 100 TB. */
const anyRange: fc.Arbitrary<{ range: ByteRange; sizeBytes: number }> = fc
  .tuple(fc.nat(1e14), fc.nat(1e6), fc.nat(1e6))
  .map(([start, length, rest]) => ({
    range: { start, end: start + length + 1 },
    sizeBytes: start + length + 1 + rest,
  }));
