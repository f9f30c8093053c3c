import { describe, expect, it } from 'vitest';
import { randomStream } from '../../common/random.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';
import { checkProfile } from '../../simulator/scenario/load-profile.ts';
import { Network } from '../../simulator/world/virtual/network.ts';
import { runVirtual } from '../../simulator/world/virtual/virtual-world.ts';
import { parse } from '../scenario/scenario-text.ts';

const run = async (yaml: string): Promise<Readonly<Record<string, number>>> => {
  const { run } = await runVirtual(parse(`name: Closed form\nworlds: [virtual]\n${yaml}`));
  expect(run.problems).toEqual([]);
  return run.metrics;
};
const finishMsOf = async (yaml: string): Promise<number> => (await run(yaml))['fleet.finishMs'] ?? Number.NaN;
/** Mbit/s in bytes/ms. */
const mbit = 125;

describe('closed forms', () => {
  it('the warm-up of a predicted window is left out of times and mean rates, as in the live world', async () => {
    // 400 MB over a WAN of 400 Mbit/s: it takes 8 s until nothing is missing, and what became due meanwhile waits.
    const scenario = (warmUp: string) =>
      parse(`
name: Cold
content: [{ id: a, size: 400 MB }]
nodes: [{ id: hq }]
cdn: { egress: 400 Mbit/s }
fleet: [{ id: g, devices: 50, cacheHosts: [hq], wants: [a] }]
live: { window: 40 s, demand: 800 Mbit/s${warmUp} }`);
    const machine = checkProfile(
      'name: M\nsource: a test\ncores: 8\ncpu: { perRequest: 0.01 ms, perGB: 1 ms, perFetch: 0.01 ms, fetchPerGB: 1 ms }\n' +
        'harness: { clientPerRequest: 0.01 ms, clientPerGB: 1 ms, cdnPerRequest: 0.01 ms, cdnPerGB: 1 ms }\n',
      'machine',
    ).profile;
    expect(machine).toBeDefined();
    const cold = (await runVirtual(scenario(''), { machine })).run.metrics;
    const warm = (await runVirtual(scenario(', warmUp: 20 s'), { machine })).run.metrics;
    expect(cold['range.latencyMs.max']).toBeGreaterThan(500);
    expect(warm['range.latencyMs.max']).toBeLessThan(100);
    expect(warm['node.hq.egressBitsPerSecond.mean']).toBeCloseTo(800e6, -3);
    expect(warm['node.hq.egressBytes']).toBe(cold['node.hq.egressBytes']);
  });

  it('no peak is above what the way carries, however many changes there are elsewhere', async () => {
    // Two nodes that share nothing once they have the content, and devices that go to the CDN when one of them dies.
    const scenario = parse(`
name: Peaks
worlds: [virtual]
content: [{ id: a, size: 20 MB }]
sites: [{ id: hq, link: 200 Mbit/s }]
nodes:
  - { id: one, site: hq, egress: 800 Mbit/s }
  - { id: two, site: hq, egress: 800 Mbit/s }
fleet:
  - { id: g, site: hq, devices: 3000, cacheHosts: [one, two], downlink: 50 Mbit/s, wants: [a], arrive: { over: 10 min } }
  - { id: h, site: hq, devices: 3000, cacheHosts: [two, one], downlink: 50 Mbit/s, wants: [a], arrive: { over: 10 min } }
events: [{ at: 5 min, kill: one }]`);
    const { metrics } = (await runVirtual(scenario)).run;
    const carried = { 'node.one': 800e6, 'node.two': 800e6, cdn: 200e6 };
    for (const [name, most] of Object.entries(carried)) {
      const peak = metrics[`${name}.egressBitsPerSecond.peak`];
      expect(peak, name).toBeGreaterThan(0.5 * most);
      expect(peak, name).toBeLessThanOrEqual(most * (1 + 1e-9));
    }
  });

  it('no peak is above what the ways carry that a node comes to have', async () => {
    // A device behind another link, which a second node has filled until that dies, turns to the first one.
    const scenario = parse(`
name: Peaks of ways
worlds: [virtual]
content: [{ id: small, size: 2 MB }, { id: large, size: 100 GB }]
sites: [{ id: hq }, { id: a, parent: hq, link: 100 Mbit/s }, { id: b, parent: hq, link: 100 Mbit/s }]
nodes: [{ id: one, site: hq }, { id: two, site: hq }]
fleet:
  - { id: many, site: a, devices: 20000, cacheHosts: [one], wants: [small], arrive: { over: 2 h } }
  - { id: one, site: b, devices: 1, cacheHosts: [two, one], wants: [large], policy: { fallbackDelayBackground: 1 h } }
events: [{ at: 61 s, kill: two }]`);
    const { metrics } = (await runVirtual(scenario)).run;
    const peak = metrics['node.one.egressBitsPerSecond.peak'];
    expect(peak).toBeGreaterThan(100e6);
    expect(peak).toBeLessThanOrEqual(200e6 * (1 + 1e-9));
  });

  it('N equal flows on one link end together, N times as late as one', async () => {
    const of = (devices: number) =>
      finishMsOf(`
content: [{ id: a, size: 30 MB }]
cdn: { egress: 80 Mbit/s }
fleet: [{ id: g, devices: ${devices}, wants: [a] }]`);
    for (const devices of [1, 2, 7, 1000]) {
      expect(await of(devices)).toBeCloseTo((devices * 30e6) / (80 * mbit), 6);
    }
  });

  it('two flows that come one after another share as by hand', async () => {
    // A alone for 1 s (10 MB of 30), then both at 5 MB/s: A has its last 20 MB at 5 s, and B 20 MB of its 30; then B alone.
    const finishMs = await finishMsOf(`
content: [{ id: a, size: 30 MB }]
cdn: { egress: 80 Mbit/s }
fleet:
  - { id: first, devices: 1, wants: [a] }
  - { id: second, devices: 1, wants: [a], arrive: { at: 1 s } }`);
    expect(finishMs).toBeCloseTo(6000, 6);
  });

  it('a tree of two levels shares as by hand', async () => {
    // Core 100: site x (link 30) has 4 devices, site y (no limit) 6. Level of the core: 30 + 6 l = 100, l = 11.67 > 30 / 4.
    const metrics = await run(`
content: [{ id: a, size: 15 MB }]
sites: [{ id: core, link: 100 Mbit/s }, { id: x, link: 30 Mbit/s, parent: core }, { id: y, parent: core }]
fleet:
  - { id: gx, devices: 4, site: x, connectionsPerFile: 1, wants: [a] }
  - { id: gy, devices: 6, site: y, connectionsPerFile: 1, wants: [a] }`);
    expect(metrics['group.gy.fleet.finishMs']).toBeCloseTo(15e6 / ((70 / 6) * mbit), 6);
    // Its link is the limit all the time: what y leaves of the core is more.
    expect(metrics['group.gx.fleet.finishMs']).toBeCloseTo((4 * 15e6) / (30 * mbit), 6);
  });

  it('hours that devices are told in the middle of a run end when they say', async () => {
    // 1 MB/s: 10 MB in 10 s, then a hundredth of it until 08:01 (0.5 MB in 50 s), then the other 89.5 MB.
    const finishMs = await finishMsOf(`
startsAt: 08:00
content: [{ id: a, size: 100 MB }]
fleet: [{ id: g, devices: 1, downlink: 1 MB/s, wants: [a] }]
events: [{ at: 10 s, policy: { group: g, limitedHours: { from: 07:00, to: 08:01, insideRatio: 0.01 } } }]`);
    expect(finishMs).toBeCloseTo(149_500, 6);
  });

  it('on a shared link, a device has as much as it has connections', async () => {
    // 1 and 3 connections: 10 and 30 of 40. The second has its 30 MB at 8 s, the first then 10 MB, and 20 MB left at 40.
    const metrics = await run(`
content: [{ id: a, size: 30 MB }]
cdn: { egress: 40 Mbit/s }
fleet:
  - { id: one, devices: 1, connectionsPerFile: 1, wants: [a] }
  - { id: three, devices: 1, connectionsPerFile: 3, wants: [a] }`);
    expect(metrics['group.three.fleet.finishMs']).toBeCloseTo(8000, 6);
    expect(metrics['group.one.fleet.finishMs']).toBeCloseTo(12_000, 6);
  });

  it('a cold fill of one device takes its size over the WAN, and its requests their time', async () => {
    const yaml = (connections: number, latencyMs: number) => `
content: [{ id: a, size: 100 MiB }]
cdn: { latency: ${latencyMs} ms }
nodes: [{ id: hq, egress: 10 Gbit/s, wan: 100 Mbit/s }]
fleet: [{ id: g, devices: 1, connectionsPerFile: ${connections}, downlink: 200 Mbit/s, cacheHosts: [hq], wants: [a] }]`;
    const pieceMs = (rateMbit: number): number => 2 ** 20 / (rateMbit * mbit);
    expect(await finishMsOf(yaml(3, 0))).toBeCloseTo(100 * pieceMs(100), 6);
    // One request at a time: each waits, then has the downlink's rate or the WAN's, whichever is less.
    const waiting = await finishMsOf(yaml(1, 200));
    expect(waiting).toBeGreaterThanOrEqual(100 * (200 + pieceMs(200)) * (1 - 1e-9));
    expect(waiting).toBeLessThanOrEqual(100 * (200 + pieceMs(100)) * (1 + 1e-9));
  });

  it('no fleet is faster than its bytes through its narrowest place', async () => {
    for (const [devices, wan, egress] of [
      [50, 100, 400],
      [200, 1000, 300],
      [3, 20, 1000],
    ] as const) {
      const finishMs = await finishMsOf(`
content: [{ id: a, size: 50 MB }]
nodes: [{ id: hq, egress: ${egress} Mbit/s, wan: ${wan} Mbit/s }]
fleet: [{ id: g, devices: ${devices}, downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a] }]`);
      const least = Math.max(50e6 / (wan * mbit), (devices * 50e6) / (egress * mbit), 50e6 / (100 * mbit));
      expect(finishMs).toBeGreaterThanOrEqual(least * (1 - 1e-9));
    }
  });

  it('35,000 devices have 2 GB each from 6.5 Gbit/s in 23 h 56 min, as the documents claim', async () => {
    const { scenario } = loadScenario('scenarios/enterprise.yaml');
    const { metrics } = (await runVirtual(scenario)).run;
    const least = (35_000 * 2e9) / 812_500;
    expect(metrics['fleet.finishMs']).toBeGreaterThanOrEqual(least * (1 - 1e-9));
    // Within the first seconds few devices have come, and the first pieces have to be fetched.
    expect(metrics['fleet.finishMs']).toBeLessThan(least + 10_000);
    expect(metrics['cdn.egressBytes']).toBe(2e9);
    expect(metrics['fleet.bytesFromCacheServer']).toBe(70e12);
  });
});

