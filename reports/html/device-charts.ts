// Charts of devices: in which state they were, how long they took, how long a range took.

import type { Run } from '../../simulator/result/result.ts';
import { decodeHistogram, type Histogram, percentileMs } from '../../simulator/world/histogram.ts';
import { valueText } from '../value-text.ts';
import { type Chart, lookOf, sentence } from './chart.ts';
import type { PlotLine, PlotPoint } from './plot.ts';
import { columnOf, type TimeColumn, timeChart } from './time-chart.ts';
import { metricOf } from './traffic-charts.ts';

/** How many devices wait, download, are done, gave up; and how many are connected, where that was measured. */
export function devicesChart(run: Run): Chart | undefined {
  const states: readonly (readonly [string, Omit<TimeColumn, 'values' | 'unit' | 'counts'>])[] = [
    ['devices.completedCount', { name: 'completed', shape: 'stack', tone: 'green', dash: 'solid' }],
    ['devices.activeCount', { name: 'downloading', shape: 'stack', tone: 'blue', dash: 'dashed' }],
    ['devices.waitingCount', { name: 'not started', shape: 'stack', tone: 'grey', dash: 'dotted' }],
    ['devices.failedCount', { name: 'gave up', shape: 'stack', tone: 'pink', dash: 'solid' }],
    ['devices.connectedCount', { name: 'connected', shape: 'line', tone: 'purple', dash: 'dashed' }],
  ];
  const columns = states.flatMap(([name, look]): TimeColumn[] => {
    const values = columnOf(run, name);
    return values === undefined ? [] : [{ ...look, values, unit: 'count', counts: 'end' }];
  });
  const [completed, all] = [metricOf(run, 'devices.completedCount'), metricOf(run, 'devices.count')];
  const [connected, failed] = [metricOf(run, 'devices.connectedCountMax'), run.metrics['devices.failedCount'] ?? 0];
  return timeChart(run, {
    id: `${run.purpose}-devices`,
    title: 'Devices by state',
    summary: sentence(
      completed && `${completed} of ${all} devices got everything they wanted`,
      failed > 0 ? `${metricOf(run, 'devices.failedCount')} gave up` : undefined,
      connected && `${connected} were connected at one moment at most`,
    ),
    columns,
    y: { kind: 'value', unit: 'count', min: 0 },
  });
}

/** The share of devices that had everything after so long; a line a group. Undefined where nobody completed. */
export function completionChart(run: Run): Chart | undefined {
  const [all, ...groups] = histogramsNamed(run, /^(?:group\.(.+)\.)?devices\.completionMs$/);
  if (all === undefined) return undefined;
  const shown = [
    { ...all, name: 'all devices' },
    ...groups.map((group) => ({ ...group, name: `group ${group.name}` })),
  ];
  const statistics = { p50: 50, p90: 90, p95: 95, p99: 99, slowest: 100 } as const;
  const said = (statistic: string): string | undefined => metricOf(run, `devices.completionMs.${statistic}`);
  return {
    id: `${run.purpose}-completion`,
    title: 'Time to complete',
    summary: sentence(
      said('p50') && `half of the devices that completed took at most ${said('p50')}, 90 % at most ${said('p90')}`,
      said('max') && `the slowest took ${said('max')}`,
    ),
    notes: ['From a device’s arrival to its last byte, over those that completed.'],
    plot: {
      x: { kind: 'value', unit: 'ms', min: 0, max: percentileMs(all.histogram, 100) ?? 0 },
      y: { kind: 'value', unit: 'ratio', min: 0, max: 1 },
      lines: shown.map(({ name, histogram }, index): PlotLine => {
        return { name, shape: 'steps', points: sharesBelow(histogram), ...lookOf(index) };
      }),
      events: [],
      limits: [],
    },
    table: {
      head: ['devices', 'completed', ...Object.keys(statistics)],
      rows: shown.map(({ name, histogram }) => [
        name,
        valueText(histogram.totalCount, 'count'),
        ...Object.values(statistics).map((percentile) => valueText(percentileMs(histogram, percentile) ?? 0, 'ms')),
      ]),
    },
  };
}

const shareSteps = 200;

/** The share of values at or below a time, at each time at which it grows by a two-hundredth. */
function sharesBelow(histogram: Histogram): PlotPoint[] {
  const first = percentileMs(histogram, 0) ?? 0;
  const points: PlotPoint[] = [
    [0, 0],
    [first, 0],
  ];
  for (let step = 1; step <= shareSteps; step += 1) {
    const ms = percentileMs(histogram, (step * 100) / shareSteps) ?? 0;
    if (points.at(-1)?.[0] === ms) points.pop();
    points.push([ms, step / shareSteps]);
  }
  return points;
}

const rangeTimes: readonly (readonly [string, string])[] = [
  ['range.latencyMs', 'from when it was due'],
  ['range.serviceMs', 'from its request'],
  ['range.firstByteMs', 'to its first byte'],
];

const percentiles = [1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100];

/** How long a range took, by percentiles. */
export function latencyChart(run: Run): Chart | undefined {
  const shown = rangeTimes.flatMap(([name, words]) => {
    const [found] = histogramsNamed(run, new RegExp(`^${name.replaceAll('.', '\\.')}$`));
    return found === undefined ? [] : [{ name: words, histogram: found.histogram }];
  });
  if (shown.length === 0) return undefined;
  const names = percentiles.map((percentile) => (percentile === 100 ? 'max' : `${percentile} %`));
  const said = (statistic: string): string | undefined => metricOf(run, `range.latencyMs.${statistic}`);
  return {
    id: `${run.purpose}-latency`,
    title: 'Time of a range, by percentiles',
    summary: sentence(
      said('p50') && `from when it was due to its last byte, half of the ranges took at most ${said('p50')}`,
      said('p99') && `99 % at most ${said('p99')}`,
      said('max') && `the slowest took ${said('max')}`,
    ),
    notes: [],
    plot: {
      x: { kind: 'names', names },
      y: { kind: 'value', unit: 'ms', isLog: true },
      lines: shown.map(({ name, histogram }, index): PlotLine => {
        const points = percentiles.map(
          (percentile, place): PlotPoint => [place, percentileMs(histogram, percentile) ?? 0],
        );
        return { name, shape: 'line', points, ...lookOf(index) };
      }),
      events: [],
      limits: [],
    },
    table: {
      head: ['share of the ranges', ...shown.map(({ name }) => name)],
      rows: percentiles.map((percentile, place) => [
        names[place] ?? '',
        ...shown.map(({ histogram }) => valueText(percentileMs(histogram, percentile) ?? 0, 'ms')),
      ]),
    },
  };
}

/** Histograms that hold something, by what the pattern finds in their names. */
function histogramsNamed({ histograms }: Run, pattern: RegExp): { name: string; histogram: Histogram }[] {
  return Object.entries(histograms).flatMap(([key, encoded]) => {
    const match = pattern.exec(key);
    const histogram = match === null ? undefined : decodeHistogram(encoded);
    return histogram === undefined || histogram.totalCount === 0 ? [] : [{ name: match?.[1] ?? '', histogram }];
  });
}
