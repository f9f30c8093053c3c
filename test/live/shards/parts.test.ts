// Parts of a run: what is put into a file comes out of it, shards add up to the run that they are of, and parts that make no
// run are refused with what is wrong with them.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OperatorError } from '../../../common/errors.ts';
import { thisMachine } from '../../../simulator/result/machine.ts';
import { encodeHistogram, newHistogram, recordMs } from '../../../simulator/world/histogram.ts';
import { concludeLive } from '../../../simulator/world/live/conclusion.ts';
import type { DeviceReport } from '../../../simulator/world/live/device-protocol.ts';
import type { DevicesPart, EnvironmentPart } from '../../../simulator/world/live/parts.ts';
import { joinParts } from '../../../simulator/world/live/shards/join-parts.ts';
import {
  type EnvironmentPartFile,
  openPart,
  type Part,
  partFileName,
  type RunIdentity,
  type ShardPart,
  sealPart,
} from '../../../simulator/world/live/shards/part.ts';
import { reportOf } from '../../world/device-report.ts';
import { scenarioOf } from '../../world/fleet-run.ts';

const scenario = scenarioOf(`
content: [{ id: update, size: 1000 B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 12, cacheHosts: [hq], wants: [update] }]`);

const run: RunIdentity = {
  toolVersion: '0.1.0',
  scenario: { name: 'Test', path: 'test.yaml', sha256: 'a'.repeat(64), text: 'name: Test' },
  overrides: { 'fleet.0.devices': '12' },
  seed: 7,
};

const startEpochMs = 100_000;

/** What a device process reports whose devices each got 1000 bytes in one range, after these times. */
function reportOfDevices(times: readonly number[], startSecond: number, firstPort: number): DeviceReport {
  const histogram = newHistogram();
  for (const ms of times) recordMs(histogram, ms);
  const encoded = encodeHistogram(histogram);
  const bytes = times.length * 1000;
  return reportOf({
    startSecond,
    servers: ['hq', 'cdn'],
    bytesPerSecond: { hq: [0, bytes, 0], cdn: [0, 0, 0] },
    connectedPerSecond: [0, times.length, 0],
    verifiedBytes: bytes,
    latency: encoded,
    ledgers: {
      hq: times.map((_, i) => ({ peer: `127.0.0.1:${firstPort + i}`, bodyBytes: 1000, answerCount: 1, cut: false })),
    },
    groups: [
      {
        id: 'office',
        count: times.length,
        connectedCount: times.length,
        completedCount: times.length,
        failedCount: 0,
        firstArrivalMs: Math.min(0, ...times),
        lastCompletionMs: Math.max(0, ...times),
        bytesFromCacheServer: bytes,
        bytesFromCdn: 0,
        rangeCount: times.length,
        wantedBytes: bytes,
        usefulBytes: bytes,
        refetchedBytes: 0,
        completion: encoded,
      },
    ],
  });
}

const books = {
  ...{ hitBytes: 11_000, missBytes: 1000, egressBytes: 12_000, healthBytes: 0, hitRequestCount: 11 },
  ...{ missRequestCount: 1, requestCount: 12, upstreamBytes: 1000, lostWorkerCount: 0, cpuMs: 90 },
};

function environmentOf(served: readonly DeviceReport[]): EnvironmentPart {
  const upstream = [{ peer: '127.0.0.1:9', bodyBytes: 1000, answerCount: 1, cut: false }];
  const cdnBooks = { requestCount: 1, bodyBytes: 1000, healthBytes: 0, cpuMs: 5 };
  return {
    nodes: [
      {
        ...{ id: 'hq', external: false, lost: false, books },
        ledger: { served: served.flatMap((report) => report.ledgers['hq'] ?? []), upstream },
        samples: [
          {
            atEpochMs: startEpochMs - 500,
            counters: { ...books, egressBytes: 0, hitBytes: 0, missBytes: 0, cpuMs: 40 },
          },
          { atEpochMs: startEpochMs + 1500, counters: books },
        ],
      },
    ],
    cdn: { books: cdnBooks, ledger: upstream, samples: [{ atEpochMs: startEpochMs - 500, counters: cdnBooks }] },
    timeline: [{ atMs: 500, what: 'something' }],
  };
}

