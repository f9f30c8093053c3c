// Compares one base with candidates: what the runs say of each metric, one correction for all the looks, verdicts.

import { type ExitCode, exitCodes, OperatorError } from '../../common/errors.ts';
import { findMetric, type WorldName } from '../result/metrics.ts';
import type { Result } from '../result/result.ts';
import { toolVersion } from '../result/tool-version.ts';
import {
  type CandidateComparison,
  type Comparison,
  type ComparisonVerdict,
  comparisonSchema,
  type ExpectationComparison,
  type MetricComparison,
  type Role,
  type Rules,
} from './comparison.ts';
import { failuresOf, judgeExpectation } from './expectations.ts';
import { type Finding, findingOf, type RunOfSide, valuesOf } from './finding.ts';
import { holmAdjusted } from './holm.ts';
import { judgeFinding } from './judge-finding.ts';
import { differenceNotes } from './notes.ts';
import { marginOf, requireKnown, roleOf } from './roles.ts';
import { requireComparable, type Side, sideSummary } from './side.ts';

/** One that nobody interrupted. */
export type JudgedComparison = Comparison & { readonly verdict: ComparisonVerdict };

/** Compares each candidate with the base. Throws an OperatorError (exit code 2) when that makes no sense. */
export function compareSides(base: Side, candidates: readonly Side[], rules: Rules): JudgedComparison {
  for (const candidate of candidates) requireComparable(base, candidate);
  requireKnown(rules, namesOf([base, ...candidates]));
  for (const candidate of candidates) requireCommonWorld(base, candidate);
  const looks = candidates.map((candidate) => lookAt(base, candidate, rules));
  // One correction for everything that could fail, over all candidates.
  const pValues = looks.flatMap(({ metrics, expectations }) => [
    ...metrics.flatMap(({ role, finding }) => (role !== 'shown' && finding.kind === 'interval' ? finding.pValue : [])),
    ...expectations.flatMap(({ pValue }) => pValue ?? []),
  ]);
  const adjusted = holmAdjusted(pValues);
  const next = (): number => adjusted.shift() ?? 1;
  const judged = looks.map((look) => judgeLook(base, look, next));
  const worst = worstOf(judged.map(({ verdict }) => verdict));
  return {
    schema: comparisonSchema,
    tool: { name: 'delivery-optimization-simulator', version: toolVersion },
    scenario: base.results[0]?.scenario.name ?? '',
    rules,
    base: sideSummary(base),
    candidates: judged,
    verdict: worst,
    reason: judged.find(({ verdict }) => verdict === worst)?.reason ?? 'nothing was compared',
  };
}

function requireCommonWorld(base: Side, candidate: Side): void {
  const has = (side: Side) => worlds.filter((world) => runsOf(side, world).length > 0);
  const [ofBase, ofCandidate] = [has(base), has(candidate)];
  if (ofBase.length === 0 || ofCandidate.length === 0 || ofBase.some((world) => ofCandidate.includes(world))) return;
  throw new OperatorError(
    'NO_COMMON_WORLD',
    `${candidate.label}: expected runs of the ${ofBase.join(' and ')} world as in ${base.label}, found ${ofCandidate.join(' and ')}. ` +
      'Run both with the same --world.',
  );
}

/** fail beats inconclusive beats pass. */
export function comparisonExitCode({ verdict }: Comparison): ExitCode {
  const codes = { pass: 'pass', fail: 'failed', inconclusive: 'inconclusive', interrupted: 'interrupted' } as const;
  return exitCodes[codes[verdict]];
}

/** A metric with what the runs say of it; not yet judged. */
type MetricLook = Omit<MetricComparison, 'verdict' | 'reason' | 'marginRatio' | 'pValue'> & {
  readonly finding: Finding;
  readonly marginRatio: number;
};

type ExpectationLook = Omit<ExpectationComparison, 'verdict' | 'reason'>;

type Look = {
  readonly candidate: Side;
  readonly metrics: readonly MetricLook[];
  readonly expectations: readonly ExpectationLook[];
};

/** What is compared: what was measured live, and what the model says of the scenario's own machines. */
const worlds = ['virtual', 'live'] as const;

function lookAt(base: Side, candidate: Side, rules: Rules): Look {
  const looks = worlds.map((world) => {
    const [baseRuns, candidateRuns] = [runsOf(base, world), runsOf(candidate, world)];
    if (baseRuns.length === 0 || candidateRuns.length === 0) return { metrics: [], expectations: [] };
    return {
      metrics: lookAtMetrics(world, baseRuns, candidateRuns, rules),
      expectations: failuresOf(world, baseRuns, candidateRuns),
    };
  });
  return {
    candidate,
    metrics: looks.flatMap(({ metrics }) => metrics),
    expectations: looks.flatMap(({ expectations }) => expectations),
  };
}

