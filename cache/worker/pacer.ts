// Keeps a worker's share of `--limit-egress`: bytes are taken from an allowance that grows with time, in the order of
// asking.

import { performance } from 'node:perf_hooks';

/** How much an idle pacer may save up: 20 ms of its rate, so that it does not burst. */
const burstMs = 20;

export type PacerClock = { nowMs(): number; sleep(ms: number): Promise<void> };

const systemClock: PacerClock = {
  nowMs: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

export class Pacer {
  readonly #bytesPerMs: number | undefined;
  readonly #clock: PacerClock;
  /** The time until which everything granted so far is paid for. */
  #paidUntilMs = 0;

  /** `bytesPerMs` undefined: no limit. */
  constructor(bytesPerMs: number | undefined, clock: PacerClock = systemClock) {
    this.#bytesPerMs = bytesPerMs;
    this.#clock = clock;
  }

  get isLimited(): boolean {
    return this.#bytesPerMs !== undefined;
  }

  /** Resolves when the bytes may go. */
  async take(bytes: number): Promise<void> {
    if (this.#bytesPerMs === undefined) return;
    const now = this.#clock.nowMs();
    this.#paidUntilMs = Math.max(this.#paidUntilMs, now - burstMs) + bytes / this.#bytesPerMs;
    const waitMs = this.#paidUntilMs - now;
    if (waitMs >= 1) await this.#clock.sleep(waitMs);
  }
}
