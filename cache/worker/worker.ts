// A worker: owns clients' connections, sends hits by itself, and asks the owner for everything else.

import cluster from 'node:cluster';
import { performance } from 'node:perf_hooks';
import { assertNever } from '../../common/errors.ts';
import type { LedgerEntry } from '../../common/ledger.ts';
import { processorTimeMs } from '../../common/processor-time.ts';
import { AccessLog } from '../access-log.ts';
import { type Books, emptyBooks } from '../books.ts';
import { OriginTable } from '../http/origin-table.ts';
import type { HeadRefusal, RequestHead } from '../http/request-head.ts';
import { viaVariable } from '../owner/via-variable.ts';
import type { OwnerMessage, WorkerMessage } from '../protocol.ts';
import type { Settings } from '../settings.ts';
import { Upstream } from '../upstream.ts';
import { type Fields, headText } from './answer-head.ts';
import {
  ClientConnection,
  type ConnectionHost,
  type ConnectionLimits,
  type SocketHandle,
} from './client-connection.ts';
import { Exchange } from './exchange.ts';
import { ExtentFiles } from './extent-files.ts';
import { HotAnswers } from './hot-answers.ts';
import { LocalCatalogue, type LocalGeneration } from './local-catalogue.ts';
import { Pacer } from './pacer.ts';
import { RequestNote } from './request-note.ts';
import { loadSendFile } from './send-file.ts';
import { answerSmallHit } from './small-hit.ts';
import { type ReadTarget, TargetReader } from './target-reader.ts';
import type { WorkerState } from './worker-state.ts';

const sweepMs = 1000;
const touchIntervalMs = 1000;

export async function runWorker(settings: Settings): Promise<void> {
  // Writing to an owner that is gone: this worker is about to end as well.
  cluster.worker?.on('error', () => process.exit(0));
  const worker = new NodeWorker(settings);
  worker.send({ kind: 'ready' });
  await Promise.resolve();
}

class NodeWorker implements WorkerState, ConnectionHost {
  readonly name: string;
  readonly via: string;
  readonly catalogue = new LocalCatalogue();
  readonly files = new ExtentFiles();
  readonly hot = new HotAnswers();
  readonly books: Books = emptyBooks();
  readonly accessLog: AccessLog | undefined;
  readonly pacer: Pacer;
  readonly sendFile = loadSendFile();
  readonly upstream: Upstream;
  readonly hideClientErrors: boolean;
  readonly limits: ConnectionLimits;
  coarseNowMs = performance.now();
  readonly #settings: Settings;
  readonly #targets: TargetReader;
  readonly #connections = new Set<ClientConnection>();
  /** Connections that the owner has not been told of: taken over from it, and closed since. */
  #taken: number[] = [];
  #left: number[] = [];
  #isDraining = false;
  readonly #ended: LedgerEntry[] = [];
  readonly #exchanges = new Map<number, Exchange>();
  #touched: LocalGeneration[] = [];
  #exchangeCount = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.name = settings.name;
    this.via = process.env[viaVariable] ?? settings.name;
    this.hideClientErrors = settings.upstreamClientErrors === '502';
    this.#targets = new TargetReader(new OriginTable(settings.origins), settings.keyQuery);
    this.upstream = new Upstream(settings, this.via);
    if (settings.accessLog !== undefined) {
      this.accessLog = new AccessLog(settings.accessLog, (text) => process.stderr.write(`cache node: ${text}\n`));
      process.on('exit', () => this.accessLog?.flushNow());
    }
    const limit = settings.limitEgressBytesPerMs;
    this.pacer = new Pacer(limit === undefined ? undefined : limit / settings.workerCount);
    this.limits = settings;
    process.on('message', (message: OwnerMessage, handle?: unknown) => this.#hear(message, handle));
    // The terminal's signals reach the whole group: the owner drains its workers.
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => undefined);
    process.on('SIGHUP', () => undefined);
    setInterval(() => this.#reportTouched(), touchIntervalMs).unref();
    setInterval(() => this.#sweep(), sweepMs);
  }

  send(message: WorkerMessage): void {
    if (process.connected) process.send?.(message);
  }

  touch(generation: LocalGeneration): void {
    if (generation.isTouched) return;
    generation.isTouched = true;
    this.#touched.push(generation);
  }

  forget(exchange: number): void {
    this.#exchanges.delete(exchange);
  }

  /** A request has arrived: answers it at once where that is possible. */
  answer(connection: ClientConnection, request: RequestHead): void {
    const note = this.#note(connection, request);
    const { method } = request;
    if (method !== 'GET' && method !== 'HEAD') {
      connection.keepAlive = false;
      this.#refuse(connection, 405, { Allow: 'GET, HEAD' });
      return;
    }
    if (method === 'HEAD') this.books.headCount += 1;
    const target = this.#targetOf(connection, request);
    if (request.via?.includes(this.via) === true) this.#refuse(connection, 508);
    else if ('status' in target) this.#refuse(connection, target.status);
    else {
      note.origin = target.origin.host;
      note.isHealth = target.isHealth;
      const generation = this.catalogue.current(target.key);
      if (generation !== undefined && !target.isHealth && answerSmallHit(this, connection, request, generation)) return;
      const exchange = new Exchange(this.#exchangeCount++, this, request, connection, target);
      this.#exchanges.set(exchange.id, exchange);
      exchange.start();
    }
  }

  /** A device asks for the same object again and again: what its connection asked for last is compared, not read. */
  #targetOf(connection: ClientConnection, request: RequestHead): ReadTarget {
    const last = connection.lastTarget;
    if (last !== undefined && last.target === request.target && last.host === request.host) return last.read;
    const { target, host } = request;
    const read = this.#targets.read(target, host);
    connection.lastTarget = { target, host, read };
    return read;
  }

  refused(connection: ClientConnection, _refusal: HeadRefusal): void {
    this.#note(connection, undefined).how = 'refused';
    this.books.errorCount += 1;
  }

  answered(connection: ClientConnection, aborted: boolean): void {
    const { note } = connection;
    connection.note = undefined;
    if (aborted && !connection.givenUp) this.books.abortedCount += 1;
    note?.end(connection, aborted, this.books, this.accessLog);
  }

  #note(connection: ClientConnection, head: RequestHead | undefined): RequestNote {
    this.books.requestCount += 1;
    connection.headStatus = 0;
    connection.note = new RequestNote(head, connection);
    return connection.note;
  }

