// Answers that wait for a byte of a generation, found by where that byte is: thousands may wait for other pieces while
// one arrives, and must not be woken for it.

const bucketBytes = 2 ** 20;

/** Something that waits for the byte at `cursor`. */
export interface Waiter {
  readonly cursor: number;
  wake(): void;
}

export class WaitingRoom {
  readonly #buckets = new Map<number, Set<Waiter>>();

  add(waiter: Waiter): void {
    const bucket = Math.floor(waiter.cursor / bucketBytes);
    const waiters = this.#buckets.get(bucket);
    if (waiters === undefined) this.#buckets.set(bucket, new Set([waiter]));
    else waiters.add(waiter);
  }

  /** Takes a waiter out; its cursor must not have moved since it was added. */
  delete(waiter: Waiter): void {
    const bucket = Math.floor(waiter.cursor / bucketBytes);
    const waiters = this.#buckets.get(bucket);
    waiters?.delete(waiter);
    if (waiters?.size === 0) this.#buckets.delete(bucket);
  }

  /** Wakes all who wait for a byte of [start, end). */
  wake(start: number, end: number): void {
    for (let bucket = Math.floor(start / bucketBytes); bucket * bucketBytes < end; bucket += 1) {
      for (const waiter of [...(this.#buckets.get(bucket) ?? [])]) {
        if (waiter.cursor >= start && waiter.cursor < end) waiter.wake();
      }
    }
  }

  wakeAll(): void {
    for (const waiters of [...this.#buckets.values()]) for (const waiter of [...waiters]) waiter.wake();
  }
}
