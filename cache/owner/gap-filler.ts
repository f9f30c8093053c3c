// The missing bytes of a known generation: each is claimed by one fetch, however many ask for it. A claim is at most
// 8 MiB; a request for more goes on claiming while it is served, so that others may claim the rest from the far end.
//
//   attach ──▶ plan: claim gaps ──▶ fetch ──▶ write ──▶ stored, told to every worker that has the object
//                        ▲                       └─▶ ended: what is open is free again, who waits goes on or hears why not
//
// Gaps of a generation are filled from the host that gave it, on condition that it still has it. A failure reaches all who
// wait for the bytes at once. A leader that goes leaves its fetch running: it is short, and given up when nobody wants it.

import { performance } from 'node:perf_hooks';
import { type ByteRange, rangeHeader } from '../../common/byte-range.ts';
import { IntervalSet } from '../../common/interval-set.ts';
import type { OriginTable } from '../http/origin-table.ts';
import { extentBytes } from '../protocol.ts';
import type { Generation } from '../store/generation.ts';
import type { Store } from '../store/store.ts';
import type { Upstream } from '../upstream.ts';
import { type Ask, failuresPerAskMax, refuse } from './ask.ts';
import type { Catalogue } from './catalogue.ts';
import { claimFrom, rangeOf, sameRange } from './claims.ts';
import { type Answer, Fetch, type FetchFailure } from './fetch.ts';
import { isOf, unwanted } from './verdict.ts';

/** A request has at most this many fetches under way. */
const fetchesPerAskMax = 2;
/** A fetch that nobody waits for goes on for this long (and a second): its bytes will be asked for again. Then it is given up. */
export const abandonedFillMsMax = 10_000;
/** How often fetches are looked at for that. */
const abandonedSweepMs = 1000;

/** We ask for bytes as they are: another coding of them would be another object. */
export const identityOnly: readonly [string, string] = ['Accept-Encoding', 'identity'];

/** Bytes on their way: claimed by nobody else until it has ended. */
export type Fill = {
  readonly generation: Generation;
  readonly ranges: ByteRange[];
  /** For whom they are fetched, unless that client is gone already. */
  readonly leader: Ask | undefined;
  fetch: Fetch | undefined;
  /** Since when nobody is known to wait for it; undefined: somebody does. */
  abandonedSinceMs: number | undefined;
};

export class GapFiller {
  readonly #store: Store;
  readonly #upstream: Upstream;
  readonly #origins: OriginTable;
  readonly #catalogue: Catalogue;
  readonly #askElsewhere: (ask: Ask) => void;
  readonly #asks = new Map<Generation, Set<Ask>>();
  readonly #fills = new Map<Generation, Set<Fill>>();

