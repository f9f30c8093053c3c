// Timers by time, those of the same time in the order in which they were set: a 4-ary heap in typed arrays, without an
// object per timer. Four children a node halve the depth of a binary heap, and lie in one or two cache lines.
//
//        0
//    1  2  3  4          children of i: 4 i + 1 … 4 i + 4
//   5…8 9…12 …

/** `kind` and `subject` are the caller's: what is due, and for whom. */
export class TimerHeap {
  #times = new Float64Array(64);
  #orders = new Float64Array(64);
  #kinds = new Int32Array(64);
  #subjects = new Int32Array(64);
  #count = 0;
  #nextOrder = 0;

  get count(): number {
    return this.#count;
  }

  /** Infinity when there is none. */
  get firstMs(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : (this.#times[0] as number);
  }

  get firstKind(): number {
    return this.#kinds[0] as number;
  }

  get firstSubject(): number {
    return this.#subjects[0] as number;
  }

  push(atMs: number, kind: number, subject: number): void {
    if (this.#count === this.#times.length) this.#grow();
    let place = this.#count;
    this.#count += 1;
    const order = this.#nextOrder;
    this.#nextOrder += 1;
    while (place > 0) {
      const parent = (place - 1) >> 2;
      // A later order never goes before an equal time.
      if ((this.#times[parent] as number) <= atMs) break;
      this.#move(parent, place);
      place = parent;
    }
    this.#put(place, atMs, order, kind, subject);
  }

  /** Takes the first away. */
  pop(): void {
    this.#count -= 1;
    const last = this.#count;
    if (last === 0) return;
    const atMs = this.#times[last] as number;
    const order = this.#orders[last] as number;
    let place = 0;
    for (;;) {
      const least = this.#leastChild(place);
      if (least < 0 || !this.#isBefore(least, atMs, order)) break;
      this.#move(least, place);
      place = least;
    }
    this.#put(place, atMs, order, this.#kinds[last] as number, this.#subjects[last] as number);
  }

  #leastChild(place: number): number {
    const first = 4 * place + 1;
    if (first >= this.#count) return -1;
    const end = Math.min(first + 4, this.#count);
    let least = first;
    for (let child = first + 1; child < end; child += 1) {
      if (this.#isBefore(child, this.#times[least] as number, this.#orders[least] as number)) least = child;
    }
    return least;
  }

  #isBefore(place: number, atMs: number, order: number): boolean {
    const time = this.#times[place] as number;
    return time < atMs || (time === atMs && (this.#orders[place] as number) < order);
  }

  #move(from: number, to: number): void {
    this.#put(
      to,
      this.#times[from] as number,
      this.#orders[from] as number,
      this.#kinds[from] as number,
      this.#subjects[from] as number,
    );
  }

  #put(place: number, atMs: number, order: number, kind: number, subject: number): void {
    this.#times[place] = atMs;
    this.#orders[place] = order;
    this.#kinds[place] = kind;
    this.#subjects[place] = subject;
  }

  #grow(): void {
    this.#times = grown(this.#times, Float64Array);
    this.#orders = grown(this.#orders, Float64Array);
    this.#kinds = grown(this.#kinds, Int32Array);
    this.#subjects = grown(this.#subjects, Int32Array);
  }
}

type Growable = Float64Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

/** The same numbers, with room for twice as many. */
export function grown<Numbers extends Growable>(numbers: Numbers, make: new (length: number) => Numbers): Numbers {
  const larger = new make(numbers.length * 2);
  larger.set(numbers);
  return larger;
}
