// From observations of a known machine to its profile, and to the file that holds it.

import { describe, expect, it } from 'vitest';
import { isMap, parse, parseDocument } from 'yaml';
import { randomStream } from '../../common/random.ts';
import { parseQuantity } from '../../common/units.ts';
import { calibrate } from '../../simulator/calibration/calibration.ts';
import { planExperiments } from '../../simulator/calibration/experiment.ts';
import { capacityBytesPerMs } from '../../simulator/calibration/prediction.ts';
import { isUntouched, profileText } from '../../simulator/calibration/profile-text.ts';
import { calibrationTable } from '../../simulator/commands/calibration-table.ts';
import { capacity, known, observationsOf } from './observations.ts';

const of = (seconds: number, noise?: () => number) => calibrate(observationsOf(seconds, noise), 'machine', 'a test');

describe('a calibration', () => {
  it('finds every figure of a known machine, with all experiments', () => {
    const { profile, figures, comparisons } = of(60);
    expect(profile.cores).toBeCloseTo(known.cores, 6);
    expect(profile.cpu?.msPerConnection).toBeCloseTo(known.cpu.msPerConnection, 6);
    expect(profile.harness?.clientMsPerConnection).toBeCloseTo(known.harness.clientMsPerConnection, 6);
    expect(profile.cpu?.msPerRequest).toBeCloseTo(known.cpu.msPerRequest, 6);
    expect((profile.cpu?.msPerByte ?? 0) * 1e9).toBeCloseTo(160, 3);
    expect(profile.cpu?.msPerFetch).toBeCloseTo(known.cpu.msPerFetch, 6);
    expect((profile.cpu?.msPerByteFetched ?? 0) * 1e9).toBeCloseTo(700, 3);
    expect(profile.harness?.clientMsPerRequest).toBeCloseTo(known.harness.clientMsPerRequest, 6);
    expect((profile.harness?.clientMsPerByte ?? 0) * 1e9).toBeCloseTo(200, 3);
    expect(profile.harness?.cdnMsPerRequest).toBeCloseTo(known.harness.cdnMsPerRequest, 6);
    expect((profile.harness?.cdnMsPerByte ?? 0) * 1e9).toBeCloseTo(150, 3);
    expect(profile.latency?.hitMs).toBeCloseTo(known.latency.hitMs, 6);
    expect(profile.latency?.missMs).toBeCloseTo(known.latency.missMs, 6);
    expect(profile.concurrency?.sigma).toBeCloseTo(known.concurrency.sigma, 6);
    expect((profile.concurrency?.kappa ?? 0) * 1e6).toBeCloseTo(1, 3);
    for (const { residuals } of figures) expect(residuals?.worstLn).toBeLessThan(1e-4);
    for (const { fittedBytesPerMs, measuredBytesPerMs } of comparisons) {
      expect(fittedBytesPerMs / measuredBytesPerMs).toBeCloseTo(1, 4);
    }
  });

  it('with few experiments finds the same, but cannot tell a fetch from its bytes', () => {
    const { profile } = of(20);
    const { msPerFetch, msPerByteFetched } = known.cpu;
    expect(profile.cpu?.msPerFetch).toBeCloseTo(msPerFetch + 2 ** 20 * msPerByteFetched, 6);
    expect(profile.cpu?.msPerByteFetched).toBe(0);
    expect(profile.latency?.hitMs).toBeCloseTo(known.latency.hitMs, 6);
    expect(profile.latency?.missMs).toBeCloseTo(known.latency.missMs, 6);
    expect(profile.concurrency?.sigma).toBeCloseTo(known.concurrency.sigma, 6);
  });

  it.each([1, 2, 3])('predicts throughput within 10 %% under noise of 5 %% (seed %i)', (seed) => {
    const random = randomStream(seed, 'noise');
    const { profile } = of(60, () => Math.exp(0.1 * (random() - 0.5)));
    for (const connections of [2, 8, 32, 512]) {
      const ratio = capacityBytesPerMs(profile, connections, 2 ** 20) / capacity(connections);
      expect(Math.abs(Math.log(ratio))).toBeLessThan(0.1);
    }
  });

  it('says how much other programs disturbed it', () => {
    const disturbed = observationsOf(60).map((each) => ({ ...each, otherCores: 0.7 }));
    const { notes } = calibrate(disturbed, 'machine', 'a test');
    expect(notes[0]).toMatch(/^other programs used 0\.70 cores/);
    expect(of(60).notes.join()).not.toContain('other programs');
  });
});

