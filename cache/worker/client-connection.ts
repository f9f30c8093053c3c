// One client's connection at a worker: requests are read from it one after the other, answers are written in that order.
//
//   idle ──first byte──▶ head ──complete──▶ answering ──answer sent──▶ idle … (or the next pipelined head)
//     │ idle time-out      │ bad, or too slow   │ gone, or too slow      │ Connection: close
//     ▼                    ▼                    ▼                        ▼
//   closed              refused ──────────▶ lingering (the rest of what the client says is dropped) ──▶ closed
//
// What was sent is counted for the books. The kernel's word counts: bytes handed to the socket are counted when libuv
// reports them written; on a broken connection, what is still queued is not counted. An upper bound that errs by at
// most the last write, and never the other way: the receiver cannot be ahead.

import { Buffer } from 'node:buffer';
import { Socket, type SocketConstructorOpts } from 'node:net';
import { assert } from '../../common/errors.ts';
import { type LedgerEntry, peerKey } from '../../common/ledger.ts';
import { type HeadRefusal, headBytesMax, parseRequestHead, type RequestHead } from '../http/request-head.ts';
import { headText } from './answer-head.ts';
import { ReaderWatch } from './reader-watch.ts';
import type { RequestNote } from './request-note.ts';
import type { SendFile } from './send-file.ts';
import type { ReadTarget } from './target-reader.ts';

/** How long a client may take. */
export type ConnectionLimits = {
  /** From the first byte of a head to its last. */
  readonly headTimeoutMs: number;
  /** From the end of an answer (or from connecting) to the first byte of the next head. */
  readonly idleTimeoutMs: number;
  /** A client that takes less than this from what waits for it, over a minute, is cut; 0: never. */
  readonly readerBytesPerSecondMin: number;
};

/** What a connection needs of its worker. */
export interface ConnectionHost {
  readonly limits: ConnectionLimits;
  /** The fast path, where there is one. */
  readonly sendFile: SendFile | undefined;
  /** ms, as of the last sweep: time-outs need no better clock. */
  readonly coarseNowMs: number;
  /** A request has arrived; its answer ends by `endAnswer` or `destroy`. */
  answer(connection: ClientConnection, head: RequestHead): void;
  /** A request that cannot be understood was refused. */
  refused(connection: ClientConnection, refusal: HeadRefusal): void;
  /** The request under way is over: its answer is sent, or the connection ended before. */
  answered(connection: ClientConnection, aborted: boolean): void;
  closed(connection: ClientConnection): void;
}

/** Who answers the request under way. */
export interface Answerer {
  /** The connection has ended before the answer has. */
  clientGone(): void;
}

type State = 'idle' | 'head' | 'answering' | 'lingering' | 'closed';

/** A connection as it comes from the owner: libuv's handle of it. What we need of it no public interface of Node tells. */
export type SocketHandle = { readonly writeQueueSize?: number; readonly fd?: number; close(): void };

type Written = (takenBytes: number, isWhole: boolean) => void;

/** Pipelined requests are kept up to this size while one is answered; then nothing more is read. */
const pipelinedBytesMax = 4 * headBytesMax;
/** How long a refused client may go on sending before its connection is closed under it. */
const lingerMs = 2000;
const headEnd = Buffer.from('\r\n\r\n');
/** What all connections read into: a head lies in it only while it is looked at. */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
/** Where the status stands in a head: behind `HTTP/1.1 `. */
const statusAt = 9;
const carriageReturn = 0x0d;
const lineFeed = 0x0a;

