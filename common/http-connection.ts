// One HTTP/1.1 client connection, one request at a time, for the hot paths (devices; the node's fetches): `net` with
// `onread` into a buffer that all connections of the process share, and our response parser. No buffer is allocated per
// read, and nothing per body chunk. Everything else that speaks HTTP uses undici.
//
//   new ─▶ connecting ─▶ idle ⇄ busy (head, body) ─▶ closed
//
// A connection that is closed is not used again; a failure reaches the request that suffered it, exactly once.

import net from 'node:net';
import { assert, errorCode } from './errors.ts';
import { type ResponseHead, ResponseParser } from './http-response-parser.ts';
import { descriptorOf, type KernelReads } from './kernel-reads.ts';
import { peerKey } from './ledger.ts';

/** Why a request failed, seen from the client. */
export type FailureCause =
  | 'refused' // the connection could not be opened
  | 'timeout' // nothing came in time (the caller decides, by `fail`)
  | 'reset' // the connection broke, or ended before the answer did
  | 'badResponse'; // the answer is not HTTP as we understand it

/** Parser errors that say that the connection ended, not that its bytes are wrong. */
const endedEarly: ReadonlySet<string> = new Set(['CLOSED_BEFORE_HEAD', 'CLOSED_IN_HEAD', 'SHORT_BODY']);

export type Failure = { readonly cause: FailureCause; readonly detail: string };

/** Who is told of an answer, in order: head, body spans (valid only during the call), then end or failure. */
export interface ResponseSink {
  onHead(head: ResponseHead): void;
  onBody(buffer: Buffer, start: number, end: number): void;
  onEnd(): void;
  onFailure(failure: Failure): void;
  /** Body bytes came and are gone unseen (`ConnectionOptions.drops`). */
  onDropped?(bytes: number): void;
}

export type ConnectionOptions = {
  readonly host: string;
  readonly port: number;
  /** Source address; default: the system's choice. */
  readonly localAddress?: string | undefined;
  /** Resolves names; default: the system's resolver. */
  readonly lookup?: net.LookupFunction | undefined;
  /** Shared by all connections of a process: a span of it is valid only while `onBody` runs. */
  readonly readBuffer: Buffer;
  /** Lets the kernel gather a body's bytes before it wakes us. Default: every write of the sender does. */
  readonly kernelReads?: KernelReads | undefined;
  /** What of a body of known length did not come with its head is dropped in the kernel: the sink hears how much. */
  readonly drops?: boolean;
  /** Called once, when the connection is gone, however it went. */
  readonly onClose?: (connection: HttpConnection) => void;
};

/** A body wakes us once so many bytes are there, or its rest. A device's buffer in the kernel then holds twice that. */
const gatheredBytes = 256 * 1024;

export class HttpConnection {
  readonly #options: ConnectionOptions;
  readonly #socket: net.Socket;
  readonly #parser: ResponseParser;
  #sink: ResponseSink | undefined;
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  #onConnect: ((failure: Failure | undefined) => void) | undefined;
  #keepAlive = true;
  #peer = '';
  /** Bytes of 2xx bodies read; answers whose head was read; whether an answer broke off. For the ledger. */
  bodyBytes = 0;
  answerCount = 0;
  cut = false;
  /** When the last byte came (or the request left), by the clock of `performance.now()`. */
  lastProgressMs = 0;
  #countBody = false;
  /** The socket's descriptor, once it is connected and where the kernel helps; and how many bytes wake us. */
  #fd: number | undefined;
  #wakeAtBytes = 1;
  #isSlow = false;

