// A load generator that is held up by something else than the node. The run must notice, name the process and the limit, and
// judge nothing by it; the other device process of the same run shows what a process that was let alone measures.

import { describe, expect, test } from 'vitest';
import { canLookUp, eventually, SimRun } from './sim-run.ts';

/** Two device processes, about 25 ranges a second each. The limit on the latency holds whatever happens. */
const window = `
name: Starved
seed: 5
content: [{ id: update, size: 100 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 600, cacheHosts: [hq], wants: [update] }]
live: { window: 5 s, demand: 420 Mbit/s }
expect:
  - range.latencyMs.p99 <= 1 h
  - devices.failedCount == 0
`;

const stoppedMs = 1500;
/** Far above what a machine does to a process, far below what this test does to it. */
const clearlyMs = 800;

describe.skipIf(!canLookUp)('a device process that gets no processor (found by /proc)', () => {
  test('makes times inconclusive, and the verdict names it with how late it was', async () => {
    const run = new SimRun(window);
    await run.isDownloading();
    const [, second] = run.processes('device-process').sort((a, b) => a.pid - b.pid);
    const pid = second?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    const sinceMs = performance.now();
    await eventually('the end of the stop', () => (performance.now() - sinceMs >= stoppedMs ? true : undefined));
    process.kill(pid, 'SIGCONT');
    expect(await run.exitCode()).toBe(4);

    const { processes = [], generatorLimits = [], expectations, metrics } = run.run();
    const [first, starved] = processes;
    expect([first?.name, starved?.name]).toEqual(['device process 0', 'device process 1']);
    for (const name of ['latenessMsP99', 'eventLoopDelayMsP99', 'eventLoopDelayMsMax'] as const) {
      expect(starved?.[name], name).toBeGreaterThan(clearlyMs);
      expect(first?.[name], name).toBeLessThan(clearlyMs);
    }
    expect(starved?.eventLoopDelayMsMax).toBeGreaterThanOrEqual(stoppedMs - 20);
    expect(metrics['generator.eventLoopDelayMs.max']).toBe(starved?.eventLoopDelayMsMax);
    expect(metrics['generator.saturated']).toBe(1);
    expect(metrics['range.latencyMs.p99']).toBeGreaterThan(clearlyMs);

    const late = /^device process 1 sent ranges (\d\.\d\d s|\d+ ms) late \(99 %\)$/;
    expect(generatorLimits).toContainEqual(expect.stringMatching(late));
    expect(generatorLimits).toContainEqual(
      expect.stringMatching(/^device process 1 .* event loop stood still for up to 1\.\d\d s$/),
    );
    const [latency, failed] = expectations;
    expect(latency).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringContaining(generatorLimits.join('; ')),
    });
    expect(failed).toMatchObject({ verdict: 'pass' });
    expect(run.stdout.replaceAll(/\s+/g, ' ')).toContain('the load generator: device process 1 sent ranges');
    expect(run.file('summary.md')).toContain('| device process 1 | 300 |');
  });
});
