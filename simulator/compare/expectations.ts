// The scenario's own expectations, on both sides: one that holds in the base and not in the candidate is no matter of margins.

import type { WorldName } from '../result/metrics.ts';
import type { ComparisonVerdict, ExpectationComparison } from './comparison.ts';
import { type RunOfSide, runCountMin } from './finding.ts';
import { significantPValue } from './judge-finding.ts';
import { mannWhitney } from './mann-whitney.ts';

/** Of one that failed as often as before. */
export const unchangedReason = 'as before';

type Failures = Omit<ExpectationComparison, 'verdict' | 'reason'>;

/** How often each expectation failed; with the chance of such a difference where live runs differ in it. */
export function failuresOf(world: WorldName, base: readonly RunOfSide[], candidate: readonly RunOfSide[]): Failures[] {
  const texts = new Set([...base, ...candidate].flatMap(({ run }) => run.expectations.map(({ text }) => text)));
  return [...texts].flatMap((text) => {
    const [before, after] = [failures(text, base), failures(text, candidate)];
    if (before.length === 0 || after.length === 0) return [];
    const counts = { base: counted(before), candidate: counted(after) };
    if (world === 'virtual' || isSame(counts)) return [{ text, world, ...counts }];
    return [{ text, world, ...counts, pValue: mannWhitney(before, after).pValue }];
  });
}

/** 1 for each run in which it failed, 0 where it held. */
function failures(text: string, runs: readonly RunOfSide[]): number[] {
  return runs.flatMap(({ run }) => {
    const verdict = run.expectations.find((each) => each.text === text)?.verdict;
    return verdict === 'fail' ? 1 : verdict === 'pass' ? 0 : [];
  });
}

function counted(all: readonly number[]): { failedCount: number; judgedCount: number } {
  return { failedCount: all.filter((failed) => failed === 1).length, judgedCount: all.length };
}

function isSame({ base, candidate }: Pick<Failures, 'base' | 'candidate'>): boolean {
  return base.failedCount * candidate.judgedCount === candidate.failedCount * base.judgedCount;
}

export function judgeExpectation(
  { world, base, candidate }: Pick<Failures, 'world' | 'base' | 'candidate'>,
  pValue: number | undefined,
): { verdict: ComparisonVerdict; reason: string } {
  const failsMore = candidate.failedCount * base.judgedCount > base.failedCount * candidate.judgedCount;
  const counts = `failed in ${candidate.failedCount} of ${candidate.judgedCount} runs, before in ${base.failedCount} of ${base.judgedCount}`;
  if (!failsMore) return { verdict: 'pass', reason: isSame({ base, candidate }) ? unchangedReason : counts };
  const isTold = Math.min(base.judgedCount, candidate.judgedCount) >= runCountMin && (pValue ?? 1) < significantPValue;
  if (world === 'virtual' || isTold) return { verdict: 'fail', reason: counts };
  // One that fails now and then anyhow, and not significantly more often now.
  if (base.failedCount > 0 && base.judgedCount >= runCountMin) return { verdict: 'pass', reason: `${counts}: chance` };
  return { verdict: 'inconclusive', reason: counts };
}
