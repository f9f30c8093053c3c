// What is not stored goes through: one upstream request for one client, streamed at the client's pace, counted as miss.

import { Buffer } from 'node:buffer';
import {
  type ByteRange,
  parseContentRange,
  parseRangeHeader,
  rangeHeader,
  resolveRange,
} from '../../common/byte-range.ts';
import { assert } from '../../common/errors.ts';
import type { Failure, ResponseSink } from '../../common/http-connection.ts';
import { parseResponseHead, type ResponseHead } from '../../common/http-response-head.ts';
import type { Books } from '../books.ts';
import { endToEndFields } from '../http/end-to-end-fields.ts';
import type { Origin } from '../http/origin-table.ts';
import type { GenerationMeta } from '../protocol.ts';
import type { Upstream, UpstreamExchange } from '../upstream.ts';
import { type Fields, headText } from './answer-head.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Pacer } from './pacer.ts';

export type PassThrough = {
  readonly method: 'GET' | 'HEAD';
  /** The client does not understand chunks. */
  readonly isHttp10: boolean;
  readonly origin: Origin;
  readonly target: string;
  /** The client's own fields that the origin shall see (Range, conditions, Authorization). */
  readonly fields: readonly (readonly [string, string])[];
  /** The nodes that the client's request came through, by its Via. */
  readonly via: string | undefined;
  /** Set when the head has been sent already: these bytes of this generation are still to come. */
  readonly rest: { readonly range: ByteRange; readonly of: GenerationMeta } | undefined;
  /** An origin's 4xx becomes 502 (a 4xx would ban the node on the device that sees it). */
  readonly hideClientErrors: boolean;
  readonly statusFields: Readonly<Record<string, string>>;
  readonly isHealth: boolean;
};

/** Unsent bytes at which the upstream is paused. */
const pauseAtBytes = 1024 * 1024;

/** Whom it tells how it went: exactly one of these is called, unless the client is gone. */
export type PassThroughUser = {
  /** Nothing was sent and nothing came: somebody else must say so to the client. */
  refuse(status: number): void;
  /** The answer is sent, or broke off. */
  ended(): void;
};

/** An answer of upstream that is there as a whole: the text of its head, and its body. */
export type HadAnswer = { readonly head: string; readonly body: Buffer };

type PassingHost = { readonly pacer: Pacer; readonly books: Books };

/** Answers by passing upstream's answer on. */
export function passThrough(
  what: PassThrough,
  worker: { readonly upstream: Upstream } & PassingHost,
  connection: ClientConnection,
  user: PassThroughUser,
): { clientGone(): void } {
  const passing = new Passing(what, worker, connection, user);
  const { rest } = what;
  passing.exchange = worker.upstream.request({
    method: what.method,
    origin: what.origin,
    target: what.target,
    fields: rest === undefined ? what.fields : restFields(rest),
    via: what.via,
    sink: passing,
  });
  return passing;
}

/** Answers by an answer that the owner had of upstream. A 206 of the whole object is, to who asked for no range, a 200. */
export function relay(
  what: PassThrough,
  worker: PassingHost,
  connection: ClientConnection,
  user: PassThroughUser,
  answer: HadAnswer,
): { clientGone(): void } {
  const passing = new Passing(what, worker, connection, user);
  const asksForRange = what.fields.some(([name]) => name === 'Range');
  const isPart = /^HTTP\/1\.[01] 206 /.test(answer.head);
  const head = parseResponseHead(isPart && !asksForRange ? asWhole(answer.head) : answer.head);
  assert(typeof head !== 'string', 'a head that was understood once is understood again');
  passing.onHead(head);
  if (answer.body.length > 0) passing.onBody(answer.body, 0, answer.body.length);
  passing.onEnd();
  return passing;
}

const asWhole = (head: string): string =>
  head.replace(/^[^\r]*/, 'HTTP/1.1 200 OK').replace(/\r\nContent-Range:[^\r]*/i, '');

type Piece = { readonly buffer: Buffer; readonly framingBytes: number };

