// A token bucket over all body bytes that the CDN sends. Senders wait in one line and take turns of one chunk each, so
// that connections share the rate alike.

import { assert } from '../../common/errors.ts';

/** The clock that a limiter runs on; tests bring their own. */
export type LimiterClock = {
  /** Milliseconds from any origin, never going back. */
  readonly now: () => number;
  readonly schedule: (run: () => void, delayMs: number) => void;
};

const systemClock: LimiterClock = {
  now: () => performance.now(),
  schedule: (run, delayMs) => {
    setTimeout(run, delayMs).unref();
  },
};

/** How much of unused rate is kept for later. */
const burstMs = 20;

type Waiter = { readonly bytes: number; readonly run: () => void };

/**
 * Lets bytes pass at `rateBytesPerMs`. A grant may overdraw the bucket by its own size; the next one then waits until the
 * debt is paid, so over any time t at most rate × (t + 20 ms) plus one chunk pass.
 */
export class EgressLimiter {
  readonly #rateBytesPerMs: number;
  readonly #clock: LimiterClock;
  #tokens: number;
  #filledAtMs: number;
  #waiters: Waiter[] = [];
  #isScheduled = false;

  constructor(rateBytesPerMs: number, clock: LimiterClock = systemClock) {
    assert(rateBytesPerMs > 0, 'an egress cap is above zero');
    this.#rateBytesPerMs = rateBytesPerMs;
    this.#clock = clock;
    this.#tokens = rateBytesPerMs * burstMs;
    this.#filledAtMs = clock.now();
  }

  /** How long the chunks of senders should be: about 2 ms at the rate, from 16 KiB (fair) to 256 KiB (cheap). */
  get chunkBytes(): number {
    return Math.min(256 * 1024, Math.max(16 * 1024, Math.floor(2 * this.#rateBytesPerMs)));
  }

  /** Runs `run` once `bytes` may pass: at once, or later in the order of the calls. */
  acquire(bytes: number, run: () => void): void {
    if (this.#waiters.length === 0 && this.#refilled() > 0) {
      this.#tokens -= bytes;
      run();
      return;
    }
    this.#waiters.push({ bytes, run });
    this.#scheduleGrant();
  }

  /** Gives back bytes that were granted and not sent. */
  refund(bytes: number): void {
    this.#tokens += bytes;
  }

  #refilled(): number {
    const now = this.#clock.now();
    this.#tokens = Math.min(
      this.#rateBytesPerMs * burstMs,
      this.#tokens + (now - this.#filledAtMs) * this.#rateBytesPerMs,
    );
    this.#filledAtMs = now;
    return this.#tokens;
  }

  #scheduleGrant(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const delayMs = Math.max(1, Math.ceil(-this.#tokens / this.#rateBytesPerMs));
    this.#clock.schedule(() => this.#grant(), delayMs);
  }

  /** Serves the line as far as the tokens go; who asks again meanwhile stands at the end of it. */
  #grant(): void {
    this.#isScheduled = false;
    this.#refilled();
    const waiters = this.#waiters;
    this.#waiters = [];
    let served = 0;
    for (; served < waiters.length && this.#tokens > 0; served += 1) {
      const waiter = waiters[served] as Waiter;
      this.#tokens -= waiter.bytes;
    }
    this.#waiters = waiters.splice(served);
    for (const waiter of waiters) waiter.run();
    if (this.#waiters.length > 0) this.#scheduleGrant();
  }
}
