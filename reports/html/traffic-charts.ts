// Charts of bytes on their way: what nodes send, what comes from the CDN, and what happens when a source fails.

import type { Run } from '../../simulator/result/result.ts';
import { metricText } from '../words.ts';
import { type Chart, lookOf, sentence } from './chart.ts';
import { expectedRates, limitMarks, limitsOf } from './limit-marks.ts';
import type { PlotAxis } from './plot.ts';
import { columnOf, type TimeColumn, timeChart } from './time-chart.ts';

const bitsAxis: PlotAxis = { kind: 'value', unit: 'bitsPerSecond', min: 0 };

/** Ids of the nodes of a run, in the order of its series. */
export function nodeIds({ series, metrics }: Run): readonly string[] {
  const names = [...Object.keys(series.columns), ...Object.keys(metrics)];
  return [...new Set(names.flatMap((name) => /^node\.([^.]+)\./.exec(name)?.[1] ?? []))];
}

/** So many nodes have a line of their own; what the others sent is one. */
const ownLinesMax = 6;

/** A line for each node that has such a column, with those that moved least as one. */
function nodeColumns(run: Run, column: string, suffix: string): TimeColumn[] {
  const found = nodeIds(run).flatMap((id) => {
    const values = columnOf(run, `node.${id}.${column}`);
    return values === undefined ? [] : [{ id, values, total: values.reduce((sum, value) => sum + value, 0) }];
  });
  const most = [...found].sort((a, b) => b.total - a.total).slice(0, ownLinesMax);
  const own = found.length > ownLinesMax ? most.slice(0, -1) : most;
  const others = found.filter((each) => !own.includes(each));
  const shape = found.length === 1 ? 'area' : 'line';
  const lines = found
    .filter((each) => own.includes(each))
    .map(({ id, values }, index): TimeColumn => {
      return { name: `${id}${suffix}`, values, unit: 'bitsPerSecond', counts: 'mean', shape, ...lookOf(index) };
    });
  if (others.length > 0) {
    const values = (others[0]?.values ?? []).map((_, step) =>
      others.reduce((sum, other) => sum + (other.values[step] ?? 0), 0),
    );
    const name = `${others.length} other nodes${suffix}`;
    lines.push({ name, values, unit: 'bitsPerSecond', counts: 'mean', shape, tone: 'grey', dash: 'dashed' });
  }
  return lines;
}

function columnLine(run: Run, name: string, look: Omit<TimeColumn, 'values'>): TimeColumn[] {
  const values = columnOf(run, name);
  return values === undefined ? [] : [{ ...look, values }];
}

/** What devices got from each node, and from the CDN directly, against the limits on the way. */
export function egressChart(run: Run, runs: readonly Run[]): Chart | undefined {
  const columns = [
    ...nodeColumns(run, 'egressBitsPerSecond', ''),
    ...columnLine(run, 'fleet.fromCdnBitsPerSecond', {
      ...{ name: 'CDN, directly to devices', unit: 'bitsPerSecond', counts: 'mean' },
      ...{ shape: 'line', tone: 'orange', dash: 'dashed' },
    }),
  ];
  const rates = nodeIds(run)
    .slice(0, 3)
    .map((id) => rateWords(run, id));
  const direct = metricOf(run, 'fleet.bytesFromCdn');
  return timeChart(run, {
    id: `${run.purpose}-egress`,
    title: 'Egress by source',
    summary: sentence(...rates, direct && `${direct} came from the CDN directly`),
    columns,
    y: bitsAxis,
    ...limitMarks(run, columns, [
      ...limitsOf(run, runs, /^node\.([^.]+)\.(egress|nic|limit)$/, 'egress'),
      ...expectedRates(run),
    ]),
  });
}

