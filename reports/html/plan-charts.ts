// Charts of a capacity plan's site: what its nodes and its WAN carry over time, how devices finish, and the end by the moment at which a
// node fails.

import { formatBitsPerSecond, formatDuration } from '../../common/units.ts';
import type { CourseLine, SitePlan } from '../../simulator/result/capacity-plan.ts';
import { finishText, momentRows } from '../plan-words.ts';
import { type ShownUnit, valueText } from '../value-text.ts';
import { type Chart, sentence, tableRowsMax } from './chart.ts';
import type { PlotLine, PlotMark, PlotPoint } from './plot.ts';
import { shownSteps, spansOf } from './thinning.ts';

/** A step a pixel, about, is enough for three lines. */
const stepsMax = 600;

const lineNames: Readonly<Record<CourseLine['name'], string>> = {
  chosen: 'as planned',
  failure: 'a node fails (N+1)',
  withoutNodes: 'without nodes',
};

const lineLooks: Readonly<Record<CourseLine['name'], Pick<PlotLine, 'tone' | 'dash'>>> = {
  chosen: { tone: 'blue', dash: 'solid' },
  failure: { tone: 'pink', dash: 'dashed' },
  withoutNodes: { tone: 'orange', dash: 'dotted' },
};

export function planCharts(site: SitePlan, deadlineMs: number): Chart[] {
  const shownMs = shownSpanMs(site, deadlineMs);
  const all = [
    completedChart(site, shownMs, deadlineMs),
    wanChart(site, shownMs),
    nodesChart(site, shownMs),
    momentsChart(site, deadlineMs),
  ];
  return all.filter((chart) => chart !== undefined);
}

/** Without nodes it may take a week: what is drawn ends soon after the plan, and with the deadline where that is near. */
function shownSpanMs({ chosen, failure }: SitePlan, deadlineMs: number): number {
  const ends = [chosen?.figures.finishMs, failure?.holds === true ? failure.figures.finishMs : undefined];
  const endMs = 1.1 * Math.max(...ends.map((each) => each ?? 0));
  return deadlineMs < 3 * endMs ? Math.max(endMs, 1.05 * deadlineMs) : endMs;
}

type ColumnName = 'wanBitsPerSecond' | 'nodesBitsPerSecond' | 'completedCount';

type CourseChart = Pick<Chart, 'id' | 'title' | 'summary'> & {
  readonly column: ColumnName;
  readonly unit: ShownUnit;
  readonly counts: 'mean' | 'end';
  readonly events?: readonly PlotMark[];
  readonly limits?: readonly PlotMark[];
};

function courseChart(site: SitePlan, shownMs: number, chart: CourseChart): Chart | undefined {
  const { column, unit, counts, events = [], limits = [], ...rest } = chart;
  const courses = (site.course?.lines ?? []).filter((line) => line[column].some((value) => value > 0));
  if (courses.length === 0) return undefined;
  const lines = courses.map((course): PlotLine => {
    const stepMs = course.stepSeconds * 1000;
    const values = course[column].slice(0, Math.ceil(shownMs / stepMs));
    const points = shownSteps([values], stepsMax).map(
      (step): PlotPoint => [
        (step + (counts === 'mean' ? 0.5 : 1)) * stepMs,
        Number((values[step] ?? 0).toPrecision(6)),
      ],
    );
    return { name: lineNames[course.name], shape: 'line', points, ...lineLooks[course.name] };
  });
  const isCut = courses.some((course) => course[column].length * course.stepSeconds * 1000 > 1.01 * shownMs);
  return {
    ...rest,
    notes: isCut ? [`Drawn until ${formatDuration(shownMs)}: without nodes it goes on.`] : [],
    plot: {
      x: { kind: 'value', unit: 'ms', min: 0, max: shownMs },
      y: { kind: 'value', unit, min: 0 },
      lines,
      // Beside the axis there is no room for a word.
      events: events.filter(({ at }) => at <= shownMs && at > shownMs / 20),
      limits,
    },
    table: courseTable(courses, column, unit, shownMs),
  };
}