  constructor(options: ConnectionOptions, onConnect?: (failure: Failure | undefined) => void) {
    this.#options = options;
    this.#onConnect = onConnect;
    this.lastProgressMs = performance.now();
    this.#parser = new ResponseParser({
      onHead: (head) => this.#head(head),
      onBody: (buffer, start, end) => this.#body(buffer, start, end),
      onEnd: () => this.#end(),
      onError: (code) => this.#failed({ cause: endedEarly.has(code) ? 'reset' : 'badResponse', detail: code }),
    });
    this.#socket = net.connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
      onread: { buffer: options.readBuffer, callback: (bytes, buffer) => this.#read(bytes, buffer as Buffer) },
    });
    this.#socket.on('connect', () => this.#connected());
    this.#socket.on('error', (error) => this.#broken(errorCode(error)));
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => this.#broken('closed'));
  }

  /** The client's end, `address:port`; empty before the connection is open. */
  get peer(): string {
    return this.#peer;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  get isBusy(): boolean {
    return this.#sink !== undefined;
  }

  /** Sends a request head (with its empty line); the connection must not be busy. */
  send(head: string, sink: ResponseSink, isHead = false): void {
    assert(this.#sink === undefined, 'one request at a time');
    assert(this.#state !== 'closed', 'a closed connection is not used again');
    this.#sink = sink;
    this.lastProgressMs = performance.now();
    this.#isSlow = false;
    this.#parser.next(isHead ? 'HEAD' : 'GET');
    this.#socket.write(head, 'latin1');
  }

  /** Stops reading until `resume`: the sender feels it through TCP. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#state !== 'closed') this.#socket.resume();
  }

  /** What has come is read now, and what will as it comes: the sender is too slow to gather its bytes. */
  readAtOnce(): void {
    this.#isSlow = true;
    if (this.#state === 'open') this.#wakeAt(1);
  }

  /** Ends the connection in order (FIN). */
  close(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'connecting') {
      this.reset();
      return;
    }
    this.#giveUp();
    this.#socket.end();
    this.#socket.destroySoon();
  }

  /** Ends the connection at once (RST): what a device does that gives up. Whoever waits for it is told nothing. */
  reset(): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'open';
    this.#giveUp();
    // A socket that is still connecting would wait for its connection before it resets it.
    if (wasOpen) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  /** Gives the request up for a reason that only the caller can see (a time-out), and resets the connection. */
  fail(failure: Failure): void {
    if (this.#state === 'closed') return;
    const sink = this.#sink;
    const onConnect = this.#takeOnConnect();
    this.reset();
    onConnect?.(failure);
    sink?.onFailure(failure);
  }

  #connected(): void {
    this.#state = 'open';
    if (this.#options.kernelReads !== undefined) this.#fd = descriptorOf(this.#socket);
    this.#peer = peerKey(this.#socket.localAddress, this.#socket.localPort);
    this.lastProgressMs = performance.now();
    this.#takeOnConnect()?.(undefined);
  }

  #takeOnConnect(): ((failure: Failure | undefined) => void) | undefined {
    const onConnect = this.#onConnect;
    this.#onConnect = undefined;
    return onConnect;
  }

  #read(bytes: number, buffer: Buffer): boolean {
    this.lastProgressMs = performance.now();
    if (this.#state === 'closed') return true;
    this.#parser.feed(buffer, 0, bytes);
    if (this.#fd !== undefined && this.isOpen) this.#gather(this.#fd);
    return true;
  }

  /** Drops what is there of the body, where that is wanted, and sleeps until enough of the rest has come. */
  #gather(fd: number): void {
    if (this.#options.drops === true && this.#countBody && this.#parser.bodyBytesLeft > 0) this.#drop(fd);
    this.#wakeAt(this.#isSlow ? 1 : Math.max(1, Math.min(gatheredBytes, this.#parser.bodyBytesLeft)));
  }

  #drop(fd: number): void {
    const dropped = this.#options.kernelReads?.drop(fd, Math.min(gatheredBytes, this.#parser.bodyBytesLeft)) ?? 0;
    if (dropped === 0) return;
    this.bodyBytes += dropped;
    this.#sink?.onDropped?.(dropped);
    if (this.isOpen) this.#parser.skipBody(dropped);
  }

  #wakeAt(bytes: number): void {
    if (bytes === this.#wakeAtBytes || this.#fd === undefined) return;
    this.#wakeAtBytes = bytes;
    this.#options.kernelReads?.wakeAt(this.#fd, bytes);
  }

  #head(head: ResponseHead): void {
    this.#countBody = head.statusCode >= 200 && head.statusCode < 300;
    this.#keepAlive = head.keepAlive;
    this.answerCount += 1;
    this.#sink?.onHead(head);
  }

  #body(buffer: Buffer, start: number, end: number): void {
    // Whoever gave the answer up in `onHead` reads no more of it.
    if (this.#state === 'closed') return;
    if (this.#countBody) this.bodyBytes += end - start;
    this.#sink?.onBody(buffer, start, end);
  }

  #end(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (!this.#keepAlive) this.close();
    sink?.onEnd();
  }

  /** The other side will send no more. */
  #ended(): void {
    if (this.#state === 'closed') return;
    if (this.#sink !== undefined) this.#parser.finish();
    this.#broken('closed by the server');
  }

  #broken(detail: string): void {
    if (this.#state === 'closed') return;
    this.#failed({ cause: this.#state === 'connecting' ? 'refused' : 'reset', detail });
  }

  #failed(failure: Failure): void {
    if (this.#state === 'closed') return;
    const sink = this.#sink;
    const onConnect = this.#takeOnConnect();
    this.#giveUp();
    if (failure.cause === 'badResponse') this.#socket.resetAndDestroy();
    else this.#socket.destroy();
    onConnect?.(failure);
    sink?.onFailure(failure);
  }

  /** Closed from here on; an answer under way is cut. */
  #giveUp(): void {
    if (this.#sink !== undefined) this.cut = true;
    this.#sink = undefined;
    this.#onConnect = undefined;
    this.#state = 'closed';
    this.#options.onClose?.(this);
  }
}
