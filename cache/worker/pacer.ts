// Keeps a worker's share of `--limit-egress`: bytes are taken from an allowance that grows with time, in the order of
// asking.

import { performance } from 'node:perf_hooks';

/** How much an idle pacer may save up: 20 ms of its rate, so that it does not burst. */
const burstMs = 20;

export class Pacer {
  readonly #bytesPerMs: number | undefined;
  /** The time until which everything granted so far is paid for. */
  #paidUntilMs = 0;

  /** `bytesPerMs` undefined: no limit. */
  constructor(bytesPerMs: number | undefined) {
    this.#bytesPerMs = bytesPerMs;
  }

  get isLimited(): boolean {
    return this.#bytesPerMs !== undefined;
  }

  /** Resolves when the bytes may go. */
  async take(bytes: number): Promise<void> {
    if (this.#bytesPerMs === undefined) return;
    const now = performance.now();
    this.#paidUntilMs = Math.max(this.#paidUntilMs, now - burstMs) + bytes / this.#bytesPerMs;
    const waitMs = this.#paidUntilMs - now;
    if (waitMs >= 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