  closed(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.books.connectionsOpen -= 1;
    this.#left.push(connection.id);
    this.#reportSoon();
    if (this.#settings.ledger) this.#ended.push(connection.entry());
    if (this.#isDraining) this.#endWhenDrained();
  }

  #connected(id: number, handle: SocketHandle | undefined): void {
    this.#taken.push(id);
    this.#reportSoon();
    const connection = handle === undefined ? undefined : new ClientConnection(id, handle, this);
    if (connection === undefined || connection.socket.remoteAddress === undefined) {
      // Its client is gone already (it waited in the listener's queue): nobody would receive what is sent.
      connection?.destroy();
      this.#left.push(id);
      return;
    }
    this.#connections.add(connection);
    this.books.connectionCount += 1;
    this.books.connectionsOpen += 1;
    if (this.#isDraining) connection.drain();
  }

  #refuse(connection: ClientConnection, status: number, fields: Fields = {}): void {
    this.books.errorCount += 1;
    if (connection.note !== undefined) connection.note.how = 'refused';
    connection.sendHead(headText(status, { 'Content-Length': '0', ...fields }, connection));
    connection.endAnswer();
  }

  /** Tells the owner of connections, many at once. */
  #reportSoon(): void {
    if (this.#taken.length + this.#left.length === 1) setImmediate(() => this.#reportConnections());
  }

  #reportConnections(): void {
    this.send({ kind: 'connections', taken: this.#taken, left: this.#left });
    this.#taken = [];
    this.#left = [];
  }

  #sweep(): void {
    this.coarseNowMs = performance.now();
    for (const connection of this.#connections) connection.sweep(this.coarseNowMs);
  }

  #hear(message: OwnerMessage, handle: unknown): void {
    switch (message.kind) {
      case 'connection':
        this.#connected(message.id, handle as SocketHandle | undefined);
        return;
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
      case 'unclaimed':
      case 'refused':
      case 'again':
      case 'passThrough':
      case 'relay':
        this.#exchanges.get(message.ask)?.hear(message);
        return;
      case 'booksQuery':
        this.send({
          kind: 'books',
          query: message.query,
          books: this.#currentBooks(),
          residentBytes: process.memoryUsage.rss(),
        });
        return;
      case 'sync':
        this.send({ kind: 'synced', query: message.query });
        return;
      case 'reopenLog':
        this.accessLog?.reopen();
        return;
      case 'ledgerQuery': {
        const served = [...this.#ended, ...[...this.#connections].map((connection) => connection.entry())];
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
      upstreamErrors: { ...this.upstream.errors },
      accessLogDroppedCount: this.accessLog?.droppedCount ?? 0,
      cpuMs: processorTimeMs(),
    };
  }

  #drain(): void {
    this.#isDraining = true;
    for (const connection of this.#connections) connection.drain();
    this.#endWhenDrained();
  }

  #endWhenDrained(): void {
    if (this.#connections.size > 0) return;
    this.send({ kind: 'closing', books: this.#currentBooks() });
    process.exit(0);
  }

  #reportTouched(): void {
    if (this.#touched.length === 0) return;
    this.send({ kind: 'touched', generations: this.#touched.map((generation) => generation.meta.id) });
    for (const generation of this.#touched) generation.isTouched = false;
    this.#touched = [];
  }
}