  /** `askElsewhere`: the generation's host has failed an ask that named another host. */
  constructor(
    store: Store,
    upstream: Upstream,
    origins: OriginTable,
    catalogue: Catalogue,
    askElsewhere: (ask: Ask) => void,
  ) {
    this.#store = store;
    this.#upstream = upstream;
    this.#origins = origins;
    this.#catalogue = catalogue;
    this.#askElsewhere = askElsewhere;
    setInterval(() => this.#sweepAbandoned(performance.now()), abandonedSweepMs).unref();
  }

  /** From now on an ask waits for bytes of this generation. */
  attach(ask: Ask, generation: Generation): void {
    ask.generation = generation;
    generation.askCount += 1;
    let asks = this.#asks.get(generation);
    if (asks === undefined) {
      asks = new Set();
      this.#asks.set(generation, asks);
    }
    asks.add(ask);
    this.#store.touch(generation);
    this.#store.prove(generation, rangeOf(ask.range, generation.meta.sizeBytes));
    this.#catalogue.introduce(ask.worker, generation);
    ask.worker.send({ kind: 'serve', ask: ask.id, generation: generation.meta.id });
    this.#plan(ask, generation);
  }

  detach(ask: Ask, generation: Generation): void {
    const asks = this.#asks.get(generation);
    if (asks?.delete(ask) !== true) return;
    generation.askCount -= 1;
    if (asks.size === 0) this.#asks.delete(generation);
  }

  /** Requests that wait for bytes, and fetches for them that are under way. */
  get figures(): { readonly waitingCount: number; readonly fetchCount: number } {
    const asks = [...this.#asks.values()].flatMap((each) => [...each]);
    return { waitingCount: asks.length, fetchCount: asks.reduce((sum, ask) => sum + ask.fetchCount, 0) };
  }

  /** The generation is to go: who waits for bytes of it gets them from the origin. */
  dismiss(generation: Generation): void {
    for (const ask of [...(this.#asks.get(generation) ?? [])]) {
      this.detach(ask, generation);
      ask.generation = undefined;
      ask.worker.send({ kind: 'passThrough', ask: ask.id });
    }
  }

  planAll(generation: Generation): void {
    for (const ask of this.#asks.get(generation) ?? []) this.#plan(ask, generation);
  }

  /** Reserves and claims bytes; `undefined` when there is no room for them. */
  claim(generation: Generation, range: ByteRange, leader: Ask | undefined): Fill | undefined {
    const fill: Fill = { generation, ranges: [], leader, fetch: undefined, abandonedSinceMs: undefined };
    if (!this.#extend(fill, range)) return undefined;
    if (leader !== undefined) leader.fetchCount += 1;
    let fills = this.#fills.get(generation);
    if (fills === undefined) {
      fills = new Set();
      this.#fills.set(generation, fills);
    }
    fills.add(fill);
    return fill;
  }

  /** Gives up fetches that nobody has waited for in a while. What is wanted is added up first: thousands may wait. */
  #sweepAbandoned(nowMs: number): void {
    for (const [generation, fills] of this.#fills) {
      const wanted = new IntervalSet();
      for (const { range } of this.#asks.get(generation) ?? []) {
        const { start, end } = rangeOf(range, generation.meta.sizeBytes) ?? { start: 0, end: 0 };
        wanted.add(start, end);
      }
      for (const fill of [...fills]) {
        if (fill.ranges.some(({ start, end }) => wanted.overlapBytes(start, end) > 0))
          fill.abandonedSinceMs = undefined;
        else {
          fill.abandonedSinceMs ??= nowMs;
          if (nowMs - fill.abandonedSinceMs >= abandonedFillMsMax)
            fill.fetch?.giveUp({ cause: 'abandoned', detail: 'nobody waits for it' });
        }
      }
    }
  }

  /** Asks a host for what `fetch` is to take; the request's target is the leader's. */
  start(fetch: Fetch, host: string, leader: Ask, fields: readonly (readonly [string, string])[]): void {
    const origin = this.#origins.find(host);
    if (origin === undefined) {
      fetch.onFailure({ cause: 'refused', detail: 'no such origin' });
      return;
    }
    const { target, via } = leader.upstream;
    fetch.exchange = this.#upstream.request({ method: 'GET', origin, target, fields, via, sink: fetch });
  }

  /** Writes what came from `start` on, but for bytes that are stored: those never change. */
  async write(generation: Generation | undefined, start: number, buffers: readonly Buffer[]): Promise<void> {
    if (generation === undefined) return;
    const end = start + buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const extent = generation.extents.get(Math.floor(start / extentBytes));
    if (extent === undefined) throw new Error('the drive of these bytes is gone');
    await this.#store.write(generation, extent, start, buffers);
    generation.claimed.remove(start, end);
    this.#catalogue.tell(generation, { kind: 'stored', generation: generation.meta.id, start, end });
  }

  /** A fetch is over: what it left open is free again, and whoever waits goes on or hears the failure. */
  ended(fill: Fill, failure: FetchFailure | undefined): void {
    const { generation, leader } = fill;
    const fills = this.#fills.get(generation);
    fills?.delete(fill);
    if (fills?.size === 0) this.#fills.delete(generation);
    if (leader !== undefined) leader.fetchCount -= 1;
    for (const range of fill.ranges) {
      generation.claimed.remove(range.start, range.end);
      if (failure !== undefined) this.#giveBack(fill, range);
    }
    if (failure !== undefined) for (const range of fill.ranges) this.#spread(fill, range, failure);
    if (leader !== undefined && failure === undefined) this.#plan(leader, generation);
    if (failure !== undefined || leader === undefined) this.planAll(generation);
  }

  /** Starts fetches for what an ask misses and nobody has claimed, up to its share. */
  #plan(ask: Ask, generation: Generation): void {
    const range = rangeOf(ask.range, generation.meta.sizeBytes);
    if (range === undefined) return;
    while (ask.fetchCount < fetchesPerAskMax && this.#asks.get(generation)?.has(ask) === true) {
      const gap = generation.unclaimedGaps(range.start, range.end)[0];
      if (gap === undefined) return;
      const claim = claimFrom(generation, gap);
      const fill = this.claim(generation, claim, ask);
      if (fill === undefined) {
        this.detach(ask, generation);
        ask.worker.send({ kind: 'passThrough', ask: ask.id });
        return;
      }
      this.#fetch(fill, claim, ask);
    }
  }

  #extend(fill: Fill, range: ByteRange): boolean {
    const { generation, leader } = fill;
    const { start, end } = range;
    if (!this.#store.reserve(generation, start, end)) {
      this.#store.unreserve(generation, start, end);
      return false;
    }
    fill.ranges.push(range);
    generation.claimed.add(start, end);
    leader?.worker.send({ kind: 'claimed', ask: leader.id, generation: generation.meta.id, start, end });
    return true;
  }

  #fetch(fill: Fill, claim: ByteRange, leader: Ask): void {
    const { generation } = fill;
    const { etag, lastModified, sizeBytes } = generation.meta;
    const fields: (readonly [string, string])[] = [identityOnly];
    if (claim.start > 0 || claim.end < sizeBytes) fields.push(['Range', rangeHeader(claim)]);
    if (etag !== undefined) fields.push(['If-Match', etag]);
    else if (lastModified !== undefined) fields.push(['If-Unmodified-Since', lastModified]);
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
            if (answer.range.end - answer.range.start === sizeBytes && this.#takeWhole(fill)) return 'store';
          }
          failure = this.#unwelcome(generation, answer);
          fetch.exchange?.abort();
          queueMicrotask(() => this.ended(fill, failure));
          return 'discard';
        },
        write: (start, buffers) => this.write(generation, start, buffers),
        ended: (ended) => {
          if (failure === undefined) this.ended(fill, ended);
        },
      },
      claim,
    );
    fill.fetch = fetch;
    this.start(fetch, generation.host, leader, fields);
  }

  /** Claims all that nobody else has: the body that comes holds it. */
  #takeWhole(fill: Fill): boolean {
    const { generation } = fill;
    return generation.unclaimedGaps(0, generation.meta.sizeBytes).every((gap) => this.#extend(fill, gap));
  }

  /** What an answer that is not the bytes asked for means. */
  #unwelcome(generation: Generation, answer: Answer): FetchFailure {
    const changed =
      answer.kind === 'bytes' || (answer.kind === 'status' && (answer.status === 412 || answer.status === 416));
    if (!changed) return unwanted(answer);
    const object = this.#catalogue.object(generation.meta.key);
    if (object.current === generation) this.#catalogue.retire(object, generation);
    return { cause: 'changed', detail: 'the origin has another generation' };
  }

  /** What did not come is room again, and no miss of the leader's: another fetch will bring it. */
  #giveBack({ generation, leader }: Fill, range: ByteRange): void {
    this.#store.unreserve(generation, range.start, range.end);
    for (const { start, end } of generation.stored.gaps(range.start, range.end)) {
      leader?.worker.send({ kind: 'unclaimed', ask: leader.id, generation: generation.meta.id, start, end });
    }
  }

  /** Tells all who still wait for bytes of a failed claim, at once, unless it is worth another try. */
  #spread({ generation, leader }: Fill, claim: ByteRange, failure: FetchFailure): void {
    const retried = ['reset', 'short', 'timeout', 'abandoned'].includes(failure.cause);
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
      this.detach(ask, generation);
      ask.generation = undefined;
      if (failure.cause === 'changed') ask.worker.send({ kind: 'again', ask: ask.id });
      else if (failure.cause === 'drive') ask.worker.send({ kind: 'passThrough', ask: ask.id });
      else if (ask.upstream.host !== generation.host && !ask.wentElsewhere) this.#askElsewhere(ask);
      else if (failure.cause === 'denied') ask.worker.send({ kind: 'passThrough', ask: ask.id });
      else refuse(ask, failure);
    }
  }
}
