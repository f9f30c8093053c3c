// Connections to origins, a parent node or a proxy: a keep-alive pool for each place, several fetches in parallel, the
// rest queued. Used by the owner (fills) and by the workers (pass-through).

import dns from 'node:dns';
import net from 'node:net';
import { type Address, formatAddress } from '../common/address.ts';
import { HttpConnection, type ResponseSink } from '../common/http-connection.ts';
import type { LedgerEntry } from '../common/ledger.ts';
import type { Origin } from './http/origin-table.ts';
import type { Settings } from './settings.ts';

/** One request to make. The sink hears of exactly one end: `onEnd` or `onFailure`. */
export type UpstreamRequest = {
  readonly method: 'GET' | 'HEAD';
  readonly origin: Origin;
  /** Path and query, without `cacheHostOrigin`. */
  readonly target: string;
  /** Header fields beside Host, Via, Accept and Connection. */
  readonly fields: readonly (readonly [string, string])[];
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
};
type Place = { readonly address: Address; readonly open: Set<HttpConnection>; idle: HttpConnection[]; queue: Job[] };

export class Upstream {
  readonly #settings: Pick<Settings, 'upstreamHost' | 'upstreamProxy' | 'ledger'>;
  readonly #via: string;
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

  constructor(settings: Pick<Settings, 'upstreamHost' | 'upstreamProxy' | 'ledger'>, via: string) {
    this.#settings = settings;
    this.#via = via;
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
    const job: Job = { request, connection: undefined, paused: false, ended: false, answered: false };
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
    const { upstreamProxy, upstreamHost } = this.#settings;
    const address = upstreamProxy ?? upstreamHost ?? origin.connect ?? { host: origin.host, port: 80 };
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
    if (idle !== undefined) this.#send(place, job, idle, true);
    else if (place.open.size < connectionsPerPlaceMax) this.#connect(place, job);
    else place.queue.push(job);
  }

  #connect(place: Place, job: Job): void {
    const trusted = job.request.origin.connect !== undefined || this.#isOwnUpstream(place);
    const connection: HttpConnection = new HttpConnection(
      {
        host: place.address.host,
        port: place.address.port,
        readBuffer: this.#readBuffer,
        lookup: trusted ? undefined : publicLookup,
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
      this.#head(job.request),
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
          if (reused && !job.answered && failure.cause === 'reset') {
            job.connection = undefined;
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

  #head(request: UpstreamRequest): string {
    const { upstreamHost, upstreamProxy } = this.#settings;
    const { origin } = request;
    let { target } = request;
    let host = origin.host;
    if (upstreamHost !== undefined) {
      host = upstreamHost.port === 80 ? upstreamHost.host : formatAddress(upstreamHost);
      target += `${target.includes('?') ? '&' : '?'}cacheHostOrigin=${origin.host}`;
    }
    if (upstreamProxy !== undefined) {
      const port = origin.connect === undefined || upstreamHost !== undefined ? '' : `:${origin.connect.port}`;
      target = `http://${host}${port}${target}`;
    }
    let head = `${request.method} ${target} HTTP/1.1\r\nHost: ${host}\r\nVia: 1.1 ${this.#via}\r\nAccept: */*\r\n`;
    for (const [name, value] of request.fields) head += `${name}: ${value}\r\n`;
    return `${head}Connection: keep-alive\r\n\r\n`;
  }
}

function entryOf(connection: HttpConnection): LedgerEntry {
  const { peer, bodyBytes, answerCount, cut } = connection;
  return { peer, bodyBytes, answerCount, cut };
}

const notPublic = new net.BlockList();
for (const [address, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  notPublic.addSubnet(address, prefix, 'ipv4');
}
for (const [address, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
] as const) {
  notPublic.addSubnet(address, prefix, 'ipv6');
}

/** Resolves a name, and refuses addresses that are not public: the checked address is the one connected to. */
const publicLookup: net.LookupFunction = (hostname, options, callback) => {
  dns.lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const allowed = (addresses ?? []).filter(
      ({ address, family }) => !notPublic.check(address, family === 6 ? 'ipv6' : 'ipv4'),
    );
    const first = allowed[0];
    if (error !== null) callback(error, '');
    else if (first === undefined) callback(new Error(`${hostname} resolves to no public address`), '');
    else if (options.all === true) callback(null, allowed);
    else callback(null, first.address, first.family);
  });
};