function rateWords(run: Run, id: string): string | undefined {
  const said = (['sustained', 'mean', 'peak'] as const).flatMap((which) => {
    const rate = metricOf(run, `node.${id}.egressBitsPerSecond.${which}`);
    return rate === undefined ? [] : [`${rate} ${which}`];
  });
  return said.length === 0 ? undefined : `node ${id}: ${said.join(', ')}`;
}

/** What nodes fetch over their WAN, and what the CDN sends in all. */
export function upstreamChart(run: Run, runs: readonly Run[]): Chart | undefined {
  const columns = [
    ...columnLine(run, 'cdn.egressBitsPerSecond', {
      ...{ name: 'CDN, in all', unit: 'bitsPerSecond', counts: 'mean', shape: 'area', tone: 'orange', dash: 'solid' },
    }),
    ...nodeColumns(run, 'upstreamBitsPerSecond', ', WAN').map(
      (line): TimeColumn => ({ ...line, shape: 'line', dash: line.dash === 'solid' ? 'dotted' : line.dash }),
    ),
  ];
  const [sent, peak] = [metricOf(run, 'cdn.egressBytes'), metricOf(run, 'cdn.egressBitsPerSecond.peak')];
  return timeChart(run, {
    id: `${run.purpose}-upstream`,
    title: 'WAN and CDN',
    summary: sentence(
      sent && `the CDN sent ${sent} in all${peak === undefined ? '' : `, ${peak} in its highest second`}`,
    ),
    columns,
    y: bitsAxis,
    ...limitMarks(
      run,
      columns,
      limitsOf(run, runs, /^(?:node\.([^.]+)\.wan|site\.[^.]+\..*|cdn\.egress)$/, 'upstream'),
    ),
  });
}

/** When devices failed to get something, and what the CDN sent them instead. Undefined where nothing happened. */
export function fallbackChart(run: Run): Chart | undefined {
  const columns = [
    ...columnLine(run, 'fleet.fromCdnBitsPerSecond', {
      ...{ name: 'CDN, directly to devices', unit: 'bitsPerSecond', counts: 'mean' },
      ...{ shape: 'area', tone: 'orange', dash: 'dashed' },
    }),
    ...columnLine(run, 'range.failuresPerSecond', {
      ...{ name: 'failures (right)', unit: 'perSecond', counts: 'mean' },
      ...{ shape: 'steps', tone: 'pink', dash: 'solid', onRight: true },
    }),
  ];
  const fellBack = run.metrics['fallback.deviceCount'] ?? 0;
  if (fellBack === 0 && run.timeline.length === 0 && columnOf(run, 'range.failuresPerSecond') === undefined) {
    return undefined;
  }
  return timeChart(run, {
    id: `${run.purpose}-fallback`,
    title: 'Fallback and failures',
    summary: fallbackWords(run, fellBack),
    columns,
    y: bitsAxis,
    right: { kind: 'value', unit: 'perSecond', min: 0 },
  });
}

function fallbackWords(run: Run, fellBack: number): string {
  if (fellBack === 0) return sentence('no device left its cache host');
  const [median, most] = [metricOf(run, 'fallback.timeMs.p50'), metricOf(run, 'fallback.timeMs.max')];
  const causes = Object.entries(run.metrics).flatMap(([name, count]) => {
    const cause = /^fallback\.byCause\.(.+)$/.exec(name)?.[1];
    return cause === undefined || count === 0 ? [] : [`${metricText(name, count)} × ${cause}`];
  });
  const share = metricOf(run, 'fallback.cdnByteRatio');
  return sentence(
    `${metricText('fallback.deviceCount', fellBack)} devices left their cache host (${causes.join(', ')})`,
    median && `from its last byte to the first of the CDN: ${median} in the middle, ${most} at most`,
    share && `${share} of all bytes came from the CDN directly`,
  );
}

/** A metric of the run in words; undefined where it has none. */
export function metricOf({ metrics }: Run, name: string): string | undefined {
  const value = metrics[name];
  return value === undefined ? undefined : metricText(name, value);
}
