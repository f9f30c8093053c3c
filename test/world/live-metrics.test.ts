// From books to metrics by the contract's definitions: a run whose books are right, then one thing at a time is broken.

import { describe, expect, it } from 'vitest';
import type { LedgerEntry } from '../../common/ledger.ts';
import { findMetric } from '../../simulator/result/metrics.ts';
import { encodeHistogram, newHistogram, recordMs } from '../../simulator/world/histogram.ts';
import { measure, type NodeOutcome, type Outcome } from '../../simulator/world/live/live-metrics.ts';
import { type MergedReport, mergeReports } from '../../simulator/world/live/merge.ts';
import { reportOf } from './device-report.ts';
import { scenarioOf } from './fleet-run.ts';

const scenario = scenarioOf(`
content: [{ id: update, size: 1000 B }]
nodes: [{ id: hq }]
fleet:
  - { id: office, devices: 2, cacheHosts: [hq], wants: [update] }
  - { id: lab, devices: 1, wants: [update] }`);

const entry = (port: number, bodyBytes: number, cut = false): LedgerEntry => ({
  peer: `127.0.0.1:${port}`,
  bodyBytes,
  answerCount: 1,
  cut,
});

const times = (...ms: readonly number[]): string => {
  const histogram = newHistogram();
  for (const each of ms) recordMs(histogram, each);
  return encodeHistogram(histogram);
};

/** Two devices at the node (ports 1 and 2), one at the CDN (port 3); the node fetched once (port 9). */
function devices(): MergedReport {
  const group = { count: 2, connectedCount: 2, failedCount: 0, refetchedBytes: 0 };
  return mergeReports([
    reportOf({
      startSecond: 100,
      servers: ['hq', 'cdn'],
      bytesPerSecond: { hq: [500, 1500, 0], cdn: [0, 1000, 0] },
      connectedPerSecond: [1, 3, 2],
      verifiedBytes: 3000,
      latency: times(10, 20, 30),
      ledgers: { hq: [entry(1, 1000), entry(2, 1000)], cdn: [entry(3, 1000)] },
      groups: [
        {
          ...group,
          id: 'office',
          completedCount: 2,
          firstArrivalMs: 100,
          lastCompletionMs: 900,
          bytesFromCacheServer: 2000,
          bytesFromCdn: 0,
          rangeCount: 2,
          wantedBytes: 2000,
          usefulBytes: 2000,
          completion: times(700, 800),
        },
        {
          ...group,
          id: 'lab',
          count: 1,
          connectedCount: 1,
          completedCount: 1,
          firstArrivalMs: 50,
          lastCompletionMs: 600,
          bytesFromCacheServer: 0,
          bytesFromCdn: 1000,
          rangeCount: 1,
          wantedBytes: 1000,
          usefulBytes: 1000,
          completion: times(550),
        },
      ],
    }),
  ]);
}

const hq: NodeOutcome = {
  id: 'hq',
  books: {
    hitBytes: 1000,
    missBytes: 1000,
    egressBytes: 2000,
    healthBytes: 0,
    hitRequestCount: 1,
    missRequestCount: 1,
    requestCount: 2,
    upstreamBytes: 1000,
    lostWorkerCount: 0,
    cpuMs: 700,
  },
  ledger: { served: [entry(1, 1000), entry(2, 1000)], upstream: [entry(9, 1000)] },
  external: false,
  lost: false,
  parent: undefined,
  cpuMs: 500,
};

const rightRun = (): Outcome => ({
  scenario,
  devices: devices(),
  nodes: [hq],
  cdn: { requestCount: 2, bodyBytes: 2000, healthBytes: 0, cpuMs: 70 },
  cdnLedger: [entry(3, 1000), entry(9, 1000)],
  cdnPerSecond: [1000, 1000, 0],
  cdnCpuMs: 50,
  devicesLost: false,
  bounds: { from: 0, to: 2 },
  finished: true,
  isUnderWay: false,
});

