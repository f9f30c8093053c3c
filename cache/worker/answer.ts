// One answer with a body from the drives: the head, then bytes as far as they are stored, then those that arrive, in
// order, at the client's pace. What this request's own fetches brought is a miss, everything else a hit.
//
//   ready ─▶ head sent ─▶ send stored bytes ─▶ (wait for more | pass the rest through) ─▶ done | cut

import type { ServerResponse } from 'node:http';
import type { ByteRange } from '../../common/byte-range.ts';
import type { IntervalSet } from '../../common/interval-set.ts';
import type { Books } from '../books.ts';
import { type ExtentPlace, extentBytes } from '../protocol.ts';
import type { ClientConnection } from './client-connection.ts';
import { type ExtentFiles, readAt } from './extent-files.ts';
import type { LocalGeneration } from './local-catalogue.ts';
import type { Pacer } from './pacer.ts';
import { chunkBytesMax, readBuffer, recycle } from './read-buffers.ts';
import type { SendFile } from './send-file.ts';

/** What an answer needs of its worker. */
export interface AnswerHost {
  readonly files: ExtentFiles;
  readonly books: Books;
  readonly pacer: Pacer;
  /** The fast path, where there is one. */
  readonly sendFile: SendFile | undefined;
  /** Asks the owner for the rest of the range; calls `again` when the answer should look once more. */
  want(answer: FileAnswer): void;
  /** An extent's file could not be read. */
  unreadable(generation: LocalGeneration, extent: number): void;
  ended(answer: FileAnswer): void;
}

/** By a write of this size libuv waits for the socket to take more; answers of at most this are written anyway. */
const waitBytes = 16 * 1024;
/** One answer's turn: then the loop serves others. */
const turnBytesMax = 2 ** 20;

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
      await this.#sendStretch(extent, Math.min(runEnd, (extent.index + 1) * extentBytes));
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

  /** Sends up to `end` from one extent's file, which stays open and readable meanwhile. */
  async #sendStretch(extent: ExtentPlace, end: number): Promise<void> {
    const { files } = this.#host;
    const file = files.opened(extent.path) ?? (await files.borrow(extent.path).catch(() => undefined));
    if (file === undefined) {
      this.#unreadable(extent);
      return;
    }
    try {
      const base = extent.index * extentBytes;
      while (!this.#over && this.#cursor < end) {
        const isReadable = this.#sendCached(file.fd, base, end)
          ? await this.#awaitRoom(file.fd, base, end)
          : await this.#sendChunk(file.fd, base, Math.min(end, this.#cursor + chunkBytesMax()));
        if (!isReadable) {
          this.#unreadable(extent);
          return;
        }
      }
    } finally {
      files.giveBack(file);
    }
  }

  /** From the page cache to the socket, as much as it takes; false when that way is not open. */
  #sendCached(fd: number, base: number, end: number): boolean {
    const { sendFile, pacer } = this.#host;
    if (sendFile === undefined || pacer.isLimited || end - this.#cursor <= waitBytes) return false;
    const count = Math.min(end - this.#cursor, turnBytesMax);
    if (!sendFile.isCached(fd, this.#cursor - base, count)) return false;
    this.#begin();
    const socketFd = this.connection.idleDescriptor;
    if (socketFd === undefined) return false;
    const sent = sendFile.send(socketFd, fd, this.#cursor - base, count);
    if (sent > 0) {
      this.#account(this.#cursor, sent);
      this.#cursor += sent;
    } else if (sent < 0) this.cut();
    return true;
  }

  /** After a turn of `sendCached`: waits, by a small write, until the socket takes more, or lets others have a turn. */
  async #awaitRoom(fd: number, base: number, end: number): Promise<boolean> {
    if (this.#over || this.#cursor === end) return true;
    return await this.#sendChunk(fd, base, Math.min(end, this.#cursor + waitBytes));
  }

  /** Reads and writes; false when the file cannot be read. */
  async #sendChunk(fd: number, base: number, end: number): Promise<boolean> {
    const start = this.#cursor;
    const buffer = readBuffer(end - start);
    let count = this.#host.sendFile?.readCached(fd, start - base, buffer, end - start) ?? 0;
    if (count === 0) count = await readAt(fd, buffer, end - start, start - base).catch(() => 0);
    await this.#host.pacer.take(count);
    if (this.#over || count === 0) {
      recycle(buffer);
      return count > 0;
    }
    this.#begin();
    this.#writing = this.#write(buffer, count);
    await this.#writing;
    this.#writing = undefined;
    return true;
  }

  #unreadable(extent: ExtentPlace): void {
    if (this.generation.extents.get(extent.index)?.id !== extent.id) return;
    this.generation.lose(extent.index);
    this.#host.files.forget(extent.path);
    this.#host.unreadable(this.generation, extent.id);
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
    this.connection.missBytes += missed;
    this.connection.hitBytes += bytes - missed;
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
