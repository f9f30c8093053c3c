// The owner: the one process that knows the index. It starts the workers, answers their asks, fills, evicts, and adds
// up everybody's numbers. Workers end with it; one that dies is replaced and takes nothing else down.

import cluster, { type Worker } from 'node:cluster';
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { formatAddress } from '../../common/address.ts';
import { printReady, watchParent } from '../../common/child-program.ts';
import { assertNever, errorCode, OperatorError } from '../../common/errors.ts';
import type { LedgerEntry } from '../../common/ledger.ts';
import { type Books, emptyBooks, sumBooks } from '../books.ts';
import { OriginTable } from '../http/origin-table.ts';
import type { OwnerMessage, WorkerMessage } from '../protocol.ts';
import type { Settings } from '../settings.ts';
import { Store } from '../store/store.ts';
import { Upstream } from '../upstream.ts';
import { serveAdmin } from './admin.ts';
import type { Ask, WorkerLink } from './ask.ts';
import { Fills } from './fills.ts';
import { viaVariable } from './via-variable.ts';

/** SIGTERM: requests under way may finish for this long. */
const drainMs = 10_000;
/** A worker that dies this soon after its start is not replaced at once. */
const restartDelayMs = 1000;
const queryTimeoutMs = 5000;
/** Journals up to this size are read before the first request, which then finds what the drives hold (some 100 ms). */
const loadingWaitBytesMax = 8 * 2 ** 20;

export async function runOwner(settings: Settings): Promise<void> {
  const owner = new Owner(settings);
  await owner.start();
}

/** A question to all workers that are ready: who has not answered yet, and what the others said. */
type Query = { readonly answers: WorkerMessage[]; readonly waitingFor: Set<OwnerLink>; readonly done: () => void };

