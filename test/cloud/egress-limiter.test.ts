// The egress cap, counted on a fake clock.

import { describe, expect, it } from 'vitest';
import { EgressLimiter, type LimiterClock } from '../../simulator/cloud/egress-limiter.ts';

/** A clock that goes from timer to timer, each up to `latenessMs` late. */
class FakeClock implements LimiterClock {
  ms = 0;
  readonly #timers: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly now = (): number => this.ms;
  readonly schedule = (run: () => void, delayMs: number): void => {
    this.#timers.push({ atMs: this.ms + delayMs, run });
  };

  runUntil(endMs: number, latenessMs = 0): void {
    for (;;) {
      this.#timers.sort((a, b) => a.atMs - b.atMs);
      const next = this.#timers[0];
      if (next === undefined || next.atMs > endMs) break;
      this.#timers.shift();
      this.ms = Math.max(this.ms, next.atMs + latenessMs);
      next.run();
    }
    this.ms = Math.max(this.ms, endMs);
  }
}

/** A sender that always has another chunk to send. */
function greedy(limiter: EgressLimiter, chunkBytes: number): { sentBytes: number } {
  const sender = { sentBytes: 0 };
  const again = (): void => {
    sender.sentBytes += chunkBytes;
    // Not at once: a sender asks again when the kernel has taken its chunk.
    limiter.acquire(chunkBytes, again);
  };
  limiter.acquire(chunkBytes, again);
  return sender;
}

describe('the egress cap', () => {
  const rows = [
    { name: 'a slow rate, chunks that last 16 ms', rateBytesPerMs: 1000, chunkBytes: 16_384, latenessMs: 0 },
    { name: 'a fast rate, many chunks a millisecond', rateBytesPerMs: 1_250_000, chunkBytes: 262_144, latenessMs: 0 },
    { name: 'timers that are late', rateBytesPerMs: 125_000, chunkBytes: 16_384, latenessMs: 7 },
  ];
  it.each(rows)('holds the rate: $name', ({ rateBytesPerMs, chunkBytes, latenessMs }) => {
    const clock = new FakeClock();
    const limiter = new EgressLimiter(rateBytesPerMs, clock);
    const senders = Array.from({ length: 5 }, () => greedy(limiter, chunkBytes));
    for (const endMs of [100, 1000, 10_000]) {
      clock.runUntil(endMs, latenessMs);
      const sentBytes = senders.reduce((sum, sender) => sum + sender.sentBytes, 0);
      expect(sentBytes).toBeLessThanOrEqual(rateBytesPerMs * (clock.ms + 20) + chunkBytes);
      expect(sentBytes).toBeGreaterThanOrEqual(rateBytesPerMs * (clock.ms - latenessMs - 2) - chunkBytes);
    }
  });

  it('shares the rate alike', () => {
    const clock = new FakeClock();
    const limiter = new EgressLimiter(10_000, clock);
    const senders = Array.from({ length: 7 }, () => greedy(limiter, 16_384));
    clock.runUntil(5000);
    const sent = senders.map((sender) => sender.sentBytes);
    // The first sender alone had the burst.
    expect(Math.max(...sent) - Math.min(...sent)).toBeLessThanOrEqual(20 * 10_000 + 2 * 16_384);
  });

  it('keeps no more than 20 ms of unused rate', () => {
    const clock = new FakeClock();
    const limiter = new EgressLimiter(1000, clock);
    clock.ms = 60_000;
    let grantedBytes = 0;
    for (let i = 0; i < 100; i += 1) limiter.acquire(1000, () => (grantedBytes += 1000));
    expect(grantedBytes).toBe(20_000);
  });

  it('takes back what was not sent', () => {
    const clock = new FakeClock();
    const limiter = new EgressLimiter(1000, clock);
    limiter.acquire(1_000_000, () => undefined);
    limiter.refund(1_000_000);
    let granted = false;
    limiter.acquire(1, () => (granted = true));
    expect(granted).toBe(true);
  });
});
