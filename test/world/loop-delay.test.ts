// How long the event loop stood still, beside Node's own monitor of it, and by counting.

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { LoopDelay, momentMs } from '../../simulator/world/live/loop-delay.ts';
import { until } from './fleet-run.ts';

function standStill(forMs: number): void {
  const untilMs = performance.now() + forMs;
  while (performance.now() < untilMs); // keeps the event loop busy
}

describe('the delay of the event loop', () => {
  it('is recorded for every moment that passed while the loop stood still', async () => {
    const delays: number[] = [];
    const watch = new LoopDelay((ms) => delays.push(ms));
    const node = monitorEventLoopDelay({ resolution: 1 });
    const startMs = performance.now();
    watch.start(startMs);
    node.enable();
    await until(() => delays.length > 5);
    const before = delays.length;
    const stoodFromMs = performance.now();
    standStill(300);
    const stoodUntilMs = performance.now();
    await until(() => delays.length > before + 5);
    node.disable();
    watch.stop();
    const endMs = performance.now();
    // No moment is left out, none counts twice.
    expect(Math.abs(delays.length - (endMs - startMs) / momentMs)).toBeLessThan(2);
    // Those within the standstill waited at least until its end: a hundred ms before it and more, 20 of them.
    for (const leastMs of [50, 100, 200, 290]) {
      const due = (stoodUntilMs - stoodFromMs - leastMs) / momentMs;
      const waited = delays.filter((delayMs) => delayMs >= leastMs).length;
      expect(waited, `${leastMs} ms`).toBeGreaterThanOrEqual(Math.floor(due));
    }
    // Node's monitor sees the same longest standstill, as one of its samples (and its interval in it).
    const longestMs = Math.max(...delays);
    expect(node.max / 1e6).toBeGreaterThan(longestMs - momentMs - 3);
    expect(longestMs).toBeGreaterThanOrEqual(stoodUntilMs - stoodFromMs - momentMs);
  });

  it('begins when it is told to, and is silent after its end', async () => {
    const delays: number[] = [];
    const watch = new LoopDelay((ms) => delays.push(ms));
    const startMs = performance.now();
    watch.start(startMs + 60);
    standStill(30);
    await until(() => delays.length > 0);
    // The standstill before it is none of its business.
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(60);
    watch.stop();
    const count = delays.length;
    const stoppedMs = performance.now();
    await until(() => performance.now() > stoppedMs + 3 * momentMs);
    watch.stop();
    expect(delays).toHaveLength(count);
  });
});
