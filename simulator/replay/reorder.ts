// Puts what comes almost in order into order: a heap of at most so many, of which the first leaves when another comes.
// What comes later than that allows leaves with the time of the one before it, and is counted.

/** What is put in order, by its time. */
export type Timed = { readonly atMs: number };

/** The first of all, with the time at which it is its turn: never before the one before it. */
export type InTurn<Item> = { readonly item: Item; readonly atMs: number };

export class ReorderBuffer<Item extends Timed> {
  readonly #countMax: number;
  /** A binary heap by time, then by arrival. */
  readonly #heap: { readonly item: Item; readonly order: number }[] = [];
  #order = 0;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  /** Most that it held at once, and how many came too late. */
  heldCountMax = 0;
  lateCount = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** Takes one; gives the first of all once there are more than it may hold. */
  push(item: Item): InTurn<Item> | undefined {
    const entry = { item, order: this.#order };
    this.#order += 1;
    this.#heap.push(entry);
    this.#rise(this.#heap.length - 1);
    this.heldCountMax = Math.max(this.heldCountMax, Math.min(this.#heap.length, this.#countMax));
    return this.#heap.length > this.#countMax ? this.shift() : undefined;
  }

  /** The first of all; undefined when nothing is left. */
  shift(): InTurn<Item> | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    if (first.item.atMs < this.#lastAtMs) this.lateCount += 1;
    this.#lastAtMs = Math.max(this.#lastAtMs, first.item.atMs);
    return { item: first.item, atMs: this.#lastAtMs };
  }

  #rise(from: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(place, parent)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #sink(): void {
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= this.#heap.length) return;
      const child = left + 1 < this.#heap.length && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(child, place)) return;
      this.#swap(place, child);
      place = child;
    }
  }

  #isBefore(a: number, b: number): boolean {
    const left = this.#heap[a];
    const right = this.#heap[b];
    if (left === undefined || right === undefined) return false;
    return left.item.atMs < right.item.atMs || (left.item.atMs === right.item.atMs && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    const left = this.#heap[a];
    const right = this.#heap[b];
    if (left === undefined || right === undefined) return;
    this.#heap[a] = right;
    this.#heap[b] = left;
  }
}
