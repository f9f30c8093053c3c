// What a worker's ask leads to. An object that is known has its gaps filled (gap-filler.ts); one that is not, or that must
// be asked for again, is discovered: one fetch, whose head everybody else waits for, not its body.
//
//   ask ──▶ known ──────────────▶ gaps ◀───── not changed
//       └─▶ unknown ─▶ discovery ─┤ a generation ──▶ gaps
//                                 └ not to be stored ──▶ each passes through, or hears why not

import { rangeHeader } from '../../common/byte-range.ts';
import type { ResponseHead } from '../../common/http-response-head.ts';
import { isOnErrorUsable, staleUse } from '../http/freshness.ts';
import type { OriginTable } from '../http/origin-table.ts';
import type { UpstreamTarget } from '../protocol.ts';
import type { Extent, Generation } from '../store/generation.ts';
import type { Store } from '../store/store.ts';
import type { Upstream } from '../upstream.ts';
import { type Ask, failuresPerAskMax, refuse, type WorkerLink } from './ask.ts';
import { type CachedObject, Catalogue, generationsOf, placeOf } from './catalogue.ts';
import { firstClaim, rangeOf, sameRange } from './claims.ts';
import { type Answer, collectedBytesMax, Fetch, type FetchFailure } from './fetch.ts';
import { type Fill, GapFiller, identityOnly } from './gap-filler.ts';
import { confirmed, etagOf, isOf, isOfOneClient, isStale, sizeOf416, unwanted } from './verdict.ts';

/** How long an object whose answer may not be stored is passed through without asking again. */
const passThroughMs = 10_000;
/** A stale generation is checked at most this often. */
const refreshIntervalMs = 5000;
/** An answer that is not stored is read to its end when it is this short, else its connection is reset. */
const unwantedBytesMax = 16 * 1024;
/** What is long past its freshness is looked for this often. */
const sweepIntervalMs = 3600e3;

export type FillFigures = {
  readonly objectCount: number;
  readonly waitingCount: number;
  readonly fetchCount: number;
};

export class Fills {
  readonly #store: Store;
  readonly #upstream: Upstream;
  readonly #origins: OriginTable;
  readonly #catalogue: Catalogue;
  readonly #filler: GapFiller;

