// The pictures of a comparison: how much worse each metric is, against its margin, and the values of the runs behind it.

import type { CandidateComparison, MetricComparison } from '../../simulator/compare/comparison.ts';
import { changeText, intervalText, nameText, percent, tellingMetrics, valuesText } from '../comparison-words.ts';
import { metricText, verdictWords } from '../words.ts';
import { verdictGrounds } from './answer.ts';
import { type Chart, sentence } from './chart.ts';
import type { IntervalKind, PlotInterval, PlotLine } from './plot.ts';

/** More rows than these nobody looks through; what failed comes first. */
const rowsMax = 40;
const runChartsMax = 8;

/** `place`: of the candidate among several. Absent where no metric has a ratio. */
export function ratiosChart({ metrics }: CandidateComparison, place: number): Chart | undefined {
  const telling = tellingMetrics(metrics);
  const rows = telling.flatMap((metric) => {
    const interval = intervalOf(metric);
    return interval === undefined ? [] : [{ metric, interval }];
  });
  const shown = rows.slice(0, rowsMax);
  if (shown.length === 0) return undefined;
  const count = (kind: IntervalKind): number => rows.filter(({ interval }) => interval.kind === kind).length;
  const left = rows.length - shown.length;
  const withoutRatio = telling.length - rows.length;
  return {
    id: `ratios-${place}`,
    title: 'How much worse, against the margin',
    summary: sentence(
      ...(
        [
          ['worse by more than the margin', count('fail')],
          ['the runs do not tell', count('doubt')],
          ['not worse', count('pass')],
        ] as const
      ).map(([what, many]) => (many === 0 ? undefined : `${what}: ${many} of ${rows.length}`)),
    ),
    notes: [
      howToRead(shown.map(({ interval }) => interval)).join(' '),
      ...(left > 0 ? [`${left} more that are not worse are in the table of all that was judged.`] : []),
      ...(withoutRatio > 0 ? [`Without a ratio, since one side has no value or zero: ${withoutRatio}.`] : []),
    ],
    plot: {
      x: { kind: 'value', unit: 'lnRatio' },
      y: { kind: 'names', names: shown.map(({ metric }) => nameText(metric, metrics)) },
      lines: [],
      intervals: shown.map(({ interval }) => interval),
      events: [],
      limits: [],
    },
    table: {
      head: ['metric', 'change', '95 % interval', 'margin', 'verdict'],
      rows: shown.map(({ metric }) => [
        nameText(metric, metrics),
        changeText(metric),
        intervalText(metric),
        percent(metric.marginRatio),
        verdictWords[metric.verdict],
      ]),
    },
  };
}

function howToRead(intervals: readonly PlotInterval[]): string[] {
  const isVaried = intervals.some(({ low, high }) => low !== high);
  return [
    ...(isVaried
      ? ['The band is the margin, a line the 95 % interval of the ratio of medians: right of the band, it says worse.']
      : ['Exact: the same seed gives the same numbers.']),
    '“5 % worse” is 1.05 times as long, or 1 / 1.05 times as much.',
  ];
}

/** Turned so that more is worse. */
function intervalOf(metric: MetricComparison): PlotInterval | undefined {
  const { ratio, interval, better, marginRatio, verdict, reason } = metric;
  if (ratio === undefined || ratio <= 0) return undefined;
  const turn = better === 'higher' ? -1 : 1;
  const ln = (value: number | undefined): number | undefined =>
    value === undefined || value <= 0 ? undefined : turn * Math.log(value);
  const [first, second] = interval === undefined ? [ln(ratio), ln(ratio)] : [ln(interval.low), ln(interval.high)];
  const [low, high] = turn === 1 ? [first, second] : [second, first];
  return {
    kind: verdictGrounds[verdict],
    lnRatio: turn * Math.log(ratio),
    ...(low === undefined ? {} : { low }),
    ...(high === undefined ? {} : { high }),
    margin: Math.log(1 + marginRatio),
    words: [changeText(metric), intervalText(metric), `${verdictWords[verdict]}: ${reason}`]
      .filter((text) => text !== '')
      .join(', '),
  };
}

/** Values run by run, of what is most telling: where they wander, the machine did too. */
export function runCharts({ metrics }: CandidateComparison, place: number): { charts: Chart[]; leftOut: number } {
  const varied = tellingMetrics(metrics).filter(({ base, candidate }) => base.length > 1 && candidate.length > 1);
  const charts = varied
    .slice(0, runChartsMax)
    .map((metric, index) => runChart(metric, metrics, `runs-${place}-${index}`));
  return { charts, leftOut: varied.length - charts.length };
}

function runChart(metric: MetricComparison, metrics: readonly MetricComparison[], id: string): Chart {
  const { name, unit, base, candidate, verdict } = metric;
  const line = (values: readonly number[], look: Omit<PlotLine, 'points' | 'shape'>): PlotLine => ({
    ...look,
    shape: 'line',
    points: values.map((value, run) => [run + 1, value] as const),
  });
  const runCount = Math.max(base.length, candidate.length);
  const cell = (value: number | undefined): string => (value === undefined ? '–' : metricText(name, value));
  return {
    id,
    title: nameText(metric, metrics),
    summary: sentence(
      `${verdictWords[verdict]}: median ${valuesText(metric, base)} of the base, ${valuesText(metric, candidate)} of the candidate`,
      changeText(metric),
    ),
    notes: [],
    plot: {
      x: { kind: 'value', unit: 'count', min: 1, max: runCount },
      y: { kind: 'value', unit, isScaled: true },
      lines: [
        line(base, { name: 'base', tone: 'blue', dash: 'solid' }),
        line(candidate, { name: 'candidate', tone: 'orange', dash: 'dashed' }),
      ],
      events: [],
      limits: [],
    },
    table: {
      head: ['run', 'base', 'candidate'],
      rows: Array.from({ length: runCount }, (_, run) => [String(run + 1), cell(base[run]), cell(candidate[run])]),
    },
  };
}
