// CRC-32 of bytes that come in parts, and of two stretches that are joined without reading either again.

import { crc32 } from 'node:zlib';

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
