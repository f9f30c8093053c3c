// Results for the tests of reports: of real runs in the virtual world, and what a long or a hostile one would be.

import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { conclude } from '../../simulator/commands/conclude-run.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import { resultForm } from '../../simulator/result/result-schema.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';
import { runVirtual } from '../../simulator/world/virtual/virtual-world.ts';

/** Of a scenario of the repository, in the virtual world. */
export async function resultOf(scenario: string, overrides: readonly string[] = []): Promise<Result> {
  const loaded = loadScenario(join(repositoryRoot, 'scenarios', `${scenario}.yaml`), overrides);
  const { run, interrupted } = await runVirtual(loaded.scenario);
  const finished = [{ run, generatorSaturated: false, interrupted, broken: undefined }];
  return conclude(loaded, finished, new Date('2026-11-28T01:02:16Z')).result;
}

/** The only run, or the first. */
export function firstRun({ runs }: Result): Run {
  const [run] = runs;
  if (run === undefined) throw new Error('a result of a test has a run');
  return run;
}

/**
 * As if it had been measured and predicted, too: the same numbers under other purposes, with what only a live run has. Series
 * begin two seconds before the run, on seconds of the epoch.
 */
export function withMeasurement(result: Result): Result {
  const claim = firstRun(result);
  const { columns } = claim.series;
  const measurement: Run = {
    ...claim,
    world: 'live',
    purpose: 'measurement',
    metrics: { ...claim.metrics, 'generator.cpuRatio': 0.3, 'generator.saturated': 0 },
    series: {
      startSecond: 1_790_000_000,
      runStartSecond: 1_790_000_002,
      columns: {
        ...columns,
        'devices.connectedCount': (columns['devices.activeCount'] ?? []).map((count) => count + 1),
        'generator.coresInUse': (columns['range.rangesPerSecond'] ?? []).map(() => 0.2),
      },
    },
    problems: ['3 × reset: ECONNRESET'],
    processes: [
      { name: 'device process 0', cpuMs: 1000, cpuRatio: 0.3, devices: 2000, latenessMsP99: 1, eventLoopDelayMsP99: 2 },
      { name: 'node hq', cpuMs: 2000, cpuRatio: 1.2 },
    ],
  };
  const names = ['fleet.bytesFromCacheServer', 'range.serviceMs.p50', 'cdn.egressBytes'];
  const prediction = names.map((name, index) => {
    const measured = claim.metrics[name] ?? 1;
    const predicted = measured * ([1, 1.3, 0.02][index] ?? 1);
    return { name, predicted, measured, lnRatio: Math.log(predicted / measured) };
  });
  const runs: readonly Run[] = [claim, measurement, { ...claim, purpose: 'prediction' }];
  return checked({ ...result, runs, prediction });
}

/** A day in seconds, of `nodeCount` nodes. */
export function longResult(result: Result, nodeCount: number): Result {
  const run = firstRun(result);
  const length = 86_400;
  const waves = [0, 1, 2, 3].map((phase) =>
    Array.from(
      { length },
      (_, second) => 1e9 * (1.5 + Math.sin(second / 900 + phase)) + ((second * 7919) % 1000) * 1e5,
    ),
  );
  const wave = (phase: number): number[] => waves[phase % waves.length] ?? [];
  const columns: Record<string, number[]> = {
    'range.rangesPerSecond': wave(0),
    'range.failuresPerSecond': wave(1),
    'devices.activeCount': wave(2),
    'devices.completedCount': wave(3),
    'devices.connectedCount': wave(4),
    'fleet.fromCdnBitsPerSecond': wave(5),
    'cdn.egressBitsPerSecond': wave(6),
    'generator.coresInUse': wave(7),
  };
  const metrics: Record<string, number> = { ...run.metrics };
  for (let node = 0; node < nodeCount; node += 1) {
    for (const kind of ['egress', 'upstream', 'hit', 'miss'])
      columns[`node.n${node}.${kind}BitsPerSecond`] = wave(node);
    columns[`node.n${node}.hitRatioBytes`] = wave(node);
    columns[`node.n${node}.hitRatioRequests`] = wave(node + 1);
    metrics[`node.n${node}.egressBytes`] = 1e12;
  }
  const timeline = Array.from({ length: 50 }, (_, event) => ({ atMs: event * 1e6, what: `event ${event}` }));
  const long: Run = { ...run, metrics, timeline, durationMs: length * 1000, series: { startSecond: 0, columns } };
  return {
    ...result,
    runs: [long, { ...long, purpose: 'measurement', world: 'live' }, { ...long, purpose: 'prediction' }],
  };
}

/** Every text of a result replaced; numbers, names of metrics and what the form restricts stay. */
export function withTexts(result: Result, text: string): Result {
  const runs = result.runs.map((run): Run => {
    const columns = Object.entries(run.series.columns).map(([name, column]) => [renamed(name, text), column] as const);
    const metrics = Object.entries(run.metrics).map(([name, value]) => [renamed(name, text), value] as const);
    return {
      ...run,
      series: { ...run.series, columns: Object.fromEntries(columns) },
      metrics: Object.fromEntries(metrics),
      unavailable: { ...run.unavailable, 'range.firstByteMs.p50': text },
      expectations: run.expectations.map((each) => ({ ...each, text, reason: text })),
      limits: (run.limits ?? []).map((limit) => ({ ...limit, name: renamed(limit.name, text) })),
      timeline: [{ atMs: 1000, what: text }],
      notes: [text],
      problems: [text],
    };
  });
  return {
    ...result,
    scenario: { ...result.scenario, name: text, path: text, text, question: text },
    overrides: { [text]: text },
    command: text,
    reason: text,
    machine: { ...result.machine, cpu: text, os: text },
    profiles: { [text]: { name: text } },
    runs,
  };
}

const renamed = (name: string, text: string): string =>
  name.replace(/^node\.[^.]+\./, `node.${text.replaceAll('.', '_')}.`);

/** That what a test makes of a result is one. */
export const checked = (result: Result): Result => resultForm.parse(result);