/** The same spans of time for all lines, whose steps differ. */
function courseTable(courses: readonly CourseLine[], column: ColumnName, unit: ShownUnit, endMs: number) {
  const longest = Math.max(...courses.map(({ stepSeconds }) => stepSeconds)) * 1000;
  const spans = spansOf(Math.ceil(endMs / longest), tableRowsMax / 2);
  return {
    head: ['until', ...courses.map(({ name }) => lineNames[name])],
    rows: spans.map(({ from, to }) => [
      formatDuration(to * longest),
      ...courses.map((course) => {
        const perStep = longest / (course.stepSeconds * 1000);
        const values = course[column].slice(from * perStep, to * perStep);
        if (column === 'completedCount') return valueText(values.at(-1) ?? course[column].at(-1) ?? 0, unit);
        return valueText(values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length), unit);
      }),
    ]),
  };
}

const failureMark = ({ failure }: SitePlan): readonly PlotMark[] =>
  failure === undefined ? [] : [{ at: failure.worstAtMs, label: 'a node fails' }];

function wanChart(site: SitePlan, shownMs: number): Chart | undefined {
  const { chosen, withoutNodes, linkBitsPerSecond } = site;
  const isNear = (withoutNodes?.wanPeakBitsPerSecond ?? 0) > (linkBitsPerSecond ?? Number.POSITIVE_INFINITY) / 4;
  return courseChart(site, shownMs, {
    id: `${site.id}-wan`,
    title: 'What comes over the WAN',
    summary: sentence(
      chosen && `as planned ${formatBitsPerSecond(chosen.figures.wanPeakBitsPerSecond)} at its peak`,
      withoutNodes && `without nodes ${formatBitsPerSecond(withoutNodes.wanPeakBitsPerSecond)}`,
    ),
    ...{ column: 'wanBitsPerSecond', unit: 'bitsPerSecond', counts: 'mean' },
    events: failureMark(site),
    limits: linkBitsPerSecond === undefined || !isNear ? [] : [{ at: linkBitsPerSecond, label: 'WAN link' }],
  });
}

function nodesChart(site: SitePlan, shownMs: number): Chart | undefined {
  const peak = site.chosen?.figures.nodePeakBitsPerSecond;
  return courseChart(site, shownMs, {
    id: `${site.id}-nodes`,
    title: 'What its nodes send',
    summary: sentence(
      peak === undefined ? undefined : `the busiest node sends ${formatBitsPerSecond(peak)} at its peak`,
    ),
    ...{ column: 'nodesBitsPerSecond', unit: 'bitsPerSecond', counts: 'mean' },
    events: failureMark(site),
  });
}

function completedChart(site: SitePlan, shownMs: number, deadlineMs: number): Chart | undefined {
  const { chosen, withoutNodes, failure } = site;
  return courseChart(site, shownMs, {
    id: `${site.id}-done`,
    title: 'Devices that have everything',
    summary: sentence(
      chosen && `as planned all after ${finishText(chosen.figures)}`,
      failure && `with a failure after ${finishText(failure.figures)}`,
      withoutNodes && `without nodes after ${finishText(withoutNodes)}`,
      `the deadline is ${formatDuration(deadlineMs)}`,
    ),
    ...{ column: 'completedCount', unit: 'count', counts: 'end' },
    events: [{ at: deadlineMs, label: 'deadline' }],
  });
}

function momentsChart(site: SitePlan, deadlineMs: number): Chart | undefined {
  const { failure } = site;
  if (failure === undefined) return undefined;
  const points = failure.moments.flatMap(({ atMs, figures }): PlotPoint[] =>
    figures.finishMs === undefined ? [] : [[atMs, figures.finishMs]],
  );
  if (points.length === 0) return undefined;
  const ends = points.map(([, end]) => end);
  const isNear = Math.max(...ends) > deadlineMs / 3;
  return {
    id: `${site.id}-moments`,
    title: 'The end, by when a node fails',
    summary: sentence(
      `the latest end, ${finishText(failure.figures)}, is that of a failure after ${formatDuration(failure.worstAtMs)} (${failure.worstMoment})`,
    ),
    notes: [`${failure.nodes === 1 ? 'One node' : `${failure.nodes} nodes`}, of which one fails and stays away.`],
    plot: {
      x: { kind: 'value', unit: 'ms', min: 0, max: Math.max(1, ...failure.moments.map(({ atMs }) => atMs)) },
      y: { kind: 'value', unit: 'ms', min: 0, max: 1.08 * Math.max(...ends, isNear ? deadlineMs : 0) },
      lines: [{ name: 'the end', shape: 'line', tone: 'pink', dash: 'solid', points }],
      events: [],
      limits: isNear ? [{ at: deadlineMs, label: 'deadline' }] : [],
    },
    table: momentRows(site),
  };
}