const withNode = (change: Partial<NodeOutcome>): Outcome => ({ ...rightRun(), nodes: [{ ...hq, ...change }] });
const withBooks = (change: Partial<NonNullable<NodeOutcome['books']>>): Outcome =>
  withNode({ books: { ...(hq.books as NonNullable<NodeOutcome['books']>), ...change } });
const withDevices = (change: Partial<MergedReport>): Outcome => ({
  ...rightRun(),
  devices: { ...devices(), ...change },
});
const withGroup = (change: Partial<MergedReport['groups'][number]>): Outcome => {
  const [office, lab] = devices().groups;
  return office === undefined || lab === undefined
    ? rightRun()
    : withDevices({ groups: [{ ...office, ...change }, lab] });
};

describe('a run whose books are right', () => {
  it('has its numbers by the definitions', () => {
    const { metrics, problems } = measure(rightRun());
    expect(problems).toEqual([]);
    expect(metrics).toMatchObject({
      'accounting.imbalanceBytes': 0,
      'accounting.cutBytes': 0,
      'accounting.lostLedgerBytes': 0,
      'devices.count': 3,
      'devices.connectedCountMax': 3,
      'devices.completedCount': 3,
      'devices.completedRatio': 1,
      'group.office.devices.count': 2,
      'fleet.finishMs': 850,
      'group.office.fleet.finishMs': 800,
      'fleet.bytesFromCacheServer': 2000,
      'fleet.bytesFromCdn': 1000,
      'fallback.cdnByteRatio': 1 / 3,
      'node.hq.hitRatioBytes': 0.5,
      'node.hq.hitRatioRequests': 0.5,
      'node.hq.egressBitsPerSecond.peak': 12_000,
      'node.hq.egressBitsPerSecond.mean': 8000,
      'cdn.egressBytes': 2000,
      'integrity.verifiedBytes': 3000,
      'fallback.byCause.refused': 0,
    });
  });

  it('reports only what the registry knows, each name either measured or unavailable with a reason', () => {
    const { metrics, unavailable } = measure(rightRun());
    for (const name of [...Object.keys(metrics), ...Object.keys(unavailable)])
      expect(findMetric(name), name).toBeDefined();
    for (const [name, reason] of Object.entries(unavailable)) {
      expect(metrics[name]).toBeUndefined();
      expect(reason, name).toMatch(/\S/);
    }
    // The window was too short for ten seconds, and nobody fell back.
    expect(unavailable['node.hq.egressBitsPerSecond.sustained']).toBe('the fleet was fully at it for less than 10 s');
    expect(unavailable['fallback.timeMs.p50']).toBe('no device fell back');
  });
});

