// Puts what comes almost in order into order: a heap of at most so many, of which the first leaves when another comes.
// What comes later than that allows leaves with the time of the one before it, and is counted.

/** The first of all, with the time at which it is its turn: never before the one before it. */
export type InTurn<Item> = { readonly item: Item; readonly atMs: number };

export class ReorderBuffer<Item> {
  readonly #countMax: number;
  /** A binary heap by time, then by arrival; the three arrays have an entry's parts at the same place. */
  readonly #times: Float64Array;
  readonly #orders: Float64Array;
  readonly #items: Item[] = [];
  #order = 0;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  /** Most that it held at once, and how many came too late. */
  heldCountMax = 0;
  lateCount = 0;

  constructor(countMax: number) {
    this.#countMax = countMax;
    this.#times = new Float64Array(countMax);
    this.#orders = new Float64Array(countMax);
  }

  /** Takes one; gives the first of all when that is one more than it may hold. */
  push(item: Item, atMs: number): InTurn<Item> | undefined {
    const first = this.#items.length === this.#countMax ? this.#replaceFirst(item, atMs) : undefined;
    if (first === undefined) {
      this.#items.push(item);
      this.#rise(this.#items.length - 1, item, atMs);
      this.heldCountMax = Math.max(this.heldCountMax, this.#items.length);
    }
    this.#order += 1;
    return first;
  }

  /** The first of all; undefined when nothing is left. */
  shift(): InTurn<Item> | undefined {
    const place = this.#items.length - 1;
    const last = this.#items[place];
    if (last === undefined) return undefined;
    const first = this.#first();
    this.#items.pop();
    if (place > 0) this.#sink(last, this.#times[place] as number, this.#orders[place] as number);
    return first;
  }

  #replaceFirst(item: Item, atMs: number): InTurn<Item> {
    // The new one may be before all that are held: it is its turn at once.
    if (atMs < (this.#times[0] as number)) return this.#inTurn(item, atMs);
    const first = this.#first();
    this.#sink(item, atMs, this.#order);
    return first;
  }

  #first(): InTurn<Item> {
    return this.#inTurn(this.#items[0] as Item, this.#times[0] as number);
  }

  #inTurn(item: Item, atMs: number): InTurn<Item> {
    if (atMs < this.#lastAtMs) this.lateCount += 1;
    this.#lastAtMs = Math.max(this.#lastAtMs, atMs);
    return { item, atMs: this.#lastAtMs };
  }

  /** Of equal times the one that came later is always below: it was put in later. */
  #rise(from: number, item: Item, atMs: number): void {
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if ((this.#times[parent] as number) <= atMs) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#put(place, item, atMs, this.#order);
  }

  /** Puts an entry where the first one was, and lets it find its place. */
  #sink(item: Item, atMs: number, order: number): void {
    const count = this.#items.length;
    let place = 0;
    for (let child = 1; child < count; child = 2 * place + 1) {
      if (child + 1 < count && this.#isBefore(child + 1, this.#times[child] as number, this.#orders[child] as number)) {
        child += 1;
      }
      if (!this.#isBefore(child, atMs, order)) break;
      this.#move(child, place);
      place = child;
    }
    this.#put(place, item, atMs, order);
  }

  #isBefore(place: number, atMs: number, order: number): boolean {
    const other = this.#times[place] as number;
    return other < atMs || (other === atMs && (this.#orders[place] as number) < order);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#items[from] as Item, this.#times[from] as number, this.#orders[from] as number);
  }

  #put(place: number, item: Item, atMs: number, order: number): void {
    this.#items[place] = item;
    this.#times[place] = atMs;
    this.#orders[place] = order;
  }
}
