// How a sweep is said: its runs as rows, runs of one combination as a cell. Shared by console, Markdown and page.

import { formatCount } from '../common/units.ts';
import type { Sweep, SweepAxis, SweepPoint } from '../simulator/result/sweep.ts';
import { metricText } from './words.ts';

export const outcomeWords: Readonly<Record<SweepPoint['outcome'], string>> = {
  pass: 'pass',
  fail: 'FAIL',
  inconclusive: 'unsure',
  impossible: 'impossible',
  broken: 'not run',
};

/** Beside a number, so that nothing depends on a colour. */
export const outcomeSigns: Readonly<Record<SweepPoint['outcome'], string>> = {
  pass: '',
  fail: '✕',
  inconclusive: '?',
  impossible: '–',
  broken: '!',
};

export const sweepVerdictWords: Readonly<Record<Sweep['verdict'], string>> = {
  pass: 'PASS',
  fail: 'FAIL',
  inconclusive: 'INCONCLUSIVE',
  notCarriedOut: 'NOT CARRIED OUT',
  impossible: 'IMPOSSIBLE',
  interrupted: 'INTERRUPTED',
};

/** All runs of one combination of values, which differ by their seeds. */
export type SweepCell = {
  /** Of each axis, the place of its value. */
  readonly places: readonly number[];
  /** Of the values, as the file would say them. */
  readonly texts: readonly string[];
  readonly points: Sweep['points'];
  /** The worst of its runs. */
  readonly outcome: SweepPoint['outcome'];
};

const worstFirst: readonly SweepPoint['outcome'][] = ['fail', 'broken', 'inconclusive', 'impossible', 'pass'];

/** In the order of the grid; combinations of which no run has ended are left out. */
export function cellsOf({ axes, points }: Sweep): readonly SweepCell[] {
  const groups = new Map<string, Sweep['points'][number][]>();
  // A varied seed is one of the places.
  for (const point of points) {
    const key = point.places.join();
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [point]);
    else group.push(point);
  }
  return [...groups.values()].map((group) => {
    const { places } = group[0] as Sweep['points'][number];
    const outcome = worstFirst.find((each) => group.some((point) => point.outcome === each)) ?? 'pass';
    return { places, texts: textsOf(axes, places), points: group, outcome };
  });
}

export function textsOf(axes: readonly SweepAxis[], places: readonly number[]): readonly string[] {
  return axes.map(({ values }, axis) => values[places[axis] ?? 0]?.text ?? '');
}

/** The median over the seeds that have it; undefined where none has. */
export function cellValue({ points }: SweepCell, metric: string): number | undefined {
  const values = points.flatMap(({ metrics }) => metrics[metric] ?? []).sort((a, b) => a - b);
  const middle = (values.length - 1) / 2;
  const [low, high] = [values[Math.floor(middle)], values[Math.ceil(middle)]];
  return low === undefined || high === undefined ? undefined : (low + high) / 2;
}

export function cellText(cell: SweepCell, metric: string): string {
  const value = cellValue(cell, metric);
  return value === undefined ? '–' : metricText(metric, value);
}

/** The value with the sign of its outcome: `25 h 56 min ✕`. */
export function signedText(cell: SweepCell, metric: string): string {
  const sign = outcomeSigns[cell.outcome];
  const text = cellText(cell, metric);
  return text === sign ? text : `${text} ${sign}`.trim();
}

/** `FAIL`, or of several seeds `FAIL 2 of 5`. */
export function outcomeText({ outcome, points }: SweepCell): string {
  const same = points.filter((point) => point.outcome === outcome).length;
  return same === points.length ? outcomeWords[outcome] : `${outcomeWords[outcome]} ${same} of ${points.length}`;
}

/** What was full in the first run of a cell that has an answer. */
export const bottleneckText = ({ points }: SweepCell): string =>
  points.find(({ bottleneck }) => bottleneck !== undefined)?.bottleneck?.name ?? '';

/** Of a reason in a row: what is longer stands below the table, or in sweep.csv. */
const whyLengthMax = 70;

/** Why a cell is not all well, fit for a row; empty where it is. */
export function whyText(cell: SweepCell): string {
  const text = wholeWhyText(cell);
  return text.length > whyLengthMax ? `${text.slice(0, whyLengthMax - 1)}…` : text;
}

/** Reasons that no row has room for, each once. */
export function longReasons(cells: readonly SweepCell[]): readonly string[] {
  return [...new Set(cells.map(wholeWhyText).filter((text) => text.length > whyLengthMax))];
}

function wholeWhyText({ outcome, points }: SweepCell): string {
  if (outcome === 'pass') return '';
  const point = points.find((each) => each.outcome === outcome);
  const wanted = outcome === 'fail' ? 'fail' : 'inconclusive';
  const texts = (point?.expectations ?? []).filter(({ verdict }) => verdict === wanted).map(({ text }) => text);
  return texts.length === 0 ? (point?.reason ?? '') : texts.join('; ');
}

/** The last part of a path, the whole where two axes have the same. */
export function axisHeads(axes: readonly SweepAxis[]): readonly string[] {
  const last = (name: string): string => name.split('.').at(-1) ?? name;
  return axes.map(({ name }) =>
    axes.filter((other) => last(other.name) === last(name)).length > 1 ? name : last(name),
  );
}

/** What was varied, and over what. */
export function titleOf({ scenario, axes, world }: Sweep): string {
  const ranges = axes.map(({ name, values }) => `${name} from ${values[0]?.text} to ${values.at(-1)?.text}`);
  const lists = axes.map(({ name, values }) => `${name} = ${values.map(({ text }) => text).join(', ')}`);
  const parts = axes.map(({ unit }, axis) => (unit === undefined ? lists[axis] : ranges[axis]));
  return `${scenario.name}: ${parts.join('; ')} (${world} world)`;
}

/** How many seeds stand behind each value, in words; undefined for one. */
export function seedsNote({ seeds }: Sweep): string | undefined {
  if (seeds.length === 1) return undefined;
  return `Each value is the median of ${formatCount(seeds.length)} runs, with the seeds ${seeds[0]} to ${seeds.at(-1)}; the verdict is the worst of them.`;
}

/** What signs beside numbers mean, as far as they occur. */
export function signsNote(cells: readonly SweepCell[]): string | undefined {
  const used = worstFirst.filter(
    (outcome) => outcomeSigns[outcome] !== '' && cells.some((cell) => cell.outcome === outcome),
  );
  if (used.length === 0) return undefined;
  const signs = used.map((outcome) => `${outcomeSigns[outcome]} ${signWords[outcome]}`);
  return `${signs.join(', ')}.`;
}

const signWords: Readonly<Record<SweepPoint['outcome'], string>> = {
  pass: '',
  fail: 'an expectation failed',
  inconclusive: 'an expectation could not be judged',
  impossible: 'there is no such scenario',
  broken: 'the run could not be carried out',
};

/** Metrics that are not the same everywhere, in the order in which they are shown. */
export function telling(sweep: Sweep): readonly string[] {
  return sweep.metrics.filter((metric) => {
    const values = new Set(sweep.points.flatMap(({ metrics }) => metrics[metric] ?? []));
    return values.size > 1;
  });
}
