// Connections to origins, a parent node or a proxy: a keep-alive pool for each place, several fetches in parallel, the
// rest queued. Used by the owner (fills) and by the workers (pass-through).

import { type Address, formatAddress } from '../common/address.ts';
import { HttpConnection, type ResponseSink } from '../common/http-connection.ts';
import type { LedgerEntry } from '../common/ledger.ts';
import { type Origin, OriginTable } from './http/origin-table.ts';
import type { Settings } from './settings.ts';
import { publicLookup, type Resolve } from './upstream-addresses.ts';
import { placeOf, type Route, requestHead } from './upstream-head.ts';
import { followRedirects } from './upstream-redirects.ts';

/** One request to make. The sink hears of exactly one end: `onEnd` or `onFailure`. */
export type UpstreamRequest = {
  readonly method: 'GET' | 'HEAD';
  readonly origin: Origin;
  /** Path and query, without `cacheHostOrigin`. */
  readonly target: string;
  /** Header fields beside Host, Via, Accept and Connection. */
  readonly fields: readonly (readonly [string, string])[];
  /** The Via of the request that this one is made for; this node adds itself. */
  readonly via?: string | undefined;
  readonly sink: ResponseSink;
};

/** A request under way (or queued). */
export type UpstreamExchange = { abort(): void; pause(): void; resume(): void };

/** At most this many connections to one place. */
const connectionsPerPlaceMax = 64;
/** Nothing for this long, connecting included: the request has failed (the cache node's design: silent for 5 s). */
const silenceMsMax = 5000;
const idleMsMax = 60_000;
const sweepMs = 500;

type Job = {
  readonly request: UpstreamRequest;
  connection: HttpConnection | undefined;
  paused: boolean;
  ended: boolean;
  answered: boolean;
  /** A connection that was used before broke under it: it has one more try, on a new one. */
  retried: boolean;
};
type Place = { readonly address: Address; readonly open: Set<HttpConnection>; idle: HttpConnection[]; queue: Job[] };

/** What the connections to upstream need of a node's settings. */
export type UpstreamSettings = Route & Pick<Settings, 'followRedirects' | 'ledger' | 'origins'>;

export class Upstream {
  readonly #settings: UpstreamSettings;
  readonly #via: string;
  readonly #origins: OriginTable;
  readonly #lookup: ReturnType<typeof publicLookup>;
  readonly #places = new Map<string, Place>();
  readonly #jobs = new Map<HttpConnection, Job>();
  readonly #closed: LedgerEntry[] = [];
  readonly #readBuffer = Buffer.allocUnsafeSlow(256 * 1024);
  readonly #sweeper: NodeJS.Timeout;
  #closedBytes = 0;
  requestCount = 0;
  errorCount = 0;
  /** Requests that failed, by cause. */
  readonly errors: Record<string, number> = {};

  /** `via`: how this node calls itself. `resolve`: looks names up; default the system's resolver. */
  constructor(settings: UpstreamSettings, via: string, resolve?: Resolve) {
    this.#settings = settings;
    this.#via = via;
    this.#origins = new OriginTable(settings.origins);
    this.#lookup = publicLookup(resolve);
    this.#sweeper = setInterval(() => this.#sweep(), sweepMs);
    this.#sweeper.unref();
  }

