// What a worker's ask leads to. An object that is known has its gaps filled (gap-filler.ts); one that is not, or that must
// be asked for again, is discovered: one fetch, whose head everybody else waits for, not its body.
//
//   ask ──▶ known ──────────────▶ gaps
//       └─▶ unknown ─▶ discovery ─┤ a generation ──▶ gaps
//                                 └ not to be stored ──▶ each passes through, or hears why not

import { type ByteRange, rangeHeader } from '../../common/byte-range.ts';
import { mustRevalidate } from '../http/freshness.ts';
import type { OriginTable } from '../http/origin-table.ts';
import type { UpstreamTarget } from '../protocol.ts';
import type { Extent, Generation } from '../store/generation.ts';
import type { Store } from '../store/store.ts';
import type { Upstream } from '../upstream.ts';
import { type Ask, failuresPerAskMax, refuse, type WorkerLink } from './ask.ts';
import { type CachedObject, Catalogue, placeOf } from './catalogue.ts';
import { firstClaim, rangeOf, sameRange } from './claims.ts';
import { type Answer, Fetch } from './fetch.ts';
import { GapFiller } from './gap-filler.ts';
import { isOf, isStale, sizeOf416, unwanted } from './verdict.ts';

/** How long an object whose answer may not be stored is passed through without asking again. */
const passThroughMs = 10_000;
/** A stale generation is checked at most this often. */
const refreshIntervalMs = 5000;
/** An answer that is not stored is read to its end when it is this short, else its connection is reset. */
const unwantedBytesMax = 16 * 1024;

export class Fills {
  readonly #store: Store;
  readonly #upstream: Upstream;
  readonly #origins: OriginTable;
  readonly #catalogue: Catalogue;
  readonly #filler: GapFiller;

  constructor(store: Store, upstream: Upstream, origins: OriginTable, workers: ReadonlySet<WorkerLink>) {
    this.#store = store;
    this.#upstream = upstream;
    this.#origins = origins;
    this.#catalogue = new Catalogue(store, workers);
    this.#filler = new GapFiller(store, upstream, origins, this.#catalogue);
  }

  ask(ask: Ask): void {
    const object = this.#catalogue.object(ask.upstream.key);
    // A drive that is still being read may hold it, and nobody knows yet what there is room for.
    const isUnknown = object.current === undefined && object.older.length === 0;
    if ((isUnknown && this.#store.isLoading) || Date.now() < object.passThroughUntilMs)
      ask.worker.send({ kind: 'passThrough', ask: ask.id });
    else if (object.discovery !== undefined) object.discovery.waiting.push(ask);
    else if (object.current === undefined) this.#discover(object, ask, undefined);
    else if (isStale(object.current) && mustRevalidate(object.current.meta.fields))
      this.#discover(object, ask, object.current);
    else {
      if (isStale(object.current)) this.#refresh(object, object.current, ask.upstream);
      this.#filler.attach(ask, object.current);
    }
  }

  /** The client got all it wanted, or is gone. */
  release(ask: Ask): void {
    const object = this.#catalogue.find(ask.upstream.key);
    const waiting = object?.discovery?.waiting;
    const index = waiting?.indexOf(ask) ?? -1;
    if (index >= 0) waiting?.splice(index, 1);
    if (ask.generation !== undefined) this.#filler.detach(ask, ask.generation);
  }

  /** A worker served a stale generation: see whether it is still the origin's. */
  refresh(upstream: UpstreamTarget, generation: Generation): void {
    this.#refresh(this.#catalogue.object(upstream.key), generation, upstream);
  }

  /** An extent has a file now: bytes of it may come. */
  created(generation: Generation, extent: Extent): void {
    this.#catalogue.tell(generation, { kind: 'extent', generation: generation.meta.id, place: placeOf(extent) });
  }

  /** An extent is gone: whoever waits for its bytes gets them fetched again. */
  evicted(generation: Generation, extent: Extent): void {
    this.#catalogue.tell(generation, {
      kind: 'evicted',
      generation: generation.meta.id,
      index: extent.index,
      extent: extent.id,
    });
    queueMicrotask(() => {
      if (generation.extents.size === 0 && !generation.isInUse) this.#catalogue.forget(generation);
      else this.#filler.planAll(generation);
    });
  }

  /** Bytes that are there since another boot of the machine are the right ones. */
  proven(generation: Generation, start: number, end: number): void {
    this.#catalogue.tell(generation, { kind: 'stored', generation: generation.meta.id, start, end });
  }

  /** … or are not: whoever waits for them gets them fetched. */
  disproved(generation: Generation): void {
    this.#filler.planAll(generation);
  }

  /** A generation was not used for long: it is found again by its key. */
  cooled(generation: Generation): void {
    this.#catalogue.release(generation);
  }

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
            this.#catalogue.renew(known, answer);
            finishDiscovery((ask) => this.#filler.attach(ask, known));
            return 'discard';
          }
          const found = this.#catalogue.generationOf(object, answer, leader.upstream.host);
          if (found === undefined) {
            leave(fetch, answer);
            finishDiscovery((ask) => this.#turnAway(object, ask, answer));
            return 'discard';
          }
          generation = found;
          const gaps = answer.kind === 'bytes' ? found.unclaimedGaps(answer.range.start, answer.range.end) : [];
          const gap = gaps.length === 1 ? gaps[0] : undefined;
          const whole = answer.kind === 'bytes' && sameRange(gap, answer.range);
          const reserved = whole && gap !== undefined && this.#filler.claim(found, gap, discovery.waiting[0]);
          if (reserved) claim = gap;
          else leave(fetch, answer);
          finishDiscovery((ask) => this.#filler.attach(ask, found));
          return reserved ? 'store' : 'discard';
        },
        write: (start, buffers) => this.#filler.write(generation, start, buffers),
        ended: (failure) => {
          if (generation === undefined) {
            const stale = known !== undefined && !mustRevalidate(known.meta.fields) ? known : undefined;
            finishDiscovery((ask) => {
              ask.failureCount += 1;
              if (stale !== undefined) this.#filler.attach(ask, stale);
              else if (failure?.cause === 'timeout' && ask.failureCount <= failuresPerAskMax) this.ask(ask);
              else refuse(ask, failure);
            });
          } else if (claim !== undefined) this.#filler.ended(generation, claim, undefined, failure);
        },
      },
      typeof asked === 'number' ? undefined : asked,
    );
    this.#filler.start(fetch, leader, fields);
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
          if (answer.kind === 'notModified') this.#catalogue.renew(generation, answer);
          else if (answer.kind === 'bytes') {
            const same = answer.validator !== undefined && isOf(generation, answer.validator, answer.sizeBytes);
            if (same) this.#catalogue.renew(generation, answer);
            else if (object.current === generation) this.#catalogue.retire(object, generation);
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
}

/** Stops an answer whose body nobody wants; a short one may come, so that its connection can be used again. */
function leave(fetch: Fetch, answer: Answer): void {
  const bodyBytes = answer.kind === 'invalid' ? undefined : answer.head.contentLength;
  if (answer.kind !== 'notModified' && (bodyBytes === undefined || bodyBytes > unwantedBytesMax))
    fetch.exchange?.abort();
}
