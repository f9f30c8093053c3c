// What a run tells Prometheus: as docs/monitoring.md lists it, with the labels that it lists, from the start.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../../common/child-program.ts';
import { RunExposition } from '../../../simulator/export/prometheus/run-exposition.ts';
import { runMetrics, runPhases } from '../../../simulator/export/prometheus/run-metrics.ts';
import { encodeHistogram, newHistogram, recordMs } from '../../../simulator/world/histogram.ts';
import type { Snapshot } from '../../../simulator/world/live/live-snapshots.ts';
import { parsePrometheus } from '../../cache/prometheus-text.ts';
import { scenarioOf } from '../../world/fleet-run.ts';

const text = readFileSync(join(repositoryRoot, 'docs/monitoring.md'), 'utf8');

const scenario = scenarioOf(`
content: [{ id: update, size: 1000 B }]
nodes: [{ id: hq }]
fleet:
  - { id: office, devices: 2, cacheHosts: [hq], wants: [update] }
  - { id: home, devices: 1, wants: [update] }`);

const exposition = (): RunExposition => new RunExposition(scenario, ['hq'], 17_000);

function snapshotWith(metrics: Readonly<Record<string, number>>, timesMs: readonly number[]): Snapshot {
  const histogram = newHistogram();
  for (const ms of timesMs) recordMs(histogram, ms);
  return {
    ...{ world: 'live', purpose: 'measurement', metrics, unavailable: {}, timeline: [], notes: [], problems: [] },
    series: { startSecond: 17, columns: { 'devices.connectedCount': [1, 2] } },
    histograms: { 'range.latencyMs': encodeHistogram(histogram) },
    durationMs: 1500,
  };
}

describe('the metrics of a run', () => {
  test('are listed by docs/monitoring.md as they are', () => {
    const rows = runMetrics.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    );
    expect(text.split('\n').filter((line) => line.startsWith('| `do_run_'))).toEqual(rows);
  });

  test('have counters and histograms at zero, and no gauge of what is not known, before the clock of the run begins', () => {
    const families = parsePrometheus(exposition().text());
    expect([...families.keys()]).toEqual(runMetrics.map(({ name }) => name));
    for (const { name, type, labels } of runMetrics) {
      const samples = [...(families.get(name)?.samples ?? [])];
      if (type !== 'gauge') expect(samples, name).not.toEqual([]);
      if (type !== 'gauge') expect(samples.filter(([, value]) => value !== 0)).toEqual([]);
      const named = samples.map(([key]) => [...key.matchAll(/(\w+)="/g)].map((match) => match[1]));
      const others = type === 'histogram' ? ['le'] : [];
      for (const names of named) {
        expect(names.filter((each) => !others.includes(each ?? ''))).toEqual(['scenario', ...labels]);
      }
    }
    expect(families.get('do_run_devices')?.samples.size).toBe(0);
    expect(families.get('do_run_imbalance_bytes')?.samples.size).toBe(0);
  });

  test('are those of the snapshot, in seconds and bytes; of what it does not know there is none', () => {
    const run = exposition();
    run.phase = 'running';
    run.take(snapshotWith({ 'group.home.fleet.bytesFromCdn': 12, 'node.hq.cpuMs': 2500 }, [0.5, 1, 20, 90_000]));
    const families = parsePrometheus(run.text());
    const [label] = [...(families.get('do_run_elapsed_seconds')?.samples.keys() ?? [])];
    const samplesOf = (name: string): Record<string, number> =>
      Object.fromEntries(
        [...(families.get(name)?.samples ?? [])].map(([key, value]) => [key.replace(`${label},`, ''), value]),
      );
    expect(samplesOf('do_run_received_bytes_total')).toEqual({ 'group="home",source="cdn"': 12 });
    expect(samplesOf('do_run_node_cpu_seconds_total')).toEqual({ 'node="hq"': 2.5 });
    expect(samplesOf('do_run_devices_connected')).toEqual({ [label ?? '']: 2 });
    expect(samplesOf('do_run_phase')).toEqual(
      Object.fromEntries(runPhases.map((phase) => [`phase="${phase}"`, phase === 'running' ? 1 : 0])),
    );
    const latency = samplesOf('do_run_range_latency_seconds');
    const [bucket, count, sum] = ['_bucket', '_count', '_sum'].map((suffix) =>
      Object.entries(latency).filter(([key]) => key.startsWith(suffix)),
    );
    expect(bucket?.map(([, value]) => value)).toEqual([2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
    expect(count?.[0]?.[1]).toBe(4);
    expect(sum?.[0]?.[1]).toBeCloseTo(90.0215, 0);
  });
});
