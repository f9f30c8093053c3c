// Charts of what the machines did: shares from the cache, what bound over time, processors in use.

import type { Run } from '../../simulator/result/result.ts';
import { valueText } from '../value-text.ts';
import { limitLines } from '../words.ts';
import { type Chart, lookOf, sentence, tableRowsMax } from './chart.ts';
import type { PlotPoint } from './plot.ts';
import { columnOf, stepStartMs, type TimeColumn, timeChart } from './time-chart.ts';
import { metricOf, nodeIds } from './traffic-charts.ts';

const nodesMax = 4;

/** The share of bytes, and of requests, that nodes had; over time. */
export function hitRatioChart(run: Run): Chart | undefined {
  const ids = nodeIds(run).filter((id) => columnOf(run, `node.${id}.hitRatioBytes`) !== undefined);
  const columns = ids.slice(0, nodesMax).flatMap((id, index): TimeColumn[] =>
    (['Bytes', 'Requests'] as const).flatMap((what): TimeColumn[] => {
      const values = columnOf(run, `node.${id}.hitRatio${what}`);
      if (values === undefined) return [];
      const name = `${id}, of the ${what.toLowerCase()}`;
      const { tone } = lookOf(index);
      return [
        {
          name,
          values,
          unit: 'ratio',
          counts: 'mean',
          shape: 'line',
          tone,
          dash: what === 'Bytes' ? 'solid' : 'dashed',
        },
      ];
    }),
  );
  const said = ids.slice(0, nodesMax).map((id) => {
    const [bytes, requests] = [metricOf(run, `node.${id}.hitRatioBytes`), metricOf(run, `node.${id}.hitRatioRequests`)];
    return (
      bytes && `node ${id}: ${bytes} of the bytes${requests === undefined ? '' : ` and ${requests} of the requests`}`
    );
  });
  return timeChart(run, {
    id: `${run.purpose}-hits`,
    title: 'From cache, by bytes and requests',
    summary: sentence(...said),
    columns,
    y: { kind: 'value', unit: 'ratio', min: 0, max: 1 },
    notes: [
      'While a node sends nothing, its last share is kept.',
      ...(ids.length > nodesMax ? [`The first ${nodesMax} of ${ids.length} nodes; the table of nodes has all.`] : []),
    ],
  });
}

/** Processors in use on this machine. Undefined in the virtual world. */
export function processorChart(run: Run, machineCores: number): Chart | undefined {
  const looks = [
    ...nodeIds(run)
      .slice(0, nodesMax)
      .map((id, index) => ({ key: `node.${id}.coresInUse`, name: `node ${id}`, ...lookOf(index) })),
    { key: 'cdn.coresInUse', name: 'CDN', tone: 'orange', dash: 'dashed' } as const,
    { key: 'generator.coresInUse', name: 'load generator', tone: 'grey', dash: 'dotted' } as const,
  ];
  const columns = looks.flatMap(({ key, ...look }): TimeColumn[] => {
    const values = columnOf(run, key);
    return values === undefined ? [] : [{ ...look, values, unit: 'cores', counts: 'mean', shape: 'line' }];
  });
  const busiest = metricOf(run, 'generator.cpuRatio');
  const isSaturated = run.metrics['generator.saturated'] === 1;
  return timeChart(run, {
    id: `${run.purpose}-processors`,
    title: 'Processors in use',
    summary: sentence(
      busiest && `the busiest process of the load generator took ${busiest} of a core`,
      busiest && `the load generator was ${isSaturated ? '' : 'not '}the limit`,
    ),
    columns,
    y: { kind: 'value', unit: 'cores', min: 0 },
    limits: [{ at: machineCores, label: `${valueText(machineCores, 'cores')} of this machine` }],
  });
}

/** Which limit bound most of what moved, step by step. Undefined where it was one throughout, or (live) is not known. */
export function limitChart(run: Run): Chart | undefined {
  const indexes = run.series.columns['limitIndex'];
  const { limits } = run;
  if (indexes === undefined || limits === undefined) return undefined;
  const spans = spansOfLimits(run, indexes);
  const bound = [...new Set(spans.map(({ index }) => index))].filter((index) => index >= 0);
  if (bound.length < 2) return undefined;
  const names = bound.map((index) => limits[index]?.name ?? `limit ${index}`);
  const points = spans.flatMap(({ index, fromMs, toMs }): PlotPoint[] => {
    const place = bound.indexOf(index);
    return place < 0
      ? []
      : [
          [fromMs, place],
          [toMs, place],
        ];
  });
  return {
    id: `${run.purpose}-limit`,
    title: 'What bound, when',
    summary: sentence(limitLines(run)[0]),
    notes: ['Of each step, the limit that bound most of what moved.'],
    plot: {
      x: { kind: 'value', unit: 'ms', min: 0, max: spans.at(-1)?.toMs ?? 0 },
      y: { kind: 'names', names },
      lines: [{ name: 'binds', shape: 'steps', tone: 'purple', dash: 'solid', points }],
      events: run.timeline.map(({ atMs }, index) => ({ at: atMs, label: String(index + 1) })),
      limits: [],
    },
    table: {
      head: ['from', 'to', 'what bound'],
      rows: spans
        .slice(0, tableRowsMax)
        .map(({ index, fromMs, toMs }) => [
          valueText(fromMs, 'ms'),
          valueText(toMs, 'ms'),
          index < 0 ? 'nothing moved' : (limits[index]?.name ?? ''),
        ]),
    },
  };
}

function spansOfLimits(run: Run, indexes: readonly number[]): { index: number; fromMs: number; toMs: number }[] {
  const spans: { index: number; fromMs: number; toMs: number }[] = [];
  for (const [step, index] of indexes.entries()) {
    const last = spans.at(-1);
    const toMs = stepStartMs(run, step + 1);
    if (last?.index === index) last.toMs = toMs;
    else spans.push({ index, fromMs: stepStartMs(run, step), toMs });
  }
  return spans;
}
