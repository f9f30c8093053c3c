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
import type { Line } from './line.ts';

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
  /** What lies between; default: nothing. */
  readonly line?: Line | undefined;
  /** Lets the kernel gather a body's bytes before it wakes us. Default: every write of the sender does. */
  readonly kernelReads?: KernelReads | undefined;
  /** What of a body of known length did not come with its head is dropped in the kernel: the sink hears how much. */
  readonly drops?: boolean;
  /** Called when bytes came that nobody asked for, while no request was under way; the connection is closed then. */
  readonly onUnasked?: (failure: Failure) => void;
  /** Called once, when the connection is gone, however it went. */
  readonly onClose?: (connection: HttpConnection) => void;
};

/** A body wakes us once so many bytes are there, or its rest. A device's buffer in the kernel then holds twice that: less for many. */
const gatheredBytesOfFew = 512 * 1024;
const gatheredBytesOfMany = 256 * 1024;
/** Open connections of a process that are still few: their kernel memory is 128 MiB at the most. */
const fewConnectionsMax = 128;
let openCount = 0;

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
  heldUntilMs = 0;
  #countBody = false;
  /** Whether its line lets nothing more through for now; and an end that it has not let through. */
  #isHeld = false;
  #endIsHeld = false;
  /** The socket's descriptor, once it is connected and where the kernel helps; and how many bytes wake us. */
  #fd: number | undefined;
  #wakeAtBytes = 1;
  #isSlow = false;
  /** Whether its sender was slow before: then it may gather less, so that it gathers. */
  #wasSlow = false;

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
    const { line, readBuffer } = options;
    this.#socket = net.connect({
      host: options.host,
      port: options.port,
      noDelay: true,
      ...(options.localAddress === undefined ? {} : { localAddress: options.localAddress }),
      ...(options.lookup === undefined ? {} : { lookup: options.lookup }),
      onread: {
        buffer: line === undefined ? readBuffer : () => firstBytes(readBuffer, line.readBytesMax),
        callback: (bytes, buffer) => this.#read(bytes, buffer as Buffer),
      },
    });
    this.#socket.on('connect', () => after(line?.opening() ?? 0, () => this.#connected()));
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
    const { line } = this.#options;
    if (line === undefined) this.#socket.write(head, 'latin1');
    else
      after(line.asking(), () => {
        if (this.#sink === sink) this.#socket.write(head, 'latin1');
      });
  }

  /** Stops reading until `resume`: the sender feels it through TCP. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    if (this.#state !== 'closed') this.#socket.resume();
  }

  /** For its line: what was held may pass. */
  release(): void {
    if (this.isClosed || !this.#isHeld) return;
    this.#isHeld = false;
    if (this.#endIsHeld) this.#end();
    if (!this.isClosed && !this.#isHeld) this.#socket.resume();
  }

  /** Whether its line died under it: the server never hears of its end. */
  get isHalfOpen(): boolean {
    return this.#options.line?.isDead === true;
  }

  /** Gives back the socket of a connection that was closed while half open. */
  bury(): void {
    this.#socket.resetAndDestroy();
  }

  /**
   * What has come is read next, and what will as it comes: the sender is too slow to gather its bytes. False when that was
   * so already.
   */
  readAtOnce(): boolean {
    const isNews = !this.#isSlow;
    this.#isSlow = true;
    this.#wasSlow = true;
    if (this.#state === 'open') this.#wakeAt(1);
    return isNews;
  }

  /** Ends the connection in order (FIN). */
  close(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'connecting') {
      this.reset();
      return;
    }
    this.#giveUp();
    if (this.isHalfOpen) return;
    this.#socket.end();
    this.#socket.destroySoon();
  }

  /** Ends the connection at once (RST): what a device does that gives up. Whoever waits for it is told nothing. */
  reset(): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'open';
    this.#giveUp();
    if (this.isHalfOpen) return;
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
    if (this.#state === 'closed') return;
    this.#state = 'open';
    openCount += 1;
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
    const { line } = this.#options;
    if (line === undefined) {
      this.#parser.feed(buffer, 0, bytes);
      this.#drop(Number.POSITIVE_INFINITY);
    } else {
      // The end of an answer is told when the line lets all that came through.
      this.#isHeld = true;
      this.#parser.feed(buffer, 0, bytes);
      const dropped = this.#drop(line.readBytesMax - bytes);
      if (line.take(bytes + dropped, this.lastProgressMs, this)) this.#isHeld = false;
      if (!this.#isHeld && this.#endIsHeld) this.#end();
    }
    this.#gather();
    return !this.#isHeld;
  }

  /** Drops what is there of the body, where that is wanted; returns how much it was. */
  #drop(bytesMax: number): number {
    const { drops, kernelReads } = this.#options;
    const count = Math.min(gatheredBytesOfFew, bytesMax, this.#parser.bodyBytesLeft);
    if (drops !== true || this.#fd === undefined || !this.isOpen || !this.#countBody || count <= 0) return 0;
    const dropped = kernelReads?.drop(this.#fd, count) ?? 0;
    if (dropped === 0) return 0;
    this.bodyBytes += dropped;
    this.#sink?.onDropped?.(dropped);
    if (this.isOpen) this.#parser.skipBody(dropped);
    return dropped;
  }

  /** Sleeps until enough of the rest of a body has come, and no more than its line lets through at once. */
  #gather(): void {
    if (this.#fd === undefined || !this.isOpen) return;
    const isOneOfFew = openCount <= fewConnectionsMax && !this.#wasSlow;
    const gathered = isOneOfFew ? gatheredBytesOfFew : gatheredBytesOfMany;
    const enough = Math.min(gathered, this.#options.line?.readBytesMax ?? Number.POSITIVE_INFINITY);
    this.#wakeAt(this.#isSlow ? 1 : Math.max(1, Math.min(enough, this.#parser.bodyBytesLeft)));
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
    this.#endIsHeld = this.#isHeld;
    if (this.#isHeld) return;
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
    if (sink === undefined && failure.cause === 'badResponse') this.#options.onUnasked?.(failure);
    sink?.onFailure(failure);
  }

  /** Closed from here on; an answer under way is cut. */
  #giveUp(): void {
    if (this.#sink !== undefined) this.cut = true;
    this.#sink = undefined;
    this.#onConnect = undefined;
    if (this.#state === 'open') openCount -= 1;
    this.#state = 'closed';
    this.#options.onClose?.(this);
  }
}

function after(delayMs: number, run: () => void): void {
  if (delayMs === 0) run();
  else if (delayMs < Number.POSITIVE_INFINITY) setTimeout(run, delayMs);
}

function firstBytes(buffer: Buffer, count: number): Buffer {
  return count >= buffer.length ? buffer : buffer.subarray(0, count);
}
