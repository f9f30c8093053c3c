// An origin that does what a test says, request by request: well-formed answers from versions of content, and faults that
// no proper server would commit. It keeps what it was asked.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { contentRangeHeader, parseRangeHeader, resolveRange } from '../../common/byte-range.ts';
import { ContentFunction, etagOf } from '../../common/content.ts';

/** One version of an object. */
export type Version = {
  readonly id: string;
  readonly version: number;
  readonly sizeBytes: number;
  /** Validator fields and others; default: a strong ETag, fresh for an hour. */
  readonly fields?: Readonly<Record<string, string>>;
};

/** A request as it came; `sentBytes` are body bytes of its answer, counted when they were written. */
export type Asked = {
  readonly method: string;
  readonly host: string;
  readonly target: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly socket: Socket;
  readonly response: http.ServerResponse;
  /** 0 for the first request of all. */
  readonly index: number;
  sentBytes: number;
};

export class ScriptedOrigin {
  readonly asked: Asked[] = [];
  answer: (asked: Asked) => void;
  readonly #server: http.Server;
  readonly #waiting: { readonly count: number; readonly reached: () => void }[] = [];

  private constructor(answer: (asked: Asked) => void) {
    this.answer = answer;
    this.#server = http.createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
      const { method = '', url = '', headers, socket } = request;
      const host = headers.host ?? '';
      const asked = { method, host, target: url, headers, socket, response, index: this.asked.length, sentBytes: 0 };
      this.asked.push(asked);
      this.answer(asked);
      for (const wait of this.#waiting) if (this.asked.length >= wait.count) wait.reached();
    });
  }

  static async start(answer: (asked: Asked) => void): Promise<ScriptedOrigin> {
    const origin = new ScriptedOrigin(answer);
    origin.#server.listen(0, '127.0.0.1');
    await once(origin.#server, 'listening');
    origin.#server.on('connection', (socket: Socket) => socket.on('error', () => socket.destroy()));
    return origin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Body bytes of all answers. */
  get sentBytes(): number {
    return this.asked.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  /** Resolves once so many requests have come. */
  hasBeenAsked(count: number): Promise<void> {
    if (this.asked.length >= count) return Promise.resolve();
    return new Promise((reached) => this.#waiting.push({ count, reached }));
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** The bytes [start, end) of a version. */
export function contentOf({ id, version }: Version, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  new ContentFunction(id, version).fill(bytes, 0, start, end - start);
  return bytes;
}

/** The head that an honest origin would send, and what of the content follows it. */
export type Honest = { status: number; fields: Record<string, string>; start: number; end: number };

/** What an honest origin answers: conditions, then the range. */
export function honest(asked: Asked, version: Version): Honest {
  const { headers } = asked;
  const { sizeBytes } = version;
  const fields: Record<string, string> = {
    ...(version.fields ?? { ETag: etagOf(version.id, version.version), 'Cache-Control': 'max-age=3600' }),
  };
  const empty = { fields, start: 0, end: 0 };
  const has = (list: string | undefined): boolean => list?.split(', ').includes(fields['ETag'] ?? '') === true;
  if (headers['if-match'] !== undefined && !has(headers['if-match'])) return { ...empty, status: 412 };
  const unmodifiedSince = headers['if-unmodified-since'];
  if (unmodifiedSince !== undefined && unmodifiedSince !== fields['Last-Modified']) return { ...empty, status: 412 };
  if (headers['if-none-match'] !== undefined) {
    if (has(headers['if-none-match'])) return { ...empty, status: 304 };
  } else if (fields['Last-Modified'] !== undefined && headers['if-modified-since'] === fields['Last-Modified']) {
    return { ...empty, status: 304 };
  }
  const spec = asked.method === 'GET' ? parseRangeHeader(headers.range ?? '')?.[0] : undefined;
  if (spec === undefined) return { status: 200, fields, start: 0, end: sizeBytes };
  const range = resolveRange(spec, sizeBytes);
  if (range === undefined) {
    fields['Content-Range'] = `bytes */${sizeBytes}`;
    return { ...empty, status: 416 };
  }
  fields['Content-Range'] = contentRangeHeader(range, sizeBytes);
  return { status: 206, fields, ...range };
}

/** Sends an answer, its Content-Length included unless `fields` says another. */
export function send(asked: Asked, version: Version, answer: Honest): void {
  const { status, fields, start, end } = answer;
  const length = status === 304 ? {} : { 'Content-Length': String(end - start) };
  asked.response.writeHead(status, { ...length, ...fields });
  if (asked.method === 'HEAD' || start === end) asked.response.end();
  else {
    asked.sentBytes += end - start;
    asked.response.end(contentOf(version, start, end));
  }
}
