// Bytes that came from upstream and wait to be written: copied out of the shared read buffer into chunks of 256 KiB,
// which go round in a pool.

const chunkBytes = 256 * 1024;
const pooledChunksMax = 256;
const pool: Buffer[] = [];

type Chunk = { readonly buffer: Buffer; start: number; end: number };

export class WriteQueue {
  readonly #chunks: Chunk[] = [];
  #bytes = 0;

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Copies [start, end) of a buffer to the end of the queue. */
  push(source: Buffer, start: number, end: number): void {
    for (let from = start; from < end; ) {
      let chunk = this.#chunks.at(-1);
      if (chunk === undefined || chunk.end === chunkBytes) {
        chunk = { buffer: pool.pop() ?? Buffer.allocUnsafeSlow(chunkBytes), start: 0, end: 0 };
        this.#chunks.push(chunk);
      }
      const count = Math.min(end - from, chunkBytes - chunk.end);
      source.copy(chunk.buffer, chunk.end, from, from + count);
      chunk.end += count;
      from += count;
    }
    this.#bytes += end - start;
  }

  /**
   * Takes up to `bytesMax` bytes off the front. They stay as they are until `release`, which gives back the chunks that
   * were taken whole; call it before the next `take` is released.
   */
  take(bytesMax: number): { readonly buffers: readonly Buffer[]; readonly bytes: number; release(): void } {
    const buffers: Buffer[] = [];
    const whole: Buffer[] = [];
    let bytes = 0;
    while (bytes < bytesMax) {
      const chunk = this.#chunks[0];
      if (chunk === undefined) break;
      const count = Math.min(chunk.end - chunk.start, bytesMax - bytes);
      buffers.push(chunk.buffer.subarray(chunk.start, chunk.start + count));
      chunk.start += count;
      bytes += count;
      if (chunk.start < chunk.end) break;
      this.#chunks.shift();
      whole.push(chunk.buffer);
    }
    this.#bytes -= bytes;
    const release = (): void => {
      for (const buffer of whole) if (pool.length < pooledChunksMax) pool.push(buffer);
    };
    return { buffers, bytes, release };
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#bytes = 0;
  }
}
