// What a worker knows of the index. It can be out of date only by missing bytes: stored bytes of a generation never
// change, and an extent's file name is never used again.

import { IntervalSet } from '../../common/interval-set.ts';
import { type ExtentPlace, extentBytes, type Freshness, type GenerationMeta, type OwnerMessage } from '../protocol.ts';
import type { HotAnswer } from './hot-answers.ts';
import { WaitingRoom } from './waiting-room.ts';

/** A generation as a worker knows it. */
export class LocalGeneration {
  meta: GenerationMeta;
  readonly stored = new IntervalSet();
  readonly extents = new Map<number, ExtentPlace>();
  /** Answers that wait for bytes of it. */
  readonly waiting = new WaitingRoom();
  /** Small answers in memory, by their first byte. */
  hot: Map<number, HotAnswer> | undefined = undefined;
  /** Used since the owner was told last. */
  isTouched = false;
  #freshness: Freshness;
  #hitFields = '';
  #hitFieldsSecond = 0;

  constructor(meta: GenerationMeta, freshness: Freshness) {
    this.meta = meta;
    this.#freshness = freshness;
  }

  get freshness(): Freshness {
    return this.#freshness;
  }

  set freshness(freshness: Freshness) {
    this.#freshness = freshness;
    this.#hitFieldsSecond = 0;
    this.hot = undefined;
  }

  /** The fields that hits of it share, as text; made anew once a second, since they tell the age. */
  hitFields(make: () => string): string {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.#hitFieldsSecond) {
      this.#hitFields = make();
      this.#hitFieldsSecond = second;
    }
    return this.#hitFields;
  }

  /** Forgets an extent whose file is gone or cannot be read. */
  lose(index: number): void {
    this.extents.delete(index);
    this.stored.remove(index * extentBytes, (index + 1) * extentBytes);
  }
}

type Heard = Extract<
  OwnerMessage,
  { kind: 'object' | 'extent' | 'stored' | 'fresh' | 'evicted' | 'superseded' | 'forgotten' }
>;

export class LocalCatalogue {
  readonly #byId = new Map<number, LocalGeneration>();
  readonly #current = new Map<string, LocalGeneration>();

  current(key: string): LocalGeneration | undefined {
    return this.#current.get(key);
  }

  find(id: number): LocalGeneration | undefined {
    return this.#byId.get(id);
  }

  hear(message: Heard): void {
    if (message.kind === 'object') {
      const generation = new LocalGeneration(message.meta, message.freshness);
      for (const place of message.extents) generation.extents.set(place.index, place);
      for (const [start, end] of message.stored) generation.stored.add(start, end);
      this.#byId.set(message.meta.id, generation);
      this.#current.set(message.meta.key, generation);
      return;
    }
    const generation = this.#byId.get(message.generation);
    if (generation === undefined) return;
    switch (message.kind) {
      case 'extent':
        generation.extents.set(message.place.index, message.place);
        return;
      case 'stored':
        generation.stored.add(message.start, message.end);
        generation.waiting.wake(message.start, message.end);
        return;
      case 'fresh':
        generation.freshness = message.freshness;
        generation.meta = { ...generation.meta, fields: message.fields };
        this.#current.set(generation.meta.key, generation);
        return;
      case 'evicted':
        if (generation.extents.get(message.index)?.id === message.extent) generation.lose(message.index);
        generation.waiting.wakeAll();
        return;
      case 'forgotten':
        this.#byId.delete(message.generation);
        this.#retire(generation);
        generation.waiting.wakeAll();
        return;
      case 'superseded':
        this.#retire(generation);
        return;
    }
  }

  #retire(generation: LocalGeneration): void {
    if (this.#current.get(generation.meta.key) === generation) this.#current.delete(generation.meta.key);
  }
}

/** Whether bytes of the one are bytes of the other. */
export function isSameGeneration(a: GenerationMeta, b: GenerationMeta): boolean {
  return (
    a.sizeBytes === b.sizeBytes && a.etag === b.etag && (a.etag !== undefined || a.lastModified === b.lastModified)
  );
}
