// What a comparison says, whole: compare.json. Values of all runs are in it, so that it can be judged again from it alone.

import type { Better, MetricUnit, WorldName } from '../result/metrics.ts';

/** Version of the file's form. */
export const comparisonSchema = 1;

/** `fail`: worse by more than the margin; `pass`: not worse by the margin; `inconclusive`: the runs do not tell. */
export type ComparisonVerdict = 'pass' | 'fail' | 'inconclusive';

/**
 * What a metric can do to the verdict. `required`: all; `watched` (tails): fail it, but not make it inconclusive; `shown`:
 * nothing.
 */
export type Role = 'required' | 'watched' | 'shown';

export type Comparison = {
  readonly schema: typeof comparisonSchema;
  readonly tool: { readonly name: string; readonly version: string };
  /** Name of the scenario of all runs. */
  readonly scenario: string;
  readonly rules: Rules;
  readonly base: SideSummary;
  readonly candidates: readonly CandidateComparison[];
  /** The worst of the candidates'. */
  readonly verdict: ComparisonVerdict | 'interrupted';
  /** One sentence: what the verdict rests on. */
  readonly reason: string;
};

/** What was decided before anything was looked at. */
export type Rules = {
  /** How much worse is no failure, where runs differ by chance; 0.05: 1.05 times as long, or 1 / 1.05 times as much. */
  readonly marginRatio: number;
  /** The same for some metrics, also for those that are exact; the first pattern that fits counts. */
  readonly margins: readonly { readonly pattern: string; readonly marginRatio: number }[];
  /** Metrics that are required, all others are shown; empty: the default. `*` stands for anything. */
  readonly metrics: readonly string[];
};

/** Runs of one build with one set of settings. */
export type SideSummary = {
  /** As the operator named it. */
  readonly label: string;
  readonly runCount: number;
  readonly seeds: readonly number[];
  readonly overrides: Readonly<Record<string, string>>;
  readonly toolVersions: readonly string[];
  /** Runs that were left out, and why. */
  readonly leftOut: readonly string[];
};

export type CandidateComparison = SideSummary & {
  readonly metrics: readonly MetricComparison[];
  readonly expectations: readonly ExpectationComparison[];
  /** What a reader must know: what differs beside what is compared. */
  readonly notes: readonly string[];
  readonly verdict: ComparisonVerdict;
  readonly reason: string;
};

/** One metric, in one world. */
export type MetricComparison = {
  readonly name: string;
  readonly world: WorldName;
  readonly unit: MetricUnit;
  readonly better: Better;
  readonly role: Role;
  /** A value a run, in the order of the runs. */
  readonly base: readonly number[];
  readonly candidate: readonly number[];
  /** Median of the candidate by that of the base; absent by zero. */
  readonly ratio?: number;
  /** 95 % interval of the ratio; an end that has no bound is absent. Absent where values are exact, or runs too few. */
  readonly interval?: { readonly low?: number; readonly high?: number };
  /** Mann–Whitney, two-sided, corrected by Holm for all that was judged. */
  readonly pValue?: number;
  readonly marginRatio: number;
  readonly verdict: ComparisonVerdict | 'notJudged';
  /** What the verdict rests on, in a few words. */
  readonly reason: string;
};

/** An expectation of the scenario: in how many runs it failed. */
export type ExpectationComparison = {
  readonly text: string;
  readonly world: WorldName;
  readonly base: { readonly failedCount: number; readonly judgedCount: number };
  readonly candidate: { readonly failedCount: number; readonly judgedCount: number };
  readonly pValue?: number;
  readonly verdict: ComparisonVerdict | 'notJudged';
  readonly reason: string;
};
