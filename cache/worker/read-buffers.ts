// Buffers that answers read into and send from, in three sizes that go round in pools. While many large ones are in flight
// (slow readers) smaller ones are handed out, so that 10,000 stalled readers hold 64 MiB + 160 MB, not 2.6 GB.

const tinyBytes = 4 * 1024;
const smallBytes = 16 * 1024;
const largeBytes = 256 * 1024;
const inFlightBytesHigh = 64 * 2 ** 20;
/** Idle buffers kept: at most 21 MB. */
const pooledMax = new Map([
  [tinyBytes, 256],
  [smallBytes, 256],
  [largeBytes, 64],
]);
const pools = new Map<number, Buffer[]>([
  [tinyBytes, []],
  [smallBytes, []],
  [largeBytes, []],
]);
let inFlightBytes = 0;

/** How much the next chunk may hold. */
export const chunkBytesMax = (): number => (inFlightBytes < inFlightBytesHigh ? largeBytes : smallBytes);

/** A buffer of at least `bytes` (at most 256 KiB); give it back by `recycle`, exactly once. */
export function readBuffer(bytes: number): Buffer {
  const size = bytes <= tinyBytes ? tinyBytes : bytes <= smallBytes ? smallBytes : largeBytes;
  inFlightBytes += size;
  return pools.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
}

export function recycle(buffer: Buffer): void {
  inFlightBytes -= buffer.length;
  const pool = pools.get(buffer.length);
  if (pool !== undefined && pool.length < (pooledMax.get(buffer.length) ?? 0)) pool.push(buffer);
}
