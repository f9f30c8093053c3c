// Plans what is fetched from upstream, so that each byte is fetched once: a request's missing bytes, less what another
// fetch has already claimed. A claim is at most 8 MiB; a request for more goes on claiming while it is served, so that
// others may claim the rest from the far end.
//
//   ask  ──▶ no generation known ──▶ discovery (one fetch; everybody else waits for its head, not for its body)
//        └─▶ generation known    ──▶ claim gaps ──▶ fetch ──▶ stored, told to every worker that has the object
//
// A failure reaches all who wait for the bytes at once. A leader that goes leaves its fetch running: it is short.

import { type ByteRange, rangeHeader } from '../../common/byte-range.ts';
import { freshnessOf } from '../http/freshness.ts';
import type { OriginTable } from '../http/origin-table.ts';
import { type AskRange, extentBytes, type Freshness, type OwnerMessage, type UpstreamTarget } from '../protocol.ts';
import type { Extent, Generation } from '../store/generation.ts';
import type { Store } from '../store/store.ts';
import type { Upstream } from '../upstream.ts';
import { claimFrom, firstClaim, rangeOf, sameRange } from './claims.ts';
import { type Answer, Fetch, type FetchFailure } from './fetch.ts';
import { storedFields } from './stored-fields.ts';
import { isOf, isStale, mustRevalidate, sizeOf416, unwanted } from './verdict.ts';

/** The owner's end of a worker. */
export interface WorkerLink {
  send(message: OwnerMessage): void;
  /** Generations whose snapshot the worker has. */
  readonly known: Set<number>;
}

/** One client request that needs bytes the worker does not have. */
export type Ask = {
  readonly id: number;
  readonly worker: WorkerLink;
  readonly upstream: UpstreamTarget;
  readonly range: AskRange;
  generation: Generation | undefined;
  fetchCount: number;
  failureCount: number;
};

type CachedObject = {
  readonly key: string;
  current: Generation | undefined;
  /** Generations that a newer one has replaced, newest first. */
  readonly older: Generation[];
  discovery: { readonly waiting: Ask[] } | undefined;
  refreshNotBeforeMs: number;
  passThroughUntilMs: number;
};

/** A request has at most this many fetches under way. */
const fetchesPerAskMax = 2;
/** How long an object whose answer may not be stored is passed through without asking again. */
const passThroughMs = 10_000;
/** A stale generation is checked at most this often. */
const refreshIntervalMs = 5000;
const generationsMax = 3;
/** Broken connections, time-outs and short bodies are tried again this often for one request. */
const failuresPerAskMax = 2;
const sweepCountMin = 10_000;
/** An answer that is not stored is read to its end when it is this short, else its connection is reset. */
const unwantedBytesMax = 16 * 1024;

export class Fills {
  readonly #store: Store;
  readonly #upstream: Upstream;
  readonly #origins: OriginTable;
  readonly #workers: ReadonlySet<WorkerLink>;
  readonly #objects = new Map<string, CachedObject>();
  readonly #asks = new Map<Generation, Set<Ask>>();
  #sweepAtCount = sweepCountMin;

  constructor(store: Store, upstream: Upstream, origins: OriginTable, workers: ReadonlySet<WorkerLink>) {
    this.#store = store;
    this.#upstream = upstream;
    this.#origins = origins;
    this.#workers = workers;
  }

  /** Takes over what was on the drives: of the generations of a key, what the origin said last is the current one. */
  adopt(generations: readonly Generation[]): void {
    const byAge = (a: Generation, b: Generation): number =>
      a.freshness.generatedAtMs - b.freshness.generatedAtMs || a.meta.id - b.meta.id;
    for (const generation of [...generations].sort(byAge)) {
      const object = this.#object(generation.meta.key);
      if (object.current !== undefined) object.older.unshift(object.current);
      object.current = generation;
    }
  }

