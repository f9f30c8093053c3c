// The trunk of a component (islands.ts): resources that every class of it uses. They have one level, the rate that a
// connection gets at most; classes that their island would give more are bound by it and share one clock, so that a change
// of the level costs the same for ten classes as for ten thousand.
//
//   level = least over its resources of (capacity - Σ of the free ones' use) / (Σ coefficient × connections of the bound)
//
// A class is free when its island gives it no more than the level. Both sets are heaps by that demand, so that only the
// classes that change sides are touched.

import { KeyHeap } from './key-heap.ts';
import type { ClassTable, ResourceTable } from './network-tables.ts';

/** Rounding of the sums must not move a class to and fro. */
const tolerance = 1e-12;
/** After so many changes the sums are made anew, before rounding can add up. */
const changesMax = 4096;

export class Trunk {
  readonly resources: readonly number[];
  readonly #classes: ClassTable;
  readonly #table: ResourceTable;
  /** Bound classes by demand, smallest first; free ones, largest first. */
  readonly #bound = new KeyHeap('smallest');
  readonly #free = new KeyHeap('largest');
  /** Connections of a class, and its coefficients, as they are in the sums; 0: it is in none. */
  readonly #mass: number[];
  readonly #coefficients: (readonly number[])[];
  /** By resource of the trunk. */
  readonly #freeUse: number[];
  readonly #boundWeight: number[];
  #changes = 0;
  /** What a bound connection gets, in bytes/ms; Infinity while none is bound. */
  level = Number.POSITIVE_INFINITY;
  /** The limit that the level stands for. */
  limit = -1;
  /** Bytes that a bound connection had since the start, at `atMs`. */
  service = 0;
  atMs: number;
  /** Bound classes by the service at which their first flow ends. */
  readonly ends = new KeyHeap('smallest');

  constructor(resources: readonly number[], classes: ClassTable, table: ResourceTable, nowMs: number) {
    this.resources = resources;
    this.#classes = classes;
    this.#table = table;
    this.#mass = classes.flowCount.map(() => 0);
    this.#coefficients = classes.flowCount.map(() => []);
    this.#freeUse = resources.map(() => 0);
    this.#boundWeight = resources.map(() => 0);
    this.atMs = nowMs;
  }

  serviceAt(nowMs: number): number {
    return this.level === Number.POSITIVE_INFINITY ? this.service : this.service + this.level * (nowMs - this.atMs);
  }

  /** When the first flow of a bound class ends. */
  get firstEndMs(): number {
    if (this.ends.count === 0 || this.level === 0) return Number.POSITIVE_INFINITY;
    return this.atMs + Math.max(0, this.ends.firstKey - this.service) / this.level;
  }

  /** A class that was not there when the trunk was made. */
  admit(each: number): void {
    while (this.#mass.length <= each) {
      this.#mass.push(0);
      this.#coefficients.push([]);
    }
  }

  isBound(each: number): boolean {
    return this.#bound.has(each);
  }

  /** Brings the clock up to now; before the level changes. */
  advance(nowMs: number): void {
    if (nowMs === this.atMs) return;
    this.service = this.serviceAt(nowMs);
    this.atMs = nowMs;
  }

