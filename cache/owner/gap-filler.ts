// The missing bytes of a known generation: each is claimed by one fetch, however many ask for it. A claim is at most
// 8 MiB; a request for more goes on claiming while it is served, so that others may claim the rest from the far end.
//
//   attach ──▶ plan: claim gaps ──▶ fetch ──▶ write ──▶ stored, told to every worker that has the object
//                        ▲                       └─▶ ended: what is open is free again, who waits goes on or hears why not
//
// A failure reaches all who wait for the bytes at once. A leader that goes leaves its fetch running: it is short.

import { type ByteRange, rangeHeader } from '../../common/byte-range.ts';
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

export class GapFiller {
  readonly #store: Store;
  readonly #upstream: Upstream;
  readonly #origins: OriginTable;
  readonly #catalogue: Catalogue;
  readonly #asks = new Map<Generation, Set<Ask>>();

  constructor(store: Store, upstream: Upstream, origins: OriginTable, catalogue: Catalogue) {
    this.#store = store;
    this.#upstream = upstream;
    this.#origins = origins;
    this.#catalogue = catalogue;
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

  planAll(generation: Generation): void {
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
      if (!this.claim(generation, claim, ask)) {
        this.detach(ask, generation);
        ask.worker.send({ kind: 'passThrough', ask: ask.id });
        return;
      }
      this.#fill(ask, generation, claim);
    }
  }

  claim(generation: Generation, claim: ByteRange, ask: Ask | undefined): boolean {
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
          queueMicrotask(() => this.ended(generation, claim, leader, failure));
          return 'discard';
        },
        write: (start, buffers) => this.write(generation, start, buffers),
        ended: (ended) => {
          if (failure === undefined) this.ended(generation, claim, leader, ended);
        },
      },
      claim,
    );
    this.start(fetch, leader, fields);
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

  #claimWhole(generation: Generation): boolean {
    return this.#store.reserve(generation, 0, generation.meta.sizeBytes);
  }

  start(fetch: Fetch, leader: Ask, fields: readonly (readonly [string, string])[]): void {
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
  ended(generation: Generation, claim: ByteRange, leader: Ask | undefined, failure: FetchFailure | undefined): void {
    if (leader !== undefined) leader.fetchCount -= 1;
    generation.claimed.remove(claim.start, claim.end);
    if (failure !== undefined) {
      this.#store.unreserve(generation, claim.start, claim.end);
      this.#spread(generation, claim, leader, failure);
    }
    if (leader !== undefined && failure === undefined) this.#plan(leader, generation);
    if (failure !== undefined || leader === undefined) this.planAll(generation);
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
      this.detach(ask, generation);
      ask.generation = undefined;
      if (failure.cause === 'changed') ask.worker.send({ kind: 'again', ask: ask.id });
      else if (failure.cause === 'drive' || failure.cause === 'denied')
        ask.worker.send({ kind: 'passThrough', ask: ask.id });
      else refuse(ask, failure);
    }
  }
}