  /** `forceTtlMs`: how long answers are fresh, whatever their origin says; `undefined`: as it says. */
  constructor(
    store: Store,
    upstream: Upstream,
    origins: OriginTable,
    workers: ReadonlySet<WorkerLink>,
    forceTtlMs?: number,
  ) {
    this.#store = store;
    this.#upstream = upstream;
    this.#origins = origins;
    this.#catalogue = new Catalogue(store, workers, forceTtlMs);
    this.#filler = new GapFiller(store, upstream, origins, this.#catalogue, (ask) => this.#askElsewhere(ask));
    setInterval(() => this.#catalogue.sweep(Date.now()), sweepIntervalMs).unref();
  }

  get figures(): FillFigures {
    return { objectCount: this.#catalogue.objectCount, ...this.#filler.figures };
  }

  /** What is known of an object, for operators. */
  find(key: string): CachedObject | undefined {
    return this.#catalogue.lookUp(key);
  }

  /** Forgets all generations of an object; who waits for bytes of them gets them from the origin. */
  purge(key: string): Generation[] {
    const object = this.#catalogue.lookUp(key);
    if (object === undefined) return [];
    const { discovery } = object;
    object.discovery = undefined;
    for (const ask of discovery?.waiting.splice(0) ?? []) ask.worker.send({ kind: 'passThrough', ask: ask.id });
    const generations = object.current === undefined ? [...object.older] : [object.current, ...object.older];
    for (const generation of generations) {
      this.#filler.dismiss(generation);
      this.#catalogue.forget(generation);
    }
    object.passThroughUntilMs = 0;
    return generations;
  }

  /** The object's current generation is stale from now on. */
  expire(key: string): Generation | undefined {
    const object = this.#catalogue.lookUp(key);
    if (object?.current === undefined) return undefined;
    object.refreshNotBeforeMs = 0;
    this.#catalogue.expire(object.current);
    return object.current;
  }

  ask(ask: Ask): void {
    const object = this.#catalogue.object(ask.upstream.key);
    const { current } = object;
    // A drive that is still being read may hold it, and nobody knows yet what there is room for.
    const isUnknown = current === undefined && object.older.length === 0;
    if ((isUnknown && this.#store.isLoading) || Date.now() < object.passThroughUntilMs)
      ask.worker.send({ kind: 'passThrough', ask: ask.id });
    else if (object.discovery !== undefined) object.discovery.waiting.push(ask);
    else if (current === undefined) this.#discover(object, [ask], ask.upstream.host);
    else if (!isStale(current)) this.#filler.attach(ask, current);
    else if (staleUse(current.meta.fields, current.freshness, Date.now()) === 'whileRefreshing') {
      this.#refresh(object, current, ask.upstream);
      this.#filler.attach(ask, current);
    } else this.#discover(object, [ask], current.host);
  }

  /** A request that wants nothing fetched: what is known of its object, if it may be used without asking its origin. */
  look(worker: WorkerLink, ask: number, key: string): void {
    const current = this.#catalogue.lookUp(key)?.current;
    const isUsable =
      current !== undefined &&
      (!isStale(current) || staleUse(current.meta.fields, current.freshness, Date.now()) === 'whileRefreshing');
    if (isUsable) {
      this.#store.touch(current);
      this.#catalogue.introduce(worker, current);
      worker.send({ kind: 'serve', ask, generation: current.meta.id });
    } else worker.send({ kind: 'passThrough', ask });
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

  /**
   * Asks `host` for the object, for the first of those who wait, on condition that it is none of the generations known:
   * the one it names in a 304 is the current one.
   */
  #discover(object: CachedObject, waiting: readonly Ask[], host: string, isConditional = true): void {
    const discovery = { waiting: [...waiting], host };
    const leader = discovery.waiting[0];
    if (leader === undefined) return;
    object.discovery = discovery;
    const asked = firstClaim(leader.range);
    const candidates = isConditional ? generationsOf(object).filter((known) => isConfirmable(known, object)) : [];
    const range = typeof asked === 'number' ? `bytes=-${asked}` : rangeHeader(asked);
    const fields = [identityOnly, ['Range', range] as const, ...conditionsOf(candidates)];
    let generation: Generation | undefined;
    let fill: Fill | undefined;
    /** The answer that is the leader's alone. */
    let relayed: ResponseHead | undefined;
    const finish = (then: (ask: Ask) => void): void => {
      if (object.discovery === discovery) object.discovery = undefined;
      for (const ask of discovery.waiting.splice(0)) then(ask);
    };
    const fetch: Fetch = new Fetch(
      {
        answered: (answer) => {
          if (answer.kind === 'notModified' && candidates.length > 0) {
            const known = confirmed(candidates, answer.head);
            if (known === undefined) {
              // It says "not changed" of something that was not named: ask for the thing itself.
              this.#discover(object, discovery.waiting.splice(0), host, false);
              if (object.discovery === discovery) object.discovery = undefined;
              return 'discard';
            }
            this.#catalogue.renew(object, known, answer, host);
            finish((ask) => this.#filler.attach(ask, known));
            return 'discard';
          }
          const found = this.#catalogue.generationOf(object, answer, host);
          if (found === undefined) {
            this.#judge(object, answer);
            const isHis = discovery.waiting[0] === leader && this.#isOfOne(object, answer) && isShort(answer, leader);
            if (isHis && answer.kind !== 'invalid') {
              relayed = answer.head;
              discovery.waiting.shift();
            } else leave(fetch, answer);
            finish((ask) => this.#turnAway(object, ask, answer, host));
            return relayed === undefined ? 'discard' : 'collect';
          }
          generation = found;
          const gaps = answer.kind === 'bytes' ? found.unclaimedGaps(answer.range.start, answer.range.end) : [];
          const whole = answer.kind === 'bytes' && gaps.length === 1 && sameRange(gaps[0], answer.range);
          if (whole) fill = this.#filler.claim(found, answer.range, discovery.waiting[0]);
          if (fill === undefined) leave(fetch, answer);
          else fill.fetch = fetch;
          finish((ask) => this.#filler.attach(ask, found));
          return fill === undefined ? 'discard' : 'store';
        },
        write: (start, buffers) => this.#filler.write(generation, start, buffers),
        ended: (failure) => {
          if (relayed !== undefined) relay(leader, failure === undefined ? relayed : undefined, fetch.collected);
          else if (fill !== undefined) this.#filler.ended(fill, failure);
          else if (generation === undefined) {
            finish((ask) => {
              ask.failureCount += 1;
              const isRetried = failure?.cause === 'timeout' && ask.failureCount <= failuresPerAskMax;
              if (isRetried && !isOnErrorUsable(object.current)) this.ask(ask);
              else this.#failed(object, ask, host, failure);
            });
          }
        },
      },
      typeof asked === 'number' ? undefined : asked,
    );
    this.#filler.start(fetch, host, leader, fields);
  }

  /** The generation's host has failed an ask that named another host: that one is asked, and gives a generation of its own. */
  #askElsewhere(ask: Ask): void {
    ask.wentElsewhere = true;
    ask.failureCount = 0;
    const object = this.#catalogue.object(ask.upstream.key);
    if (object.discovery !== undefined) object.discovery.waiting.push(ask);
    else this.#discover(object, [ask], ask.upstream.host);
  }

  /** An answer that holds no bytes to store may still speak of what is stored. */
  #judge(object: CachedObject, answer: Answer): void {
    const isPassedThrough = answer.kind === 'bytes' || (answer.kind === 'status' && answer.status === 200);
    if (!isPassedThrough) return;
    object.passThroughUntilMs = Date.now() + passThroughMs;
    if (object.current !== undefined) this.#catalogue.retire(object, object.current);
  }

  /** Whether an answer that is not stored is for the one who asked, and everybody else must ask himself. */
  #isOfOne(object: CachedObject, answer: Answer): boolean {
    if (Date.now() < object.passThroughUntilMs) return true;
    if (answer.kind !== 'status' || (answer.status === 416 && (sizeOf416(answer.head) ?? 0) > 0)) return false;
    return isOfOneClient(answer.status);
  }

  /** An answer that is not stored: what each who asked is told. */
  #turnAway(object: CachedObject, ask: Ask, answer: Answer, host: string): void {
    const sizeBytes = answer.kind === 'status' && answer.status === 416 ? sizeOf416(answer.head) : undefined;
    if (this.#isOfOne(object, answer)) ask.worker.send({ kind: 'passThrough', ask: ask.id });
    else if (sizeBytes !== undefined && sizeBytes > 0) {
      // The range that led was beyond the end; who asked for another one may be right.
      if (rangeOf(ask.range, sizeBytes) === undefined) {
        const fields = [['Content-Range', `bytes */${sizeBytes}`]] as const;
        ask.worker.send({ kind: 'refused', ask: ask.id, status: 416, fields });
      } else if (ask.failureCount++ < failuresPerAskMax) this.ask(ask);
      else refuse(ask, unwanted(answer));
    } else this.#failed(object, ask, host, unwanted(answer));
  }

  /** `host` cannot be asked: what is stale may do, or another host, or the client hears of it. */
  #failed({ current }: CachedObject, ask: Ask, host: string, failure: FetchFailure | undefined): void {
    if (current !== undefined && !ask.wentElsewhere && isOnErrorUsable(current)) this.#filler.attach(ask, current);
    else if (ask.upstream.host !== host && !ask.wentElsewhere) this.#askElsewhere(ask);
    else refuse(ask, failure);
  }

  #refresh(object: CachedObject, generation: Generation, upstream: UpstreamTarget): void {
    const { host } = generation;
    const origin = this.#origins.find(host);
    if (origin === undefined || object.current !== generation || Date.now() < object.refreshNotBeforeMs) return;
    object.refreshNotBeforeMs = Date.now() + refreshIntervalMs;
    const fetch = new Fetch(
      {
        answered: (answer) => {
          if (object.current !== generation) return 'discard';
          const isSame =
            answer.kind === 'notModified'
              ? confirmed([generation], answer.head) !== undefined
              : answer.kind === 'bytes' &&
                answer.validator !== undefined &&
                isOf(generation, answer.validator, answer.sizeBytes);
          const isGone = answer.kind === 'status' && [200, 404, 410].includes(answer.status);
          if (isSame && answer.kind !== 'status' && answer.kind !== 'invalid')
            this.#catalogue.renew(object, generation, answer, host);
          else if (isGone || answer.kind === 'bytes' || answer.kind === 'notModified')
            this.#catalogue.retire(object, generation);
          return 'discard';
        },
        write: () => Promise.resolve(),
        ended: () => undefined,
      },
      undefined,
    );
    const fields = [identityOnly, ...conditionsOf([generation])];
    this.#upstream.request({ method: 'HEAD', origin, target: upstream.target, fields, via: upstream.via, sink: fetch });
  }
}

/** Whether all of an answer can be handed to the one who asked: what its body is of is what it asked for. */
function isShort(answer: Answer, { range }: Ask): boolean {
  if (answer.kind === 'invalid' || answer.kind === 'notModified') return false;
  if ((answer.head.contentLength ?? 0) > collectedBytesMax) return false;
  if (answer.kind === 'status') return answer.status !== 416;
  const asked = rangeOf(range, answer.sizeBytes);
  const isWhole = answer.range.start === 0 && answer.range.end === answer.sizeBytes;
  return isWhole || sameRange(asked, answer.range);
}

/** `head` undefined: the answer did not come in full; the worker asks for itself. */
function relay(ask: Ask, head: ResponseHead | undefined, body: Buffer): void {
  if (head === undefined) ask.worker.send({ kind: 'passThrough', ask: ask.id });
  else ask.worker.send({ kind: 'relay', ask: ask.id, head: head.text, body: body.toString('base64') });
}

/** Whether it is worth asking if the origin has this generation: when there are bytes of it, or it is the current one. */
function isConfirmable(generation: Generation, { current }: CachedObject): boolean {
  return generation === current || (generation.meta.etag !== undefined && generation.stored.bytes > 0);
}

/**
 * The conditions by which a host says that it has one of these generations: their ETags, weak ones too (RFC 9111, 4.3.1), or
 * the date of the only one without.
 */
function conditionsOf(generations: readonly Generation[]): (readonly [string, string])[] {
  const etags = generations.flatMap((generation) => etagOf(generation) ?? []);
  if (etags.length > 0) return [['If-None-Match', etags.join(', ')]];
  const lastModified = generations[0]?.meta.lastModified;
  return lastModified === undefined ? [] : [['If-Modified-Since', lastModified]];
}

/** Stops an answer whose body nobody wants; a short one may come, so that its connection can be used again. */
function leave(fetch: Fetch, answer: Answer): void {
  const bodyBytes = answer.kind === 'invalid' ? undefined : answer.head.contentLength;
  if (answer.kind !== 'notModified' && (bodyBytes === undefined || bodyBytes > unwantedBytesMax))
    fetch.exchange?.abort();
}
