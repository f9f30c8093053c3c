// The owner: the one process that knows the index. It starts the workers, answers their asks, fills, evicts, and adds
// up everybody's numbers. Workers end with it; one that dies is replaced and takes nothing else down.

import type { SendHandle } from 'node:child_process';
import cluster, { type Worker } from 'node:cluster';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { type Address, formatAddress } from '../../common/address.ts';
import { printReady, repositoryRoot, watchParent } from '../../common/child-program.ts';
import { assertNever, errorCode } from '../../common/errors.ts';
import type { LedgerEntry } from '../../common/ledger.ts';
import { AccessLog } from '../access-log.ts';
import { OriginTable } from '../http/origin-table.ts';
import type { OwnerMessage, WorkerMessage } from '../protocol.ts';
import type { Settings } from '../settings.ts';
import { Store } from '../store/store.ts';
import { Upstream } from '../upstream.ts';
import { serveAdmin } from './admin.ts';
import { type Ask, newAsk, type WorkerLink } from './ask.ts';
import { Fills } from './fills.ts';
import { FrontDoor, type Seat } from './front-door.ts';
import type { Condition } from './health.ts';
import { Numbers, ready } from './numbers.ts';
import { RollCall } from './roll-call.ts';
import { type AdminSubject, adminGuard, adminRoutes, summaryRoutes } from './routes.ts';
import { SummaryReport, summaryPeriodMs } from './summary.ts';
import { summaryGuard } from './summary-access.ts';
import { viaVariable } from './via-variable.ts';

/** A worker that dies this soon after its start is not replaced at once. */
const restartDelayMs = 1000;
/** Journals up to this size are read before the first request, which then finds what the drives hold (some 100 ms). */
const loadingWaitBytesMax = 8 * 2 ** 20;

export async function runOwner(settings: Settings): Promise<void> {
  const owner = new Owner(settings);
  await owner.start();
}

class Owner {
  readonly #settings: Settings;
  readonly #store: Store;
  readonly #upstream: Upstream;
  readonly #fills: Fills;
  readonly #door: FrontDoor;
  readonly #links = new Set<OwnerLink>();
  readonly #via: string;
  readonly #origins: OriginTable;
  readonly #rollCall = new RollCall();
  readonly #numbers: Numbers;
  #port = 0;
  #stopping = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#via = `${settings.name}-${randomBytes(4).toString('hex')}`;
    this.#store = new Store(settings.drives, { keepMs: settings.keepMs });
    this.#upstream = new Upstream(settings, this.#via);
    this.#origins = new OriginTable(settings.origins);
    this.#fills = new Fills(this.#store, this.#upstream, this.#origins, this.#links, settings.forceTtlMs);
    this.#store.listener = this.#fills;
    this.#door = new FrontDoor(settings);
    const parts = { store: this.#store, upstream: this.#upstream, fills: this.#fills, door: this.#door };
    this.#numbers = new Numbers(parts, this.#links, this.#rollCall, settings.workerCount);
  }

