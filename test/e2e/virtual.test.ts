// `sim run` in the virtual world as a user runs it: what it leaves, how it ends, and what it makes of the live world beside it.

import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { allMetrics } from '../../simulator/result/metrics.ts';
import { resultForm } from '../../simulator/result/result-schema.ts';
import { SimRun } from './sim-run.ts';

/** Takes 8 s of virtual time. */
const small = `
name: Small
content: [{ id: update, size: 10 MB }]
nodes: [{ id: hq, egress: 100 Mbit/s }]
fleet: [{ id: office, devices: 10, cacheHosts: [hq], wants: [update] }]
expect: [devices.completedRatio == 1, cdn.egressBytes == 10 MB]
`;

const virtualOnly = small.replace('nodes:', 'worlds: [virtual]\nnodes:');

/** What `sim calibrate` may write of some machine. */
const machine = `name: Some machine
source: sim calibrate, 2026-11-20
cores: 1.8
cpu: { perRequest: 0.2 ms, perGB: 300 ms, perFetch: 0.5 ms, fetchPerGB: 800 ms }
latency: { hit: 0.4 ms, miss: 0.8 ms }
concurrency: { sigma: 0.02, kappa: 0.00001, connectionsMax: 1000 }
harness: { clientPerRequest: 0.15 ms, clientPerGB: 300 ms, cdnPerRequest: 0.15 ms, cdnPerGB: 200 ms }
basis: { cores: measured, cpu: measured, latency: measured, concurrency: measured, harness: measured }
`;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** It says so, ends with exit code 2, and leaves not even an empty folder. */
async function refusal(run: SimRun): Promise<string> {
  expect(await run.exitCode()).toBe(2);
  expect(run.stdout).toBe('');
  expect(existsSync(run.out)).toBe(false);
  return run.said();
}