describe('M/G/1 with processor sharing', () => {
  /** Exponential gaps, drawn sizes, one link: mean time in the system from the network alone. */
  function meanSojournMs(load: number, sizeOf: (uniform: number) => number, flows: number): number {
    const uniform = randomStream(7, `sojourn/${load}`);
    const network = new Network(flows, { moved: () => undefined, resolved: () => undefined });
    const link = network.addResource(1, 0);
    const each = network.addClass({ connections: 1, cap: 1e6, capLimit: 0, uses: [], coefficients: [] }, 0);
    network.setUses(each, [link], [1], 0);
    network.resolve(0);
    const arrivedMs = new Float64Array(flows);
    let sum = 0;
    let done = 0;
    const endBefore = (atMs: number): void => {
      while (network.firstEndMs <= atMs) {
        const endMs = network.firstEndMs;
        const flow = network.queueOf(each).first;
        if (network.classEndingAt(endMs) !== each) throw new Error('the only class ends first');
        network.leave(each, flow, 1, endMs);
        network.resolve(endMs);
        sum += endMs - (arrivedMs[flow] as number);
        done += 1;
      }
    };
    let nowMs = 0;
    for (let flow = 0; flow < flows; flow += 1) {
      nowMs += -Math.log(1 - uniform()) / load;
      endBefore(nowMs);
      arrivedMs[flow] = nowMs;
      network.enter(each, flow, sizeOf(uniform()), 1, nowMs);
      network.resolve(nowMs);
    }
    endBefore(Number.MAX_VALUE);
    expect(done).toBe(flows);
    return sum / flows;
  }

  it.each([
    { what: 'equal sizes', load: 0.5, sizeOf: () => 1 },
    { what: 'equal sizes, busier', load: 0.8, sizeOf: () => 1 },
    { what: 'exponential sizes', load: 0.7, sizeOf: (uniform: number) => -Math.log(1 - uniform) },
    { what: 'one in ten sixteen times as large', load: 0.6, sizeOf: (uniform: number) => (uniform < 0.1 ? 6.4 : 0.4) },
  ])('has a mean sojourn of E[S] / (1 - ρ), whatever the sizes: $what', ({ load, sizeOf }) => {
    // The mean size is 1, and the link moves 1 in a ms: ρ is the load.
    const measured = meanSojournMs(load, sizeOf, 150_000);
    // Deviation over seeds: about 1 %, at 80 % load 2 %.
    expect(Math.abs(Math.log(measured * (1 - load)))).toBeLessThan(0.04);
  });
});