/** One answer on its way through: upstream's body waits in a queue of at most about 1 MiB for the client to take it. */
class Passing implements ResponseSink {
  exchange: UpstreamExchange | undefined;
  readonly #what: PassThrough;
  readonly #pacer: Pacer;
  readonly #books: Books;
  readonly #connection: ClientConnection;
  readonly #user: PassThroughUser;
  readonly #queue: Piece[] = [];
  #queuedBytes = 0;
  #isPaused = false;
  #isSending = false;
  #started: boolean;
  #isContent = true;
  #isChunked = false;
  /** What comes when the queue is empty. */
  #atEnd: 'more' | 'done' | 'cut' = 'more';
  #over = false;

  constructor(what: PassThrough, { pacer, books }: PassingHost, connection: ClientConnection, user: PassThroughUser) {
    this.#what = what;
    this.#pacer = pacer;
    this.#books = books;
    this.#connection = connection;
    this.#user = user;
    this.#started = what.rest !== undefined;
  }

  onHead(head: ResponseHead): void {
    const { rest, hideClientErrors } = this.#what;
    if (rest !== undefined) {
      if (!continues(head, rest)) this.#cut();
      return;
    }
    const status = head.statusCode;
    const isWrong = status === 206 && !isWhatWasAsked(head, this.#what.fields);
    const isHidden =
      hideClientErrors && (isOtherSuccess(status) || (status >= 400 && !isAboutRequest(head, this.#what.fields)));
    if (isWrong || status >= 500 || isHidden) {
      this.#over = true;
      this.exchange?.abort();
      this.#user.refuse(status >= 500 ? status : 502);
      return;
    }
    this.#started = true;
    this.#isContent = status < 300;
    const connection = this.#connection;
    connection.sending = true;
    const fields = { ...pick(head), ...this.#what.statusFields };
    if (head.contentLength === undefined && this.#what.method === 'GET' && status !== 204 && status !== 304) {
      // RFC 9112, 6.3: a body of unknown length comes in chunks, or lasts until the connection ends.
      if (this.#what.isHttp10) connection.keepAlive = false;
      else {
        this.#isChunked = true;
        fields['Transfer-Encoding'] = 'chunked';
      }
    }
    connection.sendHead(headText(status, fields, connection));
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (this.#over) return;
    const bytes = end - start;
    const size = this.#isChunked ? `${bytes.toString(16)}\r\n` : '';
    const framingBytes = this.#isChunked ? size.length + 2 : 0;
    const copy = Buffer.allocUnsafe(bytes + framingBytes);
    copy.write(size, 0, 'latin1');
    buffer.copy(copy, size.length, start, end);
    if (this.#isChunked) copy.write('\r\n', size.length + bytes, 'latin1');
    this.#push({ buffer: copy, framingBytes });
  }

  onEnd(): void {
    if (this.#over) return;
    this.#atEnd = 'done';
    if (this.#isChunked) this.#push({ buffer: Buffer.from('0\r\n\r\n'), framingBytes: 5 });
    else this.#pump();
  }

  onFailure(failure: Failure): void {
    if (this.#over) return;
    if (this.#started) {
      this.#atEnd = 'cut';
      this.#pump();
      return;
    }
    this.#over = true;
    this.#user.refuse(failure.cause === 'timeout' ? 504 : failure.cause === 'badResponse' ? 502 : 503);
  }

  clientGone(): void {
    this.#cut();
  }

  #push(piece: Piece): void {
    this.#queue.push(piece);
    this.#queuedBytes += piece.buffer.length;
    if (this.#queuedBytes > pauseAtBytes && !this.#isPaused) {
      this.#isPaused = true;
      this.exchange?.pause();
    }
    this.#pump();
  }

  /** Sends the next piece, when the one before has left and the pacer allows it. */
  #pump(): void {
    if (this.#isSending || this.#over) return;
    const piece = this.#queue.shift();
    if (piece === undefined) {
      if (this.#atEnd === 'done') this.#finish();
      else if (this.#atEnd === 'cut') this.#cut();
      return;
    }
    this.#isSending = true;
    if (!this.#pacer.isLimited) this.#send(piece);
    else void this.#pacer.take(piece.buffer.length).then(() => this.#send(piece));
  }

  #send({ buffer, framingBytes }: Piece): void {
    this.#connection.send(buffer, buffer.length, (taken, isWhole) => {
      this.#isSending = false;
      this.#queuedBytes -= buffer.length;
      this.#account(Math.max(0, taken - framingBytes));
      if (!isWhole) this.#cut();
      if (this.#isPaused && this.#queuedBytes <= pauseAtBytes / 2) {
        this.#isPaused = false;
        this.exchange?.resume();
      }
      this.#pump();
    });
  }

  #account(bytes: number): void {
    if (!this.#isContent) return;
    this.#connection.bodyBytes += bytes;
    this.#connection.fetchedBytes += bytes;
    if (this.#what.isHealth) this.#books.healthBytes += bytes;
    else {
      this.#books.missBytes += bytes;
      this.#books.egressBytes += bytes;
    }
  }

  #finish(): void {
    this.#over = true;
    if (this.#isContent && !this.#what.isHealth && this.#what.method === 'GET') this.#books.missRequestCount += 1;
    this.#user.ended();
    this.#connection.endAnswer();
  }

  /** The client sees by the end of the connection that the body is not whole. */
  #cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.sending = false;
    this.#connection.cut = true;
    this.exchange?.abort();
    this.#connection.destroy();
    this.#user.ended();
  }
}

function restFields(rest: NonNullable<PassThrough['rest']>): (readonly [string, string])[] {
  const { etag, lastModified } = rest.of;
  const fields: [string, string][] = [['Range', rangeHeader(rest.range)]];
  if (etag !== undefined) fields.push(['If-Match', etag]);
  else if (lastModified !== undefined) fields.push(['If-Unmodified-Since', lastModified]);
  return fields;
}

/** Whether an answer is exactly the rest of a body whose beginning was sent. */
function continues(head: ResponseHead, rest: NonNullable<PassThrough['rest']>): boolean {
  const found = head.contentRange === undefined ? undefined : parseContentRange(head.contentRange);
  const range = found?.range;
  const { etag, lastModified, sizeBytes } = rest.of;
  if (head.statusCode !== 206 || range === undefined || found?.sizeBytes !== sizeBytes) return false;
  if (range.start !== rest.range.start || range.end !== rest.range.end) return false;
  return etag === undefined ? head.header('last-modified') === lastModified : head.etag === etag;
}

/** A success without the content that was asked for: a device would take it for the file. */
const isOtherSuccess = (status: number): boolean => status > 200 && status < 300 && status !== 206;

/**
 * A 412 to a condition, or a 416 to a range that names the size: what the client itself asked for, and no trouble of the
 * origin. To a client that stated neither it would be a 4xx like any other.
 */
function isAboutRequest(head: ResponseHead, asked: PassThrough['fields']): boolean {
  const has = (...names: readonly string[]): boolean => asked.some(([name]) => names.includes(name));
  if (head.statusCode === 412) return has('If-Match', 'If-Unmodified-Since', 'If-None-Match', 'If-Modified-Since');
  return head.statusCode === 416 && head.contentRange !== undefined && has('Range');
}

/** Whether a 206 is the one range that was asked for, in full: clients are known that take any 206 for it. */
function isWhatWasAsked(head: ResponseHead, asked: PassThrough['fields']): boolean {
  const field = asked.find(([name]) => name.toLowerCase() === 'range')?.[1];
  const specs = field === undefined ? undefined : parseRangeHeader(field);
  const found = head.contentRange === undefined ? undefined : parseContentRange(head.contentRange);
  const range = found?.range;
  if (specs !== undefined && specs.length > 1) return true; // parts: the client's own affair
  const spec = specs?.[0];
  if (spec === undefined || range === undefined || found?.sizeBytes === undefined) return false;
  const wanted = resolveRange(spec, found.sizeBytes);
  const lengthBytes = head.contentLength ?? range.end - range.start;
  return wanted?.start === range.start && wanted.end === range.end && lengthBytes === range.end - range.start;
}

/** All fields that are for the client, with the length that was understood. */
function pick(head: ResponseHead): Fields {
  const fields = Object.fromEntries(endToEndFields(head));
  if (head.contentLength !== undefined) fields['Content-Length'] = String(head.contentLength);
  return fields;
}
