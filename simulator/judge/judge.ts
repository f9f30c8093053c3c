// From metrics to verdicts. Pure: the same numbers give the same verdict, here and from a result file years later.
// Invalid is not failed: what a saturated generator cannot tell is inconclusive, what no run measured is notJudged.

import { assert, assertNever, exitCodes } from '../../common/errors.ts';
import { formatDuration } from '../../common/units.ts';
import { findMetric, type MetricUnit, type WorldName } from '../result/metrics.ts';
import type { Expectation, Operator } from './expectation.ts';

/**
 * What a run was for. `claim`: the modelled machine over the whole duration (virtual). `measurement`: this machine
 * (live). `prediction`: this machine's calibrated profile over the window of the measurement (virtual).
 */
export type RunPurpose = 'claim' | 'measurement' | 'prediction';

/** What judging needs to know of a run. */
export type JudgedRun = {
  readonly world: WorldName;
  readonly purpose: RunPurpose;
  /** By metric name, each in the unit that its name says; never NaN. */
  readonly metrics: Readonly<Record<string, number>>;
  /** Why a metric is absent, by its name. */
  readonly unavailable: Readonly<Record<string, string>>;
  /** Why the load generator itself was the limit of this run, in words; absent or empty when it was not. */
  readonly generatorLimits?: readonly string[];
};

/** What became of one expectation in one run. */
export type ExpectationVerdict = {
  readonly text: string;
  readonly metric: string;
  /** Absent when the run did not measure it. In `unit`, as `limit` is. */
  readonly actual?: number;
  readonly limit: number;
  readonly unit: MetricUnit;
  readonly op: Operator;
  readonly verdict: 'pass' | 'fail' | 'inconclusive' | 'notJudged';
  /** Why it is inconclusive or not judged. */
  readonly reason?: string;
  /**
   * How far the value is from the limit, by the limit; positive on the side that holds (23 h of 24 h: 0.042).
   * Absent for == and !=, and for a limit of zero.
   */
  readonly headroomRatio?: number;
};

/** The verdict on a whole command, over all its runs. */
export type OverallVerdict = {
  /** What the expectations say, before `expected` is looked at. */
  readonly verdict: 'pass' | 'fail' | 'inconclusive';
  /** Whether the scenario did what it says it does (`expected`). False when inconclusive. */
  readonly asExpected: boolean;
  readonly exitCode: 0 | 1 | 4;
  /** One sentence for the last line of a report. */
  readonly reason: string;
};

/** Rates and times that differ by less than this share count as equal (the contract's tolerance). */
export const measuredTolerance = 1e-9;

/** Judges every expectation in one run, in order. An expectation for the other world is `notJudged` here. */
export function judgeRun(expectations: readonly Expectation[], run: JudgedRun): readonly ExpectationVerdict[] {
  return expectations.map((expectation) => judgeOne(expectation, run));
}

function judgeOne(expectation: Expectation, run: JudgedRun): ExpectationVerdict {
  const { text, metric, limit, unit, op } = expectation;
  const base = { text, metric, limit, unit, op };
  const notJudged = (reason: string): ExpectationVerdict => ({ ...base, verdict: 'notJudged', reason });
  if (expectation.world !== undefined && expectation.world !== run.world) {
    return notJudged(`it is for the ${expectation.world} world only`);
  }
  // A prediction covers the measurement's window, not the claim; it is compared with the measurement instead.
  if (run.purpose === 'prediction') return notJudged('a prediction is compared with the measurement, not judged');
  const actual = metricValue(run.metrics, metric);
  if (actual === undefined) return notJudged(run.unavailable[metric] ?? `the ${run.world} run did not measure it`);
  assert(Number.isFinite(actual), `metric ${metric} is a finite number, found ${actual}`);

  const definition = findMetric(metric);
  assert(definition !== undefined, `metric ${metric} is in the registry`);
  const order = compare(actual, limit, definition.noise === 'measured' ? measuredTolerance : 0);
  const holds = satisfies(order, op);
  const measured = { ...base, actual, ...headroom(actual, limit, op) };
  const doubt =
    doubtWhenSaturated(run.generatorLimits ?? [], definition.whenSaturated, op, holds) ??
    (definition.whenSaturated === 'void' && !holds ? doubtByDelay(run.metrics, expectation, actual) : undefined);
  if (doubt !== undefined) return { ...measured, verdict: 'inconclusive', reason: doubt };
  return { ...measured, verdict: holds ? 'pass' : 'fail' };
}

function metricValue(metrics: Readonly<Record<string, number>>, name: string): number | undefined {
  return Object.hasOwn(metrics, name) ? metrics[name] : undefined;
}

/** -1, 0 or 1 as `actual` is below, equal to or above `limit`; equal within `tolerance` of the larger of both. */
function compare(actual: number, limit: number, tolerance: number): -1 | 0 | 1 {
  if (Math.abs(actual - limit) <= tolerance * Math.max(Math.abs(actual), Math.abs(limit))) return 0;
  return actual < limit ? -1 : 1;
}

function satisfies(order: -1 | 0 | 1, op: Operator): boolean {
  switch (op) {
    case '==':
      return order === 0;
    case '!=':
      return order !== 0;
    case '<=':
      return order <= 0;
    case '>=':
      return order >= 0;
    case '<':
      return order < 0;
    case '>':
      return order > 0;
    default:
      return assertNever(op);
  }
}

/**
 * Why a verdict cannot be given when the generator was the limit; `undefined` when it can. A rate is then a lower
 * bound of the true one: one that was reached stays reached, and one that exceeds an upper limit stays exceeded.
 */
