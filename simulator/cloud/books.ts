// The CDN's books: what was asked and what the kernel took of each body, in total, per object, per client and, on
// request, per connection (the ledger). Counters only grow.

import type { Socket } from 'node:net';
import { type LedgerEntry, peerKey } from '../../common/ledger.ts';
import { processorTimeMs } from '../../common/processor-time.ts';

/** Requests and body bytes of one object version, client or Via name. */
export type Count = { requestCount: number; bodyBytes: number };

/** GET /books. Body bytes are those of 2xx bodies that the kernel took; GET requests for content only, unless named. */
export type CdnBooks = {
  /** GET requests for content, known or not, whatever became of them. */
  readonly requestCount: number;
  /** HEAD requests. */
  readonly headCount: number;
  /** GET requests for the health object, and the bytes of its bodies (in no other counter, but in the ledger). */
  readonly healthCount: number;
  readonly healthBytes: number;
  readonly bodyBytes: number;
  /** Answers with a status of 400 or more, of any method; their bodies are empty. */
  readonly errorCount: number;
  /** Requests to which a fault was applied, delays included. */
  readonly faultCount: number;
  /** Connections that ended, or were ended, before a body was complete. */
  readonly cutCount: number;
  readonly connectionsOpen: number;
  /** Processor time of the CDN's process, user and system; ms of one core. */
  readonly cpuMs: number;
  readonly objects: readonly ({ readonly id: string; readonly version: number } & Readonly<Count>)[];
  /** By source address. */
  readonly clients: readonly ({ readonly client: string } & Readonly<Count>)[];
  /** By the pseudonym of the last hop in `Via` (a cache node's name), for the requests that carry one. */
  readonly vias: readonly ({ readonly via: string } & Readonly<Count>)[];
};

/** Objects, clients or Via names kept apart; what comes later is counted under `(other)`, so that memory stays bounded. */
export const namesMax = 100_000;
const otherName = '(other)';

/** libuv's handle of a socket: public in effect (`bytesWritten`, `writeQueueSize`), but not in Node's types. */
type StreamHandle = { readonly bytesWritten: number; readonly writeQueueSize: number };

/** One client connection in the books. */
export class ConnectionBook {
  readonly peer: string;
  readonly client: string;
  readonly #handle: StreamHandle | undefined;
  bodyBytes = 0;
  answerCount = 0;
  cut = false;
  /** What the handle said last about bytes not taken by the kernel; kept because the handle forgets it at its close. */
  #queuedAtEnd: number | undefined;
  #dispatchedAtEnd = 0;

  constructor(socket: Socket) {
    this.client = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    this.peer = peerKey(socket.remoteAddress, socket.remotePort);
    this.#handle = (socket as Socket & { _handle?: StreamHandle })._handle;
  }

  /** Bytes handed to the operating system's stream so far, heads included. */
  get dispatchedBytes(): number {
    return this.#handle?.bytesWritten ?? 0;
  }

