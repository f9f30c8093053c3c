// An incremental parser of HTTP/1.1 responses for a client that sends one request at a time on a connection that stays
// open: the load generator's hot path. Body bytes are handed on as spans of the buffer they came in.
//
//   next(method) ─▶ head ──▶ body: length │ chunked │ until close │ none ──▶ idle ─▶ next(method) …
//                    ▲ 1xx │                                          any error ─▶ failed (for good)
//
// Invariant: the outcome depends on the bytes alone, not on how they are split into chunks. A head that lies in one chunk
// costs a string and a small object; a body chunk costs nothing.

import type { Buffer } from 'node:buffer';
import { assert } from './errors.ts';
import {
  parseHeaderLines,
  parseResponseHead,
  type ResponseErrorCode,
  type ResponseHead,
} from './http-response-head.ts';

export type { ResponseErrorCode, ResponseHead } from './http-response-head.ts';

/** Where a parser reports to. Per response: `onHead`, any number of `onBody`, then `onEnd` or `onError`. */
export interface ResponseSink {
  /** The final head; interim answers (1xx) are skipped. */
  onHead(head: ResponseHead): void;
  /** Body bytes [start, end) of `buffer`, without framing; valid during the call only. */
  onBody(buffer: Buffer, start: number, end: number): void;
  /** The body is complete. The sink may call `next` here, but bytes that follow in the same chunk are `EXTRA_BYTES`. */
  onEnd(): void;
  /** The response, or what came after it, is not HTTP as asked; nothing more is parsed. */
  onError(code: ResponseErrorCode): void;
}

/** Longest head, and longest trailer section, in bytes. */
export const headBytesMax = 64 * 1024;
/** Most interim answers (1xx) before a final one. */
export const interimAnswersMax = 16;

type State =
  | 'idle'
  | 'head'
  | 'bodyOfLength'
  | 'bodyUntilClose'
  | 'chunkSize'
  | 'chunkData'
  | 'chunkDataEnd'
  | 'trailer'
  | 'failed';

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const prefix = 'HTTP/1.';

export class ResponseParser {
  readonly #sink: ResponseSink;
  #state: State = 'idle';
  #isHeadRequest = false;
  #keepAlive = true;
  #interimAnswers = 0;
  /** What is left of the body, of a chunk, or of the CR LF after a chunk. */
  #left = 0;
  /** Text of a head, chunk line or trailer section that is not complete yet. */
  #partial = '';
  /** Of the text being collected: bytes so far, bytes of its last line, and the last byte. */
  #textBytes = 0;
  #lineBytes = 0;
  #previous = 0;
  #isTextComplete = false;
  /** Set when a response ended during the current `feed`. */
  #hasEnded = false;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  /** Whether no response is awaited: `next` may be called, and a close is no error. */
  get isIdle(): boolean {
    return this.#state === 'idle';
  }

  /** Bytes known to be left of a body with a Content-Length; 0 in every other state. */
  get bodyBytesLeft(): number {
    return this.#state === 'bodyOfLength' ? this.#left : 0;
  }

