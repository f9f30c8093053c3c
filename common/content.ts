// Content without storage: any byte of any object is a pure function of (object id, version, offset), made and compared
// at memory speed. So an origin of many GB needs no disk, and every receiver can check all it gets.
//
//   page (16 KiB)  ┌ object hash, 8 ┬ version, 4 ┬ page index, 8 ┬ 16,364 bytes of the pattern block from `start` ┐
//   pattern block  256 KiB + 16,364 bytes, pseudo-random, the same in every process
//
// `start` is a keyed permutation of the page's index within its 4 GiB (2^18 pages): two pages of these never share it, and
// pages of others, or of other objects or versions, do so once in 262,144. So bytes that are displaced or mixed are seen even where
// no stamp is. Integers are little-endian. Invariant: neither `fill` nor `firstDifference` allocates on Node's heap more
// than a view per page.

import { Buffer } from 'node:buffer';
import { assert } from './errors.ts';
import { hashText, mix32 } from './random.ts';

/** Bytes of a page; each page begins with a stamp. */
export const pageBytes = 16_384;
/** Bytes of a stamp: object hash (low, high), version, page index (low, high), each 32 bits. */
export const stampBytes = 20;

/** Pages that are ordered by one key: 4 GiB. */
const pagesPerKey = 2 ** 18;
const startMask = pagesPerKey - 1;
/** Changes with the form of content, and with it every stamp and entity tag: what was stored of another form is known. */
const secondBasis = 0x9747b28d;
const pattern = makePattern(pagesPerKey + pageBytes - stampBytes);

/** The bytes of one version of one object. Keep one per download or answer: making it costs a hash of the id. */
export class ContentFunction {
  readonly objectId: string;
  /** 1, 2, 3 … up to 2^32 - 1. */
  readonly version: number;
  readonly #hashLow: number;
  readonly #hashHigh: number;
  /** The key of one stretch of pages, the one that was asked for last. */
  #keyedStretch = -1;
  #key = 0;

  constructor(objectId: string, version: number) {
    assert(Number.isInteger(version) && version >= 1 && version < 2 ** 32, `version ${version} is an integer from 1`);
    this.objectId = objectId;
    this.version = version;
    this.#hashLow = hashText(objectId);
    this.#hashHigh = hashText(objectId, secondBasis);
  }

  /** Writes the object's bytes [offset, offset + length) into `target` from `targetStart`. */
  fill(target: Buffer, targetStart: number, offset: number, length: number): void {
    assert(targetStart >= 0 && offset >= 0 && length >= 0, 'fill takes positions from 0');
    assert(targetStart + length <= target.length, 'fill stays inside its target');
    let page = Math.floor(offset / pageBytes);
    let inPage = offset - page * pageBytes;
    let cursor = targetStart;
    const end = targetStart + length;
    while (cursor < end) {
      const pageEnd = Math.min(pageBytes, inPage + end - cursor);
      const patternStart = this.#patternStart(page);
      if (inPage === 0 && pageEnd >= stampBytes) {
        this.#writeStamp(target, cursor, page);
        pattern.copy(target, cursor + stampBytes, patternStart, patternStart + pageEnd - stampBytes);
        cursor += pageEnd;
      } else {
        for (; inPage < Math.min(stampBytes, pageEnd); inPage += 1, cursor += 1)
          target[cursor] = this.#stampByte(page, inPage);
        if (inPage < pageEnd) {
          const from = patternStart + inPage - stampBytes;
          pattern.copy(target, cursor, from, from + pageEnd - inPage);
          cursor += pageEnd - inPage;
        }
      }
      page += 1;
      inPage = 0;
    }
  }

