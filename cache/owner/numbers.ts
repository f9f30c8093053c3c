// The node's numbers at one moment, from all its processes. Counters only grow: of a worker that died or does not answer
// counts what was last heard of it, so that nobody who scrapes sees a counter fall.
//
//   past (workers that ended) + owner + last heard of each worker = books

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { processorTimeMs } from '../../common/processor-time.ts';
import { type Books, emptyBooks, sumBooks } from '../books.ts';
import type { DriveFigures, IndexFigures } from '../store/figures.ts';
import type { Store } from '../store/store.ts';
import type { Upstream } from '../upstream.ts';
import type { WorkerLink } from './ask.ts';
import type { FillFigures, Fills } from './fills.ts';
import type { RollCall } from './roll-call.ts';

export type ProcessFigures = {
  readonly role: 'owner' | 'worker';
  readonly pid: number;
  readonly residentBytes: number;
};

/** Delay of the owner's event loop in the last full period, in ms. */
export type LoopDelay = { readonly medianMs: number; readonly p99Ms: number; readonly maxMs: number };

export type Figures = {
  readonly books: Books;
  readonly drives: readonly DriveFigures[];
  readonly index: IndexFigures;
  readonly fills: FillFigures;
  readonly processes: readonly ProcessFigures[];
  /** Connections turned away because there were too many. */
  readonly connectionsRefusedCount: number;
  readonly workersReady: number;
  readonly workersExpected: number;
  readonly loopDelay: LoopDelay;
  readonly uptimeMs: number;
};

/** A worker's link, as far as its numbers go. */
export interface CountedLink extends WorkerLink {
  readonly pid: number;
  readonly isReady: boolean;
}

/** The event loop's delay is sampled this often. */
const loopTickMs = 10;

/** The owner's parts that count for themselves. */
export type NodeParts = {
  readonly store: Store;
  readonly upstream: Upstream;
  readonly fills: Fills;
  readonly door: { readonly refusedCount: number };
};

type Heard = { readonly books: Books; readonly residentBytes: number };

export class Numbers {
  readonly #parts: NodeParts;
  readonly #links: ReadonlySet<CountedLink>;
  readonly #rollCall: RollCall;
  readonly #workersExpected: number;
  readonly #heard = new Map<WorkerLink, Heard>();
  readonly #loop = monitorEventLoopDelay({ resolution: loopTickMs });
  readonly #startedAtMs = performance.now();
  #past: Books = emptyBooks();
  #loopDelay: LoopDelay = { medianMs: 0, p99Ms: 0, maxMs: 0 };

  constructor(parts: NodeParts, links: ReadonlySet<CountedLink>, rollCall: RollCall, workersExpected: number) {
    this.#parts = parts;
    this.#links = links;
    this.#rollCall = rollCall;
    this.#workersExpected = workersExpected;
    this.#loop.enable();
  }

  /** A worker said what it has counted. */
  heard(link: WorkerLink, heard: Heard): void {
    this.#heard.set(link, heard);
  }

  /** A worker ends in an orderly way: these are its last numbers. */
  closing(link: WorkerLink, books: Books): void {
    this.#past = sumBooks([this.#past, { ...books, connectionsOpen: 0 }]);
    this.#heard.delete(link);
  }

  /** A worker is gone; `lost`: without having said its last numbers. */
  gone(link: WorkerLink, lost: boolean): void {
    const books = this.#heard.get(link)?.books;
    if (books !== undefined) this.closing(link, books);
    if (lost) this.#past.lostWorkerCount += 1;
  }

  /** Asks all workers; takes as long as the slowest, at most 5 s. */
  async collect(): Promise<Figures> {
    await this.#rollCall.ask(ready(this.#links), (query) => ({ kind: 'booksQuery', query }));
    const { store, upstream, fills, door } = this.#parts;
    const own = emptyBooks();
    own.upstreamBytes = upstream.receivedBytes;
    own.upstreamRequestCount = upstream.requestCount;
    own.upstreamErrorCount = upstream.errorCount;
    own.upstreamErrors = { ...upstream.errors };
    own.cpuMs = processorTimeMs();
    const workers = [...this.#links].flatMap((link) => {
      const heard = this.#heard.get(link);
      return heard === undefined ? [] : [{ pid: link.pid, ...heard }];
    });
    return {
      books: sumBooks([this.#past, own, ...workers.map(({ books }) => books)]),
      drives: store.driveFigures,
      index: store.indexFigures,
      fills: fills.figures,
      processes: [
        { role: 'owner', pid: process.pid, residentBytes: process.memoryUsage.rss() },
        ...workers.map(({ pid, residentBytes }) => ({ role: 'worker' as const, pid, residentBytes })),
      ],
      connectionsRefusedCount: door.refusedCount,
      workersReady: ready(this.#links).length,
      workersExpected: this.#workersExpected,
      loopDelay: this.#loopDelay,
      uptimeMs: performance.now() - this.#startedAtMs,
    };
  }

  /** Ends a period of the event loop's delay, and begins the next. */
  endPeriod(): void {
    // What is measured is the time between two ticks.
    const ms = (nanoseconds: number): number =>
      Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e6 - loopTickMs) : 0;
    const { max } = this.#loop;
    this.#loopDelay = {
      medianMs: ms(this.#loop.percentile(50)),
      p99Ms: ms(this.#loop.percentile(99)),
      maxMs: ms(max),
    };
    this.#loop.reset();
  }
}

export function ready<Link extends { readonly isReady: boolean }>(links: Iterable<Link>): Link[] {
  return [...links].filter((link) => link.isReady);
}