  /** Whether the connection may carry another request, by the last head. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** Expects the response to a request of `method`; the one before must be complete. */
  next(method: 'GET' | 'HEAD'): void {
    assert(this.#state === 'idle', `the parser is idle before the next response, not ${this.#state}`);
    this.#state = 'head';
    this.#isHeadRequest = method === 'HEAD';
    this.#interimAnswers = 0;
    this.#beginText();
  }

  /** Parses the bytes [start, end) of `buffer`; returns where it stopped: `end`, unless an error was reported. */
  feed(buffer: Buffer, start: number, end: number): number {
    let position = start;
    if (this.#state === 'idle' && position < end) return this.#fail('EXTRA_BYTES', position);
    while (position < end && this.#state !== 'failed') {
      position = this.#feedOnce(buffer, position, end);
      if (!this.#hasEnded) continue;
      this.#hasEnded = false;
      // Whatever follows was sent before the next request: it belongs to no answer.
      if (position < end && this.#isAlive()) return this.#fail('EXTRA_BYTES', position);
      return position;
    }
    return position;
  }

  /** Counts `bytes` of the body as received although they never came to `feed` (dropped in the kernel). */
  skipBody(bytes: number): void {
    assert(this.#state === 'bodyOfLength' && bytes <= this.#left, 'only bytes of a body of known length are skipped');
    this.#left -= bytes;
    if (this.#left > 0) return;
    this.#complete();
    this.#hasEnded = false;
  }

  /** The connection has ended: completes a body that lasts until then, reports a broken one, ignores an idle one. */
  finish(): void {
    if (this.#state === 'idle' || this.#state === 'failed') return;
    if (this.#state === 'bodyUntilClose') {
      this.#complete();
      this.#state = 'failed';
    } else if (this.#state === 'head') {
      this.#fail(this.#textBytes === 0 && this.#interimAnswers === 0 ? 'CLOSED_BEFORE_HEAD' : 'CLOSED_IN_HEAD', 0);
    } else this.#fail('SHORT_BODY', 0);
  }

  /** Gives the response up: nothing more is reported. Use it before closing the connection oneself. */
  abandon(): void {
    this.#state = 'failed';
    this.#partial = '';
  }

  /** Takes at least one byte from `position` on, in the present state. */
  #feedOnce(buffer: Buffer, position: number, end: number): number {
    switch (this.#state) {
      case 'head':
        return this.#feedHead(buffer, position, end);
      case 'bodyOfLength':
      case 'chunkData':
        return this.#feedSpan(buffer, position, end);
      case 'bodyUntilClose':
        this.#sink.onBody(buffer, position, end);
        return end;
      case 'chunkDataEnd':
        return this.#feedChunkDataEnd(buffer, position);
      case 'chunkSize':
        return this.#feedChunkSize(buffer, position, end);
      case 'trailer':
        return this.#feedTrailer(buffer, position, end);
      case 'idle':
      case 'failed':
        return position;
    }
  }

  /** False once the response failed, or the sink gave it up during a call. */
  #isAlive(): boolean {
    return this.#state !== 'failed';
  }

  /** Hands on what this buffer has of a body or chunk. */
  #feedSpan(buffer: Buffer, start: number, end: number): number {
    const spanEnd = Math.min(end, start + this.#left);
    this.#left -= spanEnd - start;
    const isBody = this.#state === 'bodyOfLength';
    if (this.#left === 0 && !isBody) this.#state = 'chunkDataEnd';
    this.#sink.onBody(buffer, start, spanEnd);
    if (this.#left === 0 && isBody && this.#isAlive()) this.#complete();
    return spanEnd;
  }

  #feedHead(buffer: Buffer, start: number, end: number): number {
    for (let i = this.#textBytes; i < prefix.length && start + i - this.#textBytes < end; i += 1) {
      if (buffer[start + i - this.#textBytes] !== prefix.charCodeAt(i)) return this.#fail('BAD_STATUS_LINE', start);
    }
    const position = this.#collect(buffer, start, end);
    if (!this.#isTextComplete) return position;
    const head = parseResponseHead(this.#takeText());
    if (typeof head === 'string') return this.#fail(head, position);
    if (head.statusCode >= 200) this.#beginBody(head);
    else if (head.statusCode === 101) return this.#fail('UNEXPECTED_UPGRADE', position);
    else {
      this.#interimAnswers += 1;
      if (this.#interimAnswers > interimAnswersMax) return this.#fail('TOO_MANY_INTERIM_ANSWERS', position);
    }
    return position;
  }

  /** RFC 9112, 6.3: how long the body is. */
  #beginBody(head: ResponseHead): void {
    const hasNoBody = this.#isHeadRequest || head.statusCode === 204 || head.statusCode === 304;
    if (hasNoBody) {
      this.#left = 0;
      this.#state = 'bodyOfLength';
    } else if (head.chunked) {
      this.#state = 'chunkSize';
    } else if (head.contentLength !== undefined) {
      this.#left = head.contentLength;
      this.#state = 'bodyOfLength';
    } else {
      head.keepAlive = false;
      this.#state = 'bodyUntilClose';
    }
    this.#keepAlive = head.keepAlive;
    this.#sink.onHead(head);
    if ((hasNoBody || (head.contentLength === 0 && !head.chunked)) && this.#isAlive()) this.#complete();
  }

  /** `<hex digits>[;extensions] CR LF` */
  #feedChunkSize(buffer: Buffer, start: number, end: number): number {
    const position = this.#collect(buffer, start, end);
    if (!this.#isTextComplete) return position;
    const match = chunkLine.exec(this.#takeText());
    const size = Number.parseInt(match?.[1] ?? '', 16);
    if (!Number.isSafeInteger(size)) return this.#fail('BAD_CHUNK', position);
    this.#left = size;
    this.#state = size === 0 ? 'trailer' : 'chunkData';
    return position;
  }

  #feedChunkDataEnd(buffer: Buffer, position: number): number {
    if (this.#textBytes === 0) {
      if (buffer[position] !== carriageReturn) return this.#fail('BAD_CHUNK', position);
      this.#textBytes = 1;
      return position + 1;
    }
    if (buffer[position] !== lineFeed) return this.#fail('BAD_CHUNK', position);
    this.#beginText();
    this.#state = 'chunkSize';
    return position + 1;
  }

  #feedTrailer(buffer: Buffer, start: number, end: number): number {
    const position = this.#collect(buffer, start, end);
    if (!this.#isTextComplete) return position;
    if (parseHeaderLines(this.#takeText(), 0, undefined) !== undefined) return this.#fail('BAD_TRAILER', position);
    this.#complete();
    return position;
  }

  #complete(): void {
    this.#state = 'idle';
    this.#hasEnded = true;
    this.#sink.onEnd();
  }

  #fail(code: ResponseErrorCode, position: number): number {
    this.abandon();
    this.#sink.onError(code);
    return position;
  }

  #beginText(): void {
    this.#partial = '';
    this.#textBytes = 0;
    this.#lineBytes = 0;
    this.#previous = 0;
  }

  /**
   * Collects text until its end: the first CR LF for a chunk line, an empty line for heads and trailers. Sets
   * `#isTextComplete`; fails on a CR or LF that stands alone and on too much text.
   */
  #collect(buffer: Buffer, start: number, end: number): number {
    const isOneLine = this.#state === 'chunkSize';
    const scanEnd = Math.min(end, start + headBytesMax - this.#textBytes);
    this.#isTextComplete = false;
    let previous = this.#previous;
    let lineBytes = this.#lineBytes;
    for (let i = start; i < scanEnd; i += 1) {
      const byte = buffer[i] as number;
      if (byte === lineFeed) {
        if (previous !== carriageReturn) return this.#fail('BAD_LINE_END', i);
        if (isOneLine || lineBytes === 0) {
          this.#partial += buffer.toString('latin1', start, i + 1);
          this.#isTextComplete = true;
          return i + 1;
        }
        lineBytes = 0;
      } else if (previous === carriageReturn) return this.#fail('BAD_LINE_END', i);
      else if (byte !== carriageReturn) lineBytes += 1;
      previous = byte;
    }
    this.#previous = previous;
    this.#lineBytes = lineBytes;
    this.#textBytes += scanEnd - start;
    if (this.#textBytes >= headBytesMax) return this.#fail('HEAD_TOO_LARGE', scanEnd);
    this.#partial += buffer.toString('latin1', start, scanEnd);
    return scanEnd;
  }

  #takeText(): string {
    const text = this.#partial;
    this.#beginText();
    return text;
  }
}

/** A chunk's size and extensions (RFC 9112, 7.1), without the white space that the grammar calls bad. */
const chunkLine =
  /^([0-9A-Fa-f]{1,14})(?:;[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:=(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[^"\\\r\n]|\\[\t -~\x80-\xff])*"))?)*\r\n$/;
