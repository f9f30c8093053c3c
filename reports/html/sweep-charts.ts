// Pictures of a sweep: a curve where one thing is varied, a heat map where two are, and of more a heat map for each combination of
// the others.

import { findMetric, type MetricUnit } from '../../simulator/result/metrics.ts';
import type { Sweep, SweepAxis } from '../../simulator/result/sweep.ts';
import {
  axisHeads,
  cellsOf,
  cellText,
  cellValue,
  outcomeSigns,
  outcomeText,
  type SweepCell,
  signedText,
  signsNote,
  telling,
  whyText,
} from '../sweep-words.ts';
import { limitText, metricText } from '../words.ts';
import { type Chart, sentence, type Table } from './chart.ts';
import type { Plot, PlotAxis, PlotCell, PlotLine, PlotMark, PlotPoint } from './plot.ts';

/** What is shown first of many metrics. */
const metricsMax = 6;
/** Heat maps of a sweep of more than two things. */
const slicesMax = 12;
/** Colours go by ratios when the highest value is so many times the lowest. */
const logRatio = 30;

export function sweepCharts(sweep: Sweep): readonly Chart[] {
  const cells = cellsOf(sweep);
  const told = telling(sweep);
  const metrics = (told.length === 0 ? sweep.metrics : told).slice(0, metricsMax);
  const { axes } = sweep;
  if (axes.length === 1) return metrics.map((metric) => curve(sweep, cells, metric));
  if (axes.length === 2) return metrics.map((metric) => heatMap(sweep, cells, metric, cells, ''));
  return slices(sweep, cells, metrics[0]);
}

/** How many combinations of the axes past the second one there are no pictures of. */
export function slicesLeftOut({ axes }: Sweep): number {
  return Math.max(0, axes.slice(2).reduce((count, { values }) => count * values.length, 1) - slicesMax);
}

const unitOf = (metric: string): MetricUnit => findMetric(metric)?.unit ?? 'count';

function curve(sweep: Sweep, cells: readonly SweepCell[], metric: string): Chart {
  const [axis] = sweep.axes as readonly [SweepAxis];
  const title = axisHeads(sweep.axes)[0] ?? '';
  const isNumeric = axis.unit !== undefined;
  // Between words there is nothing.
  const shape = isNumeric ? 'line' : 'dots';
  const pointsBy = (value: (cell: SweepCell) => number | undefined): PlotPoint[] =>
    cells.flatMap((cell) => {
      const y = value(cell);
      const place = cell.places[0] ?? 0;
      return y === undefined ? [] : [[isNumeric ? (axis.values[place]?.value ?? 0) : place, y] as const];
    });
  const middle: PlotLine = {
    name: sweep.seeds.length === 1 ? metric : `${metric}, median`,
    tone: 'blue',
    dash: 'solid',
    shape,
    points: sorted(pointsBy((cell) => cellValue(cell, metric))),
  };
  const spread =
    sweep.seeds.length === 1
      ? []
      : [
          { name: 'highest of its seeds', pick: Math.max, dash: 'dashed' as const },
          { name: 'lowest of its seeds', pick: Math.min, dash: 'dotted' as const },
        ].map(({ name, pick, dash }): PlotLine => {
          const points = pointsBy(({ points: runs }) => {
            const values = runs.flatMap(({ metrics }) => metrics[metric] ?? []);
            return values.length === 0 ? undefined : pick(...values);
          });
          return { name, tone: 'grey', dash, shape, points: sorted(points) };
        });
  const plot: Plot = {
    x: isNumeric
      ? {
          kind: 'value',
          unit: axis.unit === 'number' ? 'count' : axis.unit,
          title,
          ...ends(middle.points),
          isLog: axis.isLog,
        }
      : namesAxis(axis, title),
    y: { kind: 'value', unit: unitOf(metric), min: 0, ...roomAbove(metric, [middle, ...spread]) },
    lines: [middle, ...spread],
    events: [],
    limits: limitsOf(sweep, metric, middle.points),
  };
  const table: Table = {
    head: [axis.name, metric, 'verdict'],
    rows: cells.map((cell) => [cell.texts[0] ?? '', cellText(cell, metric), verdictText(cell)]),
  };
  return { id: idOf(metric), title: metric, summary: summaryOf(sweep, cells, metric), notes: [], plot, table };
}

/** Times have marks of their own, for which the end of the axis has to be known. */
function roomAbove(metric: string, lines: readonly PlotLine[]): { readonly max?: number } {
  const peak = Math.max(0, ...lines.flatMap(({ points }) => points.map(([, y]) => y)));
  return unitOf(metric) === 'ms' && peak > 0 ? { max: peak * 1.08 } : {};
}

const sorted = (points: readonly PlotPoint[]): PlotPoint[] => [...points].sort(([a], [b]) => a - b);

function ends(points: readonly PlotPoint[]): { readonly min?: number; readonly max?: number } {
  const [first, last] = [points[0], points.at(-1)];
  return first === undefined || last === undefined ? {} : { min: first[0], max: last[0] };
}