describe('a run with one thing wrong', () => {
  it.each<{ name: string; run: Outcome; imbalance: number; says: RegExp }>([
    {
      name: 'a hit too many',
      run: withBooks({ hitBytes: 1001 }),
      imbalance: 1,
      says: /hit \+ miss against egress: 2001 against 2000/,
    },
    {
      name: "a byte of a follower that was counted as a miss as well (hit for all but the fetch's own request)",
      run: withBooks({ missBytes: 2000 }),
      imbalance: 1000,
      says: /hit \+ miss against egress/,
    },
    {
      name: 'an egress counter off by one',
      run: withBooks({ hitBytes: 1001, egressBytes: 2001 }),
      imbalance: 1,
      says: /egress against its connections: 2001 against 2000/,
    },
    {
      name: 'an upstream counter off by one',
      run: withBooks({ upstreamBytes: 999 }),
      imbalance: 1,
      says: /fetched against its connections: 999 against 1000/,
    },
    {
      name: "the CDN's counter off by one",
      run: { ...rightRun(), cdn: { requestCount: 2, bodyBytes: 2001, healthBytes: 0, cpuMs: 70 } },
      imbalance: 1,
      says: /the CDN to its clients: sent against its connections: 2001 against 2000/,
    },
    {
      name: 'a byte lost between node and device, on a clean connection',
      run: withNode({
        ledger: { served: [entry(1, 1001), entry(2, 1000)], upstream: [entry(9, 1000)] },
        books: { ...(hq.books as NonNullable<NodeOutcome['books']>), hitBytes: 1001, egressBytes: 2001 },
      }),
      imbalance: 1,
      says: /node hq to its clients, connection 127.0.0.1:1: 1001 bytes sent, 1000 received/,
    },
    {
      name: 'a byte lost between CDN and node',
      run: {
        ...rightRun(),
        cdn: { requestCount: 2, bodyBytes: 2001, healthBytes: 0, cpuMs: 70 },
        cdnLedger: [entry(3, 1000), entry(9, 1001)],
      },
      imbalance: 1,
      says: /the CDN to its clients, connection 127.0.0.1:9: 1001 bytes sent, 1000 received/,
    },
    {
      name: 'useful bytes off by one',
      run: withGroup({ usefulBytes: 1999 }),
      imbalance: 1,
      says: /received against useful \+ refetched/,
    },
    {
      name: 'refetched bytes off by one',
      run: withGroup({ refetchedBytes: 1 }),
      imbalance: 2, // against what was received, and against the sum of its causes
      says: /received against useful \+ refetched/,
    },
    {
      name: 'a byte of a device in the wrong drawer',
      run: withGroup({ bytesFromCacheServer: 1999, usefulBytes: 1999 }),
      imbalance: 2,
      says: /received against their connections: 2999 against 3000/,
    },
    {
      name: 'a byte that nobody looked at',
      run: withDevices({ verifiedBytes: 2999 }),
      imbalance: 1,
      says: /received against checked/,
    },
  ])('finds $name', ({ run, imbalance, says }) => {
    const { metrics, problems } = measure(run);
    expect(metrics['accounting.imbalanceBytes']).toBe(imbalance);
    expect(
      problems.some((problem) => says.test(problem)),
      problems.join('\n'),
    ).toBe(true);
  });

  it('shows wrong bytes, and where', () => {
    const { metrics, problems } = measure(
      withDevices({ corruptBytes: 3, corruption: ['device 1: zeros stand there'] }),
    );
    expect(metrics['integrity.corruptBytes']).toBe(3);
    expect(problems).toEqual(['device 1: zeros stand there']);
  });

  it('does not say of discarded bytes that none was wrong', () => {
    const run = withDevices({ verifiedBytes: 0, uncheckedBytes: 3000 });
    const { metrics, unavailable } = measure({ ...run, scenario: { ...run.scenario, bodies: 'discard' } });
    expect(metrics).toMatchObject({ 'integrity.verifiedBytes': 0, 'integrity.uncheckedBytes': 3000 });
    expect(metrics['accounting.imbalanceBytes']).toBe(0);
    expect(metrics['integrity.corruptBytes']).toBeUndefined();
    expect(unavailable['integrity.corruptBytes']).toBe('bodies were discarded, not compared');
  });

  it('shows an abort as cut bytes', () => {
    const { metrics } = measure({
      ...rightRun(),
      cdn: { requestCount: 3, bodyBytes: 2500, healthBytes: 0, cpuMs: 70 },
      cdnLedger: [entry(3, 1500, true), entry(9, 1000)],
    });
    expect(metrics).toMatchObject({ 'accounting.cutBytes': 500, 'accounting.imbalanceBytes': 0 });
  });
});