class Owner {
  readonly #settings: Settings;
  readonly #store: Store;
  readonly #upstream: Upstream;
  readonly #fills: Fills;
  readonly #links = new Set<OwnerLink>();
  readonly #via: string;
  readonly #queries = new Map<number, Query>();
  /** Numbers and connections of workers that are gone in an orderly way. */
  #past: Books = emptyBooks();
  #queryCount = 0;
  #port = 0;
  #stopping = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#via = `${settings.name}-${randomBytes(4).toString('hex')}`;
    this.#store = new Store(settings.drives);
    this.#upstream = new Upstream(settings, this.#via);
    this.#fills = new Fills(this.#store, this.#upstream, new OriginTable(settings.origins), this.#links);
    this.#store.listener = this.#fills;
  }

  async start(): Promise<void> {
    const settings = this.#settings;
    const loading = this.#store.load();
    cluster.schedulingPolicy = cluster.SCHED_RR;
    this.#port = settings.listen.port === 0 ? await freePort(settings.listen.host) : settings.listen.port;
    await Promise.all(Array.from({ length: settings.workerCount }, () => this.#startWorker()));
    if (this.#store.journalBytes < loadingWaitBytesMax) await loading;
    const admin = await serveAdmin(settings.admin, {
      books: () => this.books(),
      ledger: () => this.ledger(),
      listen: formatAddress({ host: settings.listen.host, port: this.#port }),
    });
    process.on('SIGTERM', () => void this.stop());
    process.on('SIGINT', () => void this.stop());
    if (settings.exitWithParent) watchParent(() => (this.#stopping ? undefined : void this.stop()));
    printReady(formatAddress({ host: settings.listen.host, port: this.#port }), formatAddress(admin));
  }

  async books(): Promise<
    Books & { readonly storedBytes: number; readonly driveBytes: number; readonly loadingDriveCount: number }
  > {
    const answers = await this.#query((query) => ({ kind: 'booksQuery', query }));
    const books = answers.flatMap((answer) => (answer.kind === 'books' ? [answer.books] : []));
    const own = emptyBooks();
    own.upstreamBytes = this.#upstream.receivedBytes;
    own.upstreamRequestCount = this.#upstream.requestCount;
    own.upstreamErrorCount = this.#upstream.errorCount;
    return {
      ...sumBooks([this.#past, own, ...books]),
      storedBytes: this.#store.storedBytes,
      driveBytes: this.#store.usedBytes,
      loadingDriveCount: this.#store.loadingDriveCount,
    };
  }

  async ledger(): Promise<{ served: LedgerEntry[]; upstream: LedgerEntry[] }> {
    const answers = await this.#query((query) => ({ kind: 'ledgerQuery', query }));
    const ledgers = answers.flatMap((answer) => (answer.kind === 'ledger' ? [answer] : []));
    return {
      served: ledgers.flatMap((ledger) => [...ledger.served]),
      upstream: [...this.#upstream.ledger(), ...ledgers.flatMap((ledger) => [...ledger.upstream])],
    };
  }

  async stop(): Promise<void> {
    if (this.#stopping) process.exit(0);
    this.#stopping = true;
    const exits = [...this.#links].map(
      (link) => new Promise<void>((resolve) => link.worker.once('exit', () => resolve())),
    );
    for (const link of this.#links) link.send({ kind: 'drain' });
    await Promise.race([Promise.all(exits), new Promise((resolve) => setTimeout(resolve, drainMs))]);
    this.#upstream.close();
    await this.#store.close();
    process.exit(0);
  }

  /** Forks a worker; resolves once it listens. */
  #startWorker(): Promise<void> {
    const worker = cluster.fork({ CACHE_NODE_PORT: String(this.#port), [viaVariable]: this.#via });
    const link = new OwnerLink(worker);
    this.#links.add(link);
    const startedAtMs = Date.now();
    return new Promise((resolve, reject) => {
      worker.on('message', (message: WorkerMessage) => {
        if (message.kind === 'ready') {
          link.isReady = true;
          resolve();
        } else if (message.kind === 'cannotListen') {
          reject(this.#cannotListen(message.code));
          worker.process.kill('SIGKILL'); // its end is what starts the next try
        } else this.#hear(link, message);
      });
      // A message to a worker that was just killed fails (EPIPE); its exit event follows, and releases what it asked for.
      worker.on('error', (error) => {
        if (errorCode(error) !== 'EPIPE') this.#give(error);
      });
      worker.on('exit', (code, signal) => {
        this.#links.delete(link);
        for (const ask of link.asks.values()) this.#fills.release(ask);
        for (const query of this.#queries.values()) this.#answered(query, link);
        if (this.#stopping) return;
        this.#past.lostWorkerCount += 1;
        process.stderr.write(`cache node: worker ${worker.process.pid} ended (${signal ?? code}); starting another\n`);
        const delayMs = Date.now() - startedAtMs < restartDelayMs ? restartDelayMs : 0;
        setTimeout(() => void this.#startWorker().catch((error: unknown) => this.#give(error)), delayMs);
      });
    });
  }

  #give(error: unknown): void {
    process.stderr.write(`cache node: ${error instanceof Error ? error.message : String(error)}\n`);
  }

  #cannotListen(code: string): OperatorError {
    const where = formatAddress(this.#settings.listen);
    const why: Readonly<Record<string, string>> = {
      EADDRINUSE: 'another program listens there. Stop it, or choose another port (0 picks a free one)',
      EACCES: 'no right to use that port. Choose one above 1023, or run with the right to',
      EADDRNOTAVAIL: 'this machine has no such address',
    };
    return new OperatorError('CANNOT_LISTEN', `--listen ${where}: ${why[code] ?? code}.`, 3);
  }

  #hear(link: OwnerLink, message: WorkerMessage): void {
    switch (message.kind) {
      case 'ask': {
        const { ask: id, upstream, range } = message;
        const ask: Ask = { id, worker: link, upstream, range, generation: undefined, fetchCount: 0, failureCount: 0 };
        link.asks.set(id, ask);
        this.#fills.ask(ask);
        return;
      }
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
      case 'ledger': {
        const query = this.#queries.get(message.query);
        query?.answers.push(message);
        if (query !== undefined) this.#answered(query, link);
        return;
      }
      case 'closing':
        this.#past = sumBooks([this.#past, { ...message.books, connectionsOpen: 0 }]);
        return;
      case 'ready':
      case 'cannotListen':
        return;
      default:
        assertNever(message);
    }
  }

  #query(message: (query: number) => OwnerMessage): Promise<readonly WorkerMessage[]> {
    const id = this.#queryCount++;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#queries.delete(id);
        resolve(query.answers);
      };
      const timer = setTimeout(done, queryTimeoutMs);
      const waitingFor = new Set([...this.#links].filter((link) => link.isReady));
      const query: Query = { answers: [], waitingFor, done };
      this.#queries.set(id, query);
      if (waitingFor.size === 0) done();
      for (const link of waitingFor) link.send(message(id));
    });
  }

  #answered(query: Query, link: OwnerLink): void {
    if (query.waitingFor.delete(link) && query.waitingFor.size === 0) query.done();
  }
}

/** All workers must name the same port, also those that start later: 0 would give each start another one. */
function freePort(host: string): Promise<number> {
  const server = net.createServer();
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new OperatorError('CANNOT_LISTEN', `--listen ${host}: cannot listen there (${errorCode(error)}).`, 3));
    });
    server.listen(0, host, () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

class OwnerLink implements WorkerLink {
  readonly known = new Set<number>();
  readonly asks = new Map<number, Ask>();
  readonly worker: Worker;
  isReady = false;

  constructor(worker: Worker) {
    this.worker = worker;
  }

  send(message: OwnerMessage): void {
    // A worker that is going has no channel any more; its exit event releases what it asked for.
    if (this.worker.isConnected()) this.worker.send(message);
  }
}