  ask(ask: Ask): void {
    const object = this.#object(ask.upstream.key);
    if (Date.now() < object.passThroughUntilMs) ask.worker.send({ kind: 'passThrough', ask: ask.id });
    else if (object.discovery !== undefined) object.discovery.waiting.push(ask);
    else if (object.current === undefined) this.#discover(object, ask, undefined);
    else if (isStale(object.current) && mustRevalidate(object.current)) this.#discover(object, ask, object.current);
    else {
      if (isStale(object.current)) this.#refresh(object, object.current, ask.upstream);
      this.#attach(ask, object.current);
    }
  }

  /** The client got all it wanted, or is gone. */
  release(ask: Ask): void {
    const object = this.#objects.get(ask.upstream.key);
    const waiting = object?.discovery?.waiting;
    const index = waiting?.indexOf(ask) ?? -1;
    if (index >= 0) waiting?.splice(index, 1);
    if (ask.generation !== undefined) this.#detach(ask, ask.generation);
  }

  /** A worker served a stale generation: see whether it is still the origin's. */
  refresh(upstream: UpstreamTarget, generation: Generation): void {
    this.#refresh(this.#object(upstream.key), generation, upstream);
  }

  /** An extent has a file now: bytes of it may come. */
  created(generation: Generation, extent: Extent): void {
    this.#tell(generation, { kind: 'extent', generation: generation.meta.id, place: placeOf(extent) });
  }