/** What is expected of a metric, as far as that is one and the same for all; what is near each other has one label. */
function limitsOf({ points }: Sweep, metric: string, shown: readonly PlotPoint[]): PlotMark[] {
  const peak = Math.max(0, ...shown.map(([, y]) => y));
  const verdicts = points.flatMap(({ expectations }) => expectations.filter((each) => each.metric === metric));
  // One far above would make a flat line of the curve.
  const limits = [...new Map(verdicts.map((verdict) => [verdict.text, verdict])).values()]
    .filter(({ limit }) => limit <= 2.5 * peak)
    .sort((a, b) => a.limit - b.limit);
  const groups: (typeof limits)[] = [];
  for (const verdict of limits) {
    const last = groups.at(-1);
    if (last !== undefined && verdict.limit - (last.at(-1)?.limit ?? 0) < peak / 12) last.push(verdict);
    else groups.push([verdict]);
  }
  return groups.flatMap((group) => {
    const label = `expected ${group.map(limitText).join(' and ')}`;
    return group.map(({ limit }, index) => ({ at: limit, label: index === 0 ? label : '' }));
  });
}

const namesAxis = ({ values }: SweepAxis, title: string): PlotAxis => ({
  kind: 'names',
  names: values.map(({ text }) => text),
  title,
});

/** The first axis goes upwards, the second across. `of`: all cells that share its colours. */
function heatMap(
  sweep: Sweep,
  cells: readonly SweepCell[],
  metric: string,
  of: readonly SweepCell[],
  where: string,
  id = idOf(metric),
): Chart {
  const [down, across] = sweep.axes as readonly [SweepAxis, SweepAxis];
  const [downTitle = '', acrossTitle = ''] = axisHeads(sweep.axes);
  const values = of.flatMap((cell) => cellValue(cell, metric) ?? []);
  const min = values.length === 0 ? 0 : Math.min(...values);
  const max = values.length === 0 ? 0 : Math.max(...values);
  const byPlace = new Map(cells.map((cell) => [`${cell.places[0]},${cell.places[1]}`, cell]));
  const inOrder = down.values.flatMap((_, y) =>
    across.values.flatMap((_each, x): PlotCell[] => {
      const cell = byPlace.get(`${y},${x}`);
      if (cell === undefined) return [];
      const value = cellValue(cell, metric);
      return [
        { x, y, ...(value === undefined ? {} : { value }), sign: outcomeSigns[cell.outcome], words: verdictText(cell) },
      ];
    }),
  );
  const plot: Plot = {
    x: namesAxis(across, acrossTitle),
    y: namesAxis(down, downTitle),
    lines: [],
    cells: { name: metric, unit: unitOf(metric), min, max, isLog: min > 0 && max / min > logRatio, cells: inOrder },
    events: [],
    limits: [],
  };
  const table: Table = {
    head: [`${downTitle} ↓ ${acrossTitle} →`, ...across.values.map(({ text }) => text)],
    rows: down.values.map(({ text }, y) => [
      text,
      ...across.values.map((_, x) => {
        const cell = byPlace.get(`${y},${x}`);
        return cell === undefined ? '' : signedText(cell, metric);
      }),
    ]),
  };
  const signs = signsNote(cells);
  const title = where === '' ? metric : `${metric}, ${where}`;
  return {
    id,
    title,
    summary: summaryOf(sweep, cells, metric),
    notes: signs === undefined ? [] : [signs],
    plot,
    table,
  };
}

/** All with the same colours, so that they can be compared. */
function slices(sweep: Sweep, cells: readonly SweepCell[], metric: string | undefined): readonly Chart[] {
  if (metric === undefined) return [];
  const groups = new Map<string, SweepCell[]>();
  for (const cell of cells) {
    const key = cell.places.slice(2).join('-');
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  const heads = axisHeads(sweep.axes).slice(2);
  return [...groups]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .slice(0, slicesMax)
    .map(([key, group]) => {
      const texts = group[0]?.texts.slice(2) ?? [];
      const where = heads.map((head, index) => `${head} ${texts[index]}`).join(', ');
      return heatMap(sweep, group, metric, cells, where, `${idOf(metric)}-${key}`);
    });
}

const idOf = (metric: string): string => `sweep-${metric.replaceAll(/[^A-Za-z0-9]+/g, '-')}`;

function verdictText(cell: SweepCell): string {
  const why = whyText(cell);
  return why === '' ? outcomeText(cell) : `${outcomeText(cell)} (${why})`;
}

/** From where to where a metric goes, and how often all is well. */
function summaryOf({ axes }: Sweep, cells: readonly SweepCell[], metric: string): string {
  const known = cells.flatMap((cell) => {
    const value = cellValue(cell, metric);
    return value === undefined ? [] : [{ cell, value }];
  });
  const [first] = known;
  if (first === undefined) return sentence('no run measured it');
  const heads = axisHeads(axes);
  const at = ({ texts }: SweepCell): string => heads.map((head, index) => `${head} ${texts[index]}`).join(', ');
  const least = known.reduce((best, each) => (each.value < best.value ? each : best), first);
  const most = known.reduce((best, each) => (each.value > best.value ? each : best), first);
  const passing = cells.filter(({ outcome }) => outcome === 'pass').length;
  const range =
    least.value === most.value
      ? `${metricText(metric, least.value)} everywhere`
      : `from ${metricText(metric, least.value)} (${at(least.cell)}) to ${metricText(metric, most.value)} (${at(most.cell)})`;
  return sentence(range, `all that is expected holds at ${passing} of ${cells.length}`);
}
