// What devices may receive and what goes wrong on their way, through a whole run with processes of its own.

import { describe, expect, test } from 'vitest';
import { SimRun } from './sim-run.ts';

describe.concurrent('lines', () => {
  test('policies are told to a live fleet; a bad line costs time, and neither bytes nor books', async () => {
    const run = new SimRun(`
name: Lines
seed: 5
content: [{ id: update, size: 4 MB }]
nodes: [{ id: hq }]
fleet:
  - { id: told, devices: 12, cacheHosts: [hq], wants: [update], policy: { maxBackgroundDownload: 1 kB/s } }
  - { id: slow, devices: 6, cacheHosts: [hq], wants: [update], downlink: { from: 16 Mbit/s, to: 160 Mbit/s } }
  - id: far
    devices: 6
    cacheHosts: [hq]
    wants: [update]
    line: { latency: 20 ms, resetAfter: 2.5 MB }
    policy: { fallbackDelayBackground: 1 h }
events: [{ at: 1 s, policy: { group: told, maxBackgroundDownload: 100 MB/s } }]
expect: [devices.completedRatio == 1, fleet.bytesFromCdn == 0, integrity.corruptBytes == 0]
`);
    expect(await run.exitCode()).toBe(0);
    const metrics = run.metrics();
    // Alone, at 1 kB/s, they would take more than an hour.
    expect(metrics['group.told.fleet.finishMs']).toBeGreaterThanOrEqual(990);
    // The slowest class of the spread: 16 Mbit/s × 10^(1/12).
    expect(metrics['group.slow.devices.completionMs.max']).toBeGreaterThanOrEqual(4e6 / (2000 * 10 ** (1 / 12)) - 10);
    expect(metrics['group.far.fleet.refetchedBytes']).toBeGreaterThan(0);
    expect(metrics).toMatchObject({ 'accounting.imbalanceBytes': 0, 'devices.completedCount': 24 });
    const { notes, problems, timeline } = run.result().runs[0] ?? {};
    expect(notes).toContain('line of far (given): 20.0 ms each way, connections reset after 2.50 MB');
    expect(problems?.join()).toContain('reset: reset by its line');
    expect(timeline?.map(({ what }) => what)).toEqual(['new policies of told']);
  });
});
