// What the owner knows of objects: by its key, the generation that is current and those that it replaced. Every change
// that workers must hear of is told from here.
//
// Hosts of one canonical alias may give one object different validators: up to three generations are kept side by side.
// One is current, and served to the clients of all these hosts; it changes when its own host says so, or fails.

import { freshnessOf, keptMs, readerOf, replaced } from '../http/freshness.ts';
import type { Freshness, OwnerMessage } from '../protocol.ts';
import { recordHead } from '../store/entries.ts';
import type { Extent, Generation } from '../store/generation.ts';
import type { Store } from '../store/store.ts';
import type { Ask, WorkerLink } from './ask.ts';
import type { Answer } from './fetch.ts';
import { storedFields, updatedFields } from './stored-fields.ts';
import { isOf } from './verdict.ts';

export type CachedObject = {
  readonly key: string;
  current: Generation | undefined;
  /** Generations that a newer one has replaced, newest first. */
  readonly older: Generation[];
  /** The fetch whose head everybody waits for who asks for the object; `host` is who was asked. */
  discovery: { readonly waiting: Ask[]; readonly host: string } | undefined;
  refreshNotBeforeMs: number;
  passThroughUntilMs: number;
};

const generationsMax = 3;
const sweepCountMin = 10_000;

export class Catalogue {
  readonly #store: Store;
  readonly #workers: ReadonlySet<WorkerLink>;
  readonly #forceTtlMs: number | undefined;
  readonly #objects = new Map<string, CachedObject>();
  #sweepAtCount = sweepCountMin;

  constructor(store: Store, workers: ReadonlySet<WorkerLink>, forceTtlMs: number | undefined) {
    this.#store = store;
    this.#workers = workers;
    this.#forceTtlMs = forceTtlMs;
  }

  /**
   * What is known under a key, with what the drives hold of it; a new entry where nothing is. Of generations that were not
   * in use, what the origin said last is the current one.
   */
  object(key: string): CachedObject {
    let object = this.#objects.get(key);
    if (object === undefined) {
      if (this.#objects.size >= this.#sweepAtCount) {
        this.sweep(Date.now());
        this.#sweepAtCount = Math.max(sweepCountMin, 2 * this.#objects.size);
      }
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
    const recalled = this.#store.recall(key, [object.current, ...object.older]);
    this.#objects.set(key, object); // it may have been left empty, and so removed, while others were recalled
    if (object.current !== undefined) object.older.push(...recalled.toReversed());
    else {
      for (const generation of recalled) {
        if (object.current !== undefined) object.older.unshift(object.current);
        object.current = generation;
      }
    }
    return object;
  }

  /** What is known under a key, if anything is in use. */
  find(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** What is known under a key, with what the drives hold of it, if anything is. */
  lookUp(key: string): CachedObject | undefined {
    const object = this.object(key);
    if (!isIdle(object)) return object;
    this.#objects.delete(key);
    return undefined;
  }

  /** The generation that an answer's bytes belong to, now the current one; `undefined` when they cannot be stored. */
  generationOf(object: CachedObject, answer: Answer, host: string): Generation | undefined {
    if (answer.kind !== 'bytes' || answer.validator === undefined) return undefined;
    const { validator, sizeBytes, head, times } = answer;
    const freshness = freshnessOf((name) => head.header(name), times, this.#forceTtlMs);
    const fields = storedFields(head);
    if (freshness === undefined || fields === undefined) return undefined;
    let generation = generationsOf(object).find((other) => isOf(other, validator, sizeBytes));
    if (generation === undefined) {
      const { etag, lastModified } = validator;
      generation = this.#store.newGeneration({
        key: object.key,
        host,
        sizeBytes,
        etag,
        lastModified,
        fields,
        freshness,
      });
      this.#makeCurrent(object, generation);
    } else {
      this.#makeCurrent(object, generation);
      this.#refreshed(generation, host, freshness, fields);
    }
    return generation;
  }

  /** The origin has another generation than this one: nobody who comes is served it before the origin was asked. */
  retire(object: CachedObject, generation: Generation): void {
    if (object.current === generation) object.current = undefined;
    remove(object.older, generation);
    object.older.unshift(generation);
    // After a restart nobody may take it for the current one without asking.
    generation.freshness = { ...generation.freshness, freshUntilMs: replaced };
    this.#store.recordFreshness(generation);
    this.tell(generation, { kind: 'superseded', generation: generation.meta.id });
    for (const old of object.older.slice(generationsMax - 1)) if (!old.isInUse) this.forget(old);
  }

  /** Nothing is left of a generation: its name goes too, so that memory is bounded by what the drives hold. */
  forget(generation: Generation): void {
    this.#store.drop(generation);
    this.release(generation);
  }

