// Members, each at most once, by a key that may change: a 4-ary heap that knows where each member is. Ties go to the
// smaller member, so that the order is the same in every run.

export class KeyHeap {
  /** 1: the smallest key first; -1: the largest. */
  readonly #sign: 1 | -1;
  #members = new Int32Array(16);
  /** Place of each member in the heap, -1 when it is not there. */
  #places = new Int32Array(16).fill(-1);
  /** Sign × key, by member. */
  #keys = new Float64Array(16);
  #count = 0;

  constructor(first: 'smallest' | 'largest' = 'smallest') {
    this.#sign = first === 'smallest' ? 1 : -1;
  }

  get count(): number {
    return this.#count;
  }

  /** -1 when the heap is empty. */
  get first(): number {
    return this.#count === 0 ? -1 : (this.#members[0] as number);
  }

  /** Infinity (or -Infinity, where the largest is first) when the heap is empty. */
  get firstKey(): number {
    return (
      this.#sign * (this.#count === 0 ? Number.POSITIVE_INFINITY : (this.#keys[this.#members[0] as number] as number))
    );
  }

  has(member: number): boolean {
    return member < this.#places.length && (this.#places[member] as number) >= 0;
  }

  keyOf(member: number): number {
    return this.#sign * (this.#keys[member] as number);
  }

  /** Adds a member, or gives it another key. */
  set(member: number, key: number): void {
    if (member >= this.#places.length) this.#growMembers(member);
    const signed = this.#sign * key;
    const place = this.#places[member] as number;
    if (place >= 0) {
      if (this.#keys[member] === signed) return;
      this.#keys[member] = signed;
      this.#down(this.#up(place));
      return;
    }
    this.#keys[member] = signed;
    if (this.#count === this.#members.length) {
      const larger = new Int32Array(this.#members.length * 2);
      larger.set(this.#members);
      this.#members = larger;
    }
    this.#members[this.#count] = member;
    this.#places[member] = this.#count;
    this.#count += 1;
    this.#up(this.#count - 1);
  }

  /** Does nothing when it is not there. */
  delete(member: number): void {
    if (!this.has(member)) return;
    const place = this.#places[member] as number;
    this.#places[member] = -1;
    this.#count -= 1;
    if (place === this.#count) return;
    const last = this.#members[this.#count] as number;
    this.#members[place] = last;
    this.#places[last] = place;
    this.#down(this.#up(place));
  }

  clear(): void {
    while (this.#count > 0) {
      this.#count -= 1;
      this.#places[this.#members[this.#count] as number] = -1;
    }
  }

  /** Where the member of a place comes to stand. */
  #up(from: number): number {
    const member = this.#members[from] as number;
    const key = this.#keys[member] as number;
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 2;
      const other = this.#members[parent] as number;
      const otherKey = this.#keys[other] as number;
      if (otherKey < key || (otherKey === key && other < member)) break;
      this.#members[place] = other;
      this.#places[other] = place;
      place = parent;
    }
    this.#members[place] = member;
    this.#places[member] = place;
    return place;
  }

  #down(from: number): void {
    const member = this.#members[from] as number;
    const key = this.#keys[member] as number;
    let place = from;
    for (;;) {
      const firstChild = 4 * place + 1;
      if (firstChild >= this.#count) break;
      const end = Math.min(firstChild + 4, this.#count);
      let best = firstChild;
      let least = this.#members[firstChild] as number;
      let leastKey = this.#keys[least] as number;
      for (let child = firstChild + 1; child < end; child += 1) {
        const other = this.#members[child] as number;
        const otherKey = this.#keys[other] as number;
        if (otherKey < leastKey || (otherKey === leastKey && other < least)) {
          best = child;
          least = other;
          leastKey = otherKey;
        }
      }
      if (key < leastKey || (key === leastKey && member < least)) break;
      this.#members[place] = least;
      this.#places[least] = place;
      place = best;
    }
    this.#members[place] = member;
    this.#places[member] = place;
  }

  #growMembers(member: number): void {
    const length = Math.max(member + 1, this.#places.length * 2);
    const places = new Int32Array(length).fill(-1);
    places.set(this.#places);
    this.#places = places;
    const keys = new Float64Array(length);
    keys.set(this.#keys);
    this.#keys = keys;
  }
}