  /**
   * Compares `length` bytes of `source` from `sourceStart` with the object's bytes from `offset`. Returns the index,
   * relative to `sourceStart`, of the first wrong byte; -1 when all are right.
   */
  firstDifference(source: Buffer, sourceStart: number, offset: number, length: number): number {
    assert(sourceStart >= 0 && offset >= 0 && length >= 0, 'firstDifference takes positions from 0');
    assert(sourceStart + length <= source.length, 'firstDifference stays inside its source');
    let page = Math.floor(offset / pageBytes);
    let inPage = offset - page * pageBytes;
    let cursor = sourceStart;
    const end = sourceStart + length;
    while (cursor < end) {
      const pageEnd = Math.min(pageBytes, inPage + end - cursor);
      if (inPage === 0 && pageEnd >= stampBytes && this.#hasStamp(source, cursor, page)) {
        inPage = stampBytes;
        cursor += stampBytes;
      } else {
        for (; inPage < Math.min(stampBytes, pageEnd); inPage += 1, cursor += 1) {
          if (source[cursor] !== this.#stampByte(page, inPage)) return cursor - sourceStart;
        }
      }
      if (inPage < pageEnd) {
        const from = this.#patternStart(page) + inPage - stampBytes;
        const count = pageEnd - inPage;
        if (pattern.compare(source, cursor, cursor + count, from, from + count) !== 0) {
          return firstUnequal(source, cursor, from, count) - sourceStart;
        }
        cursor += count;
      }
      page += 1;
      inPage = 0;
    }
    return -1;
  }

  #patternStart(page: number): number {
    const stretch = Math.floor(page / pagesPerKey);
    if (stretch !== this.#keyedStretch) {
      this.#keyedStretch = stretch;
      this.#key = keyOf(this.#hashLow, this.#hashHigh, this.version, stretch);
    }
    return patternStartOf(this.#key, page);
  }

  #writeStamp(target: Buffer, at: number, page: number): void {
    target.writeUInt32LE(this.#hashLow, at);
    target.writeUInt32LE(this.#hashHigh, at + 4);
    target.writeUInt32LE(this.version, at + 8);
    target.writeUInt32LE(page % 2 ** 32, at + 12);
    target.writeUInt32LE(Math.floor(page / 2 ** 32), at + 16);
  }

  #hasStamp(source: Buffer, at: number, page: number): boolean {
    const view = viewOf(source);
    return (
      view.getUint32(at, true) === this.#hashLow &&
      view.getUint32(at + 4, true) === this.#hashHigh &&
      view.getUint32(at + 8, true) === this.version &&
      view.getUint32(at + 12, true) === page % 2 ** 32 &&
      view.getUint32(at + 16, true) === Math.floor(page / 2 ** 32)
    );
  }

  #stampByte(page: number, index: number): number {
    const word = index >> 2;
    const shift = (index & 3) * 8;
    if (word === 0) return (this.#hashLow >>> shift) & 0xff;
    if (word === 1) return (this.#hashHigh >>> shift) & 0xff;
    if (word === 2) return (this.version >>> shift) & 0xff;
    return ((word === 3 ? page % 2 ** 32 : Math.floor(page / 2 ** 32)) >>> shift) & 0xff;
  }
}

/** What the order of a stretch's pages in the pattern block follows from, as 32 bits with a sign. */
function keyOf(hashLow: number, hashHigh: number, version: number, stretch: number): number {
  return mix32(hashLow ^ mix32(hashHigh ^ mix32(version ^ mix32(stretch)))) | 0;
}

/** Where in the pattern block a page's bytes begin: a permutation of 18 bits, keyed by object, version and stretch. */
function patternStartOf(key: number, page: number): number {
  let start = (page ^ key) & startMask;
  start = Math.imul(start, 0x2c9277b5) & startMask;
  start ^= start >>> 9;
  start = Math.imul(start + (key >>> 14), 0x19d699a5) & startMask;
  return start ^ (start >>> 9);
}

/** xorshift32 (Marsaglia, 2003) from a fixed seed: the same block on every machine. */
function makePattern(length: number): Buffer {
  const block = Buffer.allocUnsafeSlow(length);
  let state = 0x1f123bb5;
  for (let i = 0; i < length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    block[i] = state >>> 24;
  }
  return block;
}

let viewed: Buffer | undefined;
let view = new DataView<ArrayBufferLike>(new ArrayBuffer(0));

/** Of the buffer of the last call: receivers share one, and a word costs less through it than by `readUInt32LE`. */
function viewOf(source: Buffer): DataView {
  if (source !== viewed) {
    viewed = source;
    view = new DataView(source.buffer, source.byteOffset, source.length);
  }
  return view;
}

function firstUnequal(source: Buffer, sourceStart: number, patternStart: number, count: number): number {
  for (let i = 0; i < count; i += 1) if (source[sourceStart + i] !== pattern[patternStart + i]) return sourceStart + i;
  throw new Error('Assertion failed: blocks that compare unequal differ in a byte');
}

/** The object's strong entity tag, quotes included: `"<16 hex digits of the id's hash>-<version>"`. */
export function etagOf(objectId: string, version: number): string {
  return `"${objectHash(objectId)}-${version}"`;
}

/** The version that an entity tag of this object names; `undefined` when it is another object's, weak or foreign. */
export function versionOfEtag(etag: string, objectId: string): number | undefined {
  const match = /^"([0-9a-f]{16})-([1-9][0-9]{0,9})"$/.exec(etag);
  return match === null || match[1] !== objectHash(objectId) ? undefined : Number(match[2]);
}

const objectHash = (objectId: string): string => hex32(hashText(objectId, secondBasis)) + hex32(hashText(objectId));

const hex32 = (value: number): string => value.toString(16).padStart(8, '0');

/** How many bytes must agree before wrong bytes are said to be this or that. */
const evidenceBytes = 16;

/**
 * Says in words what stands where the object's bytes should be, for an error message: zeros, bytes of another version,
 * page or object, or none of these. Parameters as for `firstDifference`; slow, for the rare case only.
 */
export function describeDifference(
  expected: ContentFunction,
  source: Buffer,
  sourceStart: number,
  offset: number,
  length: number,
): string {
  const index = expected.firstDifference(source, sourceStart, offset, length);
  if (index < 0) return 'no difference';
  const at = sourceStart + index;
  const end = sourceStart + length;
  const where = `byte ${offset + index} of "${expected.objectId}" version ${expected.version} is wrong`;
  const wrong = source.subarray(at, Math.min(end, at + evidenceBytes));
  if (wrong.every((byte) => byte === 0)) return `${where}: zeros stand there (${countZeros(source, at, end)} bytes)`;
  const isExpectedAgain =
    index + 1 < length && expected.firstDifference(source, at + 1, offset + index + 1, wrong.length - 1) < 0;
  if (isExpectedAgain) return `${where}: a single byte, 0x${source.toString('hex', at, at + 1)}; what follows is right`;
  const version = versionOf(expected, source, at, offset + index, wrong.length);
  if (version !== undefined) return `${where}: bytes of version ${version} of the same object stand there`;
  return `${where}: ${describeStamp(expected, source, at, sourceStart, offset, end)}`;
}

function countZeros(source: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && source[at] === 0) at += 1;
  return at - start;
}

/** Tries the versions around the expected one on the wrong bytes. Too few bytes prove nothing. */
function versionOf(
  expected: ContentFunction,
  source: Buffer,
  at: number,
  offset: number,
  count: number,
): number | undefined {
  if (count < evidenceBytes / 2) return undefined;
  for (let version = Math.max(1, expected.version - 64); version <= expected.version + 64; version += 1) {
    if (new ContentFunction(expected.objectId, version).firstDifference(source, at, offset, count) < 0) return version;
  }
  return undefined;
}

/** Looks for the stamp of the page that the wrong bytes belong to: one that the bytes after it confirm. */
function describeStamp(
  expected: ContentFunction,
  source: Buffer,
  at: number,
  sourceStart: number,
  offset: number,
  end: number,
): string {
  const first = Math.max(sourceStart, at - pageBytes + 1);
  for (let i = first; i <= Math.min(at + pageBytes, end - stampBytes - evidenceBytes); i += 1) {
    const low = source.readUInt32LE(i);
    const high = source.readUInt32LE(i + 4);
    const version = source.readUInt32LE(i + 8);
    const page = source.readUInt32LE(i + 12) + source.readUInt32LE(i + 16) * 2 ** 32;
    const from = patternStartOf(keyOf(low, high, version, Math.floor(page / pagesPerKey)), page);
    const bodyStart = i + stampBytes;
    if (pattern.compare(source, bodyStart, bodyStart + evidenceBytes, from, from + evidenceBytes) !== 0) continue;
    const belongs = offset + (i - sourceStart);
    const hash = hex32(high) + hex32(low);
    const same = hash === objectHash(expected.objectId);
    if (same && version === expected.version && page * pageBytes === belongs) continue;
    const shift = page * pageBytes - belongs;
    return `the stamp near it names ${same ? 'the same object' : `another object (hash ${hash})`}, version ${version}, page ${page}${
      shift === 0 ? '' : `, displaced by ${shift} bytes`
    }`;
  }
  return pattern.includes(source.subarray(at, Math.min(end, at + evidenceBytes)))
    ? 'content of another page, version or object stands there (its stamp is not in sight)'
    : `foreign bytes stand there (0x${source.toString('hex', at, Math.min(end, at + evidenceBytes))})`;
}
