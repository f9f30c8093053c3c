// CRC-32 of bytes that come in parts, and of two stretches that are joined without reading either again.

import { crc32 } from 'node:zlib';
import { assert } from '../../common/errors.ts';
import { loadKoffi, type NativeFunction } from '../../common/koffi.ts';

/** Less than this is summed up at once: handing it to another thread costs as much. */
const backgroundBytesMin = 64 * 1024;

/** The part [start, end) of the bytes that `buffers` are one after the other. */
export function bytesOf(buffers: readonly Buffer[], start: number, end: number): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  for (const buffer of buffers) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, buffer.length);
    if (from < to) parts.push(buffer.subarray(from, to));
    at += buffer.length;
  }
  return parts;
}

/** The checksum of [start, end) of the bytes that `buffers` are one after the other. */
export function crcOf(buffers: readonly Buffer[], start: number, end: number): number {
  let crc = 0;
  for (const part of bytesOf(buffers, start, end)) crc = crc32(part, crc);
  return crc;
}

/** The same, in the thread pool where that can be; the buffers must stay as they are meanwhile. */
export async function crcInBackground(buffers: readonly Buffer[], start: number, end: number): Promise<number> {
  if (end - start < backgroundBytesMin) return crcOf(buffers, start, end);
  native ??= loadNative();
  if (native === 'none') return crcOf(buffers, start, end);
  let crc = 0;
  for (const part of bytesOf(buffers, start, end)) crc = await nativeCrc(native, crc, part);
  return crc;
}

let native: NativeFunction | 'none' | undefined;

/** The function that node:zlib calls, by the name it has in Node's own program; taken only when it agrees with it. */
function loadNative(): NativeFunction | 'none' {
  const koffi = loadKoffi();
  if ('missing' in koffi) return 'none';
  try {
    const found = koffi.load(null).func('unsigned long Cr_z_crc32_z(unsigned long crc, void *bytes, size_t count)');
    const sample = Buffer.from('a checksum of known bytes, long enough for every path through it'.repeat(20));
    return Number(found(7, sample, sample.length)) === crc32(sample, 7) ? found : 'none';
  } catch {
    return 'none'; // another build of Node: its function has another name
  }
}

function nativeCrc(found: NativeFunction, crc: number, part: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    found.async(crc, part, part.length, (error: Error | null, sum: number) => {
      assert(part.length > 0, 'the bytes are kept alive until they are summed up');
      if (error === null) resolve(sum);
      else reject(error);
    });
  });
}

const polynomial = 0xedb88320;

/** Product of two polynomials modulo that of the CRC; as in the CRC, the highest bit is the coefficient of x⁰. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= shifted;
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ polynomial;
  }
  return product >>> 0;
}

/** x^(8 × 2^k): what 2^k more bytes multiply a checksum by. */
const byteShifts: number[] = [0x00800000];

/** The checksum of A followed by B, from theirs and the length of B. */
export function joinedCrc(crcA: number, crcB: number, bytesB: number): number {
  let shifted = crcA;
  for (let k = 0, left = bytesB; left > 0; k += 1, left = Math.floor(left / 2)) {
    const last = byteShifts[k - 1];
    if (byteShifts[k] === undefined && last !== undefined) byteShifts[k] = multiply(last, last);
    if (left % 2 === 1) shifted = multiply(byteShifts[k] as number, shifted);
  }
  return (shifted ^ crcB) >>> 0;
}