  /** An extent is gone: whoever waits for its bytes gets them fetched again. */
  evicted(generation: Generation, extent: Extent): void {
    this.#tell(generation, {
      kind: 'evicted',
      generation: generation.meta.id,
      index: extent.index,
      extent: extent.id,
    });
    queueMicrotask(() => {
      if (generation.extents.size === 0 && !generation.isInUse) this.#forget(generation);
      else this.#planAll(generation);
    });
  }

  /** Nothing is left of a generation: its name goes too, so that memory is bounded by what the drives hold. */
  #forget(generation: Generation): void {
    this.#store.drop(generation);
    this.#tell(generation, { kind: 'forgotten', generation: generation.meta.id });
    for (const worker of this.#workers) worker.known.delete(generation.meta.id);
    const object = this.#objects.get(generation.meta.key);
    if (object?.current === generation) object.current = undefined;
    const index = object?.older.indexOf(generation) ?? -1;
    if (index >= 0) object?.older.splice(index, 1);
  }

  /** Names of which nothing is known (a 404, an answer not to be stored) are swept out from time to time. */
  #sweepObjects(): void {
    for (const [key, { current, older, discovery, passThroughUntilMs }] of this.#objects) {
      const isIdle = current === undefined && older.length === 0 && discovery === undefined;
      if (isIdle && passThroughUntilMs < Date.now()) this.#objects.delete(key);
    }
    this.#sweepAtCount = Math.max(sweepCountMin, 2 * this.#objects.size);
  }

  #object(key: string): CachedObject {
    let object = this.#objects.get(key);
    if (object === undefined) {
      if (this.#objects.size >= this.#sweepAtCount) this.#sweepObjects();
      object = {
        key,
        current: undefined,
        older: [],
        discovery: undefined,
        refreshNotBeforeMs: 0,
        passThroughUntilMs: 0,
      };
      this.#objects.set(key, object);
    }
    return object;
  }

  // ---- An object, or a newer generation of it, that is not known yet

  #discover(object: CachedObject, leader: Ask, known: Generation | undefined): void {
    const discovery = { waiting: [leader] };
    object.discovery = discovery;
    const asked = firstClaim(leader.range);
    const fields: [string, string][] = [];
    fields.push(['Range', typeof asked === 'number' ? `bytes=-${asked}` : rangeHeader(asked)]);
    if (known?.meta.etag !== undefined) fields.push(['If-None-Match', known.meta.etag]);
    else if (known?.meta.lastModified !== undefined) fields.push(['If-Modified-Since', known.meta.lastModified]);
    let generation: Generation | undefined;
    let claim: ByteRange | undefined;
    const finishDiscovery = (then: (ask: Ask) => void): void => {
      if (object.discovery === discovery) object.discovery = undefined;
      for (const ask of discovery.waiting.splice(0)) then(ask);
    };
    const fetch: Fetch = new Fetch(
      {
        answered: (answer) => {
          if (answer.kind === 'notModified' && known !== undefined) {
            this.#renew(known, answer);
            finishDiscovery((ask) => this.#attach(ask, known));
            return 'discard';
          }
          const found = this.#generationOf(object, answer, leader.upstream.host);
          if (found === undefined) {
            leave(fetch, answer);
            finishDiscovery((ask) => this.#turnAway(object, ask, answer));
            return 'discard';
          }
          generation = found;
          const gaps = answer.kind === 'bytes' ? found.unclaimedGaps(answer.range.start, answer.range.end) : [];
          const gap = gaps.length === 1 ? gaps[0] : undefined;
          const whole = answer.kind === 'bytes' && sameRange(gap, answer.range);
          const reserved = whole && gap !== undefined && this.#claim(found, gap, discovery.waiting[0]);
          if (reserved) claim = gap;
          else leave(fetch, answer);
          finishDiscovery((ask) => this.#attach(ask, found));
          return reserved ? 'store' : 'discard';
        },
        write: (start, buffers) => this.#write(generation, start, buffers),
        ended: (failure) => {
          if (generation === undefined) {
            const stale = known !== undefined && !mustRevalidate(known) ? known : undefined;
            finishDiscovery((ask) => {
              ask.failureCount += 1;
              if (stale !== undefined) this.#attach(ask, stale);
              else if (failure?.cause === 'timeout' && ask.failureCount <= failuresPerAskMax) this.ask(ask);
              else refuse(ask, failure);
            });
          } else if (claim !== undefined) this.#ended(generation, claim, undefined, failure);
        },
      },
      typeof asked === 'number' ? undefined : asked,
    );
    this.#start(fetch, leader, fields);
  }

  /** The generation that an answer's bytes belong to; `undefined` when they cannot be stored. */
  #generationOf(object: CachedObject, answer: Answer, host: string): Generation | undefined {
    if (answer.kind !== 'bytes' || answer.validator === undefined) return undefined;
    const { validator, sizeBytes, head } = answer;
    const freshness = freshnessOf((name) => head.header(name), Date.now());
    if (freshness === undefined) return undefined;
    const all = object.current === undefined ? object.older : [object.current, ...object.older];
    let generation = all.find((other) => isOf(other, validator, sizeBytes));
    if (generation === undefined) {
      const fields = storedFields(head);
      generation = this.#store.newGeneration({ key: object.key, host, sizeBytes, ...validator, fields, freshness });
    } else this.#refreshed(generation, freshness);
    this.#makeCurrent(object, generation);
    return generation;
  }

  #makeCurrent(object: CachedObject, generation: Generation): void {
    const previous = object.current;
    if (previous === generation) return;
    const index = object.older.indexOf(generation);
    if (index >= 0) object.older.splice(index, 1);
    object.current = generation;
    if (previous !== undefined) this.#retire(object, previous);
  }

  #retire(object: CachedObject, generation: Generation): void {
    if (object.current === generation) object.current = undefined;
    object.older.unshift(generation);
    // After a restart nobody may take it for the current one without asking.
    generation.freshness = { ...generation.freshness, freshUntilMs: 0 };
    this.#store.recordFreshness(generation);
    this.#tell(generation, { kind: 'superseded', generation: generation.meta.id });
    for (const old of object.older.slice(generationsMax - 1)) {
      if (old.isInUse) continue;
      this.#forget(old);
    }
  }

  /** An answer that is not stored: what each who asked is told. */
  #turnAway(object: CachedObject, ask: Ask, answer: Answer): void {
    if (answer.kind === 'bytes' || (answer.kind === 'status' && answer.status === 200)) {
      object.passThroughUntilMs = Date.now() + passThroughMs;
      ask.worker.send({ kind: 'passThrough', ask: ask.id });
      return;
    }
    const sizeBytes = answer.kind === 'status' && answer.status === 416 ? sizeOf416(answer.head) : undefined;
    if (sizeBytes !== undefined && sizeBytes > 0) {
      // The range that led was beyond the end; who asked for another one may be right.
      if (rangeOf(ask.range, sizeBytes) === undefined) {
        const fields = [['Content-Range', `bytes */${sizeBytes}`]] as const;
        ask.worker.send({ kind: 'refused', ask: ask.id, status: 416, fields });
      } else if (ask.failureCount++ < failuresPerAskMax) this.ask(ask);
      else refuse(ask, unwanted(answer));
    } else if (answer.kind === 'status' && answer.status < 500) {
      // Any other 3xx or 4xx is the asking client's alone: each asks for itself.
      ask.worker.send({ kind: 'passThrough', ask: ask.id });
    } else refuse(ask, unwanted(answer));
  }

  #refresh(object: CachedObject, generation: Generation, upstream: UpstreamTarget): void {
    const origin = this.#origins.find(upstream.host);
    if (origin === undefined || object.current !== generation || Date.now() < object.refreshNotBeforeMs) return;
    object.refreshNotBeforeMs = Date.now() + refreshIntervalMs;
    const { etag, lastModified } = generation.meta;
    const fields: [string, string][] = [];
    if (etag !== undefined) fields.push(['If-None-Match', etag]);
    else if (lastModified !== undefined) fields.push(['If-Modified-Since', lastModified]);
    const fetch = new Fetch(
      {
        answered: (answer) => {
          if (answer.kind === 'notModified') this.#renew(generation, answer);
          else if (answer.kind === 'bytes') {
            const same = answer.validator !== undefined && isOf(generation, answer.validator, answer.sizeBytes);
            if (same) this.#renew(generation, answer);
            else if (object.current === generation) this.#retire(object, generation);
          }
          return 'discard';
        },
        write: () => Promise.resolve(),
        ended: () => undefined,
      },
      undefined,
    );
    this.#upstream.request({ method: 'HEAD', origin, target: upstream.target, fields, sink: fetch });
  }

  #renew(generation: Generation, answer: Extract<Answer, { kind: 'notModified' | 'bytes' }>): void {
    const field = (name: string): string | undefined =>
      answer.head.header(name) ?? generation.meta.fields.find(([other]) => other.toLowerCase() === name)?.[1];
    this.#refreshed(generation, freshnessOf(field, Date.now()) ?? generation.freshness);
  }

  #refreshed(generation: Generation, freshness: Freshness): void {
    generation.freshness = freshness;
    this.#store.recordFreshness(generation);
    this.#tell(generation, { kind: 'fresh', generation: generation.meta.id, freshness });
  }

  // ---- The missing bytes of a known generation

  #attach(ask: Ask, generation: Generation): void {
    ask.generation = generation;
    generation.askCount += 1;
    let asks = this.#asks.get(generation);
    if (asks === undefined) {
      asks = new Set();
      this.#asks.set(generation, asks);
    }
    asks.add(ask);
    this.#store.touch(generation);
    this.#introduce(ask.worker, generation);
    ask.worker.send({ kind: 'serve', ask: ask.id, generation: generation.meta.id });
    this.#plan(ask, generation);
  }

  #detach(ask: Ask, generation: Generation): void {
    const asks = this.#asks.get(generation);
    if (asks?.delete(ask) !== true) return;
    generation.askCount -= 1;
    if (asks.size === 0) this.#asks.delete(generation);
  }

  #introduce(worker: WorkerLink, generation: Generation): void {
    if (worker.known.has(generation.meta.id)) return;
    worker.known.add(generation.meta.id);
    worker.send({
      kind: 'object',
      meta: generation.meta,
      freshness: generation.freshness,
      extents: [...generation.extents.values()].map(placeOf),
      stored: [...generation.stored].map(({ start, end }) => [start, end] as const),
    });
  }

  #planAll(generation: Generation): void {
    for (const ask of this.#asks.get(generation) ?? []) this.#plan(ask, generation);
  }

  /** Starts fetches for what an ask misses and nobody has claimed, up to its share. */
  #plan(ask: Ask, generation: Generation): void {
    const range = rangeOf(ask.range, generation.meta.sizeBytes);
    if (range === undefined) return;
    while (ask.fetchCount < fetchesPerAskMax && this.#asks.get(generation)?.has(ask) === true) {
      const gap = generation.unclaimedGaps(range.start, range.end)[0];
      if (gap === undefined) return;
      const claim = claimFrom(generation, gap);
      if (!this.#claim(generation, claim, ask)) {
        this.#detach(ask, generation);
        ask.worker.send({ kind: 'passThrough', ask: ask.id });
        return;
      }
      this.#fill(ask, generation, claim);
    }
  }

  #claim(generation: Generation, claim: ByteRange, ask: Ask | undefined): boolean {
    if (!this.#store.reserve(generation, claim.start, claim.end)) {
      this.#store.unreserve(generation, claim.start, claim.end);
      return false;
    }
    generation.claimed.add(claim.start, claim.end);
    const { start, end } = claim;
    ask?.worker.send({ kind: 'claimed', ask: ask.id, generation: generation.meta.id, start, end });
    return true;
  }

  #fill(leader: Ask, generation: Generation, claim: ByteRange): void {
    const { etag, lastModified, sizeBytes } = generation.meta;
    const fields: [string, string][] = [];
    if (claim.start > 0 || claim.end < sizeBytes) fields.push(['Range', rangeHeader(claim)]);
    if (etag !== undefined) fields.push(['If-Match', etag]);
    else if (lastModified !== undefined) fields.push(['If-Unmodified-Since', lastModified]);
    leader.fetchCount += 1;
    let failure: FetchFailure | undefined;
    const fetch: Fetch = new Fetch(
      {
        answered: (answer) => {
          if (
            answer.kind === 'bytes' &&
            answer.validator !== undefined &&
            isOf(generation, answer.validator, sizeBytes)
          ) {
            if (sameRange(answer.range, claim)) return 'store';
            // The origin ignores ranges: take the whole, it is the same generation.
            if (answer.range.end - answer.range.start === sizeBytes && this.#claimWhole(generation)) return 'store';
          }
          failure = this.#unwelcome(generation, answer);
          fetch.exchange?.abort();
          queueMicrotask(() => this.#ended(generation, claim, leader, failure));
          return 'discard';
        },
        write: (start, buffers) => this.#write(generation, start, buffers),
        ended: (ended) => {
          if (failure === undefined) this.#ended(generation, claim, leader, ended);
        },
      },
      claim,
    );
    this.#start(fetch, leader, fields);
  }

  /** What an answer that is not the bytes asked for means. */
  #unwelcome(generation: Generation, answer: Answer): FetchFailure {
    const changed =
      answer.kind === 'bytes' || (answer.kind === 'status' && (answer.status === 412 || answer.status === 416));
    if (!changed) return unwanted(answer);
    const object = this.#object(generation.meta.key);
    if (object.current === generation) this.#retire(object, generation);
    return { cause: 'changed', detail: 'the origin has another generation' };
  }

  #claimWhole(generation: Generation): boolean {
    return this.#store.reserve(generation, 0, generation.meta.sizeBytes);
  }

  #start(fetch: Fetch, leader: Ask, fields: readonly (readonly [string, string])[]): void {
    const origin = this.#origins.find(leader.upstream.host);
    if (origin === undefined) {
      fetch.onFailure({ cause: 'refused', detail: 'no such origin' });
      return;
    }
    fetch.exchange = this.#upstream.request({
      method: 'GET',
      origin,
      target: leader.upstream.target,
      fields,
      sink: fetch,
    });
  }

  async #write(generation: Generation | undefined, start: number, buffers: readonly Buffer[]): Promise<void> {
    if (generation === undefined) return;
    const end = start + buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const extent = generation.extents.get(Math.floor(start / extentBytes));
    if (extent === undefined) throw new Error('the drive of these bytes is gone');
    try {
      await this.#store.write(extent, start, buffers);
    } catch (error) {
      this.#store.failDrive(extent.drive, error);
      throw error;
    }
    if (generation.extents.get(extent.index) !== extent) {
      void extent.drive.removeExtent(extent.id); // evicted while this was written: its file must not come back
      throw new Error('the drive of these bytes is gone');
    }
    generation.stored.add(start, end);
    generation.claimed.remove(start, end);
    this.#store.recordStored(generation, start, end);
    this.#tell(generation, { kind: 'stored', generation: generation.meta.id, start, end });
  }

  /** To every worker that has the generation. */
  #tell(generation: Generation, message: OwnerMessage): void {
    for (const worker of this.#workers) if (worker.known.has(generation.meta.id)) worker.send(message);
  }

  /** A fetch is over: what it left open is free again, and whoever waits goes on or hears the failure. */
  #ended(generation: Generation, claim: ByteRange, leader: Ask | undefined, failure: FetchFailure | undefined): void {
    if (leader !== undefined) leader.fetchCount -= 1;
    generation.claimed.remove(claim.start, claim.end);
    if (failure !== undefined) {
      this.#store.unreserve(generation, claim.start, claim.end);
      this.#spread(generation, claim, leader, failure);
    }
    if (leader !== undefined && failure === undefined) this.#plan(leader, generation);
    if (failure !== undefined || leader === undefined) this.#planAll(generation);
  }

  /** Tells all who still wait for bytes of a failed claim, at once, unless it is worth another try. */
  #spread(generation: Generation, claim: ByteRange, leader: Ask | undefined, failure: FetchFailure): void {
    const retried = failure.cause === 'reset' || failure.cause === 'short' || failure.cause === 'timeout';
    for (const ask of [...(this.#asks.get(generation) ?? [])]) {
      const range = rangeOf(ask.range, generation.meta.sizeBytes);
      if (range === undefined || range.end <= claim.start || range.start >= claim.end) continue;
      // What the origin denied one client it may grant another, who asked with another signature.
      if (failure.cause === 'denied' && ask.upstream.target !== leader?.upstream.target) continue;
      const from = Math.max(range.start, claim.start);
      const to = Math.min(range.end, claim.end);
      if (generation.stored.covers(from, to)) continue;
      ask.failureCount += 1;
      if (retried && ask.failureCount <= failuresPerAskMax) continue;
      this.#detach(ask, generation);
      ask.generation = undefined;
      if (failure.cause === 'changed') ask.worker.send({ kind: 'again', ask: ask.id });
      else if (failure.cause === 'drive' || failure.cause === 'denied')
        ask.worker.send({ kind: 'passThrough', ask: ask.id });
      else refuse(ask, failure);
    }
  }
}

function placeOf(extent: Extent): { id: number; index: number; path: string } {
  return { id: extent.id, index: extent.index, path: extent.drive.extentPath(extent.id) };
}

/** Stops an answer whose body nobody wants; a short one may come, so that its connection can be used again. */
function leave(fetch: Fetch, answer: Answer): void {
  const bodyBytes = answer.kind === 'invalid' ? undefined : answer.head.contentLength;
  if (answer.kind !== 'notModified' && (bodyBytes === undefined || bodyBytes > unwantedBytesMax))
    fetch.exchange?.abort();
}

/** Trouble is 5xx with an empty body, never 4xx: a 4xx bans the node on the devices that see it. */
function refuse(ask: Ask, failure: FetchFailure | undefined): void {
  const status = failure?.cause === 'timeout' ? 504 : failure?.cause === 'badResponse' ? 502 : 503;
  const fields: [string, string][] = status === 503 ? [['Retry-After', '5']] : [];
  ask.worker.send({ kind: 'refused', ask: ask.id, status, fields });
}
