// Buffers that answers read into and send from. Large ones go round in a pool; while many are in flight (slow readers)
// small ones are handed out, so that 10,000 stalled readers hold 64 MiB + 160 MB, not 2.6 GB.

const largeBytes = 256 * 1024;
const smallBytes = 16 * 1024;
/** Smaller ones may lie on V8's heap, where native code must not hold an address. */
const leastBytes = 128;
const inFlightBytesHigh = 64 * 2 ** 20;
const pooledMax = 64;
const pool: Buffer[] = [];
let inFlightBytes = 0;

/** How much the next chunk may hold. */
export const chunkBytesMax = (): number => (inFlightBytes < inFlightBytesHigh ? largeBytes : smallBytes);

/** A buffer of at least `bytes` (at most 256 KiB); give it back by `recycle`, exactly once. */
export function readBuffer(bytes: number): Buffer {
  const buffer =
    bytes <= smallBytes
      ? Buffer.allocUnsafeSlow(Math.max(bytes, leastBytes))
      : (pool.pop() ?? Buffer.allocUnsafeSlow(largeBytes));
  inFlightBytes += buffer.length;
  return buffer;
}

export function recycle(buffer: Buffer): void {
  inFlightBytes -= buffer.length;
  if (buffer.length === largeBytes && pool.length < pooledMax) pool.push(buffer);
}
