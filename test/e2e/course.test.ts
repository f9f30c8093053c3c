// The course of a run: nodes that die or hang, a CDN that misbehaves, content that changes, a live window. Small versions
// of the shipped scenarios, with other times and seeds. Whatever happens, devices complete, no byte is wrong, the books
// balance. In one file, because most of the time these runs wait, and they can do so side by side.

import { describe, expect, test } from 'vitest';
import { runsLongTests } from '../long-tests.ts';
import { canLookUp, SimRun } from './sim-run.ts';

const sound = {
  'devices.completedRatio': 1,
  'devices.failedCount': 0,
  'fleet.unfetchedBytes': 0,
  'integrity.corruptBytes': 0,
  'integrity.uncheckedBytes': 0,
  'accounting.imbalanceBytes': 0,
};

function sum(metrics: Record<string, number>, start: string): number {
  return Object.entries(metrics).reduce((total, [name, value]) => (name.startsWith(start) ? total + value : total), 0);
}

describe.concurrent('a node that goes away', () => {
  test.for([
    { killAt: '1 s', restartAt: '2.5 s', lateAt: '4 s', seed: 21 },
    { killAt: '700 ms', restartAt: '1200 ms', lateAt: '3 s', seed: 22 },
  ])('killed at $killAt: devices go on at the CDN; after its return at $restartAt it is used again', async (times) => {
    const run = new SimRun('scenarios/failover.yaml', {
      set: {
        'fleet.0.devices': 100,
        'fleet.0.arrive.over': '1500 ms',
        'fleet.1.devices': 20,
        'fleet.1.arrive.at': times.lateAt,
        'fleet.1.arrive.over': '500 ms',
        'nodes.0.limit.egress': '400 Mbit/s',
        'events.0.at': times.killAt,
        'events.1.at': times.restartAt,
        'expect.1': 'fallback.deviceCount >= 5',
        'expect.3': 'group.early.fleet.bytesFromCdn >= 20 MB',
      },
      options: ['--seed', String(times.seed)],
    });
    expect(await run.exitCode()).toBe(0);
    const { metrics, unavailable, timeline } = run.run();
    expect(metrics).toMatchObject({ ...sound, 'group.late.fleet.bytesFromCdn': 0, 'fleet.usefulBytes': 480e6 });
    expect(metrics['fallback.timeMs.p50']).toBeGreaterThan(0);
    expect(metrics['fallback.timeMs.max']).toBeLessThan(10_000);
    expect(metrics['fallback.cdnByteRatio']).toBeGreaterThan(0);
    expect(sum(metrics, 'fallback.byCause.')).toBe(metrics['fallback.deviceCount']);
    expect(metrics['accounting.lostLedgerBytes']).toBeGreaterThan(0);
    expect(unavailable['node.hq.hitRatioRequests']).toContain('its books are gone');
    expect(timeline.map(({ what }) => what)).toEqual(['kill hq', 'restart hq']);
  });

  test.skipIf(!runsLongTests)(
    'frozen: connections hang for the time-out, then the CDN; thawed, it is used again',
    {
      timeout: 60_000,
    },
    async () => {
      const run = new SimRun('scenarios/freeze.yaml', {
        set: {
          'fleet.0.devices': 40,
          'fleet.0.arrive.over': '1 s',
          'fleet.1.devices': 10,
          'fleet.1.arrive.at': '23 s',
          'fleet.1.arrive.over': '500 ms',
          'nodes.0.limit.egress': '200 Mbit/s',
          'events.0.at': '800 ms',
          'events.1.at': '22 s',
          'expect.1': 'fallback.deviceCount >= 5',
        },
        options: ['--seed', '23'],
      });
      expect(await run.exitCode()).toBe(0);
      const metrics = run.metrics();
      expect(metrics).toMatchObject({ ...sound, 'group.late.fleet.bytesFromCdn': 0, 'fleet.usefulBytes': 200e6 });
      expect(metrics['fallback.timeMs.p50']).toBeGreaterThan(4000);
      expect((metrics['fallback.byCause.stall'] ?? 0) + (metrics['fallback.byCause.timeout'] ?? 0)).toBe(
        metrics['fallback.deviceCount'],
      );
      // A node that does not answer for 21 s must not bend what is sampled of the CDN meanwhile.
      const series = run.run().series.columns['cdn.egressBitsPerSecond'] ?? [];
      expect(series.reduce((total, value) => total + value / 8, 0)).toBeCloseTo(metrics['cdn.egressBytes'] ?? 0, -1);
    },
  );

  test.skipIf(!canLookUp)(
    'one of its workers killed from outside: the run goes on, the lost books are told',
    async () => {
      const run = new SimRun(`
name: Worker
content: [{ id: update, size: 4 MB }]
nodes: [{ id: hq, limit: { egress: 160 Mbit/s } }]
fleet: [{ id: office, devices: 20, cacheHosts: [hq], wants: [update] }]
expect: [devices.completedRatio == 1]
`);
      await run.isDownloading(12e6); // both workers have sent some
      const worker = run.nodeProcesses().at(-1);
      process.kill(worker?.pid ?? 0, 'SIGKILL');
      expect(await run.exitCode()).toBe(0);
      const metrics = run.metrics();
      expect(metrics).toMatchObject({ ...sound, 'fleet.usefulBytes': 80e6 });
      expect(metrics['accounting.lostLedgerBytes']).toBeGreaterThan(0);
    },
  );
});

