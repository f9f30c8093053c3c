// One answer with a body from the drives: the head, then bytes as far as they are stored, then those that arrive, in
// order, at the client's pace. What this request's own fetches brought is a miss, everything else a hit.
//
//   ready ─▶ head sent ─▶ send stored bytes ─▶ (wait for more | pass the rest through) ─▶ done | cut

import type { ServerResponse } from 'node:http';
import type { ByteRange } from '../../common/byte-range.ts';
import type { IntervalSet } from '../../common/interval-set.ts';
import type { Books } from '../books.ts';
import { extentBytes } from '../protocol.ts';
import type { ClientConnection } from './client-connection.ts';
import { type ExtentFiles, readAt } from './extent-files.ts';
import type { LocalGeneration } from './local-catalogue.ts';
import type { Pacer } from './pacer.ts';
import { chunkBytesMax, readBuffer, recycle } from './read-buffers.ts';

/** What an answer needs of its worker. */
export interface AnswerHost {
  readonly files: ExtentFiles;
  readonly books: Books;
  readonly pacer: Pacer;
  /** Asks the owner for the rest of the range; calls `again` when the answer should look once more. */
  want(answer: FileAnswer): void;
  /** An extent's file could not be read. */
  unreadable(generation: LocalGeneration, extent: number): void;
  ended(answer: FileAnswer): void;
}

export class FileAnswer {
  readonly generation: LocalGeneration;
  readonly response: ServerResponse;
  readonly connection: ClientConnection;
  readonly range: ByteRange;
  /** Bytes that were fetched because of this request. */
  readonly claimed: IntervalSet;
  readonly isHealth: boolean;
  readonly #host: AnswerHost;
  readonly #sendHead: () => void;
  /** The head leaves with the first byte: until then trouble can still be told by a status. */
  headSent = false;
  #cursor: number;
  #missedBytes = 0;
  #busy = false;
  #over = false;
  #writing: Promise<void> | undefined;

  constructor(
    host: AnswerHost,
    generation: LocalGeneration,
    response: ServerResponse,
    connection: ClientConnection,
    range: ByteRange,
    claimed: IntervalSet,
    isHealth: boolean,
    sendHead: () => void,
  ) {
    this.#host = host;
    this.generation = generation;
    this.response = response;
    this.connection = connection;
    this.range = range;
    this.claimed = claimed;
    this.isHealth = isHealth;
    this.#sendHead = sendHead;
    this.#cursor = range.start;
  }

  /** The next byte to send. */
  get cursor(): number {
    return this.#cursor;
  }

  get isOver(): boolean {
    return this.#over;
  }

  /** Bytes that were waited for have come. */
  wake(): void {
    void this.send();
  }

  /** Sends what is stored from the cursor on; goes on by itself when more arrives, until the range is sent. */
  async send(): Promise<void> {
    if (this.#busy || this.#over) return;
    this.#busy = true;
    this.generation.waiting.delete(this);
    while (!this.#over && this.#cursor < this.range.end) {
      const runEnd = Math.min(this.generation.stored.endOfRunAt(this.#cursor), this.range.end);
      const extent = this.generation.extents.get(Math.floor(this.#cursor / extentBytes));
      if (runEnd === this.#cursor || extent === undefined) {
        this.generation.waiting.add(this);
        this.#busy = false;
        this.#host.want(this);
        return;
      }
      const chunkEnd = Math.min(runEnd, this.#cursor + chunkBytesMax(), (extent.index + 1) * extentBytes);
      await this.#sendChunk(extent, chunkEnd);
    }
    this.#busy = false;
    if (!this.#over) this.#finish();
  }

  /** The client is gone, or the rest cannot be had: the connection says so by ending before the body does. */
  cut(): void {
    if (this.#over) return;
    this.connection.cut = true;
    this.response.destroy();
    this.#end();
  }

  /** Somebody else answers; the head has not been sent. */
  abandon(): void {
    this.#stop();
  }

  /** Somebody else sends the rest: `go` is called once what is being written has left, unless that was all. */
  handOver(go: () => void): void {
    this.#stop();
    const next = (): void => {
      if (this.#cursor < this.range.end) go();
      else if (!this.response.destroyed) this.#finish();
    };
    if (this.#writing === undefined) next();
    else void this.#writing.then(next);
  }

  async #sendChunk(
    extent: { readonly id: number; readonly index: number; readonly path: string },
    end: number,
  ): Promise<void> {
    const start = this.#cursor;
    const buffer = readBuffer(end - start);
    let count = 0;
    try {
      const file = await this.#host.files.borrow(extent.path);
      try {
        count = await readAt(file.fd, buffer, end - start, start - extent.index * extentBytes);
      } finally {
        this.#host.files.giveBack(file);
      }
    } catch {
      count = 0;
    }
    if (this.#over || count === 0) {
      recycle(buffer);
      if (count === 0 && this.generation.extents.get(extent.index)?.id === extent.id) {
        this.generation.lose(extent.index);
        this.#host.files.forget(extent.path);
        this.#host.unreadable(this.generation, extent.id);
      }
      return;
    }
    await this.#host.pacer.take(count);
    if (this.#over) {
      recycle(buffer);
      return;
    }
    this.#begin();
    this.#writing = this.#write(buffer, count);
    await this.#writing;
    this.#writing = undefined;
  }

  #write(buffer: Buffer, count: number): Promise<void> {
    const start = this.#cursor;
    return new Promise((resolve) => {
      const { socket } = this.connection;
      let settled = false;
      const settle = (taken: number): void => {
        if (settled) return;
        settled = true;
        socket.off('close', broken);
        this.#account(start, taken);
        this.#cursor = start + count;
        resolve();
      };
      const broken = (): void => {
        settle(Math.max(0, count - this.connection.queuedBytes));
        this.cut();
      };
      socket.once('close', broken);
      socket.write(buffer.subarray(0, count), (error) => {
        if (error === null || error === undefined) settle(count);
        else broken();
        recycle(buffer);
      });
    });
  }

  #account(start: number, bytes: number): void {
    const { books } = this.#host;
    this.connection.bodyBytes += bytes;
    if (this.isHealth) {
      books.healthBytes += bytes;
      return;
    }
    const missed = this.claimed.overlapBytes(start, start + bytes);
    this.#missedBytes += missed;
    books.missBytes += missed;
    books.hitBytes += bytes - missed;
    books.egressBytes += bytes;
  }

  #begin(): void {
    if (this.headSent) return;
    this.headSent = true;
    this.connection.sending = true;
    this.#sendHead();
  }

  #finish(): void {
    this.#begin();
    if (!this.isHealth) {
      if (this.#missedBytes > 0) this.#host.books.missRequestCount += 1;
      else this.#host.books.hitRequestCount += 1;
    }
    this.response.end();
    this.#end();
  }

  #end(): void {
    this.#stop();
    this.#host.ended(this);
  }

  #stop(): void {
    this.#over = true;
    this.connection.sending = false;
    this.generation.waiting.delete(this);
  }
}
