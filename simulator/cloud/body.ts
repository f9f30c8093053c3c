// Sends the body of one answer: a chunk is generated into a pooled buffer, handed to the socket, counted once the kernel
// took it, and only then the next one is made. So a slow reader holds one chunk, and no object is ever stored.

import { Buffer } from 'node:buffer';
import type { ServerResponse } from 'node:http';
import type { ByteRange } from '../../common/byte-range.ts';
import type { ContentFunction } from '../../common/content.ts';
import type { Account, Books } from './books.ts';
import type { EgressLimiter } from './egress-limiter.ts';

const largeChunkBytes = 256 * 1024;
const smallChunkBytes = 16 * 1024;
/** Past this many bytes in flight, chunks are small: 10,000 stalled readers hold 64 MiB + 160 MB, not 2.6 GB. */
const inFlightBytesHigh = 64 * 1024 * 1024;
/** Spare large buffers that are kept (8 MiB). */
const spareMax = 32;

/** Buffers for chunks, reused once the kernel has taken them. */
export class ChunkPool {
  readonly #spare: Buffer[] = [];
  #inFlightBytes = 0;

  /** How long the next chunk should be at most. */
  get chunkBytes(): number {
    return this.#inFlightBytes < inFlightBytesHigh ? largeChunkBytes : smallChunkBytes;
  }

  take(bytes: number): Buffer {
    this.#inFlightBytes += bytes;
    if (bytes <= smallChunkBytes) return Buffer.allocUnsafeSlow(bytes);
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(largeChunkBytes);
  }

  /** `mayReuse`: false when the system could still read from it (its connection broke). */
  give(buffer: Buffer, bytes: number, mayReuse: boolean): void {
    this.#inFlightBytes -= bytes;
    if (mayReuse && buffer.length === largeChunkBytes && this.#spare.length < spareMax) this.#spare.push(buffer);
  }
}

/** What is sent, and who counts and limits it. */
export type BodyOrder = {
  readonly response: ServerResponse;
  readonly content: ContentFunction;
  readonly range: ByteRange;
  readonly account: Account;
  readonly books: Books;
  readonly pool: ChunkPool;
  readonly limiter: EgressLimiter | undefined;
};

/**
 * Sends the order's range, counts it, and calls `whenSent` once the kernel has all of it. When the connection ends
 * before, what the kernel took is counted all the same, and `whenSent` is never called.
 */
export function sendBody(order: BodyOrder, whenSent: () => void): void {
  const sender = new BodySender(order, whenSent);
  order.response.once('close', () => sender.connectionClosed());
  sender.sendNext();
}

class BodySender {
  readonly #order: BodyOrder;
  readonly #whenSent: () => void;
  #position: number;
  /** The chunk that the kernel does not have in full yet. */
  #chunk: Buffer | undefined;
  #chunkBytes = 0;
  #dispatchedBefore = 0;
  #isOver = false;

  constructor(order: BodyOrder, whenSent: () => void) {
    this.#order = order;
    this.#whenSent = whenSent;
    this.#position = order.range.start;
  }

  sendNext(): void {
    if (this.#isOver) return;
    const { range, pool, limiter } = this.#order;
    const left = range.end - this.#position;
    if (left === 0) {
      this.#isOver = true;
      this.#whenSent();
      return;
    }
    const bytes = Math.min(left, pool.chunkBytes, limiter?.chunkBytes ?? left);
    if (limiter === undefined) this.#sendChunk(bytes);
    else
      limiter.acquire(bytes, () => {
        if (this.#isOver) limiter.refund(bytes);
        else this.#sendChunk(bytes);
      });
  }

  connectionClosed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#order.account.connection.cut = true;
    this.#settleBroken();
  }

  #sendChunk(bytes: number): void {
    const { response, content, pool, account } = this.#order;
    const chunk = pool.take(bytes);
    content.fill(chunk, 0, this.#position, bytes);
    this.#chunk = chunk;
    this.#chunkBytes = bytes;
    this.#dispatchedBefore = account.connection.dispatchedBytes;
    response.write(chunk.length === bytes ? chunk : chunk.subarray(0, bytes), (error) => this.#written(error));
  }

  /** Node calls this without an error also for a write that a destroyed socket never finished. */
  #written(error: Error | null | undefined): void {
    const { response, pool, account, books } = this.#order;
    if (this.#chunk === undefined) return;
    const socket = response.socket;
    if (error || socket === null || socket.destroyed) {
      this.connectionClosed();
      return;
    }
    pool.give(this.#chunk, this.#chunkBytes, true);
    this.#chunk = undefined;
    books.sent(account, this.#chunkBytes);
    this.#position += this.#chunkBytes;
    // In turns: a reader that is always ready must not keep the event loop for itself.
    if (this.#position === this.#order.range.end) this.sendNext();
    else setImmediate(() => this.sendNext());
  }

  #settleBroken(): void {
    const { pool, account, books } = this.#order;
    if (this.#chunk === undefined) return;
    pool.give(this.#chunk, this.#chunkBytes, false);
    this.#chunk = undefined;
    const taken = account.connection.takenOf(this.#chunkBytes, this.#dispatchedBefore);
    books.sent(account, taken);
  }
}
