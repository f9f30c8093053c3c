// What must hold in every run that can tell, whether its scenario says so or not: the books balance, and no byte is wrong.

import { assert } from '../../common/errors.ts';
import { findMetric, type WorldName } from '../result/metrics.ts';
import { type Expectation, parseExpectation } from './expectation.ts';

export const invariants: readonly string[] = ['accounting.imbalanceBytes == 0', 'integrity.corruptBytes == 0'];

/**
 * The scenario's expectations, and the invariants that it does not state itself (a laxer limit is no substitute), as far as
 * one of the worlds that ran can measure them.
 */
export function withInvariants(
  expectations: readonly Expectation[],
  worlds: readonly WorldName[],
): readonly Expectation[] {
  const missing = invariants.flatMap((text) => {
    const parsed = parseExpectation(text);
    assert(parsed.kind === 'expectation', `${text} is an expectation`);
    const { metric, op, limit } = parsed.expectation;
    if (findMetric(metric)?.worlds.some((world) => worlds.includes(world)) !== true) return [];
    const stated = expectations.some(
      (other) => other.metric === metric && other.op === op && other.limit === limit && other.world === undefined,
    );
    return stated ? [] : [parsed.expectation];
  });
  return [...expectations, ...missing];
}
