// A worker: owns clients' connections, sends hits by itself, and asks the owner for everything else.

import cluster from 'node:cluster';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { assertNever, errorCode } from '../../common/errors.ts';
import type { LedgerEntry } from '../../common/ledger.ts';
import { openFileLimit } from '../../common/open-file-limit.ts';
import { type Books, emptyBooks } from '../books.ts';
import { OriginTable } from '../http/origin-table.ts';
import { readRequestTarget } from '../http/request-target.ts';
import { viaVariable } from '../owner/via-variable.ts';
import type { OwnerMessage, WorkerMessage } from '../protocol.ts';
import type { Settings } from '../settings.ts';
import { Upstream } from '../upstream.ts';
import { ClientConnection } from './client-connection.ts';
import { Exchange } from './exchange.ts';
import { ExtentFiles } from './extent-files.ts';
import { LocalCatalogue } from './local-catalogue.ts';
import { Pacer } from './pacer.ts';
import { loadSendFile } from './send-file.ts';
import type { WorkerState } from './worker-state.ts';

/** Longer than any client of the facts keeps an idle connection (Windows 27–30 s, Linux reuses after 60 s). */
const idleTimeoutMs = 120_000;
const headTimeoutMs = 120_000;
const headBytesMax = 16 * 1024;
const backlog = 4096;
const touchIntervalMs = 1000;

export async function runWorker(settings: Settings): Promise<void> {
  // Writing to an owner that is gone: this worker is about to end as well.
  cluster.worker?.on('error', () => process.exit(0));
  const worker = new NodeWorker(settings);
  worker.listen(Number(process.env['CACHE_NODE_PORT'] ?? settings.listen.port));
  await Promise.resolve();
}

