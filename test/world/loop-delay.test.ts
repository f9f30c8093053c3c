// How long the event loop stood still, beside Node's own monitor of it, and by counting.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../common/address.ts';
import { programPath, type ReadyLine } from '../../common/child-program.ts';
import { LoopDelay, momentMs } from '../../simulator/world/live/loop-delay.ts';
import { fleetOf, scenarioOf, until } from './fleet-run.ts';

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

/** A process of its own: it goes on while this one stands still. */
const cdnProgram = programPath('simulator/cloud/main');

describe.skipIf(!existsSync(cdnProgram))('a fleet that stood still (skipped when the tree is not built)', () => {
  it('does not take its own standstill for the silence of a server', async () => {
    const cdn = spawn(process.execPath, [cdnProgram, '--latency', '50 ms'], { stdio: ['pipe', 'pipe', 'ignore'] });
    try {
      const [line] = await once(cdn.stdout, 'data');
      const hq = parseAddress((JSON.parse(String(line)) as ReadyLine).listen);
      if (hq === undefined) throw new Error('a CDN has an address');
      const size = 3_000_000;
      const scenario = scenarioOf(`
content: [{ id: update, size: ${size} B, path: /object/update/${size} }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 5, cacheHosts: [hq], wants: [update] }]`);
      const timeouts = { connectMs: 300, stallMs: 300 };
      const { fleet, idle } = fleetOf(scenario, { nodes: { hq }, cdns: [hq], timeouts });
      fleet.start(Date.now());
      // All requests are on their way, and their answers come while nobody looks.
      await until(() => fleet.devices.every(({ hasConnected }) => hasConnected));
      // Between reading and timers: the timers come first then.
      setImmediate(() => standStill(500));
      await idle;
      const report = await fleet.stop(0);
      expect(report.reading.failedRanges).toEqual({});
      expect(report.groups[0]).toMatchObject({ completedCount: 5, bytesFromCacheServer: 5 * size, bytesFromCdn: 0 });
    } finally {
      cdn.kill('SIGKILL');
    }
  });
});