function doubtWhenSaturated(
  generatorLimits: readonly string[],
  whenSaturated: 'valid' | 'lowerBound' | 'void',
  op: Operator,
  holds: boolean,
): string | undefined {
  if (generatorLimits.length === 0) return undefined;
  const limit = `the generator was the limit (${generatorLimits.join('; ')})`;
  switch (whenSaturated) {
    case 'valid':
      return undefined;
    case 'void':
      return `${limit}, and its own delay is in every time`;
    case 'lowerBound': {
      const reached = (op === '>=' || op === '>') && holds;
      const exceeded = (op === '<=' || op === '<') && !holds;
      return reached || exceeded ? undefined : `${limit}: it could not ask for more`;
    }
    default:
      return assertNever(whenSaturated);
  }
}

/**
 * Why a time that is too long is none of the server's: the generator was not the limit, but stood still for a moment, and
 * without that delay (of the same percentile) the time would hold. A time that holds does so with the delay in it.
 */
function doubtByDelay(
  metrics: Readonly<Record<string, number>>,
  { metric, op, limit }: Expectation,
  actual: number,
): string | undefined {
  if (op !== '<=' && op !== '<') return undefined;
  const statistic = /\.(p50|p99|p999)$/.exec(metric)?.[1] ?? (/\.p9[05]$/.test(metric) ? 'p99' : 'max');
  const delayMs = metricValue(metrics, `generator.eventLoopDelayMs.${statistic}`) ?? 0;
  if (!satisfies(compare(actual - delayMs, limit, measuredTolerance), op)) return undefined;
  const what = statistic === 'max' ? 'stood still for' : `kept what was due waiting for (${statistic})`;
  return `it is too long by no more than the generator's own delay: its event loop ${what} ${formatDuration(delayMs)}`;
}

function headroom(actual: number, limit: number, op: Operator): { readonly headroomRatio?: number } {
  if (limit === 0 || op === '==' || op === '!=') return {};
  const room = op === '<=' || op === '<' ? limit - actual : actual - limit;
  return { headroomRatio: room / Math.abs(limit) };
}

/**
 * The verdict over all runs of a command, each with the same expectations in the same order: fail beats inconclusive beats pass; what one run could judge and another
 * could not counts as judged; nothing judged at all is inconclusive. `expected: fail` swaps the exit codes 0 and 1.
 */
export function overallVerdict(
  runs: readonly (readonly ExpectationVerdict[])[],
  expected: 'pass' | 'fail' = 'pass',
): OverallVerdict {
  // An expectation that two runs judge is one expectation.
  const count = (counts: (each: ExpectationVerdict) => boolean): number =>
    new Set(runs.flatMap((verdicts) => verdicts.flatMap((each, place) => (counts(each) ? [place] : [])))).size;
  const judgedCount = count(({ verdict }) => verdict !== 'notJudged');
  const failedCount = count(({ verdict }) => verdict === 'fail');
  const doubtfulCount = count(({ verdict }) => verdict === 'inconclusive');
  if (failedCount > 0) {
    const asExpected = expected === 'fail';
    const reason = `${failedCount} of ${judgedCount} judged expectations failed${asExpected ? ', as expected' : ''}`;
    return { verdict: 'fail', asExpected, exitCode: asExpected ? exitCodes.pass : exitCodes.failed, reason };
  }
  if (judgedCount === 0 || doubtfulCount > 0) {
    const reason =
      judgedCount === 0
        ? 'nothing was judged: no run could measure an expectation'
        : `${doubtfulCount} of ${judgedCount} judged expectations ${doubtfulCount === 1 ? 'is' : 'are'} inconclusive`;
    return { verdict: 'inconclusive', asExpected: false, exitCode: exitCodes.inconclusive, reason };
  }
  const asExpected = expected === 'pass';
  const reason = `${judgedCount} judged expectations hold${asExpected ? '' : ', but one was expected to fail'}`;
  return { verdict: 'pass', asExpected, exitCode: asExpected ? exitCodes.pass : exitCodes.failed, reason };
}

/**
 * The verdict on a scenario, over the runs of its worlds; the scenario's own expectations come first in each. One none of
 * whose own expectations could be judged has not passed, though the invariants hold.
 */
export function scenarioVerdict(
  runs: readonly (readonly ExpectationVerdict[])[],
  { expect, expected }: { readonly expect: readonly Expectation[]; readonly expected: 'pass' | 'fail' },
): OverallVerdict {
  const overall = overallVerdict(runs, expected);
  const own = runs.flatMap((verdicts) => verdicts.slice(0, expect.length));
  const noneJudged = own.length > 0 && own.every((each) => each.verdict === 'notJudged');
  return noneJudged && overall.verdict === 'pass' ? overallVerdict([], expected) : overall;
}

/**
 * One expectation over all runs, for a report's one line: the worst verdict that was given. `verdicts` are those of this
 * expectation, one a run. Undefined without runs; not judged in any run: with the reasons of all.
 */
export function combinedVerdict(verdicts: readonly ExpectationVerdict[]): ExpectationVerdict | undefined {
  for (const verdict of ['fail', 'inconclusive', 'pass'] as const) {
    const found = verdicts.find((each) => each.verdict === verdict);
    if (found !== undefined) return found;
  }
  const first = verdicts[0];
  const reasons = new Set(verdicts.map((each) => each.reason ?? 'no reason was given'));
  return first === undefined ? undefined : { ...first, reason: [...reasons].join('; ') };
}