  /** Nobody is to serve from a generation before it was asked for again. */
  release(generation: Generation): void {
    this.tell(generation, { kind: 'forgotten', generation: generation.meta.id });
    for (const worker of this.#workers) worker.known.delete(generation.meta.id);
    const object = this.#objects.get(generation.meta.key);
    if (object?.current === generation) object.current = undefined;
    if (object === undefined) return;
    remove(object.older, generation);
    if (isIdle(object)) this.#objects.delete(object.key);
  }

  /** Names that anything is known of. */
  get objectCount(): number {
    return this.#objects.size;
  }

  /** From now on a generation is stale: whoever asks next has it checked. */
  expire(generation: Generation): void {
    const { host, freshness, meta } = generation;
    this.#refreshed(generation, host, { ...freshness, freshUntilMs: 0 }, meta.fields);
  }

  /**
   * `host` confirmed a generation by a 304, or by an answer of the same one: it is current, its fields and its freshness are
   * the new ones. When the origin says now that it must not be stored, it is good for who asked, and asked for again.
   */
  renew(
    object: CachedObject,
    generation: Generation,
    answer: Extract<Answer, { kind: 'notModified' | 'bytes' }>,
    host: string,
  ): void {
    const fields = updatedFields(generation.meta.fields, answer.head);
    const stored = readerOf([...fields, ['last-modified', generation.meta.lastModified ?? '']]);
    // When the answer was made is said by this answer, or by nobody.
    const field = (name: string): string | undefined =>
      answer.head.header(name) ?? (name === 'date' ? undefined : stored(name));
    const freshness = freshnessOf(field, answer.times, this.#forceTtlMs);
    this.#makeCurrent(object, generation);
    if (freshness === undefined) this.retire(object, generation);
    else this.#refreshed(generation, host, freshness, fields);
  }

  /** Gives a worker the snapshot of a generation, once. */
  introduce(worker: WorkerLink, generation: Generation): void {
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

  /** To every worker that has the generation. */
  tell(generation: Generation, message: OwnerMessage): void {
    for (const worker of this.#workers) if (worker.known.has(generation.meta.id)) worker.send(message);
  }

  /**
   * Forgets what no origin has confirmed for 30 days past its freshness, generations that hold nothing, and names of
   * which nothing is known (a 404, an answer not to be stored).
   */
  sweep(nowMs: number): void {
    for (const [key, object] of this.#objects) {
      for (const generation of generationsOf(object)) {
        const { freshUntilMs, generatedAtMs } = generation.freshness;
        const isOld = Math.max(freshUntilMs, generatedAtMs) + keptMs < nowMs;
        if ((isOld || generation.extents.size === 0) && !generation.isInUse) this.forget(generation);
      }
      const isIdle = generationsOf(object).length === 0 && object.discovery === undefined;
      if (isIdle && object.passThroughUntilMs < nowMs) this.#objects.delete(key);
    }
  }

  #makeCurrent(object: CachedObject, generation: Generation): void {
    const previous = object.current;
    if (previous === generation) return;
    remove(object.older, generation);
    object.current = generation;
    if (previous !== undefined) this.retire(object, previous);
  }

  #refreshed(generation: Generation, host: string, freshness: Freshness, fields: Generation['meta']['fields']): void {
    // An answer's own Date is not worth writing all anew: its age is told by the freshness.
    const isSameHead = generation.host === host && textOf(generation.meta.fields) === textOf(fields);
    generation.host = host;
    generation.freshness = freshness;
    generation.meta = { ...generation.meta, fields };
    if (isSameHead) this.#store.recordFreshness(generation);
    else recordHead(generation);
    this.tell(generation, { kind: 'fresh', generation: generation.meta.id, freshness, fields });
  }
}

/** All generations of an object, the current one first. */
export function generationsOf(object: CachedObject): Generation[] {
  return object.current === undefined ? [...object.older] : [object.current, ...object.older];
}

/** Whether nothing is known of an object. */
function isIdle({ current, older, discovery, passThroughUntilMs }: CachedObject): boolean {
  return current === undefined && older.length === 0 && discovery === undefined && passThroughUntilMs < Date.now();
}

export function placeOf(extent: Extent): { id: number; index: number; path: string } {
  return { id: extent.id, index: extent.index, path: extent.drive.extentPath(extent.id) };
}

const textOf = (fields: Generation['meta']['fields']): string =>
  JSON.stringify(fields.filter(([name]) => name !== 'Date'));

function remove<T>(list: T[], item: T): void {
  const index = list.indexOf(item);
  if (index >= 0) list.splice(index, 1);
}