describe('a node that was killed', () => {
  const restarted = withNode({
    lost: true,
    books: {
      hitBytes: 400,
      missBytes: 0,
      egressBytes: 400,
      healthBytes: 0,
      hitRequestCount: 1,
      missRequestCount: 0,
      requestCount: 1,
      upstreamBytes: 0,
      lostWorkerCount: 0,
      cpuMs: 0,
    },
    // Its second life served 400 bytes on port 2; the first one's connections 1 and 9 are gone with it.
    ledger: { served: [entry(2, 400)], upstream: [] },
  });
  const run: Outcome = {
    ...restarted,
    devices: {
      ...devices(),
      ledgers: { hq: [entry(1, 1600, true), entry(2, 400)], cdn: [entry(3, 1000)] },
    },
  };

  it('is reconstructed from what devices received and the CDN sent', () => {
    const { metrics, unavailable } = measure(run);
    expect(metrics).toMatchObject({
      'node.hq.egressBytes': 2000,
      'node.hq.missBytes': 1000,
      'node.hq.hitBytes': 1000,
      'node.hq.upstreamBytes': 1000,
      'accounting.lostLedgerBytes': 1600 + 1000,
      'accounting.imbalanceBytes': 0,
    });
    expect(unavailable['node.hq.requestCount']).toMatch(/killed/);
    expect(unavailable['node.hq.hitRatioRequests']).toMatch(/killed/);
  });

  it('and did not come back has no books: unavailable, not zero', () => {
    const { metrics, unavailable } = measure({
      ...rightRun(),
      nodes: [{ ...hq, lost: true, books: undefined, ledger: undefined }],
    });
    for (const name of ['requestCount', 'hitBytes', 'missBytes', 'egressBytes', 'upstreamBytes', 'hitRatioBytes']) {
      expect(metrics[`node.hq.${name}`]).toBeUndefined();
      expect(unavailable[`node.hq.${name}`]).toMatch(/killed/);
    }
    expect(metrics).toMatchObject({ 'accounting.lostLedgerBytes': 3000, 'accounting.imbalanceBytes': 0 });
    // What devices received from it is known all the same.
    expect(metrics['node.hq.egressBitsPerSecond.peak']).toBe(12_000);
  });
});

describe('what cannot be measured', () => {
  it('of a node that we did not start is unavailable, and its connections are no imbalance', () => {
    const { metrics, unavailable } = measure({
      ...rightRun(),
      nodes: [{ ...hq, external: true, books: undefined, ledger: undefined }],
    });
    expect(unavailable['node.hq.hitBytes']).toBe('only a node that this run started tells its books');
    expect(metrics['accounting.imbalanceBytes']).toBe(0);
  });

  it('of a node that served nothing has no ratio', () => {
    const nothing = {
      hitBytes: 0,
      missBytes: 0,
      egressBytes: 0,
      healthBytes: 0,
      hitRequestCount: 0,
      missRequestCount: 0,
      requestCount: 0,
      upstreamBytes: 0,
      lostWorkerCount: 0,
      cpuMs: 0,
    };
    const { metrics, unavailable } = measure(withNode({ books: nothing }));
    expect(metrics['node.hq.hitBytes']).toBe(0);
    expect(unavailable['node.hq.hitRatioBytes']).toBe('it answered nothing');
    expect(unavailable['node.hq.hitRatioRequests']).toBe('it answered nothing');
  });

  it('of a fleet that did not finish is no finish time', () => {
    const unfinished = withGroup({ completedCount: 1 });
    expect(measure(unfinished).unavailable['fleet.finishMs']).toBe('a device failed');
    const broken = measure({ ...unfinished, finished: false });
    expect(broken.unavailable['fleet.finishMs']).toBe('the run ended before every device completed');
    expect(broken.metrics['group.lab.fleet.finishMs']).toBe(550);
  });

  it('counts devices of a process that died as not completed', () => {
    // Two of three devices are in the reports of the processes that live.
    const { metrics, unavailable } = measure({
      ...withGroup({ count: 1, completedCount: 1 }),
      devicesLost: true,
      finished: false,
    });
    expect(metrics).toMatchObject({
      'devices.count': 3,
      'devices.completedRatio': 2 / 3,
      'group.office.devices.count': 2,
      'group.office.devices.completedRatio': 0.5,
    });
    expect(unavailable['fleet.finishMs']).toBe('the run ended before every device completed');
  });
});