export class ClientConnection {
  readonly socket: Socket;
  readonly peer: string;
  /** The client's address. */
  readonly client: string;
  /** Names the connection to the owner. */
  readonly id: number;
  bodyBytes = 0;
  /** Of bodyBytes, those that were fetched because of the request that got them. */
  fetchedBytes = 0;
  /** Status of the answer under way, 0 before its head is sent; and when that was, by performance.now(). */
  headStatus = 0;
  headAtMs = 0;
  /** The request under way, for the numbers. */
  note: RequestNote | undefined = undefined;
  answerCount = 0;
  cut = false;
  /** Whether the node itself ended the connection, and not the client. */
  givenUp = false;
  /** Whether a body is being sent at present. */
  sending = false;
  /** Whether another request may follow the present one. */
  keepAlive = true;
  answerer: Answerer | undefined = undefined;
  /** What was asked for last, and what it was understood as. */
  lastTarget: { readonly target: string; readonly host: string | undefined; readonly read: ReadTarget } | undefined =
    undefined;
  readonly #host: ConnectionHost;
  readonly #handle: SocketHandle;
  #state: State = 'idle';
  #sinceMs: number;
  /** What was read and not yet understood. */
  #pending: Buffer | undefined = undefined;
  #reading = false;
  #paused = false;
  #hasSaidLast = false;
  /** The write that waits for the kernel, if one does; writes are numbered, and libuv reports them in order. */
  #write: { readonly number: number; readonly bytes: number; readonly written: Written } | undefined = undefined;
  #writeCount = 0;
  #writtenCount = 0;
  #queuedAtEnd: number | undefined = undefined;
  readonly #reported = (): void => this.#onWritten();
  readonly #reader = new ReaderWatch();

