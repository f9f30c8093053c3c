// Runs of bytes of one extent, each with the checksum of what was written there. Offsets are those of the object.
//
//     starts  0         8388608       (parallel arrays, sorted)
//     ends    8388608   9437184
//     crcs    1c291ca3  77073096
//
// Invariant: runs do not overlap. Runs that touch are joined up to 8 MiB: so much is lost when one of its bytes is wrong
// after a power loss, and a full extent of 64 MiB has eight checksums.

import { assert } from '../../common/errors.ts';
import { joinedCrc } from './checksum.ts';

export type Run = { readonly start: number; readonly end: number; readonly crc: number };

const joinedBytesMax = 8 * 2 ** 20;

export class CheckedRuns {
  readonly #runs: Run[] = [];

  get count(): number {
    return this.#runs.length;
  }

  /** Whether a run may be added: it has bytes, and none of them is in another run. */
  isFree(start: number, end: number): boolean {
    const at = this.#after(start);
    return start < end && (this.#runs[at - 1]?.end ?? 0) <= start && end <= (this.#runs[at]?.start ?? end);
  }

  /** Adds a run that overlaps none. */
  add(start: number, end: number, crc: number): void {
    assert(this.isFree(start, end), `run [${start}, ${end}) overlaps none`);
    let at = this.#after(start);
    const before = this.#runs[at - 1];
    const after = this.#runs[at];
    let run: Run = { start, end, crc };
    let replaced = 0;
    if (before?.end === start && end - before.start <= joinedBytesMax) {
      run = { start: before.start, end, crc: joinedCrc(before.crc, crc, end - start) };
      at -= 1;
      replaced += 1;
    }
    if (after?.start === end && after.end - run.start <= joinedBytesMax) {
      run = { start: run.start, end: after.end, crc: joinedCrc(run.crc, after.crc, after.end - after.start) };
      replaced += 1;
    }
    this.#runs.splice(at, replaced, run);
  }

  copy(): CheckedRuns {
    const copy = new CheckedRuns();
    copy.#runs.push(...this.#runs);
    return copy;
  }

  [Symbol.iterator](): IterableIterator<Run> {
    return this.#runs.values();
  }

  /** Index of the first run that starts after `offset`. */
  #after(offset: number): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#runs[middle] as Run).start <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
