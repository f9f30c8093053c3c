// Charts over the time of a run: columns of its series as lines, its events as marks, and the same as a table.

import { formatDuration } from '../../common/units.ts';
import type { Run } from '../../simulator/result/result.ts';
import { type ShownUnit, valueText } from '../value-text.ts';
import { type Chart, type Table, tableRowsMax } from './chart.ts';
import type { PlotAxis, PlotLine, PlotMark } from './plot.ts';
import { shownSteps, spansOf } from './thinning.ts';

/** A column of a run's series as a line. */
export type TimeColumn = Omit<PlotLine, 'points'> & {
  readonly values: readonly number[];
  readonly unit: ShownUnit;
  /** `mean`: over its step, drawn in its middle. `end`: at the step's end. */
  readonly counts: 'mean' | 'end';
};

export type TimeChart = Pick<Chart, 'id' | 'title' | 'summary'> & {
  readonly columns: readonly TimeColumn[];
  readonly y: PlotAxis;
  readonly right?: PlotAxis;
  readonly limits?: readonly PlotMark[];
  readonly notes?: readonly string[];
};

/** Of a long run, at most about so many steps are drawn. */
const stepsMax = 1000;

/** A column of the run's series by its name; undefined where there is none, or where it is zero throughout. */
export function columnOf({ series }: Run, name: string): readonly number[] | undefined {
  const column = series.columns[name];
  return column?.some((value) => value !== 0) === true ? column : undefined;
}

/** ms from the start of a run to the start of a step. Before it (devices that connect) they are negative. */
export function stepStartMs({ series }: Run, step: number): number {
  const { startSecond, runStartSecond = startSecond, stepSeconds = 1 } = series;
  return (startSecond - runStartSecond + step * stepSeconds) * 1000;
}

/** Undefined where there is nothing to draw. */
export function timeChart(run: Run, chart: TimeChart): Chart | undefined {
  const { id, title, summary, columns, y, right, limits = [], notes = [] } = chart;
  if (columns.length === 0) return undefined;
  const values = columns.map((column) => column.values);
  const length = Math.max(...values.map((column) => column.length));
  const steps = shownSteps(values, stepsMax);
  const stepMs = (run.series.stepSeconds ?? 1) * 1000;
  const lines = columns.map(({ values: all, unit: _, counts, ...line }): PlotLine => {
    const offsetMs = counts === 'mean' ? stepMs / 2 : stepMs;
    return { ...line, points: steps.map((step) => [stepStartMs(run, step) + offsetMs, rounded(all[step] ?? 0)]) };
  });
  const stepped = `Each step is ${formatDuration(stepMs)}: a single second may have been higher.`;
  const thinned = `Drawn with ${steps.length} of ${length} steps, so that no extreme is lost.`;
  return {
    id,
    title,
    summary,
    notes: [
      ...notes,
      ...(stepMs > 1000 && columns.some(({ counts }) => counts === 'mean') ? [stepped] : []),
      ...(steps.length < length ? [thinned] : []),
    ],
    plot: {
      x: { kind: 'value', unit: 'ms', min: Math.min(0, stepStartMs(run, 0)), max: stepStartMs(run, length) },
      y,
      ...(right === undefined ? {} : { right }),
      lines,
      events: eventMarks(run),
      limits,
    },
    table: timeTable(run, columns, length),
  };
}

/** Events by their number in the list of events beside the charts. */
function eventMarks(run: Run): readonly PlotMark[] {
  const events = run.timeline.map(({ atMs }, index) => ({ at: atMs, label: String(index + 1) }));
  return stepStartMs(run, 0) < 0 ? [{ at: 0, label: 'start' }, ...events] : events;
}

function timeTable(run: Run, columns: readonly TimeColumn[], length: number): Table {
  const spans = spansOf(length, tableRowsMax);
  const isJoined = spans.length < length;
  return {
    head: [isJoined ? 'time, from – to' : 'time', ...columns.map(({ name }) => name)],
    rows: spans.map(({ from, to }) => [
      isJoined
        ? `${formatDuration(stepStartMs(run, from))} – ${formatDuration(stepStartMs(run, to))}`
        : formatDuration(stepStartMs(run, from)),
      ...columns.map(({ values, unit, counts }) => {
        const value = counts === 'end' ? (values[to - 1] ?? 0) : meanOf(values.slice(from, to));
        return valueText(value, unit);
      }),
    ]),
  };
}

function meanOf(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Six digits are more than a picture shows, and half of the file. */
function rounded(value: number): number {
  return Number.isInteger(value) ? value : Number(value.toPrecision(6));
}
