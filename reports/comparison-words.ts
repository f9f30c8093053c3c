// How a comparison is said, the same on the console and in Markdown.

import { formatCount } from '../common/units.ts';
import type {
  Comparison,
  ExpectationComparison,
  MetricComparison,
  SideSummary,
} from '../simulator/compare/comparison.ts';
import { unchangedReason } from '../simulator/compare/expectations.ts';
import { median } from '../simulator/compare/median-ratio.ts';
import { metricText } from './words.ts';

/** The median of a side. */
export function valuesText({ name }: Pick<MetricComparison, 'name'>, values: readonly number[]): string {
  return values.length === 0 ? '–' : metricText(name, median(values));
}

/** `+10.2 %`; empty where one side has no value, or the base is zero and the candidate is not. */
export function changeText({ ratio }: MetricComparison): string {
  return ratio === undefined ? '' : signedPercent(ratio);
}

/** `+8.1 … +12.0 %`, 95 of 100 such intervals hold the true change. */
export function intervalText({ interval }: MetricComparison): string {
  if (interval === undefined) return '';
  const { low = 0, high } = interval;
  return `${signedPercent(low, '')} … ${high === undefined ? 'no bound' : signedPercent(high)}`;
}

/** `+10.2 %` of a ratio of 1.102; with more digits where one would make nothing of it. */
function signedPercent(ratio: number, unit = ' %'): string {
  const change = (ratio - 1) * 100;
  const size = Math.abs(change);
  if (size < unseenPercent) return `0${unit}`;
  const text = size >= 100 ? formatCount(Math.round(change)) : size >= 0.05 ? change.toFixed(1) : shortest(change);
  return `${change > 0 ? '+' : ''}${text}${unit}`;
}

/** What arithmetic alone makes of nothing. */
const unseenPercent = 1e-7;

/** Two digits that say something, without an exponent. */
function shortest(change: number): string {
  return change.toFixed(1 - Math.floor(Math.log10(Math.abs(change))));
}

/** Those that somebody wants to see first: what failed, what is not told, what has changed. */
export function tellingMetrics(metrics: readonly MetricComparison[]): MetricComparison[] {
  const order = { fail: 0, inconclusive: 1, pass: 2, notJudged: 3 } as const;
  return metrics
    .filter((metric) => metric.role !== 'shown' && !isSame(metric))
    .sort((a, b) => order[a.verdict] - order[b.verdict]);
}

/** Neither judged nor the same. */
export function otherMetrics(metrics: readonly MetricComparison[]): MetricComparison[] {
  return metrics.filter((metric) => metric.role === 'shown' && !isSame(metric));
}

/** What is inconclusive, by its reason: `devices.count, fleet.finishMs: the load generator was the limit`. */
export function untoldLines(metrics: readonly MetricComparison[]): string[] {
  const untold = new Map<string, string[]>();
  for (const { name, reason, verdict } of tellingMetrics(metrics)) {
    if (verdict === 'inconclusive') untold.set(reason, [...(untold.get(reason) ?? []), name]);
  }
  return [...untold].map(([reason, names]) => `${names.join(', ')}: ${reason}`);
}

/** Those of which there is something to say. */
export function changedExpectations(expectations: readonly ExpectationComparison[]): ExpectationComparison[] {
  return expectations.filter(({ reason }) => reason !== unchangedReason);
}

/** `42 metrics are the same in every run.` */
export function sameText(metrics: readonly MetricComparison[]): string {
  const count = metrics.filter(isSame).length;
  return `${count} ${count === 1 ? 'metric is' : 'metrics are'} the same in every run.`;
}

/** In every run of both sides. */
function isSame({ base, candidate }: MetricComparison): boolean {
  if (base.length === 0 || candidate.length === 0) return false;
  return [...base, ...candidate].every((value) => value === base[0]);
}

/** `live: range.latencyMs.p50`, where the worlds could be mixed up. */
export function nameText({ name, world }: MetricComparison, metrics: readonly MetricComparison[]): string {
  return metrics.some((other) => other.world !== world) ? `${world}: ${name}` : name;
}

/** `./main (10 runs, seed 7, nodes.0.workers=2)`. */
export function sideText({ label, runCount, seeds, overrides }: SideSummary): string {
  const settings = Object.entries(overrides).map(([path, value]) => `${path}=${value}`);
  const runs = `${runCount} ${runCount === 1 ? 'run' : 'runs'}`;
  return `${label} (${[runs, seedsText(seeds), ...settings].join(', ')})`;
}

function seedsText(seeds: readonly number[]): string {
  const [first = 0, last = 0] = [seeds[0], seeds.at(-1)];
  if (seeds.length === 1) return `seed ${first}`;
  return last - first === seeds.length - 1 ? `seeds ${first} to ${last}` : `seeds ${seeds.join(', ')}`;
}

/** `5 %` of a margin of 0.05, with no more digits than it has. */
export const percent = (ratio: number): string => `${Number((ratio * 100).toPrecision(6))} %`;

/** How it was judged, for whoever has not read the documentation. */
export function rulesText({ rules }: Comparison): string {
  const special = rules.margins.map(({ pattern, marginRatio }) => `${pattern} ${percent(marginRatio)}`);
  return (
    `Margin ${[percent(rules.marginRatio), ...special].join(', ')}. Worse: the 95 % interval of the ratio of medians lies beyond ` +
    'the margin, and Mann–Whitney with Holm’s correction agrees. Counts and bytes that never vary, and the virtual world, are ' +
    'compared exactly.'
  );
}
