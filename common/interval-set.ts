// A set of bytes as sorted, disjoint, non-touching intervals [start, end):
//
//     starts  0      4096        1048576
//     ends    1024   8192        2097152      (parallel arrays, found by binary search)
//
// Invariant: starts[i] < ends[i] < starts[i + 1]. Adding joins what overlaps or touches.

import type { ByteRange } from './byte-range.ts';
import { assert } from './errors.ts';

export class IntervalSet {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #bytes = 0;

  static of(...ranges: readonly ByteRange[]): IntervalSet {
    const set = new IntervalSet();
    for (const range of ranges) set.add(range.start, range.end);
    return set;
  }

  /** How many bytes are in the set. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many intervals the set consists of. */
  get count(): number {
    return this.#starts.length;
  }

  /** Adds [start, end); returns how many of its bytes were new. */
  add(start: number, end: number): number {
    assert(start >= 0 && start <= end, `interval [${start}, ${end}) is in order`);
    if (start === end) return 0;
    const first = this.#firstEndingAtOrAfter(start);
    let last = first;
    let joinedStart = start;
    let joinedEnd = end;
    let covered = 0;
    while (last < this.#starts.length && (this.#starts[last] as number) <= end) {
      const intervalStart = this.#starts[last] as number;
      const intervalEnd = this.#ends[last] as number;
      joinedStart = Math.min(joinedStart, intervalStart);
      joinedEnd = Math.max(joinedEnd, intervalEnd);
      covered += intervalEnd - intervalStart;
      last += 1;
    }
    this.#starts.splice(first, last - first, joinedStart);
    this.#ends.splice(first, last - first, joinedEnd);
    const added = joinedEnd - joinedStart - covered;
    this.#bytes += added;
    return added;
  }

  /** Takes [start, end) out; returns how many bytes went. */
  remove(start: number, end: number): number {
    if (start >= end) return 0;
    let removed = 0;
    let index = this.#firstEndingAfter(start);
    while (index < this.#starts.length && (this.#starts[index] as number) < end) {
      const intervalStart = this.#starts[index] as number;
      const intervalEnd = this.#ends[index] as number;
      removed += Math.min(intervalEnd, end) - Math.max(intervalStart, start);
      const keptStarts: number[] = [];
      const keptEnds: number[] = [];
      if (intervalStart < start) {
        keptStarts.push(intervalStart);
        keptEnds.push(start);
      }
      if (intervalEnd > end) {
        keptStarts.push(end);
        keptEnds.push(intervalEnd);
      }
      this.#starts.splice(index, 1, ...keptStarts);
      this.#ends.splice(index, 1, ...keptEnds);
      index += keptStarts.length;
    }
    this.#bytes -= removed;
    return removed;
  }

  /** Whether every byte of [start, end) is in the set. */
  covers(start: number, end: number): boolean {
    return start >= end || this.endOfRunAt(start) >= end;
  }

  /** Where the run of bytes that holds `offset` ends; `offset` itself when that byte is missing. */
  endOfRunAt(offset: number): number {
    const index = this.#firstEndingAfter(offset);
    const start = this.#starts[index];
    return start !== undefined && start <= offset ? (this.#ends[index] as number) : offset;
  }

  /** How many bytes of [start, end) are in the set. */
  overlapBytes(start: number, end: number): number {
    let bytes = 0;
    for (let i = this.#firstEndingAfter(start); i < this.#starts.length && (this.#starts[i] as number) < end; i += 1) {
      bytes += Math.min(this.#ends[i] as number, end) - Math.max(this.#starts[i] as number, start);
    }
    return bytes;
  }

  /** The parts of [start, end) that are not in the set, in order. */
  gaps(start: number, end: number): ByteRange[] {
    const gaps: ByteRange[] = [];
    let cursor = start;
    for (let i = this.#firstEndingAfter(start); cursor < end && i < this.#starts.length; i += 1) {
      const intervalStart = this.#starts[i] as number;
      if (intervalStart >= end) break;
      if (intervalStart > cursor) gaps.push({ start: cursor, end: intervalStart });
      cursor = Math.max(cursor, this.#ends[i] as number);
    }
    if (cursor < end) gaps.push({ start: cursor, end });
    return gaps;
  }

  /** The parts of [start, end) that are in the set, in order. */
  within(start: number, end: number): ByteRange[] {
    const parts: ByteRange[] = [];
    for (let i = this.#firstEndingAfter(start); i < this.#starts.length && (this.#starts[i] as number) < end; i += 1) {
      parts.push({ start: Math.max(this.#starts[i] as number, start), end: Math.min(this.#ends[i] as number, end) });
    }
    return parts;
  }

  /** The intervals, in order. */
  *[Symbol.iterator](): Generator<ByteRange> {
    for (let i = 0; i < this.#starts.length; i += 1) {
      yield { start: this.#starts[i] as number, end: this.#ends[i] as number };
    }
  }

  #firstEndingAfter(offset: number): number {
    return this.#search(offset + 1);
  }

  #firstEndingAtOrAfter(offset: number): number {
    return this.#search(offset);
  }

  /** Index of the first interval whose end is at least `end`. */
  #search(end: number): number {
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] as number) < end) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