describe.concurrent('a CDN that misbehaves for a while', () => {
  const faults = [
    { fault: 'status: 503', counted: true },
    { fault: 'delay: 300 ms', counted: false },
    { fault: 'stall: true, after: 1000 B', counted: false },
    { fault: 'reset: true, after: 100 kB', counted: true },
    { fault: 'shortBody: true', counted: true },
    { fault: 'wrongContentRange: true', counted: true },
  ];
  // All six in one run, each for some requests of a content of its own.
  test.for([
    { way: 'straight', hosts: '[]' },
    { way: 'through the node', hosts: '[hq]' },
  ])('$way: all devices complete, failures are counted', async ({ hosts }) => {
    const run = new SimRun(`
name: Faults
seed: 5
content:
${faults.map((_, i) => `  - { id: c${i}, size: 3 MB }`).join('\n')}
nodes: [{ id: hq }]
fleet:
${faults.map((_, i) => `  - { id: g${i}, devices: 5, cacheHosts: ${hosts}, wants: [c${i}], arrive: { over: 500 ms } }`).join('\n')}
events:
${faults.map(({ fault }, i) => `  - { at: 0 s, cdn: { ${fault}, content: c${i}, for: 1500 ms, count: 4 } }`).join('\n')}
expect: [devices.completedRatio == 1]
`);
    expect(await run.exitCode()).toBe(0);
    const { metrics, timeline, problems } = run.run();
    expect(metrics).toMatchObject({ ...sound, 'fleet.usefulBytes': 90e6 });
    expect(timeline.length).toBe(faults.length);
    if (hosts === '[]') {
      const counted = faults.filter((each) => each.counted).length;
      expect(metrics['range.failedCount']).toBeGreaterThanOrEqual(counted);
      expect(problems.length).toBeGreaterThanOrEqual(counted);
      expect(metrics['fleet.bytesFromCdn']).toBe(
        (metrics['fleet.usefulBytes'] ?? 0) + (metrics['fleet.refetchedBytes'] ?? 0),
      );
    }
  });

  test.for([{ hosts: '[]' }, { hosts: '[hq]' }])(
    'a new version in mid-run: no mixing (cache hosts $hosts)',
    async ({ hosts }) => {
      const run = new SimRun(`
name: New version
seed: 6
content: [{ id: update, size: 4 MB }]
cdn: { egress: 160 Mbit/s }
nodes: [{ id: hq, limit: { egress: 160 Mbit/s } }]
fleet: [{ id: office, devices: 15, cacheHosts: ${hosts}, wants: [update] }]
events: [{ at: 1 s, version: update }]
expect: [devices.completedRatio == 1]
`);
      expect(await run.exitCode()).toBe(0);
      const metrics = run.metrics();
      expect(metrics).toMatchObject({ ...sound, 'fleet.usefulBytes': 60e6 });
      const { 'fleet.bytesFromCdn': fromCdn = 0, 'fleet.bytesFromCacheServer': fromNode = 0 } = metrics;
      expect(fromCdn + fromNode).toBe(60e6 + (metrics['fleet.refetchedBytes'] ?? 0));
      if (hosts === '[]') {
        expect(metrics['fleet.refetchedBytes']).toBeGreaterThan(0);
        expect(run.run().problems.join('\n')).toMatch(/B received for nothing \(version\): fetched again/);
      }
    },
  );
});

describe.concurrent('a live window: the whole fleet connects first, then ranges are due at a rate', () => {
  test('enterprise.yaml, small: due ranges are counted, the rate is sustained', async () => {
    const run = new SimRun('scenarios/enterprise.yaml', {
      set: {
        'fleet.0.devices': 200,
        'live.window': '12 s',
        'live.demand': '200 Mbit/s',
        'expect.2.that': 'devices.connectedCountMax == 200',
        'expect.3.that': 'node.hq.egressBitsPerSecond.sustained >= 180 Mbit/s',
      },
    });
    expect(await run.exitCode()).toBe(0);
    const { metrics, notes, expectations } = run.run();
    // 200 Mbit/s for 12 s, in ranges of 1 MiB or (the last of a file) less.
    const meanBytes = 2e9 / Math.ceil(2e9 / 2 ** 20);
    const due = Math.round((25e6 * 12) / meanBytes);
    expect(metrics['fleet.rangeCount']).toBeGreaterThanOrEqual(due - 1);
    expect(metrics['fleet.rangeCount']).toBeLessThanOrEqual(due + 1);
    expect(metrics).toMatchObject({ 'range.failedCount': 0, 'accounting.imbalanceBytes': 0 });
    expect(metrics['node.hq.egressBitsPerSecond.sustained']).toBeLessThan(220e6);
    expect(notes.join('\n')).toContain('arrivals are ignored');
    expect(expectations[0]).toMatchObject({ verdict: 'notJudged', reason: 'it is for the virtual world only' });
  });

  test.skipIf(!runsLongTests)('at most: the limit of the node is what comes', async () => {
    const run = new SimRun(`
name: Window
seed: 9
content: [{ id: update, size: 2 GB }]
nodes: [{ id: hq, limit: { egress: 400 Mbit/s } }]
fleet: [{ id: office, devices: 200, connectionsPerFile: 1, cacheHosts: [hq], wants: [update] }]
live: { window: 12 s, demand: max }
expect:
  - devices.connectedCountMax == 200
  - node.hq.egressBitsPerSecond.sustained >= 300 Mbit/s
`);
    expect(await run.exitCode()).toBe(0);
    const metrics = run.metrics();
    expect(metrics['node.hq.egressBitsPerSecond.mean']).toBeGreaterThan(300e6);
    expect(metrics['node.hq.egressBitsPerSecond.mean']).toBeLessThan(450e6);
    expect(metrics).toMatchObject({ 'devices.connectedCountMax': 200, 'accounting.imbalanceBytes': 0 });
  });
});
