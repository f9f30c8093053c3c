// What the owner knows of objects: by its key, the generation that is current and those that it replaced. Every change
// that workers must hear of is told from here.

import { freshnessOf } from '../http/freshness.ts';
import type { Freshness, OwnerMessage } from '../protocol.ts';
import type { Extent, Generation } from '../store/generation.ts';
import type { Store } from '../store/store.ts';
import type { Ask, WorkerLink } from './ask.ts';
import type { Answer } from './fetch.ts';
import { storedFields } from './stored-fields.ts';
import { isOf } from './verdict.ts';

export type CachedObject = {
  readonly key: string;
  current: Generation | undefined;
  /** Generations that a newer one has replaced, newest first. */
  readonly older: Generation[];
  discovery: { readonly waiting: Ask[] } | undefined;
  refreshNotBeforeMs: number;
  passThroughUntilMs: number;
};

const generationsMax = 3;
const sweepCountMin = 10_000;

export class Catalogue {
  readonly #store: Store;
  readonly #workers: ReadonlySet<WorkerLink>;
  readonly #objects = new Map<string, CachedObject>();
  #sweepAtCount = sweepCountMin;

  constructor(store: Store, workers: ReadonlySet<WorkerLink>) {
    this.#store = store;
    this.#workers = workers;
  }

  /**
   * What is known under a key, with what the drives hold of it; a new entry where nothing is. Of generations that were not
   * in use, what the origin said last is the current one.
   */
  object(key: string): CachedObject {
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

  /** What is known under a key, if anything is. */
  find(key: string): CachedObject | undefined {
    return this.#objects.get(key);
  }

  /** The generation that an answer's bytes belong to; `undefined` when they cannot be stored. */
  generationOf(object: CachedObject, answer: Answer, host: string): Generation | undefined {
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

  /** The origin has another generation than this one: it is served to nobody who comes. */
  retire(object: CachedObject, generation: Generation): void {
    if (object.current === generation) object.current = undefined;
    object.older.unshift(generation);
    // After a restart nobody may take it for the current one without asking.
    generation.freshness = { ...generation.freshness, freshUntilMs: 0 };
    this.#store.recordFreshness(generation);
    this.tell(generation, { kind: 'superseded', generation: generation.meta.id });
    for (const old of object.older.slice(generationsMax - 1)) {
      if (old.isInUse) continue;
      this.forget(old);
    }
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
    const index = object?.older.indexOf(generation) ?? -1;
    if (index >= 0) object?.older.splice(index, 1);
    if (object !== undefined && isIdle(object)) this.#objects.delete(object.key);
  }

  /** The origin confirmed a generation. */
  renew(generation: Generation, answer: Extract<Answer, { kind: 'notModified' | 'bytes' }>): void {
    const field = (name: string): string | undefined =>
      answer.head.header(name) ?? generation.meta.fields.find(([other]) => other.toLowerCase() === name)?.[1];
    this.#refreshed(generation, freshnessOf(field, Date.now()) ?? generation.freshness);
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

  #makeCurrent(object: CachedObject, generation: Generation): void {
    const previous = object.current;
    if (previous === generation) return;
    const index = object.older.indexOf(generation);
    if (index >= 0) object.older.splice(index, 1);
    object.current = generation;
    if (previous !== undefined) this.retire(object, previous);
  }

  #refreshed(generation: Generation, freshness: Freshness): void {
    generation.freshness = freshness;
    this.#store.recordFreshness(generation);
    this.tell(generation, { kind: 'fresh', generation: generation.meta.id, freshness });
  }

  /** Names of which nothing is known (a 404, an answer not to be stored) are swept out from time to time. */
  #sweepObjects(): void {
    for (const [key, object] of this.#objects) if (isIdle(object)) this.#objects.delete(key);
    this.#sweepAtCount = Math.max(sweepCountMin, 2 * this.#objects.size);
  }
}

/** Whether nothing is known of an object. */
function isIdle({ current, older, discovery, passThroughUntilMs }: CachedObject): boolean {
  return current === undefined && older.length === 0 && discovery === undefined && passThroughUntilMs < Date.now();
}

export function placeOf(extent: Extent): { id: number; index: number; path: string } {
  return { id: extent.id, index: extent.index, path: extent.drive.extentPath(extent.id) };
}
