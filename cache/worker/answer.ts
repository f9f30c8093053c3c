// One answer with a body from the drives: the head, then bytes as far as they are stored, then those that arrive, in
// order, at the client's pace. What this request's own fetches brought is a miss, everything else a hit.
//
//   pump ─▶ bytes in memory? ─sendfile─▶ the socket is full: a small write tells when it takes more ─▶ pump
//     │          └─ no ─ read by the thread pool ─▶ write ─▶ pump
//     └─ nothing stored at the cursor: wait (woken by the catalogue) ─▶ pump;  at the end: done;  trouble: cut

import type { Buffer } from 'node:buffer';
import type { ByteRange } from '../../common/byte-range.ts';
import type { IntervalSet } from '../../common/interval-set.ts';
import type { Books } from '../books.ts';
import { type ExtentPlace, extentBytes } from '../protocol.ts';
import type { ClientConnection } from './client-connection.ts';
import { type ExtentFiles, type OpenFile, readAt } from './extent-files.ts';
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
  /** `isWhole`: all of the range is sent; else the connection ends. */
  ended(answer: FileAnswer, isWhole: boolean): void;
}

/** By a write of this size libuv waits for the socket to take more; answers of at most this are written anyway. */
const waitBytes = 4 * 1024;
/** One answer's turn: then the loop serves others. */
const turnBytesMax = 2 ** 20;
/** With `--limit-egress` turns are short, so that a small answer does not wait behind large ones. */
const pacedBytesMax = 64 * 1024;

export class FileAnswer {
  readonly generation: LocalGeneration;
  readonly connection: ClientConnection;
  readonly range: ByteRange;
  readonly isHealth: boolean;
  /** Bytes that were fetched because of this request; undefined as long as there are none. */
  readonly #claimed: () => IntervalSet | undefined;
  readonly #host: AnswerHost;
  readonly #lead: (isFollowed: boolean) => void;
  /** The head leaves with the first byte: until then trouble can still be told by a status. */
  headSent = false;
  #cursor: number;
  #missedBytes = 0;
  /** Something is under way that will call `#pump` again. */
  #busy = false;
  #over = false;
  /** What to do, instead of going on, once the write under way has left. */
  #afterWrite: (() => void) | undefined;
  #isWriting = false;
  #file: OpenFile | undefined;
  #fileOf: ExtentPlace | undefined;

  constructor(
    host: AnswerHost,
    generation: LocalGeneration,
    connection: ClientConnection,
    range: ByteRange,
    claimed: () => IntervalSet | undefined,
    isHealth: boolean,
    lead: (isFollowed: boolean) => void,
  ) {
    this.#host = host;
    this.generation = generation;
    this.connection = connection;
    this.range = range;
    this.#claimed = claimed;
    this.isHealth = isHealth;
    this.#lead = lead;
    this.#cursor = range.start;
  }

  /** The next byte to send. */
  get cursor(): number {
    return this.#cursor;
  }

  get isOver(): boolean {
    return this.#over;
  }

  get missedBytes(): number {
    return this.#missedBytes;
  }

  /** Bytes that were waited for have come. */
  wake(): void {
    this.send();
  }