  constructor(id: number, handle: SocketHandle, host: ConnectionHost) {
    const onread = { buffer: readBuffer, callback: (bytes: number): boolean => this.#read(bytes) };
    // A client may close its half once it has asked: it still gets its answer.
    const options = { handle, onread, allowHalfOpen: true };
    const socket = new Socket(options as SocketConstructorOpts);
    this.id = id;
    this.socket = socket;
    this.client = socket.remoteAddress ?? '';
    this.peer = peerKey(socket.remoteAddress, socket.remotePort);
    this.#host = host;
    this.#sinceMs = host.coarseNowMs;
    this.#handle = handle;
    socket.setNoDelay(true);
    socket.on('end', () => this.#ended());
    socket.on('error', () => this.#noteQueue()); // 'close' follows, and is what counts
    socket.on('close', () => this.#closed());
    socket.resume();
  }

  /** Whether nothing can be sent any more. */
  get isGone(): boolean {
    return this.#state === 'closed' || this.socket.destroyed;
  }

  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  /** Bytes given to the socket that the kernel has not taken. */
  get queuedBytes(): number {
    return this.#handle.writeQueueSize ?? 0;
  }

  /** The descriptor, when the socket is open and nothing of ours waits in user space; else undefined. */
  get idleDescriptor(): number | undefined {
    const { socket } = this;
    if (socket.destroyed || socket.writableLength > 0 || this.queuedBytes > 0) return undefined;
    const fd = this.#handle.fd;
    return fd === undefined || fd < 0 ? undefined : fd;
  }

  entry(): LedgerEntry {
    const { peer, bodyBytes, answerCount, cut } = this;
    return { peer, bodyBytes, answerCount, cut: cut || this.sending };
  }

  /** Sends the head of the answer under way; `isFollowed`: bytes go by `sendfile` right after it. */
  sendHead(text: string, isFollowed = false): void {
    this.noteHead(Number(text.slice(statusAt, statusAt + 3)));
    this.sendText(text, isFollowed);
  }

  /** A head is being sent. */
  noteHead(status: number): void {
    this.answerCount += 1;
    this.headStatus = status;
    this.headAtMs = performance.now();
  }

  /** Sends what is neither head nor content: the framing of parts. */
  sendText(text: string, isFollowed = false): void {
    // Text and what follows by `sendfile` leave in one packet.
    const fd = isFollowed ? this.idleDescriptor : undefined;
    const sent = fd === undefined ? 0 : (this.#host.sendFile?.sendLead(fd, text) ?? 0);
    if (sent < text.length && !this.isGone) this.socket.write(text.slice(sent), 'latin1');
  }

  /**
   * Sends the first `bytes` of a buffer; one call at a time. `written` hears, perhaps before this returns, how many of
   * them the kernel took: all, or fewer when the connection broke. Until then the buffer must stay as it is.
   */
  send(buffer: Buffer, bytes: number, written: Written): void {
    assert(this.#write === undefined, 'one write at a time');
    if (this.isGone) {
      written(0, false);
      return;
    }
    this.#writeCount += 1;
    this.socket.write(bytes === buffer.length ? buffer : buffer.subarray(0, bytes), this.#reported);
    if (this.queuedBytes === 0 && this.socket.writableLength === 0 && !this.isGone) written(bytes, true);
    else this.#write = { number: this.#writeCount, bytes, written };
  }

  /** The answer is sent: the next request may come, or the connection ends. */
  endAnswer(): void {
    if (this.#state !== 'answering') return;
    this.#host.answered(this, false);
    this.answerer = undefined;
    this.sending = false;
    if (!this.keepAlive || (this.#hasSaidLast && this.#pending === undefined)) {
      this.#linger();
      return;
    }
    this.#become('idle');
    if (this.#pending !== undefined && !this.#reading) this.#readHeads();
    else if (this.#paused) this.#resume();
  }

  /** Ends the connection at once: the client sees that the answer broke off, unless it was the client who left. */
  destroy(isLeft = false): void {
    if (!isLeft && !this.isGone) this.givenUp = true;
    this.#noteQueue();
    this.socket.destroy();
  }

  /** Ends the connection once the answer under way is sent; at once when there is none. */
  drain(): void {
    this.keepAlive = false;
    if (this.#state === 'idle' || this.#state === 'head') this.#linger();
  }

  /** Looks whether the client is too slow. Called about once a second. */
  sweep(nowMs: number): void {
    const { headTimeoutMs, idleTimeoutMs } = this.#host.limits;
    const forMs = nowMs - this.#sinceMs;
    switch (this.#state) {
      case 'idle':
        if (forMs > idleTimeoutMs) this.#linger();
        return;
      case 'head':
        // No answer: 408 is a 4xx, for which a device stays away from a node for 15 minutes.
        if (forMs > headTimeoutMs) this.#linger();
        return;
      case 'lingering':
        if (forMs > lingerMs && this.queuedBytes === 0) this.destroy();
        else this.#sweepReader(nowMs);
        return;
      case 'answering':
        this.#sweepReader(nowMs);
        return;
      case 'closed':
        return;
    }
  }

  /** Only while something waits for the client it is the client who is slow. */
  #sweepReader(nowMs: number): void {
    const least = this.#host.limits.readerBytesPerSecondMin;
    const isWaiting = this.queuedBytes > 0;
    if (this.#reader.isTooSlow(nowMs, isWaiting, least, this.bodyBytes, () => this.#unacknowledged())) this.destroy();
  }

  #unacknowledged(): number | undefined {
    const { fd } = this.#handle;
    return fd === undefined || fd < 0 ? undefined : this.#host.sendFile?.unacknowledged(fd);
  }

  #become(state: State): void {
    this.#state = state;
    this.#sinceMs = this.#host.coarseNowMs;
  }

  /** So many bytes have come into the read buffer; false stops the reading. */
  #read(bytes: number): boolean {
    if (this.#state === 'lingering' || this.#state === 'closed') return true;
    const chunk = readBuffer.subarray(0, bytes);
    if (this.#state !== 'answering') {
      this.#pending = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
      this.#readHeads();
    } else this.#pending = Buffer.concat(this.#pending === undefined ? [chunk] : [this.#pending, chunk]);
    // What is left over must not lie in the buffer that others read into.
    if (this.#pending?.buffer === readBuffer.buffer) this.#pending = Buffer.from(this.#pending);
    if (this.#state === 'answering' && (this.#pending?.length ?? 0) > pipelinedBytesMax) this.#paused = true;
    return !this.#paused;
  }

  #resume(): void {
    this.#paused = false;
    this.socket.resume();
  }

  /** Takes requests off what was read, until one is being answered or nothing whole is left. */
  #readHeads(): void {
    this.#reading = true;
    while (this.#pending !== undefined && (this.#state === 'idle' || this.#state === 'head')) {
      if (!this.#readHead(this.#pending)) break;
    }
    this.#reading = false;
    if (this.#paused && (this.#pending?.length ?? 0) <= pipelinedBytesMax) this.#resume();
    if (this.#hasSaidLast && this.#state !== 'answering' && this.#state !== 'closed') this.#linger();
  }

  /** Takes one request off; false when it is not whole yet. */
  #readHead(pending: Buffer): boolean {
    let start = 0;
    // RFC 9112, 2.2: empty lines before a request line are passed over.
    while (pending[start] === carriageReturn && pending[start + 1] === lineFeed) start += 2;
    if (start === pending.length) {
      this.#pending = undefined;
      return false;
    }
    const end = pending.indexOf(headEnd, start);
    if (end < 0 || end - start > headBytesMax) {
      const refusal = refusalOf(pending, start);
      if (refusal !== undefined) this.#refuse(refusal);
      else if (this.#state === 'idle') this.#become('head');
      return false;
    }
    this.#pending = end + 4 === pending.length ? undefined : pending.subarray(end + 4);
    const head = parseRequestHead(pending.toString('latin1', start, end + 4));
    if ('status' in head) {
      this.#refuse(head);
      return false;
    }
    this.keepAlive &&= head.keepAlive;
    this.#become('answering');
    this.#host.answer(this, head);
    return true;
  }

  #refuse(refusal: HeadRefusal): void {
    this.#become('answering');
    this.keepAlive = false;
    this.#host.refused(this, refusal);
    this.sendHead(headText(refusal.status, { 'Content-Length': '0' }, this));
    this.endAnswer();
  }

  /** Nothing more is answered: says so to the client, and drops what it still sends. */
  #linger(): void {
    if (this.#state === 'lingering' || this.#state === 'closed') return;
    this.#become('lingering');
    this.#pending = undefined;
    if (this.#paused) this.#resume();
    this.socket.end();
  }

  #ended(): void {
    // It may be gone, or only have nothing more to ask: if it is gone, the next write will tell.
    this.#hasSaidLast = true;
    if (this.#state !== 'answering') this.#linger();
  }

  #closed(): void {
    const wasAnswering = this.#state === 'answering';
    this.#state = 'closed';
    this.#pending = undefined;
    const write = this.#write;
    this.#write = undefined;
    if (wasAnswering) this.cut = true;
    if (write !== undefined) write.written(Math.max(0, write.bytes - (this.#queuedAtEnd ?? 0)), false);
    if (wasAnswering) {
      this.answerer?.clientGone();
      this.#host.answered(this, true);
    }
    this.answerer = undefined;
    this.#host.closed(this);
  }

  /** How much the kernel has not taken when the connection ends: libuv forgets it before the 'close' event. */
  #noteQueue(): void {
    this.#queuedAtEnd ??= this.queuedBytes;
  }

  #onWritten(): void {
    this.#writtenCount += 1;
    const write = this.#write;
    if (write === undefined || write.number !== this.#writtenCount || this.isGone) return;
    this.#write = undefined;
    write.written(write.bytes, true);
  }
}

/** Whether a head that is not whole can never become a good one. */
function refusalOf(pending: Buffer, start: number): HeadRefusal | undefined {
  const first = pending[start] as number;
  if (first !== carriageReturn && (first <= 0x20 || first >= 0x7f)) return { status: 400, reason: 'this is not HTTP' };
  for (let at = pending.indexOf(lineFeed, start); at >= 0; at = pending.indexOf(lineFeed, at + 1)) {
    if (at === start || pending[at - 1] !== carriageReturn)
      return { status: 400, reason: 'a line that ends without CR' };
  }
  if (pending.length - start <= headBytesMax) return undefined;
  const line = pending.indexOf(lineFeed, start);
  return line < 0 || line - start > headBytesMax / 2
    ? { status: 414, reason: 'a request line without end' }
    : { status: 431, reason: `a head of more than ${headBytesMax} bytes` };
}
