// What is not stored goes through: one upstream request for one client, streamed at the client's pace, counted as miss.

import type { ServerResponse } from 'node:http';
import { type ByteRange, parseContentRange, rangeHeader } from '../../common/byte-range.ts';
import type { ResponseHead } from '../../common/http-response-parser.ts';
import type { Books } from '../books.ts';
import type { Origin } from '../http/origin-table.ts';
import type { GenerationMeta } from '../protocol.ts';
import type { Upstream, UpstreamExchange } from '../upstream.ts';
import type { ClientConnection } from './client-connection.ts';
import type { Pacer } from './pacer.ts';

export type PassThrough = {
  readonly method: 'GET' | 'HEAD';
  readonly origin: Origin;
  readonly target: string;
  /** The client's own fields that the origin shall see (Range, conditions, Authorization). */
  readonly fields: readonly (readonly [string, string])[];
  /** Set when the head has been sent already: these bytes of this generation are still to come. */
  readonly rest: { readonly range: ByteRange; readonly of: GenerationMeta } | undefined;
  /** An origin's 4xx becomes 502 (a 4xx would ban the node on the device that sees it). */
  readonly hideClientErrors: boolean;
  readonly statusFields: Readonly<Record<string, string>>;
  readonly isHealth: boolean;
};

/** Unsent bytes at which the upstream is paused. */
const pauseAtBytes = 1024 * 1024;

const passedFields = [
  'Content-Type',
  'Content-Length',
  'Content-Range',
  'Content-Encoding',
  'Content-Disposition',
  'Content-Language',
  'Cache-Control',
  'Expires',
  'ETag',
  'Last-Modified',
  'Vary',
  'Age',
  'Date',
  'Accept-Ranges',
  'Location',
  'Retry-After',
  'WWW-Authenticate',
  'Set-Cookie',
  'X-HW',
] as const;

/** Answers by passing upstream's answer on; `refuse` is called instead when nothing was sent and nothing came. */
export function passThrough(
  what: PassThrough,
  upstream: Upstream,
  pacer: Pacer,
  books: Books,
  response: ServerResponse,
  connection: ClientConnection,
  refuse: (status: number) => void,
): void {
  const { rest } = what;
  let started = rest !== undefined;
  let counted: 'content' | 'other' = 'content';
  let unsentBytes = 0;
  let over = false;
  const fields = rest === undefined ? what.fields : restFields(rest);
  const finish = (): void => {
    over = true;
    connection.sending = false;
  };
  const cut = (): void => {
    if (over) return;
    finish();
    connection.cut = true;
    exchange.abort();
    response.destroy();
  };
  /** Does what sends `bytes` when the pacer allows it, after what was to be sent before. */
  let turn: Promise<void> | undefined;
  const inTurn = (send: () => void, bytes: number): void => {
    if (!pacer.isLimited) send();
    else {
      turn = (turn ?? Promise.resolve())
        .then(() => pacer.take(bytes))
        .then(() => (response.destroyed ? undefined : send()));
    }
  };
  const account = (bytes: number): void => {
    if (counted === 'other') return;
    connection.bodyBytes += bytes;
    if (what.isHealth) books.healthBytes += bytes;
    else {
      books.missBytes += bytes;
      books.egressBytes += bytes;
      connection.missBytes += bytes;
    }
  };
  const exchange: UpstreamExchange = upstream.request({
    method: what.method,
    origin: what.origin,
    target: what.target,
    fields,
    sink: {
      onHead: (head) => {
        if (rest !== undefined) {
          if (!continues(head, rest)) cut();
          return;
        }
        const status = head.statusCode;
        if (status >= 500 || (what.hideClientErrors && status >= 400 && !isAboutRequest(head))) {
          finish();
          exchange.abort();
          refuse(502);
          return;
        }
        started = true;
        connection.sending = true;
        connection.answerCount += 1;
        counted = status < 300 ? 'content' : 'other';
        response.writeHead(status, { ...pick(head), ...what.statusFields });
        response.flushHeaders();
      },
      onBody: (buffer, start, end) => {
        if (over) return;
        const bytes = end - start;
        unsentBytes += bytes;
        if (unsentBytes > pauseAtBytes) exchange.pause();
        const copy = Buffer.from(buffer.subarray(start, end));
        inTurn(() => {
          response.write(copy, (error) => {
            unsentBytes -= bytes;
            if (error === null || error === undefined) account(bytes);
            else account(Math.max(0, bytes - connection.queuedBytes));
            if (!over && unsentBytes <= pauseAtBytes / 2) exchange.resume();
          });
        }, bytes);
      },
      onEnd: () => {
        if (over) return;
        inTurn(() => {
          if (over) return;
          finish();
          if (counted === 'content' && !what.isHealth && what.method === 'GET') books.missRequestCount += 1;
          response.end();
        }, 0);
      },
      onFailure: (failure) => {
        if (over) return;
        if (started) inTurn(cut, 0);
        else {
          finish();
          refuse(failure.cause === 'timeout' ? 504 : failure.cause === 'badResponse' ? 502 : 503);
        }
      },
    },
  });
  response.once('close', () => {
    if (!over) cut();
  });
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

/** A 412, or a 416 that names the size: what the client itself asked for, and no trouble of the origin. */
function isAboutRequest(head: ResponseHead): boolean {
  return head.statusCode === 412 || (head.statusCode === 416 && head.contentRange !== undefined);
}

function pick(head: ResponseHead): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const name of passedFields) {
    const value = head.header(name);
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}