  /** Body bytes of 2xx answers received so far. */
  get receivedBytes(): number {
    let bytes = this.#closedBytes;
    for (const place of this.#places.values()) for (const connection of place.open) bytes += connection.bodyBytes;
    return bytes;
  }

  /** What was received, connection by connection. */
  ledger(): LedgerEntry[] {
    const entries = [...this.#closed];
    for (const place of this.#places.values()) for (const connection of place.open) entries.push(entryOf(connection));
    return entries.filter((entry) => entry.peer !== '');
  }

  request(request: UpstreamRequest): UpstreamExchange {
    if (!this.#settings.followRedirects) return this.#start(request);
    return followRedirects(request, this.#origins, (hop) => this.#start(hop));
  }

  #start(request: UpstreamRequest): UpstreamExchange {
    const job: Job = { request, connection: undefined, paused: false, ended: false, answered: false, retried: false };
    this.requestCount += 1;
    this.#dispatch(this.#place(request.origin), job);
    return {
      abort: () => {
        if (job.ended) return;
        job.ended = true;
        const place = this.#place(request.origin);
        place.queue = place.queue.filter((other) => other !== job);
        job.connection?.reset();
      },
      pause: () => {
        job.paused = true;
        job.connection?.pause();
      },
      resume: () => {
        job.paused = false;
        if (job.connection !== undefined) job.connection.lastProgressMs = performance.now();
        job.connection?.resume();
      },
    };
  }

  close(): void {
    clearInterval(this.#sweeper);
    for (const place of this.#places.values()) for (const connection of [...place.open]) connection.reset();
  }

  #place(origin: Origin): Place {
    const address = placeOf(origin, this.#settings);
    const name = formatAddress(address);
    let place = this.#places.get(name);
    if (place === undefined) {
      place = { address, open: new Set(), idle: [], queue: [] };
      this.#places.set(name, place);
    }
    return place;
  }

  #dispatch(place: Place, job: Job): void {
    let idle = place.idle.pop();
    while (idle?.isClosed) idle = place.idle.pop();
    if (idle !== undefined && !job.retried) this.#send(place, job, idle, true);
    else if (place.open.size < connectionsPerPlaceMax) {
      if (idle !== undefined) place.idle.push(idle);
      this.#connect(place, job);
    } else {
      place.queue.push(job);
      idle?.close();
    }
  }

  #connect(place: Place, job: Job): void {
    const trusted = job.request.origin.mayBePrivate || this.#isOwnUpstream(place);
    const connection: HttpConnection = new HttpConnection(
      {
        host: place.address.host,
        port: place.address.port,
        readBuffer: this.#readBuffer,
        lookup: trusted ? undefined : this.#lookup,
        onClose: (closed) => this.#forget(place, closed),
      },
      (failure) => {
        if (job.ended) {
          if (failure === undefined) this.#release(place, connection);
        } else if (failure === undefined) this.#send(place, job, connection, false);
        else this.#fail(job, failure);
      },
    );
    place.open.add(connection);
    job.connection = connection;
  }

  #isOwnUpstream(place: Place): boolean {
    return place.address === this.#settings.upstreamHost || place.address === this.#settings.upstreamProxy;
  }

  #send(place: Place, job: Job, connection: HttpConnection, reused: boolean): void {
    job.connection = connection;
    this.#jobs.set(connection, job);
    if (job.paused) connection.pause();
    const { sink } = job.request;
    connection.send(
      requestHead(job.request, this.#settings, this.#via),
      {
        onHead: (head) => {
          job.answered = true;
          if (!job.ended) sink.onHead(head);
        },
        onBody: (buffer, start, end) => {
          if (!job.ended) sink.onBody(buffer, start, end);
        },
        onEnd: () => {
          this.#jobs.delete(connection);
          job.connection = undefined;
          if (job.paused) connection.resume();
          this.#release(place, connection);
          if (job.ended) return;
          job.ended = true;
          sink.onEnd();
        },
        onFailure: (failure) => {
          this.#jobs.delete(connection);
          if (job.ended) return;
          // The server may close an idle connection just as we use it: that says nothing of this request.
          if (reused && !job.answered && !job.retried && failure.cause === 'reset') {
            job.connection = undefined;
            job.retried = true;
            this.#dispatch(place, job);
          } else this.#fail(job, failure);
        },
      },
      job.request.method === 'HEAD',
    );
  }

  #fail(job: Job, failure: Parameters<ResponseSink['onFailure']>[0]): void {
    job.ended = true;
    this.errorCount += 1;
    this.errors[failure.cause] = (this.errors[failure.cause] ?? 0) + 1;
    job.request.sink.onFailure(failure);
  }

  #release(place: Place, connection: HttpConnection): void {
    if (connection.isClosed) return;
    const next = place.queue.shift();
    if (next !== undefined) this.#send(place, next, connection, true);
    else place.idle.push(connection);
  }

  #forget(place: Place, connection: HttpConnection): void {
    place.open.delete(connection);
    place.idle = place.idle.filter((other) => other !== connection);
    this.#closedBytes += connection.bodyBytes;
    if (this.#settings.ledger) this.#closed.push(entryOf(connection));
    const next = place.queue.shift();
    if (next !== undefined) queueMicrotask(() => (next.ended ? undefined : this.#dispatch(place, next)));
  }

  #sweep(): void {
    const now = performance.now();
    for (const place of this.#places.values()) {
      for (const connection of [...place.open]) {
        const silentMs = now - connection.lastProgressMs;
        const job = this.#jobs.get(connection);
        const waiting = connection.isBusy ? job?.paused !== true : !connection.isOpen;
        if (waiting && silentMs > silenceMsMax) {
          connection.fail({ cause: 'timeout', detail: `nothing came for ${silenceMsMax / 1000} s` });
        } else if (!connection.isBusy && connection.isOpen && silentMs > idleMsMax) connection.close();
      }
    }
  }
}

function entryOf(connection: HttpConnection): LedgerEntry {
  const { peer, bodyBytes, answerCount, cut } = connection;
  return { peer, bodyBytes, answerCount, cut };
}