describe.concurrent('sim run --world virtual', () => {
  test('failover.yaml: a complete result, whose series and rows add up to its metrics', async () => {
    const run = new SimRun('scenarios/failover.yaml', { world: 'virtual', options: ['--devices'] });
    expect(await run.exitCode()).toBe(0);
    const result = run.result();
    expect(result).toMatchObject({ verdict: 'pass', runs: [{ world: 'virtual', purpose: 'claim' }] });
    expect(result.command).toBe('sim run scenarios/failover.yaml --seed 7 --world virtual');
    const { metrics, unavailable, series, limits = [], timeline, durationMs } = run.run();
    expect(metrics).toMatchObject({
      'devices.completedCount': 2000,
      'fleet.usefulBytes': 8e9,
      'accounting.imbalanceBytes': 0,
      'group.late.fleet.bytesFromCdn': 0,
    });
    expect(timeline).toEqual([
      { atMs: 5000, what: 'kill hq' },
      { atMs: 12_000, what: 'restart hq' },
    ]);

    // Every metric of the virtual world is there, or says why not.
    const names = allMetrics()
      .filter(({ worlds }) => worlds.includes('virtual'))
      .flatMap(({ name }) =>
        name.startsWith('group.')
          ? [name.replace('<id>', 'early'), name.replace('<id>', 'late')]
          : [name.replace('node.<id>', 'node.hq')],
      );
    const told = [...Object.keys(metrics), ...Object.keys(unavailable)];
    expect(names.filter((name) => !told.includes(name))).toEqual([]);
    expect(Object.keys(metrics).filter((name) => !names.includes(name))).toEqual([]);

    const { stepSeconds = 0, columns } = series;
    expect(stepSeconds).toBeGreaterThan(0);
    const stepCount = Math.ceil(durationMs / 1000 / stepSeconds);
    expect(new Set(Object.values(columns).map(({ length }) => length))).toEqual(new Set([stepCount]));
    const bytesOf = (name: string): number => (sum(columns[name] ?? []) * stepSeconds) / 8;
    // To the byte, but for the rounding of metrics to whole ones.
    expect(bytesOf('node.hq.egressBitsPerSecond')).toBeCloseTo(metrics['node.hq.egressBytes'] ?? 0, -1);
    expect(bytesOf('cdn.egressBitsPerSecond')).toBeCloseTo(metrics['cdn.egressBytes'] ?? 0, -1);
    expect(bytesOf('fleet.fromCdnBitsPerSecond')).toBeCloseTo(metrics['fleet.bytesFromCdn'] ?? 0, -1);
    expect(columns['devices.completedCount']?.at(-1)).toBe(2000);
    expect(columns['devices.activeCount']?.at(-1)).toBe(0);

    // What bound all that moved, and where the number comes from.
    expect(sum(limits.map(({ boundRatio }) => boundRatio))).toBeCloseTo(1, 6);
    expect(limits).toContainEqual(expect.objectContaining({ name: 'node.hq.limit', capacity: 2e9, basis: 'given' }));
    expect(Math.max(...(columns['limitIndex'] ?? []))).toBeLessThan(limits.length);

    const [head = '', ...rows] = run.file('devices.csv').trim().split('\n');
    const column = (name: string): string[] => rows.map((row) => row.split(',')[head.split(',').indexOf(name)] ?? '');
    const total = (name: string): number => sum(column(name).map(Number));
    expect(rows.length).toBe(2000);
    // Rows are rounded to whole bytes, each by itself.
    const rounding = rows.length / 2;
    const { 'fleet.bytesFromCdn': fromCdn = 0, 'fleet.bytesFromCacheServer': fromNode = 0 } = metrics;
    expect(Math.abs(total('BytesFromCdn') - fromCdn)).toBeLessThanOrEqual(rounding);
    expect(Math.abs(total('BytesFromCacheServer') - fromNode)).toBeLessThanOrEqual(rounding);
    expect(total('FileSize')).toBe(metrics['fleet.wantedBytes']);
    expect(column('FallbackCause').filter((cause) => cause !== '').length).toBe(metrics['fallback.deviceCount']);
    expect(column('Status').every((status) => status === 'Complete')).toBe(true);
    const slowestMs = Math.max(...column('DownloadDuration').map(Number)) * 1000;
    // Percentiles are those of a histogram, within 1 %.
    expect(Math.abs(slowestMs / (metrics['devices.completionMs.max'] ?? 0) - 1)).toBeLessThan(0.01);
  });

  test('the same seed: the same metrics, series and histograms, bit for bit; another seed: others', async () => {
    const runs = ['11', '11', '12'].map(
      (seed) => new SimRun('scenarios/freeze.yaml', { world: 'virtual', options: ['--seed', seed] }),
    );
    for (const run of runs) expect(await run.exitCode()).toBe(0);
    const [first, again, other] = runs.map((run) => run.run());
    expect(again).toEqual(first);
    expect(other?.metrics).not.toEqual(first?.metrics);
  });

  test('an expectation failed: 1; it was expected to fail: 0; nothing could be judged: 4', async () => {
    const failing = small.replace('cdn.egressBytes == 10 MB', 'fleet.finishMs <= 7 s');
    const unjudged = small.replace(/expect: .*/, 'expect: [{ world: live, that: devices.completedRatio == 1 }]');
    const [failed, expected, none] = [failing, `${failing}expected: fail\n`, unjudged].map(
      (text) => new SimRun(text, { world: 'virtual' }),
    );
    expect(await failed?.exitCode()).toBe(1);
    expect(failed?.stdout).toContain('FAIL  1 of 3 judged expectations failed');
    expect(await expected?.exitCode()).toBe(0);
    expect(expected?.result().reason).toBe('1 of 3 judged expectations failed, as expected');
    expect(await none?.exitCode()).toBe(4);
    expect(none?.stdout).toContain('INCONCLUSIVE  nothing was judged');
  });

  test('--json prints the result, --quiet nothing', async () => {
    const json = new SimRun(small, { world: 'virtual', options: ['--json'] });
    const quiet = new SimRun(small, { world: 'virtual', options: ['--quiet'] });
    expect(await json.exitCode()).toBe(0);
    expect(resultForm.parse(JSON.parse(json.stdout))).toEqual(json.result());
    expect(json.stderr).toBe('');
    expect(await quiet.exitCode()).toBe(0);
    expect(quiet.stdout + quiet.stderr).toBe('');
    expect(quiet.result().verdict).toBe('pass');
    expect(existsSync(`${quiet.out}/devices.csv`)).toBe(false);
  });

  test('Ctrl-C in a long run: exit code 130, what had come is saved, and the books balance', async () => {
    const run = new SimRun(
      `
name: Long
content: [{ id: update, size: 1 GB }]
nodes: [{ id: hq, egress: 10 Gbit/s }]
fleet:
  - { id: all, devices: 2000000, cacheHosts: [hq], downlink: { from: 5 Mbit/s, to: 1 Gbit/s }, wants: [update], arrive: { over: 10 h } }
expect: [devices.completedRatio == 1]
`,
      { world: 'virtual' },
    );
    await run.says(/^virtual time /m);
    const sentMs = performance.now();
    run.signal('SIGINT');
    expect(await run.exitCode()).toBe(130);
    expect(performance.now() - sentMs).toBeLessThan(5000);
    expect(run.result()).toMatchObject({ verdict: 'interrupted', reason: 'interrupted before its end' });
    expect(run.stdout).toContain('INTERRUPTED');
    const { metrics, expectations } = run.run();
    expect(metrics).toMatchObject({ 'devices.count': 2e6, 'fleet.wantedBytes': 2e15, 'accounting.imbalanceBytes': 0 });
    expect(metrics['fleet.usefulBytes']).toBeGreaterThan(0);
    expect(metrics['fleet.unfetchedBytes']).toBeGreaterThan(0);
    expect(expectations.map(({ verdict }) => verdict)).toEqual(['inconclusive', 'pass']);
  });
});

