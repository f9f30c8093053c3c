// What is not stored goes through: one upstream request for one client, streamed at the client's pace, counted as miss.

import type { ServerResponse } from 'node:http';
import { type ByteRange, parseContentRange, rangeHeader } from '../../common/byte-range.ts';
import type { ResponseHead } from '../../common/http-response-parser.ts';
import type { Books } from '../books.ts';
import type { Origin } from '../http/origin-table.ts';
import type { Upstream, UpstreamExchange } from '../upstream.ts';
import type { ClientConnection } from './client-connection.ts';

export type PassThrough = {
  readonly method: 'GET' | 'HEAD';
  readonly origin: Origin;
  readonly target: string;
  /** The client's own fields that the origin shall see (Range, conditions, Authorization). */
  readonly fields: readonly (readonly [string, string])[];
  /** Set when the head has been sent already: these bytes of this generation are still to come. */
  readonly rest: { readonly range: ByteRange; readonly etag: string | undefined } | undefined;
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
  const account = (bytes: number): void => {
    if (counted === 'other') return;
    connection.bodyBytes += bytes;
    if (what.isHealth) books.healthBytes += bytes;
    else {
      books.missBytes += bytes;
      books.egressBytes += bytes;
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
        if (status >= 500 || (what.hideClientErrors && status >= 400 && status !== 412 && status !== 416)) {
          finish();
          exchange.abort();
          refuse(502);
          return;
        }
        started = true;
        connection.sending = true;
        counted = status < 300 ? 'content' : 'other';
        response.writeHead(status, { ...pick(head), ...what.statusFields });
        response.flushHeaders();
      },
      onBody: (buffer, start, end) => {
        if (over) return;
        const bytes = end - start;
        unsentBytes += bytes;
        if (unsentBytes > pauseAtBytes) exchange.pause();
        response.write(Buffer.from(buffer.subarray(start, end)), (error) => {
          unsentBytes -= bytes;
          if (error === null || error === undefined) account(bytes);
          else account(Math.max(0, bytes - connection.queuedBytes));
          if (!over && unsentBytes <= pauseAtBytes / 2) exchange.resume();
        });
      },
      onEnd: () => {
        if (over) return;
        finish();
        if (counted === 'content' && !what.isHealth && what.method === 'GET') books.missRequestCount += 1;
        response.end();
      },
      onFailure: (failure) => {
        if (over) return;
        if (started) cut();
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
  const fields: [string, string][] = [['Range', rangeHeader(rest.range)]];
  if (rest.etag !== undefined) fields.push(['If-Match', rest.etag]);
  return fields;
}

/** Whether an answer is exactly the rest of a body whose beginning was sent. */
function continues(head: ResponseHead, rest: NonNullable<PassThrough['rest']>): boolean {
  const range = head.contentRange === undefined ? undefined : parseContentRange(head.contentRange)?.range;
  if (head.statusCode !== 206 || range === undefined) return false;
  return range.start === rest.range.start && range.end === rest.range.end && head.etag === rest.etag;
}

function pick(head: ResponseHead): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const name of passedFields) {
    const value = head.header(name);
    if (value !== undefined) fields[name] = value;
  }
  return fields;
}
