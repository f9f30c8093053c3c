// One request of a client, from its target to the last byte of its answer:
//
//   count ─▶ find the object ─▶ faults ─▶ latency ─▶ conditions and range ─▶ head ─▶ body ─▶ end
//
// Error answers have empty bodies. An answer keeps the version that it began with.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ByteRange, contentRangeHeader } from '../../common/byte-range.ts';
import { ContentFunction, etagOf } from '../../common/content.ts';
import { type ChunkPool, sendBody } from './body.ts';
import type { Account, Books, ConnectionBook } from './books.ts';
import { decide, type Representation } from './conditional-request.ts';
import type { EgressLimiter } from './egress-limiter.ts';
import type { FaultEffect, FaultTable } from './faults.ts';
import type { CdnObject, ObjectTable } from './objects.ts';

/** What answering needs; one for all requests. */
export type Serving = {
  readonly objects: ObjectTable;
  readonly faults: FaultTable;
  readonly books: Books;
  readonly pool: ChunkPool;
  readonly limiter: EgressLimiter | undefined;
  /** Added before each head; milliseconds, 0 for none. */
  readonly latencyMs: number;
  /** Value of `Cache-Control` of content. */
  readonly cacheControl: string;
  /** Value of `Server`. */
  readonly name: string;
};

/** One request on its way through. */
type Exchange = {
  readonly serving: Serving;
  readonly method: 'GET' | 'HEAD';
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: ConnectionBook;
  /** Undefined for HEAD, whose answers have no body. */
  readonly account: Account | undefined;
  readonly object: CdnObject | undefined;
};

/** Version 1 of every object is of this moment; each later one is a minute younger. */
const firstModifiedMs = Date.UTC(2024, 0, 1);
const versionStepMs = 60_000;
/** Between the last bytes and a reset. A reset that overtakes data unread destroys it, and libuv reports one that comes
 * together with data as an end: so the receiver gets time to read first. */
const resetDelayMs = 20;

/** Answers one request, and books it. */
export function serve(
  serving: Serving,
  connection: ConnectionBook,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { books, faults, objects, latencyMs } = serving;
  response.once('close', () => {
    if (!response.writableFinished) connection.cut = true;
  });
  const { method } = request;
  if (method !== 'GET' && method !== 'HEAD') {
    books.errorCount += 1;
    connection.answerCount += 1;
    response.writeHead(405, { Allow: 'GET, HEAD', 'Content-Length': 0 }).end();
    return;
  }
  const object = objects.find(request.headers.host, request.url ?? '/');
  const account = book(books, connection, request, object);
  const exchange: Exchange = { serving, method, request, response, connection, account, object };
  const effect = faults.apply(object?.id);
  if (effect.delayMs > 0 || effect.fault !== undefined) books.faultCount += 1;
  const delayMs = latencyMs + effect.delayMs;
  if (delayMs === 0) {
    answer(exchange, effect.fault);
    return;
  }
  const timer = setTimeout(() => answer(exchange, effect.fault), delayMs);
  response.once('close', () => clearTimeout(timer));
}

function book(
  books: Books,
  connection: ConnectionBook,
  request: IncomingMessage,
  object: CdnObject | undefined,
): Account | undefined {
  if (request.method === 'HEAD') {
    books.headCount += 1;
    return undefined;
  }
  if (object?.kind === 'health') return books.healthRequest(connection);
  return books.request(connection, viaName(request.headers.via), object);
}

/** The last hop's name in `Via: 1.1 parent, 1.1 hq (comment)`: `hq`. */
function viaName(via: string | undefined): string | undefined {
  return via?.split(',').at(-1)?.trim().split(/\s+/)[1];
}

/** Applies what happens in place of, or before, the head. */
function answer(exchange: Exchange, fault: FaultEffect['fault']): void {
  const { response, request, connection } = exchange;
  if (response.destroyed) return;
  const order = fault?.order;
  if (fault === undefined || order === undefined) {
    answerObject(exchange, undefined);
    return;
  }
  if ('status' in order) {
    const { retryAfterSeconds } = order;
    answerEmpty(exchange, order.status, retryAfterSeconds === undefined ? {} : { 'Retry-After': retryAfterSeconds });
    return;
  }
  const isBeforeHead = exchange.method === 'HEAD' || exchange.object === undefined;
  if ('stall' in order && (order.afterBytes === undefined || isBeforeHead)) {
    const callOff = fault.whenOver(() => {
      if (!response.destroyed) answerObject(exchange, undefined);
    });
    response.once('close', callOff);
    return;
  }
  if ('reset' in order && (order.afterBytes === undefined || isBeforeHead)) {
    breakOff(connection, request, 'reset');
    return;
  }
  answerObject(exchange, fault);
}

