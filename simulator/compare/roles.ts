// Which metrics a comparison rests on. Fewer is better: with each one more, a real change must be larger to be found, and the
// runs are more likely not to tell.

import { OperatorError } from '../../common/errors.ts';
import { findMetric, type MetricDefinition, suggestMetric } from '../result/metrics.ts';
import type { Role, Rules } from './comparison.ts';

/** One extreme of many values: what it is depends on how many there were, and on one unlucky moment. */
const extreme = /\.(max|p999|peak)$/;
/** Few values of many: noisy, so that they may fail a comparison, and need not be told by every one. */
const tail = /\.(p90|p95|p99)$/;

/** By the rules, or by default: what has a good direction, of the whole fleet and of nodes, but for extremes. */
export function roleOf(name: string, { better }: MetricDefinition, { metrics }: Rules): Role {
  if (better === 'neither') return 'shown';
  if (metrics.length > 0) return metrics.some((pattern) => fits(name, pattern)) ? 'required' : 'shown';
  if (name.startsWith('group.') || extreme.test(name)) return 'shown';
  return tail.test(name) ? 'watched' : 'required';
}

/** That of the first pattern that fits; else the general one, which exact values do not get. */
export function marginOf(name: string, isExact: boolean, { marginRatio, margins }: Rules): number {
  return margins.find(({ pattern }) => fits(name, pattern))?.marginRatio ?? (isExact ? 0 : marginRatio);
}

/** Throws an OperatorError (exit code 2) when a pattern names no metric of the runs, or one that nobody can judge. */
export function requireKnown(rules: Rules, names: ReadonlySet<string>): void {
  const patterns = [
    ...rules.metrics.map((pattern) => ['--metric', pattern] as const),
    ...rules.margins.map(({ pattern }) => ['--margin', pattern] as const),
  ];
  for (const [option, pattern] of patterns) {
    const fitting = [...names].filter((name) => fits(name, pattern));
    if (fitting.length === 0) {
      const meant = names.has(suggestMetric(pattern) ?? '') ? ` Did you mean ${suggestMetric(pattern)}?` : '';
      throw new OperatorError(
        'NO_SUCH_METRIC',
        `${option} ${pattern}: expected a metric that the runs have, found none of that name.${meant} sim metrics lists all; * stands for anything.`,
      );
    }
    if (option === '--metric' && fitting.every((name) => findMetric(name)?.better === 'neither')) {
      throw new OperatorError(
        'NOTHING_TO_JUDGE',
        `${option} ${pattern}: expected a metric of which more or less is better, found that it depends. It is shown in compare.md.`,
      );
    }
  }
}

function fits(name: string, pattern: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(name);
}