  /** Sends what is stored from the cursor on; goes on by itself when more arrives, until the range is sent. */
  send(): void {
    if (this.#busy || this.#over) return;
    this.generation.waiting.delete(this);
    this.#pump();
  }

  /** The client is gone, or the rest cannot be had: the connection says so by ending before the body does. */
  cut(isLeft = false): void {
    if (this.#over) return;
    this.connection.cut = true;
    this.connection.destroy(isLeft);
    this.#end(false);
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
      else if (!this.connection.isGone) this.#finish();
    };
    if (this.#isWriting) this.#afterWrite = next;
    else next();
  }

  /** Does what can be done at once; whatever has to be waited for calls it again. */
  #pump(): void {
    this.#busy = true;
    let turnBytes = 0;
    while (!this.#over && this.#cursor < this.range.end) {
      const place = this.generation.extents.get(Math.floor(this.#cursor / extentBytes));
      const runEnd = Math.min(this.generation.stored.endOfRunAt(this.#cursor), this.range.end);
      if (runEnd === this.#cursor || place === undefined) {
        this.#wait();
        return;
      }
      const file = this.#open(place);
      if (file === undefined) return;
      const before = this.#cursor;
      const end = Math.min(runEnd, (place.index + 1) * extentBytes);
      if (!this.#sendFrom(file, place, end)) return;
      turnBytes += this.#cursor - before;
      if (turnBytes >= turnBytesMax && this.#cursor < this.range.end) {
        setImmediate(() => this.#pump());
        return;
      }
    }
    this.#busy = false;
    if (!this.#over) this.#finish();
  }

  #wait(): void {
    this.#giveBackFile();
    this.generation.waiting.add(this);
    this.#busy = false;
    this.#host.want(this);
  }

  /** The extent's file, which stays open and readable meanwhile; undefined when it is still to be opened. */
  #open(place: ExtentPlace): OpenFile | undefined {
    if (this.#file !== undefined && this.#fileOf?.id === place.id) return this.#file;
    this.#giveBackFile();
    const { files } = this.#host;
    this.#file = files.opened(place.path);
    this.#fileOf = place;
    if (this.#file !== undefined) return this.#file;
    files.borrow(place.path).then(
      (file) => {
        if (this.#over) files.giveBack(file);
        else {
          this.#file = file;
          this.#pump();
        }
      },
      () => {
        if (!this.#over) this.#lose(place);
      },
    );
    return undefined;
  }

  #giveBackFile(): void {
    if (this.#file !== undefined) this.#host.files.giveBack(this.#file);
    this.#file = undefined;
    this.#fileOf = undefined;
  }

  /** Sends some of [cursor, end); false when it has to be waited for, and `#pump` will be called. */
  #sendFrom(file: OpenFile, place: ExtentPlace, end: number): boolean {
    const base = place.index * extentBytes;
    if (!this.#sendCached(file, base, end)) {
      const most = this.#host.pacer.isLimited ? pacedBytesMax : chunkBytesMax();
      return this.#sendChunk(file, place, Math.min(end, this.#cursor + most));
    }
    // The socket takes no more (or an answer's turn is over): a small write tells when it does again.
    if (this.#over || this.#cursor === end) return true;
    return this.#sendChunk(file, place, Math.min(end, this.#cursor + waitBytes));
  }

  /** From the page cache to the socket, as much as it takes; false when that way is not open. */
  #sendCached(file: OpenFile, base: number, end: number): boolean {
    const { sendFile, pacer } = this.#host;
    if (sendFile === undefined || pacer.isLimited || end - this.#cursor <= waitBytes) return false;
    const count = Math.min(end - this.#cursor, turnBytesMax);
    if (!file.residence.isResident(sendFile, this.#cursor - base, count)) return false;
    this.begin(true);
    const socketFd = this.connection.idleDescriptor;
    if (socketFd === undefined) return false;
    const sent = sendFile.send(socketFd, file.fd, this.#cursor - base, count);
    if (sent > 0) {
      this.#account(sent);
      this.#cursor += sent;
    } else if (sent < 0) this.cut(true);
    return true;
  }

  /** Reads up to `end` and writes; false when something of it has to be waited for. */
  #sendChunk(file: OpenFile, place: ExtentPlace, end: number): boolean {
    const { sendFile, pacer } = this.#host;
    const count = end - this.#cursor;
    const offset = this.#cursor - place.index * extentBytes;
    const buffer = readBuffer(count);
    const inMemory = sendFile?.readCached(file.fd, offset, buffer, 0, count) ?? 0;
    if (inMemory > 0 && !pacer.isLimited) return this.#write(buffer, inMemory);
    const reading = inMemory > 0 ? Promise.resolve(inMemory) : readAt(file.fd, buffer, count, offset);
    void reading
      .catch(() => 0)
      .then(async (bytes) => {
        if (!this.#over && bytes > 0) await pacer.take(bytes);
        if (this.#over || bytes === 0) {
          recycle(buffer);
          if (!this.#over) this.#lose(place);
        } else if (this.#write(buffer, bytes)) this.#pump();
      });
    return false;
  }

  /** Writes; true when the kernel took it all at once. */
  #write(buffer: Buffer, bytes: number): boolean {
    let isDone = false;
    let isLate = false;
    this.begin();
    this.#isWriting = true;
    this.connection.send(buffer, bytes, (taken, isWhole) => {
      this.#isWriting = false;
      recycle(buffer);
      this.#account(taken);
      this.#cursor += taken;
      if (!isWhole) this.cut();
      const next = this.#afterWrite;
      isDone = true;
      if (next !== undefined) next();
      else if (isLate && !this.#over) this.#pump();
    });
    if (isDone) return !this.#over;
    isLate = true;
    if (this.#host.files.isCrowded) this.#giveBackFile();
    return false;
  }

  /** The extent's file is gone or broken: what it held is asked for anew. */
  #lose(place: ExtentPlace): void {
    this.#giveBackFile();
    if (this.generation.extents.get(place.index)?.id === place.id) {
      this.generation.lose(place.index);
      this.#host.files.forget(place.path);
      this.#host.unreadable(this.generation, place.id);
    }
    this.#pump();
  }

  #account(bytes: number): void {
    const { books } = this.#host;
    const missed = this.#claimed()?.overlapBytes(this.#cursor, this.#cursor + bytes) ?? 0;
    this.connection.bodyBytes += bytes;
    this.connection.fetchedBytes += missed;
    if (this.isHealth) {
      books.healthBytes += bytes;
      return;
    }
    this.#missedBytes += missed;
    books.missBytes += missed;
    books.hitBytes += bytes - missed;
    books.egressBytes += bytes;
  }

  /** Sends what comes before the bytes, if that has not been done; `isFollowed`: they go by `sendfile` right after it. */
  begin(isFollowed = false): void {
    if (this.headSent) return;
    this.headSent = true;
    this.connection.sending = true;
    this.#lead(isFollowed);
  }

  #finish(): void {
    this.begin();
    this.#end(true);
  }

  #end(isWhole: boolean): void {
    this.#stop();
    this.#host.ended(this, isWhole);
  }

  #stop(): void {
    this.#over = true;
    this.connection.sending = false;
    this.generation.waiting.delete(this);
    this.#giveBackFile();
  }
}