function answerObject(exchange: Exchange, fault: FaultEffect['fault']): void {
  const { serving, object, method, request } = exchange;
  if (object === undefined) {
    answerEmpty(exchange, 404, {});
    return;
  }
  const found: Representation = {
    sizeBytes: object.sizeBytes,
    etag: etagOf(object.id, object.version),
    lastModifiedMs: firstModifiedMs + (object.version - 1) * versionStepMs,
  };
  const headers = {
    Server: serving.name,
    ETag: found.etag,
    'Last-Modified': new Date(found.lastModifiedMs).toUTCString(),
    'Cache-Control': serving.cacheControl,
    'Accept-Ranges': 'bytes',
  };
  const decision = decide(method, request.headers, found);
  switch (decision.kind) {
    case 'notModified':
      answerEmpty(exchange, 304, headers);
      return;
    case 'preconditionFailed':
      answerEmpty(exchange, 412, headers);
      return;
    case 'rangeNotSatisfiable':
      answerEmpty(exchange, 416, { ...headers, 'Content-Range': `bytes */${object.sizeBytes}` });
      return;
    case 'part': {
      const stated =
        fault !== undefined && 'wrongContentRange' in fault.order ? shifted(decision.range) : decision.range;
      const contentRange = contentRangeHeader(stated, Math.max(stated.end, object.sizeBytes));
      answerBody(exchange, 206, { ...headers, 'Content-Range': contentRange }, decision.range, object, fault);
      return;
    }
    case 'whole':
      answerBody(exchange, 200, headers, { start: 0, end: object.sizeBytes }, object, fault);
      return;
  }
}

const shifted = (range: ByteRange): ByteRange => {
  const by = range.start > 0 ? -1 : 1;
  return { start: range.start + by, end: range.end + by };
};

function answerEmpty(exchange: Exchange, status: number, headers: Readonly<Record<string, string | number>>): void {
  const { serving, response, connection } = exchange;
  if (status >= 400) serving.books.errorCount += 1;
  connection.answerCount += 1;
  const length = status === 304 ? {} : { 'Content-Length': 0 };
  response.writeHead(status, { Server: serving.name, ...headers, ...length }).end();
}

function answerBody(
  exchange: Exchange,
  status: 200 | 206,
  headers: Readonly<Record<string, string>>,
  range: ByteRange,
  object: CdnObject,
  fault: FaultEffect['fault'],
): void {
  const { serving, response, request, connection, account } = exchange;
  connection.answerCount += 1;
  const sizeBytes = range.end - range.start;
  response.writeHead(status, { ...headers, 'Content-Type': object.contentType, 'Content-Length': sizeBytes });
  if (account === undefined) {
    response.end();
    return;
  }
  const content = new ContentFunction(object.id, object.version);
  const send = (part: ByteRange, whenSent: () => void): void => {
    const { books, pool, limiter } = serving;
    sendBody({ response, content, range: part, account, books, pool, limiter }, whenSent);
  };
  const breakPoint = breakPointOf(fault, range);
  if (fault === undefined || breakPoint === undefined) {
    send(range, () => response.end());
    return;
  }
  response.flushHeaders();
  send({ start: range.start, end: breakPoint }, () => {
    if ('stall' in fault.order) {
      const callOff = fault.whenOver(() => send({ start: breakPoint, end: range.end }, () => response.end()));
      response.once('close', callOff);
    } else if ('reset' in fault.order) {
      const timer = setTimeout(() => breakOff(connection, request, 'reset'), resetDelayMs);
      response.once('close', () => clearTimeout(timer));
    } else breakOff(connection, request, 'close');
  });
}

/** Where a fault breaks the body; undefined when it does not. */
function breakPointOf(fault: FaultEffect['fault'], range: ByteRange): number | undefined {
  const order = fault?.order;
  if (order === undefined) return undefined;
  const sizeBytes = range.end - range.start;
  if ('stall' in order || 'reset' in order) return range.start + Math.min(sizeBytes, order.afterBytes ?? 0);
  if ('shortBody' in order && sizeBytes > 0) {
    return range.start + Math.min(sizeBytes - 1, order.afterBytes ?? Math.floor(sizeBytes / 2));
  }
  return undefined;
}

/** Ends the client's connection in the middle of an answer. */
function breakOff(connection: ConnectionBook, request: IncomingMessage, how: 'reset' | 'close'): void {
  connection.cut = true;
  connection.noteQueue();
  if (how === 'reset') request.socket.resetAndDestroy();
  else request.socket.destroySoon();
}