class NodeWorker implements WorkerState {
  readonly name: string;
  readonly via: string;
  readonly catalogue = new LocalCatalogue();
  readonly files = new ExtentFiles();
  readonly books: Books = emptyBooks();
  readonly pacer: Pacer;
  readonly sendFile = loadSendFile();
  readonly upstream: Upstream;
  readonly hideClientErrors: boolean;
  readonly #settings: Settings;
  readonly #origins: OriginTable;
  readonly #server: http.Server;
  readonly #connections = new Map<Socket, ClientConnection>();
  readonly #closed: LedgerEntry[] = [];
  readonly #exchanges = new Map<number, Exchange>();
  readonly #touched = new Set<number>();
  #exchangeCount = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.name = settings.name;
    this.via = process.env[viaVariable] ?? settings.name;
    this.hideClientErrors = settings.upstreamClientErrors === '502';
    this.#origins = new OriginTable(settings.origins);
    this.upstream = new Upstream(settings, this.via);
    const limit = settings.limitEgressBytesPerMs;
    this.pacer = new Pacer(limit === undefined ? undefined : limit / settings.workerCount);
    this.#server = http.createServer(
      {
        keepAliveTimeout: idleTimeoutMs,
        headersTimeout: headTimeoutMs,
        requestTimeout: headTimeoutMs,
        maxHeaderSize: headBytesMax,
        noDelay: true,
      },
      (request, response) => this.#answer(request, response),
    );
    this.#server.maxConnections = Math.floor(Math.min(settings.maxConnections, 0.9 * openFileLimit()));
    this.#server.on('connection', (socket: Socket) => this.#connected(socket));
    this.#server.on('clientError', (error, socket) => {
      const status =
        errorCode(error) === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
      if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      else socket.destroy();
    });
    process.on('message', (message: OwnerMessage) => this.#hear(message));
    // The terminal's signals reach the whole group: the owner drains its workers.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => undefined);
    setInterval(() => this.#reportTouched(), touchIntervalMs).unref();
  }

  listen(port: number): void {
    this.#server.once('error', (error) => this.send({ kind: 'cannotListen', code: errorCode(error) }));
    this.#server.listen({ port, host: this.#settings.listen.host, backlog }, () => {
      this.send({ kind: 'ready', port: (this.#server.address() as AddressInfo).port });
    });
  }

  send(message: WorkerMessage): void {
    if (process.connected) process.send?.(message);
  }

  touch(generation: number): void {
    this.#touched.add(generation);
  }

  forget(exchange: number): void {
    this.#exchanges.delete(exchange);
  }

  #connected(socket: Socket): void {
    if (socket.remoteAddress === undefined) {
      // Its client is gone already (it waited in the listener's queue): nobody would receive what is sent.
      socket.destroy();
      return;
    }
    const connection = new ClientConnection(socket);
    this.#connections.set(socket, connection);
    this.books.connectionCount += 1;
    this.books.connectionsOpen += 1;
    socket.once('close', () => {
      this.books.connectionsOpen -= 1;
      this.#connections.delete(socket);
      if (this.#settings.ledger) this.#closed.push(connection.entry());
    });
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.books.requestCount += 1;
    // A pipelined request has no socket of its own until the answers before it are done.
    if (response.socket === null) response.once('socket', () => this.#begin(request, response));
    else this.#begin(request, response);
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined) return;
    const refuse = (status: number, fields: Record<string, string> = {}): void => {
      this.books.errorCount += 1;
      connection.answerCount += 1;
      response.writeHead(status, { 'Content-Length': '0', ...fields }).end();
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      refuse(405, { Allow: 'GET, HEAD', Connection: 'close' });
      return;
    }
    if (request.method === 'HEAD') this.books.headCount += 1;
    const { headers } = request;
    const bodyLength = headers['content-length'];
    if (headers['transfer-encoding'] !== undefined || (bodyLength !== undefined && Number(bodyLength) !== 0)) {
      refuse(413, { Connection: 'close' });
      return;
    }
    if (countHosts(request) > 1) {
      refuse(400, { Connection: 'close' });
      return;
    }
    if (headers.via?.includes(this.via) === true) {
      refuse(508);
      return;
    }
    const target = readRequestTarget(request.url ?? '', headers.host, this.#origins, this.#settings.keyQuery);
    if ('status' in target) {
      refuse(target.status);
      return;
    }
    const exchange = new Exchange(this.#exchangeCount++, this, request, response, connection, target);
    this.#exchanges.set(exchange.id, exchange);
    exchange.start();
  }

  #hear(message: OwnerMessage): void {
    switch (message.kind) {
      case 'object':
      case 'extent':
      case 'stored':
      case 'fresh':
      case 'evicted':
      case 'superseded':
      case 'forgotten': {
        const lost =
          message.kind === 'evicted' ? this.catalogue.find(message.generation)?.extents.get(message.index) : undefined;
        if (message.kind === 'forgotten') {
          const extents = this.catalogue.find(message.generation)?.extents.values() ?? [];
          for (const { path } of extents) this.files.forget(path);
        }
        this.catalogue.hear(message);
        if (lost !== undefined) this.files.forget(lost.path);
        return;
      }
      case 'serve':
      case 'claimed':
      case 'refused':
      case 'again':
      case 'passThrough':
        this.#exchanges.get(message.ask)?.hear(message);
        return;
      case 'booksQuery':
        this.send({ kind: 'books', query: message.query, books: this.#currentBooks() });
        return;
      case 'ledgerQuery': {
        const served = [...this.#closed, ...[...this.#connections.values()].map((connection) => connection.entry())];
        this.send({ kind: 'ledger', query: message.query, served, upstream: this.upstream.ledger() });
        return;
      }
      case 'drain':
        this.#drain();
        return;
      default:
        assertNever(message);
    }
  }

  #currentBooks(): Books {
    return {
      ...this.books,
      upstreamBytes: this.upstream.receivedBytes,
      upstreamRequestCount: this.upstream.requestCount,
      upstreamErrorCount: this.upstream.errorCount,
    };
  }

  #drain(): void {
    this.#server.close(() => {
      this.send({ kind: 'closing', books: this.#currentBooks() });
      process.exit(0);
    });
    this.#server.closeIdleConnections();
    setInterval(() => this.#server.closeIdleConnections(), 100).unref();
  }

  #reportTouched(): void {
    if (this.#touched.size === 0) return;
    this.send({ kind: 'touched', generations: [...this.#touched] });
    this.#touched.clear();
  }
}

function countHosts(request: IncomingMessage): number {
  let count = 0;
  for (let i = 0; i < request.rawHeaders.length; i += 2)
    if (request.rawHeaders[i]?.toLowerCase() === 'host') count += 1;
  return count;
}