  async start(): Promise<void> {
    const settings = this.#settings;
    if (settings.accessLog !== undefined) await new AccessLog(settings.accessLog, warn).close();
    const admin = await this.#startAdmin();
    const loading = this.#store.load();
    this.#port = await this.#door.listen(settings.listen);
    await Promise.all(Array.from({ length: settings.workerCount }, () => this.#startWorker()));
    if (this.#store.journalBytes < loadingWaitBytesMax) await loading;
    process.on('SIGTERM', () => void this.stop());
    process.on('SIGINT', () => void this.stop());
    if (settings.accessLog !== undefined) {
      process.on('SIGHUP', () => {
        for (const link of this.#links) link.send({ kind: 'reopenLog' });
      });
    }
    if (settings.exitWithParent) watchParent(() => (this.#stopping ? undefined : void this.stop()));
    printReady(formatAddress(this.#listen()), formatAddress(admin));
  }

  /** Before anything else: an operator can ask from the first moment on how far the start is. */
  async #startAdmin(): Promise<Address> {
    const { name, admin, summary } = this.#settings;
    const build = { version: packageVersion(), node: process.version };
    const report = new SummaryReport({ name, version: build.version }, Date.now(), performance.now());
    const subject: AdminSubject = {
      ...{ fills: this.#fills, origins: this.#origins, keyQuery: this.#settings.keyQuery, summary: report, build },
      listen: () => this.#listen(),
      condition: () => this.#condition(),
      figures: () => this.#numbers.collect(),
      ledger: () => this.ledger(),
      confirm: async () => {
        await this.#store.flush();
        return await this.#rollCall.ask(ready(this.#links), (query) => ({ kind: 'sync', query }));
      },
    };
    setInterval(() => void this.#endPeriod(report), summaryPeriodMs).unref();
    if (summary !== undefined) {
      await serveAdmin('--summary', summary, summaryGuard(this.#settings, summary.host), summaryRoutes(subject));
    }
    return await serveAdmin('--admin', admin, adminGuard(admin.host), adminRoutes(subject));
  }

  async #endPeriod(report: SummaryReport): Promise<void> {
    const { books } = await this.#numbers.collect();
    report.endPeriod({ atMs: Date.now(), monotonicMs: performance.now(), books });
    this.#numbers.endPeriod();
  }

  #condition(): Condition {
    return {
      ...{ isLoading: this.#store.isLoading, isDraining: this.#stopping, drives: this.#store.driveFigures },
      ...{ workersReady: ready(this.#links).length, workersExpected: this.#settings.workerCount },
    };
  }

  #listen(): Address {
    return { host: this.#settings.listen.host, port: this.#port };
  }

  async ledger(): Promise<{ served: LedgerEntry[]; upstream: LedgerEntry[] }> {
    const { answers } = await this.#rollCall.ask(ready(this.#links), (query) => ({ kind: 'ledgerQuery', query }));
    const ledgers = answers.flatMap((answer) => (answer.kind === 'ledger' ? [answer] : []));
    return {
      served: ledgers.flatMap((ledger) => [...ledger.served]),
      upstream: [...this.#upstream.ledger(), ...ledgers.flatMap((ledger) => [...ledger.upstream])],
    };
  }

  /** Drains: no new connections, requests under way are finished within the limit. A second call ends at once. */
  async stop(): Promise<void> {
    if (this.#stopping) process.exit(0);
    this.#stopping = true;
    this.#door.close();
    const exits = [...this.#links].map(
      (link) => new Promise<void>((resolve) => link.worker.once('exit', () => resolve())),
    );
    for (const link of this.#links) link.send({ kind: 'drain' });
    const limit = new Promise((resolve) => setTimeout(resolve, this.#settings.drainMs));
    await Promise.race([Promise.all(exits), limit]);
    if (this.#links.size > 0) {
      const { drainMs, workerCount } = this.#settings;
      const left = `${this.#links.size} of ${workerCount} workers`;
      warn(`${left} had requests under way after ${drainMs / 1000} s: these are cut`);
    }
    this.#upstream.close();
    await this.#store.close();
    process.exit(0);
  }

  /** Forks a worker; resolves once it takes connections. */
  #startWorker(): Promise<void> {
    const worker = cluster.fork({ [viaVariable]: this.#via });
    const link = new OwnerLink(worker);
    this.#links.add(link);
    const startedAtMs = Date.now();
    return new Promise((resolve) => {
      worker.on('message', (message: WorkerMessage) => {
        if (message.kind === 'ready') {
          link.isReady = true;
          this.#door.addSeat(link);
          resolve();
        } else this.#hear(link, message);
      });
      // A message to a worker that was just killed fails (EPIPE); its exit event follows, and releases what it asked for.
      worker.on('error', (error) => {
        if (errorCode(error) !== 'EPIPE') warn(`worker ${worker.process.pid}: ${errorCode(error)}`);
      });
      worker.on('exit', (code, signal) => {
        this.#links.delete(link);
        this.#door.removeSeat(link);
        for (const ask of link.asks.values()) this.#fills.release(ask);
        this.#rollCall.gone(link);
        this.#numbers.gone(link, !this.#stopping);
        if (this.#stopping) return;
        process.stderr.write(`cache node: worker ${worker.process.pid} ended (${signal ?? code}); starting another\n`);
        const delayMs = Date.now() - startedAtMs < restartDelayMs ? restartDelayMs : 0;
        setTimeout(() => {
          if (!this.#stopping) void this.#startWorker();
        }, delayMs);
      });
    });
  }

  #hear(link: OwnerLink, message: WorkerMessage): void {
    switch (message.kind) {
      case 'ask': {
        const { ask: id, upstream, range } = message;
        const ask: Ask = { id, worker: link, upstream, range, ...newAsk };
        link.asks.set(id, ask);
        this.#fills.ask(ask);
        return;
      }
      case 'look':
        this.#fills.look(link, message.ask, message.key);
        return;
      case 'release': {
        const ask = link.asks.get(message.ask);
        link.asks.delete(message.ask);
        if (ask !== undefined) this.#fills.release(ask);
        return;
      }
      case 'refresh': {
        const generation = this.#store.find(message.generation);
        if (generation !== undefined) this.#fills.refresh(message.upstream, generation);
        return;
      }
      case 'touched':
        for (const id of message.generations) {
          const generation = this.#store.find(id);
          if (generation !== undefined) this.#store.touch(generation);
        }
        return;
      case 'unreadable': {
        const generation = this.#store.find(message.generation);
        const extent = [...(generation?.extents.values() ?? [])].find((other) => other.id === message.extent);
        if (generation !== undefined && extent !== undefined) this.#store.evict(generation, extent);
        return;
      }
      case 'books':
        this.#numbers.heard(link, message);
        this.#rollCall.heard(link, message);
        return;
      case 'ledger':
      case 'synced':
        this.#rollCall.heard(link, message);
        return;
      case 'closing':
        this.#numbers.closing(link, message.books);
        return;
      case 'connections':
        this.#door.hear(link, message.taken, message.left);
        return;
      case 'ready':
        return;
      default:
        assertNever(message);
    }
  }
}

class OwnerLink implements WorkerLink, Seat {
  readonly known = new Set<number>();
  readonly asks = new Map<number, Ask>();
  readonly worker: Worker;
  isReady = false;

  constructor(worker: Worker) {
    this.worker = worker;
  }

  get pid(): number {
    return this.worker.process.pid ?? 0;
  }

  send(message: OwnerMessage): void {
    // A worker that is going has no channel any more; its exit event releases what it asked for.
    if (this.worker.isConnected()) this.worker.send(message);
  }

  hand(id: number, socket: Socket): boolean {
    // The handle itself is sent: it stays open here until the worker has it.
    const handle = (socket as unknown as { readonly _handle: SendHandle | null })._handle;
    if (handle === null || !this.worker.isConnected()) return false;
    this.worker.process.send({ kind: 'connection', id } satisfies OwnerMessage, handle);
    return true;
  }
}

function warn(text: string): void {
  process.stderr.write(`cache node: ${text}\n`);
}

function packageVersion(): string {
  const text = readFileSync(join(repositoryRoot, 'package.json'), 'utf8');
  return String((JSON.parse(text) as { readonly version: unknown }).version);
}
