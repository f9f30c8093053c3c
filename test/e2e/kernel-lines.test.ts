// Lines that the kernel makes, by a whole run: devices in a network namespace of their own, behind a link that is as slow as
// it was told, and neither left when the run is over, however it ends. As root on Linux; elsewhere it is refused in words.

import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { SimRun } from './sim-run.ts';

const ip = (...words: string[]): string => spawnSync('ip', words, { encoding: 'utf8' }).stdout ?? '';

/** Whether this kernel has a queueing discipline; looked at in a namespace that is made for it. */
function kernelHas(...discipline: string[]): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const name = `dosim-probe-${process.pid}`;
  spawnSync('ip', ['netns', 'add', name]);
  const { status } = spawnSync('tc', ['-n', name, 'qdisc', 'add', 'dev', 'lo', 'root', ...discipline]);
  spawnSync('ip', ['netns', 'delete', name]);
  return status === 0;
}

const hasRates = kernelHas('tbf', 'rate', '1mbit', 'burst', '64kb', 'latency', '100ms');
const hasDelays = kernelHas('netem', 'delay', '1ms');
if (!hasRates) process.stderr.write('skipped: lines by the kernel (root on Linux with tc and tbf)\n');
if (!hasDelays) process.stderr.write('skipped: delays and losses by the kernel (root on Linux with tc and netem)\n');

const scenario = (line: string, sizeMb = 2) => `
name: Office and field
content: [{ id: update, size: ${sizeMb} MB }]
nodes: [{ id: hq }]
fleet:
  - { id: office, devices: 8, cacheHosts: [hq], wants: [update] }
  - { id: field, devices: 4, cacheHosts: [hq], wants: [update], line: { by: kernel, ${line} } }
expect: [devices.completedRatio == 1, accounting.imbalanceBytes == 0, fleet.bytesFromCdn == 0]
`;

/** What `sim` with this process number leaves on the machine. */
const left = ({ child }: SimRun): string[] => {
  const own = `dosim${(child.pid ?? 0).toString(36)}-`;
  const all = [...ip('netns', 'list').split('\n'), ...Object.keys(networkInterfaces())];
  return all.filter((name) => name.startsWith(own));
};

describe.skipIf(!hasRates).concurrent('a line by the kernel', () => {
  test('has its rate for the whole group, costs the others nothing, and is gone afterwards', async () => {
    const run = new SimRun(scenario('rate: 40 Mbit/s'));
    expect(await run.exitCode()).toBe(0);
    const metrics = run.metrics();
    // 8 MB at 40 Mbit/s take 1.6 s, less what a full bucket of 64 KiB gives at once.
    expect(metrics['group.field.fleet.finishMs']).toBeGreaterThan(1580);
    expect(metrics).toMatchObject({ 'group.field.fleet.bytesFromCacheServer': 8e6, 'devices.completedCount': 12 });
    expect(run.run().notes).toContain('line of field (given): 40.0 Mbit/s for all its devices, by the kernel');
    expect(left(run)).toEqual([]);
  });

  test('is there while the run is, with its own network, and gone after kill -9', async () => {
    const run = new SimRun(scenario('rate: 5 Mbit/s', 20));
    await run.isDownloading(1e6);
    expect(left(run)).toHaveLength(2);
    const [namespace = ''] = left(run)[0]?.split(' ') ?? [];
    expect(ip('-n', namespace, 'route', 'list')).toMatch(/^default via 198\.1[89]\.\S+ dev uplink/);
    const shown = spawnSync('tc', ['qdisc', 'show', 'dev', namespace], { encoding: 'utf8' }).stdout;
    expect(shown).toMatch(/^qdisc tbf \S+ root refcnt \d+ rate 5Mbit burst 64Kb lat 100ms/);
    run.signal('SIGKILL');
    expect(await run.ended).toBe('SIGKILL');
    await run.leavesNothing();
    await expect.poll(() => left(run)).toEqual([]);
  });

  test.skipIf(hasDelays)('says what the kernel does not have, and leaves nothing', async () => {
    const run = new SimRun(scenario('latency: 20 ms'));
    expect(await run.exitCode()).toBe(3);
    expect(run.stderr).toContain('The line of field could not be made: "tc qdisc add dev dosim');
    expect(run.stderr).toContain('This kernel has no netem: "modprobe sch_netem", or let the process make the line');
    expect(left(run)).toEqual([]);
  });
});

describe.skipIf(!hasDelays).concurrent('a line of delays and losses', () => {
  test('costs each request its round trip', async () => {
    const run = new SimRun(scenario('latency: 50 ms, lossRatio: 0.001'));
    expect(await run.exitCode()).toBe(0);
    const metrics = run.metrics();
    // Opening, and the first range.
    expect(metrics['group.field.devices.completionMs.p50']).toBeGreaterThan(200);
    expect(metrics['group.field.fleet.bytesFromCacheServer']).toBe(8e6);
    expect(left(run)).toEqual([]);
  });
});

test.skipIf(process.platform === 'linux' && process.getuid?.() === 0)(
  'is refused, with what it takes, before anything is started',
  async () => {
    const run = new SimRun(scenario('rate: 40 Mbit/s'));
    expect(await run.exitCode()).toBe(2);
    expect(run.stderr).toMatch(/fleet field: line by the kernel: that takes (Linux|root)/);
  },
);