  /** Notes what is still queued. To be called while the handle is whole: on a read error, or before destroying it. */
  noteQueue(): void {
    if (this.#queuedAtEnd !== undefined) return;
    this.#queuedAtEnd = this.#handle?.writeQueueSize;
    this.#dispatchedAtEnd = this.dispatchedBytes;
  }

  /**
   * How many of the last `chunkBytes`, written when `dispatchedBytes` was `dispatchedBefore`, the kernel took. Exact when
   * the connection ended by a reset that was read, or by us. When a *write* failed, libuv has dropped its queue
   * before it says so: then the whole chunk counts, an upper bound that errs by less than one chunk (256 KiB), because the
   * sender must never be behind the receiver.
   */
  takenOf(chunkBytes: number, dispatchedBefore: number): number {
    if (this.#queuedAtEnd !== undefined && this.#dispatchedAtEnd === dispatchedBefore) return 0;
    return chunkBytes - Math.min(chunkBytes, this.#queuedAtEnd ?? 0);
  }

  entry(): LedgerEntry {
    return { peer: this.peer, bodyBytes: this.bodyBytes, answerCount: this.answerCount, cut: this.cut };
  }
}

/** Where the bytes of one answer are counted. */
export type Account = {
  readonly connection: ConnectionBook;
  readonly counts: readonly Count[];
  readonly isHealth: boolean;
};

type VersionCount = Count & { readonly id: string; readonly version: number };

export class Books {
  requestCount = 0;
  headCount = 0;
  healthCount = 0;
  healthBytes = 0;
  bodyBytes = 0;
  errorCount = 0;
  faultCount = 0;
  cutCount = 0;
  readonly connections = new Set<ConnectionBook>();
  readonly #objects = new Map<string, VersionCount>();
  readonly #clients = new Map<string, Count>();
  readonly #vias = new Map<string, Count>();
  readonly #closed: LedgerEntry[] = [];
  readonly #keepsClosed: boolean;

  /** `keepsClosed`: whether the ledger keeps closed connections (memory then grows with each). */
  constructor(keepsClosed: boolean) {
    this.#keepsClosed = keepsClosed;
  }

  open(socket: Socket): ConnectionBook {
    const connection = new ConnectionBook(socket);
    this.connections.add(connection);
    return connection;
  }

  close(connection: ConnectionBook): void {
    if (!this.connections.delete(connection)) return;
    if (connection.cut) this.cutCount += 1;
    if (this.#keepsClosed) this.#closed.push(connection.entry());
  }

  /** Books a GET for content; `found` is undefined for a 404. */
  request(connection: ConnectionBook, via: string | undefined, found?: { id: string; version: number }): Account {
    this.requestCount += 1;
    const counts = [countOf(this.#clients, connection.client)];
    if (via !== undefined) counts.push(countOf(this.#vias, via));
    if (found !== undefined) counts.push(this.#objectCount(found.id, found.version));
    for (const count of counts) count.requestCount += 1;
    return { connection, counts, isHealth: false };
  }

  healthRequest(connection: ConnectionBook): Account {
    this.healthCount += 1;
    return { connection, counts: [], isHealth: true };
  }

  /** Counts body bytes that the kernel took. */
  sent(account: Account, bytes: number): void {
    account.connection.bodyBytes += bytes;
    if (account.isHealth) this.healthBytes += bytes;
    else this.bodyBytes += bytes;
    for (const count of account.counts) count.bodyBytes += bytes;
  }

  snapshot(): CdnBooks {
    const { requestCount, headCount, healthCount, healthBytes, bodyBytes, errorCount, faultCount, cutCount } = this;
    return {
      ...{ requestCount, headCount, healthCount, healthBytes, bodyBytes, errorCount, faultCount, cutCount },
      connectionsOpen: this.connections.size,
      cpuMs: processorTimeMs(),
      objects: [...this.#objects.values()],
      clients: [...this.#clients].map(([client, count]) => ({ client, ...count })),
      vias: [...this.#vias].map(([via, count]) => ({ via, ...count })),
    };
  }

  /** Every connection, open ones last. */
  ledger(): LedgerEntry[] {
    return [...this.#closed, ...[...this.connections].map((connection) => connection.entry())];
  }

  #objectCount(id: string, version: number): Count {
    const key = `${version} ${id}`;
    const known = this.#objects.get(key);
    if (known !== undefined) return known;
    if (this.#objects.size >= namesMax && id !== otherName) return this.#objectCount(otherName, 1);
    const count = { id, version, requestCount: 0, bodyBytes: 0 };
    this.#objects.set(key, count);
    return count;
  }
}

function countOf(counts: Map<string, Count>, name: string): Count {
  const known = counts.get(name);
  if (known !== undefined) return known;
  if (counts.size >= namesMax && name !== otherName) return countOf(counts, otherName);
  const count = { requestCount: 0, bodyBytes: 0 };
  counts.set(name, count);
  return count;
}