const reports = [
  reportOfDevices([10, 20, 30], 99, 1000),
  reportOfDevices([5, 25, 400], 100, 2000),
  reportOfDevices([1, 2, 3], 99, 3000),
  reportOfDevices([70, 80, 90], 101, 4000),
];
const clock = { aheadMs: 0.25, errorMs: 0.5 };

function shardOf(index: number, count = 4, change: Partial<ShardPart> = {}, of: Partial<DevicesPart> = {}): ShardPart {
  const own = reports.slice(index, index + 1);
  const devices = { shard: { index, count }, reports: own, lost: false, clock, ...of };
  return { kind: 'devices', run, startEpochMs, machine: thisMachine(), devices, ...change };
}

const environment: EnvironmentPartFile = {
  kind: 'environment',
  run: { ...run, scenario: { ...run.scenario, path: '/elsewhere/test.yaml' } },
  startEpochMs,
  machine: thisMachine(),
  environment: environmentOf(reports),
  shardCount: 4,
  startedAt: '2026-11-28T12:00:00.000Z',
  durationMs: 2000,
  interrupted: false,
  hardware: [],
};

const whole: readonly Part[] = [environment, ...[0, 1, 2, 3].map((index) => shardOf(index))];
const join = (parts: readonly Part[], allowMissing = false) =>
  joinParts(
    parts.map((part, i) => ({ from: `${'abcdefgh'[i]}.json`, part })),
    allowMissing,
  );

describe('a part', () => {
  test.each(whole.map((part) => [partFileName(part), part] as const))(
    '%s comes out as it was put in',
    (_name, part) => {
      expect(openPart(sealPart(part), 'x')).toEqual(part);
    },
  );

  test('has a name that no other part of the run has', () => {
    expect(whole.map(partFileName)).toEqual([
      'environment.part.json',
      ...['shard-0-of-4.part.json', 'shard-1-of-4.part.json', 'shard-2-of-4.part.json', 'shard-3-of-4.part.json'],
    ]);
  });

  test('is refused when any character of it is another one, or its end is missing', () => {
    const sealed = sealPart(shardOf(1)).trimEnd();
    const place = fc.nat(sealed.length - 1);
    fc.assert(
      fc.property(place, fc.constantFrom('0', '7', 'x', '"', ' ', '}'), (at, character) => {
        const changed = sealed.slice(0, at) + character + sealed.slice(at + 1);
        fc.pre(changed !== sealed);
        expect(() => openPart(changed, 'copy.json')).toThrow(/^copy\.json: expected a part of a run/);
      }),
      { seed: 1 },
    );
    fc.assert(
      fc.property(place, (length) => {
        expect(() => openPart(sealed.slice(0, length), 'copy.json')).toThrow(OperatorError);
      }),
      { seed: 1 },
    );
  });

  const sealed = sealPart(shardOf(1));
  test.each([
    ['cut off', sealed.slice(0, 400), 'found one that is cut off. Copy it again.'],
    ['edited', sealed.replace('"seed":7', '"seed":8'), 'its checksum does not hold for: it was edited, or damaged'],
    [
      'of another form',
      sealed.replace('"schema":1', '"schema":2'),
      'one of form 2, not 1: it comes from another version',
    ],
    ['no part', '{"runs":[]}', 'found another file.'],
    ['no JSON', 'name: Test', 'found another file.'],
    ['nothing', 'null', 'found another file.'],
  ])('that is %s is refused', (_what, text, message) => {
    expect(() => openPart(text, 'copy.json')).toThrow(message);
  });
});