  /** The classes of an island have new demands. Adds to `switched` each class of others that is now on another side. */
  update(changed: readonly number[], switched: number[]): void {
    const { flowCount, connections, demand: demands, trunkCoefficients } = this.#classes;
    for (const each of changed) {
      const mass = (flowCount[each] as number) * (connections[each] as number);
      const demand = demands[each] as number;
      const coefficients = trunkCoefficients[each] as readonly number[];
      if (mass === this.#mass[each] && coefficients === this.#coefficients[each]) {
        if (mass === 0) continue;
        const isBound = this.#bound.has(each);
        if ((isBound ? this.#bound : this.#free).keyOf(each) === demand) continue;
        if (isBound && demand > this.level) {
          this.#bound.set(each, demand);
          continue;
        }
      }
      this.#takeOut(each);
      if (mass === 0) continue;
      this.#mass[each] = mass;
      this.#coefficients[each] = coefficients;
      if (demand > this.level) this.#addBound(each);
      else this.#addFree(each);
      this.#changes += 1;
    }
    if (this.#changes > changesMax) this.#sumAnew();
    this.#level(switched);
  }

  #takeOut(each: number): void {
    const mass = this.#mass[each] ?? 0;
    if (mass === 0) return;
    if (this.#bound.has(each)) {
      this.#bound.delete(each);
      this.#weigh(each, -mass);
    } else {
      const demand = this.#free.keyOf(each);
      this.#free.delete(each);
      this.#use(each, -mass * demand);
    }
    this.#mass[each] = 0;
  }

  #addBound(each: number): void {
    this.#bound.set(each, this.#classes.demand[each] as number);
    this.#weigh(each, this.#mass[each] as number);
  }

  #addFree(each: number): void {
    const demand = this.#classes.demand[each] as number;
    this.#free.set(each, demand);
    this.#use(each, (this.#mass[each] as number) * demand);
  }

  #weigh(each: number, mass: number): void {
    const coefficients = this.#coefficients[each] as readonly number[];
    for (let i = 0; i < coefficients.length; i += 1) {
      this.#boundWeight[i] = (this.#boundWeight[i] as number) + (coefficients[i] as number) * mass;
    }
    if (this.#bound.count === 0) this.#boundWeight.fill(0);
  }

  #use(each: number, bytesPerMs: number): void {
    const coefficients = this.#coefficients[each] as readonly number[];
    for (let i = 0; i < coefficients.length; i += 1) {
      this.#freeUse[i] = (this.#freeUse[i] as number) + (coefficients[i] as number) * bytesPerMs;
    }
    if (this.#free.count === 0) this.#freeUse.fill(0);
  }

  #sumAnew(): void {
    this.#changes = 0;
    this.#boundWeight.fill(0);
    this.#freeUse.fill(0);
    for (const [each, mass] of this.#mass.entries()) {
      if (mass === 0) continue;
      const coefficients = this.#coefficients[each] as readonly number[];
      for (let i = 0; i < coefficients.length; i += 1) {
        const weight = (coefficients[i] as number) * mass;
        if (this.#bound.has(each)) this.#boundWeight[i] = (this.#boundWeight[i] as number) + weight;
        else this.#freeUse[i] = (this.#freeUse[i] as number) + weight * this.#free.keyOf(each);
      }
    }
  }

  /** Moves classes from one side to the other until the level fits both. */
  #level(switched: number[]): void {
    for (;;) {
      this.#setLevel();
      const smallest = this.#bound.first;
      if (smallest >= 0 && this.#bound.firstKey <= this.level * (1 + tolerance)) {
        this.#bound.delete(smallest);
        this.#weigh(smallest, -(this.#mass[smallest] as number));
        this.#addFree(smallest);
        switched.push(smallest);
        continue;
      }
      const largest = this.#free.first;
      if (largest >= 0 && this.#isTooMuch(this.#free.firstKey)) {
        const demand = this.#free.firstKey;
        this.#free.delete(largest);
        this.#use(largest, -(this.#mass[largest] as number) * demand);
        this.#addBound(largest);
        switched.push(largest);
        continue;
      }
      return;
    }
  }

  #setLevel(): void {
    this.level = Number.POSITIVE_INFINITY;
    if (this.#bound.count === 0) return;
    for (let i = 0; i < this.resources.length; i += 1) {
      const resource = this.resources[i] as number;
      const left = (this.#table.capacity[resource] as number) - (this.#freeUse[i] as number);
      const level = Math.max(0, left) / (this.#boundWeight[i] as number);
      if (level < this.level) {
        this.level = level;
        this.limit = this.#table.limit[resource] as number;
      }
    }
  }

  /** Whether the free class of the largest demand has to be bound. */
  #isTooMuch(largestDemand: number): boolean {
    if (this.#bound.count > 0) return largestDemand > this.level * (1 + 2 * tolerance);
    return this.resources.some((resource, i) => {
      const capacity = this.#table.capacity[resource] as number;
      return (this.#freeUse[i] as number) > capacity * (1 + tolerance);
    });
  }
}