describe('the generator', () => {
  const histogramOf = (...ms: readonly number[]) => {
    const histogram = newHistogram();
    for (const each of ms) recordMs(histogram, each);
    return histogram;
  };
  type Process = MergedReport['processes'][number];
  const idle: Process = {
    part: 0,
    cpuMs: 5000,
    cpuWaitMs: 200,
    wallMs: 10_000,
    devices: 2,
    lateness: histogramOf(1),
    loopDelay: histogramOf(1),
  };
  const measured = (...processes: readonly Partial<Process>[]) =>
    measure(withDevices({ processes: processes.map((each, part) => ({ ...idle, part, ...each })) }));

  it.each<{ name: string; process: Partial<Process>; limits: string[] }>([
    { name: 'nothing', process: {}, limits: [] },
    {
      name: 'nothing, just so',
      process: { lateness: histogramOf(99), loopDelay: histogramOf(99), cpuMs: 9400, cpuWaitMs: 0 },
      limits: [],
    },
    {
      name: 'one late range of 200',
      process: { lateness: histogramOf(340, ...new Array<number>(199).fill(1)) },
      limits: [],
    },
    { name: 'its processor time', process: { cpuMs: 9700 }, limits: ['device process 1 used 97 % of a core'] },
    {
      name: 'its processor time, on a system that does not tell waits',
      process: { cpuMs: 9700, cpuWaitMs: undefined },
      limits: ['device process 1 used 97 % of a core'],
    },
    {
      name: 'others on its processor',
      process: { cpuMs: 4000, cpuWaitMs: 5800 },
      limits: ['device process 1 was never idle: 40 % of a core used, 58 % of the time without one'],
    },
    {
      name: 'its lateness',
      process: { lateness: histogramOf(340) },
      limits: ['device process 1 sent ranges 340 ms late (99 %)'],
    },
    {
      name: 'its event loop',
      process: { loopDelay: histogramOf(210, ...new Array<number>(40).fill(1)) },
      limits: [
        'device process 1 kept what was due waiting for 210 ms (99 %), its event loop stood still for up to 210 ms',
      ],
    },
    {
      name: 'all of it',
      process: { cpuMs: 9900, lateness: histogramOf(2000), loopDelay: histogramOf(150) },
      limits: [
        'device process 1 sent ranges 2.00 s late (99 %)',
        'device process 1 kept what was due waiting for 150 ms (99 %), its event loop stood still for up to 150 ms',
        'device process 1 used 99 % of a core',
      ],
    },
  ])('limited by $name says so, and which process it was', ({ process, limits }) => {
    const { metrics, generatorLimits } = measured({}, process);
    expect(generatorLimits).toEqual(limits);
    expect(metrics['generator.saturated']).toBe(limits.length > 0 ? 1 : 0);
  });

  it('has its share of all processor time, and of the busiest process', () => {
    const { metrics } = measured({ cpuMs: 500 }, { cpuMs: 150 });
    // The node took 500 ms, the CDN 50 ms.
    expect(metrics).toMatchObject({ 'generator.cpuRatio': 0.05, 'generator.cpuWaitRatio': 0.02 });
    const cpuMs = measure(withDevices({ cpuMs: 1650 })).metrics['generator.cpuShareRatio'];
    expect(cpuMs).toBe(0.75);
  });

  it('has no share when a node did not tell its time, and says whose is missing', () => {
    const { unavailable } = measure(withNode({ cpuMs: undefined }));
    expect(unavailable['generator.cpuShareRatio']).toBe('what node hq took of the processors is not known');
  });

  it('does not claim that nobody waited where the system does not tell', () => {
    const { unavailable, processes } = measured({ cpuWaitMs: undefined });
    expect(unavailable['generator.cpuWaitRatio']).toContain('does not tell');
    expect(processes[0]).not.toHaveProperty('cpuWaitRatio');
  });

  it('has a row for each process and program', () => {
    const { processes } = measured({}, { cpuMs: 9000, lateness: histogramOf(), loopDelay: histogramOf(3, 4) });
    expect(processes).toEqual([
      {
        ...{ name: 'device process 0', cpuMs: 5000, cpuRatio: 0.5, cpuWaitRatio: 0.02, devices: 2 },
        ...{ latenessMsP99: 1, eventLoopDelayMsP99: 1, eventLoopDelayMsMax: 1 },
      },
      {
        ...{ name: 'device process 1', cpuMs: 9000, cpuRatio: 0.9, cpuWaitRatio: 0.02, devices: 2 },
        ...{ eventLoopDelayMsP99: 4.001, eventLoopDelayMsMax: 4.001 },
      },
      { name: 'node hq', cpuMs: 500, cpuRatio: 0.05 },
      { name: 'the CDN', cpuMs: 50, cpuRatio: 0.005 },
    ]);
  });
});
