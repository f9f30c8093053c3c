// Runs that do not come to their end: Ctrl-C, a part that dies, kill -9 of the whole. Each ends in a clear message and
// the right exit code; what was measured is saved; nothing is left.

import { describe, expect, test } from 'vitest';
import { canLookUp, eventually, SimRun } from './sim-run.ts';

/** Takes 40 s if it is left alone. */
const slow = `
name: Slow
seed: 4
content: [{ id: update, size: 4 MB }]
nodes: [{ id: hq, limit: { egress: 16 Mbit/s } }]
fleet:
  - { id: office, devices: 20, cacheHosts: [hq], wants: [update] }
  - { id: straight, devices: 5, wants: [update] }
expect: [devices.completedRatio == 1, fleet.bytesFromCdn == 20 MB]
`;

const frozen = `${slow}events: [{ at: 1500 ms, freeze: hq }]\n`;

/** Ends with ranges under way that never come: it waits for them. */
const waitsAtItsEnd = `
name: Waits
content: [{ id: update, size: 100 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 10, cacheHosts: [hq], wants: [update] }]
live: { window: 1500 ms, demand: 80 Mbit/s }
events: [{ at: 500 ms, freeze: hq }]
`;

/** Connecting is short: on a busy machine the run may have started before the signal comes. */
const phases = [
  { phase: 'starting', scenario: slow, measured: 'no' },
  { phase: 'connecting', scenario: slow, measured: 'perhaps' },
  { phase: 'running', scenario: slow, measured: 'yes' },
  { phase: 'finishing', scenario: waitsAtItsEnd, measured: 'yes' },
] as const;

async function reaches(run: SimRun, phase: string, scenario: string): Promise<void> {
  // What the node has sent may still be on its way: devices have some of it when it is more than the way holds.
  if (phase === 'running' && scenario === slow) await run.isDownloading(2e6);
  else await run.says(new RegExp(`^${phase}`, 'm'));
}

describe.concurrent('Ctrl-C', () => {
  test.for([
    ...phases.map((each) => ({ ...each, signal: 'SIGINT' as const })),
    { ...phases[2], signal: 'SIGTERM' as const },
  ])(
    '$signal while $phase: exit code 130, what was measured is saved',
    async ({ phase, scenario, measured, signal }) => {
      const run = new SimRun(scenario);
      await reaches(run, phase, scenario);
      const sentMs = performance.now();
      run.signal(signal);
      expect(await run.exitCode()).toBe(130);
      expect(performance.now() - sentMs).toBeLessThan(5000);
      if (measured !== 'perhaps') expect(run.wroteResult()).toBe(measured === 'yes');
      if (!run.wroteResult()) {
        expect(run.said()).toBe('Interrupted before the run had started: nothing was measured.\n');
        return;
      }
      expect(run.result()).toMatchObject({ verdict: 'interrupted', reason: 'interrupted before its end' });
      expect(run.stdout).toContain('INTERRUPTED');
      const metrics = run.metrics();
      expect(metrics).toMatchObject({ 'accounting.imbalanceBytes': 0, 'integrity.corruptBytes': 0 });
      if (measured === 'yes') expect(metrics['fleet.bytesFromCacheServer']).toBeGreaterThan(0);
      const { verdict, reason } = run.run().expectations[0] ?? {};
      if (phase === 'running')
        expect({ verdict, reason }).toEqual({ verdict: 'inconclusive', reason: 'the run was cut short' });
    },
  );
});

describe.skipIf(!canLookUp).concurrent('a part of the run dies (found by /proc)', () => {
  test('a device process: the others report, its part is lost, not wrong', async () => {
    // 600 devices: two processes. The limited node serves first come, first served, so they come one by one.
    const run = new SimRun(slow, {
      set: { 'fleet.0.devices': 600, 'fleet.0.arrive': '{ over: 1 s }', 'nodes.0.limit.egress': '80 Mbit/s' },
    });
    await run.isDownloading(15e6);
    process.kill(run.processes('device-process')[0]?.pid ?? 0, 'SIGKILL');
    expect(await run.exitCode()).toBe(3);
    expect(run.said()).toMatch(/^The run could not be carried to its end: device process \d ended unexpectedly$/m);
    expect(run.result()).toMatchObject({
      verdict: 'inconclusive',
      reason: expect.stringMatching(/device process \d ended unexpectedly/),
    });
    const metrics = run.metrics();
    expect(metrics).toMatchObject({ 'devices.count': 605, 'accounting.imbalanceBytes': 0 });
    expect(metrics['accounting.lostLedgerBytes']).toBeGreaterThan(0);
    expect(metrics['fleet.bytesFromCacheServer']).toBeGreaterThan(0);
  });

  test('the CDN: its books are unavailable, not zero', async () => {
    const run = new SimRun(slow);
    await run.isDownloading(2e6);
    process.kill(run.processes('simulator/cloud/main')[0]?.pid ?? 0, 'SIGKILL');
    expect(await run.exitCode()).toBe(3);
    expect(run.said()).toContain('The run could not be carried to its end: the CDN ended unexpectedly');
    const { metrics, unavailable } = run.run();
    expect(metrics['fleet.bytesFromCacheServer']).toBeGreaterThan(0);
    expect(metrics).not.toHaveProperty(['cdn.egressBytes']);
    expect(metrics['accounting.imbalanceBytes']).toBe(0);
    expect(unavailable['cdn.egressBytes']).toBe('the CDN ended before it could hand over its books');
  });

  test.for([
    { scenario: slow, how: 'running' },
    { scenario: frozen, how: 'frozen' },
  ])("a node's owner, not by the scenario, $how", async ({ scenario, how }) => {
    const run = new SimRun(scenario);
    if (how === 'frozen') await stopped(run);
    else await run.isDownloading(2e6);
    process.kill(run.nodeProcesses()[0]?.pid ?? 0, 'SIGKILL');
    expect(await run.exitCode()).toBe(3);
    expect(run.said()).toContain('The run could not be carried to its end: node hq ended unexpectedly');
    const { metrics, unavailable } = run.run();
    expect(metrics).toMatchObject({ 'accounting.imbalanceBytes': 0, 'integrity.corruptBytes': 0 });
    expect(metrics['accounting.lostLedgerBytes']).toBeGreaterThan(0);
    expect(unavailable['node.hq.egressBytes']).toContain('its books are gone');
  });

  test('a node that dies at its start', async () => {
    const run = new SimRun(slow);
    const owner = await eventually('a cache node', () => run.nodeProcesses()[0]);
    process.kill(owner.pid, 'SIGKILL');
    expect(await run.exitCode()).toBe(3);
    expect(run.said()).toBe('node hq did not start: it ended with SIGKILL.\n');
    expect(run.wroteResult()).toBe(false);
  });
});

/** Resolves once all processes of the node are stopped. */
async function stopped(run: SimRun): Promise<void> {
  await run.says(/^running/m);
  await eventually('a frozen node', () => {
    const all = run.nodeProcesses();
    return all.length > 0 && all.every(({ state }) => state === 'T') ? true : undefined;
  });
}

describe.skipIf(!canLookUp).concurrent('kill -9 of sim itself: within 5 s nothing is left', () => {
  test.for([...phases, { phase: 'frozen', scenario: frozen }])('while $phase', async ({ phase, scenario }) => {
    const run = new SimRun(scenario);
    if (phase === 'frozen') await stopped(run);
    else await reaches(run, phase, scenario);
    run.signal('SIGKILL');
    expect(await run.exitCode()).toBe('SIGKILL');
    expect(run.wroteResult()).toBe(false);
  });
});
