// Generations that are in memory as objects: those that were used lately, up to a number. What was used least is left to
// the drives' cold indexes, and comes back from there when its key is asked for.

import type { Drive } from './drive.ts';
import { adoptEntry, entryOf, generationOf, isSameGeneration } from './entries.ts';
import { Generation } from './generation.ts';
import { keyHash, line } from './records.ts';

/** About 3 kB each. */
const countMaxDefault = 16_384;

/** How exactly the order of use, and with it what is kept, survives a crash. */
const useJournalIntervalMs = 600_000;

export class WarmGenerations {
  readonly #drives: readonly Drive[];
  readonly #countMax: number;
  readonly #cooled: (generation: Generation) => void;
  /** By number, least recently used first (a Map keeps insertion order). */
  readonly #generations = new Map<number, Generation>();
  #nextId = 1;

  /** `cooled` is told of a generation that only its line remembers from now on. */
  constructor(drives: readonly Drive[], countMax: number | undefined, cooled: (generation: Generation) => void) {
    this.#drives = drives;
    this.#countMax = countMax ?? countMaxDefault;
    this.#cooled = cooled;
  }

  create(fields: Omit<ConstructorParameters<typeof Generation>[0], 'id'>): Generation {
    const generation = new Generation({ ...fields, id: this.#nextId++ });
    this.#add(generation);
    return generation;
  }

  find(id: number): Generation | undefined {
    return this.#generations.get(id);
  }

  /** Least recently used first. */
  [Symbol.iterator](): IterableIterator<Generation> {
    return this.#generations.values();
  }

  delete(generation: Generation): void {
    this.#generations.delete(generation.meta.id);
  }

  /** Marks a generation as used now. */
  touch(generation: Generation): void {
    if (!this.#generations.delete(generation.meta.id)) return;
    this.#generations.set(generation.meta.id, generation);
    generation.usedAtMs = Date.now();
    const isNews = generation.usedAtMs > generation.useJournalledAtMs + useJournalIntervalMs;
    if (isNews) generation.useJournalledAtMs = generation.usedAtMs;
    for (const [drive, { g }] of generation.places) {
      drive.warm.delete(generation);
      drive.warm.add(generation);
      if (isNews) drive.append(line.used(g, generation.usedAtMs));
    }
  }

  /**
   * Brings back what the drives hold of a key and nobody used lately. What belongs to one of `known` joins it; the
   * generations that are new are returned, oldest first.
   */
  recall(key: string, known: readonly (Generation | undefined)[]): readonly Generation[] {
    let hash: number | undefined;
    const recalled: Generation[] = [];
    for (const drive of this.#drives) {
      if (drive.cold.count === 0 || drive.state === 'loading') continue;
      hash ??= keyHash(key);
      for (const entry of drive.cold.take(hash, key)) {
        let generation = [...known, ...recalled].find((other) => other !== undefined && isSameGeneration(other, entry));
        if (generation === undefined) {
          generation = generationOf(entry, this.#nextId++);
          recalled.push(generation);
        }
        for (const extent of adoptEntry(generation, entry, drive)) {
          drive.append(line.gone(entry.g, extent.index));
          drive.files.remove(extent.id);
        }
        if (generation.places.has(drive)) drive.warm.add(generation);
      }
    }
    for (const generation of recalled) this.#add(generation);
    return recalled.sort((a, b) => a.freshness.generatedAtMs - b.freshness.generatedAtMs || a.meta.id - b.meta.id);
  }

  #add(generation: Generation): void {
    this.#generations.set(generation.meta.id, generation);
    if (this.#generations.size > this.#countMax) this.#cool(generation);
  }

  /** What is in use, and what has just come, gets another round. */
  #cool(added: Generation): void {
    let tries = this.#generations.size - this.#countMax + 16;
    for (const [id, generation] of this.#generations) {
      if (this.#generations.size <= this.#countMax || tries-- <= 0) return;
      this.#generations.delete(id);
      if (generation.isInUse || generation === added) {
        this.#generations.set(id, generation);
        continue;
      }
      for (const drive of generation.places.keys()) {
        drive.cold.add(entryOf(generation, drive));
        drive.warm.delete(generation);
      }
      for (const extent of generation.extents.values()) extent.drive.warmBytes -= extent.heldBytes;
      this.#cooled(generation);
    }
  }
}