describe('the parts of a run', () => {
  test('in shards measure what the run measures as a whole: metrics, series, histograms, verdict on the books', () => {
    const one: DevicesPart = { shard: { index: 0, count: 1 }, reports, lost: false };
    const base = { startEpochMs, durationMs: 2000, environment: environment.environment, interrupted: false };
    const asOne = concludeLive(scenario, { ...base, devices: [one] });
    const { parts } = join([...whole].reverse().map((part) => openPart(sealPart(part), 'x')));
    const inShards = concludeLive(scenario, parts);
    expect(inShards.run.notes.at(-1)).toContain('run in 4 shards; their clocks were within 0.3 ms');
    expect({ ...inShards.run, notes: [] }).toEqual({ ...asOne.run, notes: [] });
    expect(asOne.run.metrics).toMatchObject({
      'fleet.rangeCount': 12,
      'devices.completedCount': 12,
      'accounting.imbalanceBytes': 0,
      'node.hq.cpuMs': 50,
    });
  });

  test.each<[string, readonly Part[], string]>([
    ['a shard is missing', whole.slice(0, 4), 'missing: shard 3/4 (--allow-missing goes on without)'],
    ['two are missing', [environment, shardOf(1), shardOf(2)], 'missing: shard 0/4, shard 3/4'],
    ['the environment is missing', whole.slice(1), 'the environment is missing'],
    ['the environment is there twice', [...whole, environment], 'the environment is there twice: a.json and f.json'],
    ['a shard is there twice', [...whole, shardOf(2)], 'shard 2/4 is there twice: d.json and f.json'],
    [
      'one began at another time',
      [...whole.slice(0, 4), shardOf(3, 4, { startEpochMs: 101_000 })],
      'e.json (shard 3/4) is not of the run of a.json: it began at 1970-01-01T00:01:41.000Z, expected 1970-01-01T00:01:40.000Z',
    ],
    [
      'one is of a fleet cut otherwise',
      [...whole.slice(0, 4), shardOf(3, 5)],
      'its fleet was cut into 5 shards, expected 4',
    ],
    [
      'one has another seed',
      [...whole.slice(0, 4), shardOf(3, 4, { run: { ...run, seed: 8 } })],
      'its seed is 8, expected 7',
    ],
    [
      'one has other overrides',
      [...whole.slice(0, 4), shardOf(3, 4, { run: { ...run, overrides: {} } })],
      'its scenario was changed by nothing, expected --set fleet.0.devices=12',
    ],
    [
      'one is of another scenario',
      [
        ...whole.slice(0, 4),
        shardOf(3, 4, { run: { ...run, scenario: { ...run.scenario, sha256: 'b'.repeat(64), name: 'Other' } } }),
      ],
      'its scenario is "Other" (sha256 bbbbbbbbbbbb…), expected "Test" (sha256 aaaaaaaaaaaa…)',
    ],
    [
      'one is of another version of sim',
      [...whole.slice(0, 4), shardOf(3, 4, { run: { ...run, toolVersion: '0.2.0' } })],
      'it is of version 0.2.0 of sim, expected 0.1.0',
    ],
    [
      'nobody has measured anything',
      [{ ...environment, shardCount: 1 }, shardOf(0, 1, {}, { reports: [] })],
      'no shard',
    ],
  ])('are refused when %s', (_what, parts, message) => {
    expect(() => join(parts)).toThrow(message);
    expect(() => join(parts)).toThrow(/^These parts make no run:\n {2}.*\nNothing was merged\.$/s);
  });

  test('go on without a missing shard when that is allowed: as a run that broke off, with devices lost, not wrong', () => {
    const { parts } = join(whole.slice(0, 4), true);
    const live = concludeLive(scenario, parts);
    expect(live.broken).toBe('parts are missing: shard 3/4');
    expect(live.run.metrics).toMatchObject({
      'devices.completedCount': 9,
      'devices.count': 12,
      'accounting.imbalanceBytes': 0,
      'accounting.lostLedgerBytes': 3000,
    });
  });

  test('name the shard whose load generator was the limit, though it hardly shows in all of them', () => {
    const report = { ...reportOfDevices([1, 2, 3], 100, 2000), cpuMs: 980, wallMs: 1000 };
    const { parts } = join([environment, shardOf(0), shardOf(1, 4, {}, { reports: [report] }), shardOf(2), shardOf(3)]);
    const live = concludeLive(scenario, parts);
    expect(live.run.generatorLimits).toEqual(['shard 1/4: device process 0 used 98 % of a core']);
    expect(live.run.metrics['generator.saturated']).toBe(1);
  });

  test('say why a shard could not go on', () => {
    const parts = [...whole.slice(0, 4), shardOf(3, 4, {}, { broken: 'it was interrupted' })];
    expect(join(parts).parts.broken).toBe('shard 3/4: it was interrupted');
  });
});