describe('a plan', () => {
  it.each([
    { seconds: 5, windowMs: 2000, experiments: 7 },
    { seconds: 20, windowMs: 2000, experiments: 7 },
    { seconds: 60, windowMs: 3000, experiments: 14 },
    { seconds: 3600, windowMs: 30_000, experiments: 14 },
  ])('of $seconds s has $experiments experiments, windows of $windowMs ms', ({ seconds, windowMs, experiments }) => {
    const plan = planExperiments(seconds);
    expect(plan.experiments.length).toBe(experiments);
    expect(Math.max(...plan.experiments.map(({ scenario }) => scenario.live?.windowMs ?? 0))).toBe(windowMs);
    for (const { scenario } of plan.experiments) {
      expect(scenario.fleet.reduce((sum, group) => sum + group.devices, 0)).toBeLessThanOrEqual(12_000);
    }
  });
});

describe('the text of a profile', () => {
  const calibration = of(60);
  const text = profileText(calibration, ['About this machine.']);

  it('comes back from YAML with the units of scenario files, to four digits', () => {
    const values = parse(text) as Record<string, Record<string, string>>;
    const { profile } = calibration;
    expect(Object.keys(values)).toEqual([
      'name',
      'source',
      'memory',
      'cores',
      'cpu',
      'latency',
      'concurrency',
      'harness',
      'basis',
    ]);
    const ratio = (written: string | undefined, kind: 'duration' | 'bytes', value = 0): number =>
      (parseQuantity(written ?? '', kind) ?? 0) / value;
    for (const [written, ms] of [
      [values['cpu']?.['perRequest'], profile.cpu?.msPerRequest],
      [values['cpu']?.['perGB'], (profile.cpu?.msPerByte ?? 0) * 1e9],
      [values['cpu']?.['perFetch'], profile.cpu?.msPerFetch],
      [values['cpu']?.['fetchPerGB'], (profile.cpu?.msPerByteFetched ?? 0) * 1e9],
      [values['latency']?.['hit'], profile.latency?.hitMs],
      [values['latency']?.['miss'], profile.latency?.missMs],
      [values['harness']?.['clientPerRequest'], profile.harness?.clientMsPerRequest],
      [values['harness']?.['cdnPerGB'], (profile.harness?.cdnMsPerByte ?? 0) * 1e9],
    ] as const) {
      expect(ratio(written, 'duration', ms)).toBeCloseTo(1, 3);
    }
    expect(values['concurrency']).toEqual({ sigma: 0.5, kappa: 1e-6, connectionsMax: 1000 });
    expect(values['cores']).toBe(1.9);
    expect(values['basis']).toEqual(profile.basis);
  });

  it('keeps comments on its fits when a reader writes it again', () => {
    const document = parseDocument(text);
    expect(document.errors).toEqual([]);
    expect(isMap(document.contents)).toBe(true);
    expect(document.toString({ lineWidth: 0 })).toBe(text);
    expect(text).toMatch(/# Fit: median 0\.000, worst 0\.000, n = \d+\ncores: 1\.9\n/);
    expect(text).toContain('# About this machine.\n');
  });

  it('is known as ours until somebody edits it', () => {
    expect(isUntouched(text)).toBe(true);
    expect(isUntouched(text.replace('cores: 1.9', 'cores: 2'))).toBe(false);
    expect(isUntouched('name: by hand\n')).toBe(false);
  });

  it('has no line for what was not measured', () => {
    const { profile } = calibration;
    const bare = { ...profile, cpu: undefined, harness: undefined, cores: undefined, egressBytesPerMs: 125_000 };
    const values = parse(profileText({ ...calibration, profile: bare }, [])) as Record<string, unknown>;
    expect(Object.keys(values)).toEqual(['name', 'source', 'egress', 'memory', 'latency', 'concurrency', 'basis']);
    expect(values['egress']).toBe('1 Gbit/s');
  });
});

describe('the table', () => {
  it('shows each figure with its fit, and each throughput beside what the profile makes of it', () => {
    const text = calibrationTable(of(60));
    expect(text).toMatch(/cores +│ 1\.90 +│ 0\.000 +│ 0\.000/);
    expect(text).toMatch(/node, a GB +│ 160 ms/);
    expect(text).toMatch(/hits, 1 MiB, 16 connections +│ .* Gbit\/s +│ .* Gbit\/s +│ [+-]0\.0 %/);
  });
});