function lookAtMetrics(
  world: WorldName,
  base: readonly RunOfSide[],
  candidate: readonly RunOfSide[],
  rules: Rules,
): MetricLook[] {
  const names = new Set([...base, ...candidate].flatMap(({ run }) => Object.keys(run.metrics)));
  return [...names].flatMap((name) => {
    const definition = findMetric(name);
    if (definition === undefined) return [];
    const values = { base: valuesOf(name, base), candidate: valuesOf(name, candidate) };
    const finding = findingOf(name, definition, world, base, candidate);
    const { unit, better } = definition;
    const role = isOfOtherWork(name, base, candidate) ? 'shown' : roleOf(name, definition, rules);
    const marginRatio = marginOf(name, finding.kind === 'exact', rules);
    return [{ name, world, unit, better, role, ...values, ...shownRatio(finding), finding, marginRatio }];
  });
}

/** Work that differs by less is the same work. */
const sameWorkRatio = 0.01;

/** Processor time says something of equal work only: who serves more in a given time may take more. */
function isOfOtherWork(name: string, base: readonly RunOfSide[], candidate: readonly RunOfSide[]): boolean {
  const node = /^(node\.[^.]+)\.cpuMs$/.exec(name)?.[1];
  if (node === undefined) return false;
  const all = valuesOf(`${node}.egressBytes`, [...base, ...candidate]);
  return Math.max(...all) > (1 + sameWorkRatio) * Math.min(...all);
}

function shownRatio(finding: Finding): Pick<MetricComparison, 'ratio' | 'interval'> {
  const finite = <K extends string>(key: K, value: number | undefined): { [key in K]?: number } =>
    value !== undefined && Number.isFinite(value) ? ({ [key]: value } as { [key in K]: number }) : {};
  if (finding.kind === 'same') return { ratio: 1 };
  if (finding.kind !== 'interval') return finite('ratio', finding.ratio);
  const { ratio, low, high } = finding.interval;
  return { ...finite('ratio', ratio), interval: { ...finite('low', low), ...finite('high', high) } };
}

function judgeLook(base: Side, { candidate, metrics, expectations }: Look, next: () => number): CandidateComparison {
  const judgedMetrics = metrics.map(({ finding, ...metric }): MetricComparison => {
    const pValue = metric.role !== 'shown' && finding.kind === 'interval' ? next() : undefined;
    const verdict = judgeFinding(finding, metric.better, metric.role, metric.marginRatio, pValue);
    return { ...metric, ...(pValue === undefined ? {} : { pValue }), ...verdict };
  });
  const judgedExpectations = expectations.map((look): ExpectationComparison => {
    const pValue = look.pValue === undefined ? undefined : next();
    const { pValue: _, ...rest } = look;
    return { ...rest, ...(pValue === undefined ? {} : { pValue }), ...judgeExpectation(look, pValue) };
  });
  return {
    ...sideSummary(candidate),
    metrics: judgedMetrics,
    expectations: judgedExpectations,
    notes: differenceNotes(base, candidate),
    ...overall(judgedMetrics, judgedExpectations),
  };
}

/** Of watched metrics only a failure counts. */
function overall(
  metrics: readonly MetricComparison[],
  expectations: readonly ExpectationComparison[],
): { readonly verdict: ComparisonVerdict; readonly reason: string } {
  const judged = [
    ...metrics.flatMap(({ name, verdict, role }) => (role === 'shown' ? [] : { name, verdict, role })),
    ...expectations.map(({ text, verdict }) => ({ name: text, verdict, role: 'required' as Role })),
  ].filter(({ verdict }) => verdict !== 'notJudged');
  const failed = judged.filter(({ verdict }) => verdict === 'fail');
  const untold = judged.filter(({ verdict, role }) => verdict === 'inconclusive' && role === 'required');
  const untoldTails = judged.filter(({ verdict, role }) => verdict === 'inconclusive' && role === 'watched');
  if (failed.length > 0) return { verdict: 'fail', reason: `worse: ${listed(failed)}` };
  if (untold.length > 0) return { verdict: 'inconclusive', reason: `the runs do not tell of ${listed(untold)}` };
  if (judged.every(({ role }) => role !== 'required')) return { verdict: 'inconclusive', reason: 'nothing was judged' };
  const tails = untoldTails.length === 0 ? '' : `; of tails the runs do not tell ${untoldTails.length}`;
  return { verdict: 'pass', reason: `nothing is worse, of ${judged.length} that were judged${tails}` };
}

const listedMax = 3;

function listed(all: readonly { readonly name: string }[]): string {
  const names = all.slice(0, listedMax).map(({ name }) => name);
  return all.length <= listedMax ? names.join(', ') : `${names.join(', ')} and ${all.length - listedMax} more`;
}

function worstOf(verdicts: readonly ComparisonVerdict[]): ComparisonVerdict {
  return (['fail', 'inconclusive'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'pass';
}

function runsOf({ results }: Side, world: WorldName): RunOfSide[] {
  return results.flatMap(({ runs, seed, machine }: Result) => {
    const run = runs.find((each) => each.world === world && each.purpose !== 'prediction');
    return run === undefined ? [] : [{ run, seed, machine }];
  });
}

function namesOf(sides: readonly Side[]): ReadonlySet<string> {
  return new Set(
    sides.flatMap((side) =>
      worlds.flatMap((world) => runsOf(side, world).flatMap(({ run }) => Object.keys(run.metrics))),
    ),
  );
}
