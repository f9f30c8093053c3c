// An origin whose answers take a stated time, and that counts what it is asked for. By the first folder of a path:
//
//   /paced/…      an object of `pacedBytes`, each answer at 8 MB/s, ranges as asked, a strong ETag, fresh for an hour
//   /fault/…      503 without a body, after 300 ms
//   /no-store/…   a body of 64 KiB, after 300 ms, that must not be stored

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const pacedBytes = 32 * 2 ** 20;
const pacedBytesPerMs = 8000;
const tickMs = 4;
export const delayMs = 300;
const block = Buffer.alloc(64 * 1024, 'content ');

/** What was asked of one path. */
export type PathBooks = {
  requestCount: number;
  /** Requests whose answer holds the first byte of the object. */
  firstByteCount: number;
  bodyBytes: number;
  openCount: number;
};

export class SlowOrigin {
  readonly port: number;
  readonly pid = process.pid;
  readonly stop: () => Promise<void>;
  readonly #books: Map<string, PathBooks>;
  readonly #idle: Set<() => void>;

  private constructor(port: number, books: Map<string, PathBooks>, idle: Set<() => void>, stop: () => Promise<void>) {
    this.port = port;
    this.#books = books;
    this.#idle = idle;
    this.stop = stop;
  }

  static start(): Promise<SlowOrigin> {
    const books = new Map<string, PathBooks>();
    const idle = new Set<() => void>();
    const server = createServer((request, response) => {
      const path = (request.url ?? '/').replace(/\?.*$/, '');
      const of = books.get(path) ?? { requestCount: 0, firstByteCount: 0, bodyBytes: 0, openCount: 0 };
      books.set(path, of);
      of.requestCount += 1;
      of.openCount += 1;
      response.on('close', () => {
        of.openCount -= 1;
        for (const heard of idle) heard();
      });
      answer(path, request, response, of);
    });
    return new Promise((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address() as AddressInfo;
        const stop = (): Promise<void> =>
          new Promise((stopped) => {
            server.close(() => stopped());
            server.closeAllConnections();
          });
        resolve(new SlowOrigin(port, books, idle, stop));
      });
    });
  }

  of(path: string): PathBooks {
    return this.#books.get(path) ?? { requestCount: 0, firstByteCount: 0, bodyBytes: 0, openCount: 0 };
  }

  /** Resolves once nothing of a path has been under way for `quietMs`. */
  async quiet(path: string, quietMs: number): Promise<void> {
    for (;;) {
      const before = this.of(path).requestCount;
      if (this.of(path).openCount > 0) await this.#change();
      else await new Promise((resolve) => setTimeout(resolve, quietMs));
      if (this.of(path).openCount === 0 && this.of(path).requestCount === before) return;
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      const heard = (): void => {
        this.#idle.delete(heard);
        resolve();
      };
      this.#idle.add(heard);
    });
  }
}

function answer(path: string, request: IncomingMessage, response: ServerResponse, books: PathBooks): void {
  if (path.startsWith('/paced/')) {
    sendPaced(path, request, response, books);
    return;
  }
  const isFault = path.startsWith('/fault/');
  books.firstByteCount += 1;
  setTimeout(() => {
    if (isFault) response.writeHead(503, { 'Content-Length': 0 }).end();
    else {
      books.bodyBytes += block.length;
      response.writeHead(200, { 'Content-Length': block.length, 'Cache-Control': 'no-store' }).end(block);
    }
  }, delayMs);
}

function sendPaced(path: string, request: IncomingMessage, response: ServerResponse, books: PathBooks): void {
  const asked = /^bytes=([0-9]+)-([0-9]*)$/.exec(request.headers.range ?? '');
  const start = asked === null ? 0 : Number(asked[1]);
  const last = asked?.[2] === undefined || asked[2] === '' ? pacedBytes - 1 : Number(asked[2]);
  const end = Math.min(last + 1, pacedBytes);
  if (start === 0) books.firstByteCount += 1;
  response.writeHead(asked === null ? 200 : 206, {
    'Content-Length': end - start,
    'Cache-Control': 'max-age=3600',
    'Accept-Ranges': 'bytes',
    ETag: `"${path}"`,
    ...(asked === null ? {} : { 'Content-Range': `bytes ${start}-${end - 1}/${pacedBytes}` }),
  });
  const sinceMs = performance.now();
  let at = start;
  const timer = setInterval(() => {
    const due = Math.min(end, start + Math.ceil((performance.now() - sinceMs + tickMs) * pacedBytesPerMs));
    // Who does not read holds nothing up but himself.
    while (at < due && response.writableLength < 2 ** 20) {
      const bytes = Math.min(block.length, due - at);
      response.write(bytes === block.length ? block : block.subarray(0, bytes));
      books.bodyBytes += bytes;
      at += bytes;
    }
    if (at < end) return;
    clearInterval(timer);
    response.end();
  }, tickMs);
  response.on('close', () => clearInterval(timer));
}