describe.concurrent('which worlds', () => {
  test('worlds: [virtual] runs there without being told, and says why not in the other', async () => {
    const run = new SimRun(virtualOnly, { world: 'default' });
    expect(await run.exitCode()).toBe(0);
    expect(run.result().runs.map(({ purpose }) => purpose)).toEqual(['claim']);
    expect(run.run().notes).toContain('it did not run in the live world: it says worlds: [virtual]');
  });

  test.each([
    {
      what: 'worlds: [virtual] in the live one',
      text: virtualOnly,
      world: 'live',
      says: /^This scenario cannot run in the live world:\n {2}it says worlds: \[virtual\]\n$/,
    },
    {
      what: 'a node by url in the virtual one',
      text: small.replace('egress: 100 Mbit/s', 'url: "http://127.0.0.1:9"'),
      world: 'virtual',
      says: /^This scenario cannot run in the virtual world:\n {2}node hq is a real one \(http:\/\/127\.0\.0\.1:9/,
    },
    {
      what: 'an event after the end',
      text: `${small}events: [{ at: 2 min, kill: hq }]\n`,
      world: 'virtual',
      says: /^events: kill hq at 2 min 0 s came after the end.*Everybody has ended after 8\.00 s\.\n$/,
    },
  ] as const)('$what is refused: exit code 2', async ({ text, world, says }) => {
    expect(await refusal(new SimRun(text, { world }))).toMatch(says);
  });

  test('both: two runs, one set of expectations, the same bytes from the CDN', async () => {
    const run = new SimRun(small, { world: 'default', options: ['--devices'] });
    expect(await run.exitCode()).toBe(0);
    const { runs, prediction, reason } = run.result();
    expect(runs.map(({ purpose }) => purpose)).toEqual(['claim', 'measurement']);
    expect(prediction).toBeUndefined();
    expect(reason).toBe('4 judged expectations hold');
    const [claim, measurement] = runs.map(({ expectations }) => expectations.map(({ text }) => text));
    expect(claim).toEqual(measurement);
    for (const { metrics } of runs) {
      expect(metrics).toMatchObject({ 'cdn.egressBytes': 10e6, 'fleet.bytesFromCacheServer': 100e6 });
    }
    // What both assume is said once, and the rows are those of the real devices.
    expect(run.stdout.match(/assumed of the Windows client/g)).toHaveLength(1);
    expect(run.file('devices.csv').trim().split('\n')).toHaveLength(11);
    for (const heading of ['Virtual world: the claim', 'Live world: the measurement']) {
      expect(run.stdout).toContain(heading);
      expect(run.file('summary.md')).toContain(`## ${heading}`);
    }
  });
});

test('Ctrl-C while the live world starts: the claim is kept, exit code 130', async () => {
  const run = new SimRun(small, { world: 'default' });
  await run.says(/^starting/m);
  run.signal('SIGINT');
  expect(await run.exitCode()).toBe(130);
  const { runs, verdict } = run.result();
  expect(verdict).toBe('interrupted');
  expect(runs[0]?.purpose).toBe('claim');
  expect(runs[0]?.expectations.slice(0, 2).map((each) => each.verdict)).toEqual(['pass', 'pass']);
});

describe.concurrent('with a profile of this machine', () => {
  const window = small.replace(/fleet: .*/, (fleet) => `${fleet}\nlive: { window: 2 s, demand: 100 Mbit/s }`);
  test.each([
    { how: 'in the working folder', text: small, files: { 'machine-profile.yaml': machine }, options: [] },
    {
      how: 'by --profile, in a live window',
      text: window.replace(/expect: .*/, 'expect: [devices.connectedCountMax == 10]'),
      files: { 'here.yaml': machine },
      options: ['--profile', 'here.yaml'],
    },
  ])('$how: a prediction for it, compared with the measurement', async ({ text, files, options }) => {
    const run = new SimRun(text, { world: 'default', files, options });
    expect(await run.exitCode()).toBe(0);
    const { runs, prediction = [] } = run.result();
    expect(runs.map(({ purpose }) => purpose)).toEqual(['claim', 'measurement', 'prediction']);
    // It is compared, not judged.
    expect(new Set(runs[2]?.expectations.map(({ verdict }) => verdict))).toEqual(new Set(['notJudged']));
    expect(prediction.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['node.hq.egressBitsPerSecond.mean', 'node.hq.egressBytes', 'range.serviceMs.p50']),
    );
    for (const { name, predicted, measured, lnRatio } of prediction) {
      expect(predicted).toBe(runs[2]?.metrics[name]);
      expect(measured).toBe(runs[1]?.metrics[name]);
      expect(lnRatio).toBeCloseTo(Math.log(predicted / measured), 12);
    }
    expect(run.stdout).toContain('Prediction against measurement');
    expect(run.file('summary.md')).toContain('| metric | predicted | measured | by |');
  });

  test('without the live world there is nothing to predict, and that is said', async () => {
    const run = new SimRun(small, { world: 'virtual', files: { 'm.yaml': machine }, options: ['--profile', 'm.yaml'] });
    expect(await run.exitCode()).toBe(0);
    expect(run.run().notes).toContain('no prediction: that takes both worlds');
  });

  test.each([
    {
      what: 'is not there',
      files: {},
      says: 'machine.yaml: expected a hardware profile that can be read, found ENOENT\n',
    },
    {
      what: 'is of a class of hardware, not of this machine',
      files: { 'machine.yaml': 'name: Card\nsource: a table\nnic: 10 Gbit/s\n' },
      says: 'machine.yaml: expected a profile of this machine, with cores and harness, found one without; run sim calibrate.\n',
    },
    {
      what: 'has a mistake',
      files: { 'machine.yaml': machine.replace('cores: 1.8', 'cores: many') },
      says: 'machine.yaml:3:8  cores: expected a number of cores above 0, up to 1024, found "many"\n',
    },
  ])('one that $what: exit code 2, and nothing is run', async ({ files, says }) => {
    const run = new SimRun(small, { world: 'default', files, options: ['--profile', 'machine.yaml'] });
    expect(await refusal(run)).toContain(says);
  });
});
