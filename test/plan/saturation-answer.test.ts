import { describe, expect, it } from 'vitest';
import type { Searched } from '../../simulator/plan/saturate.ts';
import { answerOf, exitCodeOf } from '../../simulator/plan/saturation-answer.ts';
import { variableOf } from '../../simulator/plan/variable.ts';
import type { SaturationStep } from '../../simulator/result/saturation.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';

const variable = variableOf('demand', loadScenario('scenarios/enterprise.yaml'));
const gigabit = 1e9;

type Given = readonly [value: number, outcome: SaturationStep['outcome'], changes?: Partial<SaturationStep>];

const stepsOf = (given: readonly Given[]): SaturationStep[] =>
  given.map(([value, outcome, changes]) => ({
    value: value * gigabit,
    text: variable.text(value * gigabit),
    purpose: 'search',
    outcome,
    ...(outcome === 'holds' ? {} : { reason: `it was ${outcome}` }),
    command: 'sim run',
    durationMs: 1,
    load: { devices: 1 },
    metrics: {},
    expectations: [],
    ...changes,
  }));

const answer = (ended: Searched['ended'], ...given: readonly Given[]) => {
  const steps = stepsOf(given);
  const found = answerOf({ steps, ended }, variable);
  return { ...found, exitCode: exitCodeOf(found, steps) };
};

describe('the answer of a search', () => {
  it.each([
    { ended: 'bracketed', last: 'fails', how: 'knee', exitCode: 0 },
    { ended: 'bracketed', last: 'inconclusive', how: 'generator', exitCode: 4 },
    { ended: 'bracketed', last: 'impossible', how: 'machine', exitCode: 3 },
    { ended: 'budget', last: 'fails', how: 'knee', exitCode: 0 },
    { ended: 'interrupted', last: 'fails', how: 'interrupted', exitCode: 130 },
  ] as const)(
    '$ended, with a highest value that $last, is $how: exit code $exitCode',
    ({ ended, last, ...expected }) => {
      const found = answer(ended, [7, 'holds'], [10.5, last]);
      expect(found).toMatchObject({
        ...expected,
        isResolved: ended === 'bracketed',
        held: { text: '7 Gbit/s' },
        failed: { text: '10.5 Gbit/s', reason: `it was ${last}` },
      });
    },
  );

  it.each([
    { given: [[7, 'holds']], ended: 'ceiling', how: 'ceiling', exitCode: 0 },
    { given: [[7, 'holds']], ended: 'budget', how: 'budget', exitCode: 4 },
    { given: [[7, 'fails']], ended: 'budget', how: 'budget', exitCode: 4 },
    { given: [], ended: 'budget', how: 'budget', exitCode: 4 },
    {
      given: [
        [7, 'fails'],
        [1, 'fails'],
      ],
      ended: 'nothing',
      how: 'nothing',
      exitCode: 1,
    },
    {
      given: [
        [7, 'inconclusive'],
        [1, 'inconclusive'],
      ],
      ended: 'nothing',
      how: 'nothing',
      exitCode: 4,
    },
    {
      given: [
        [7, 'impossible'],
        [1, 'impossible'],
      ],
      ended: 'nothing',
      how: 'nothing',
      exitCode: 3,
    },
  ] as const)('of $given that ended by $ended is $how: exit code $exitCode', ({ given, ended, how, exitCode }) => {
    expect(answer(ended, ...given)).toMatchObject({ how, exitCode });
  });

  it('never gives the node what the generator or luck decided', () => {
    const found = answer('bracketed', [7, 'holds'], [8, 'inconclusive'], [8, 'fails'], [7, 'fails'], [7, 'holds']);
    expect(found).toMatchObject({ how: 'generator', failed: { reason: 'it was inconclusive' } });
    expect(found.notes).toEqual(['at 7 Gbit/s 2 of 3 runs held: the majority counts']);
  });

  it('says what was full at the lowest value that failed, what else ran, and that a cache was cold', () => {
    const bottleneck = { name: 'node.hq.limit', basis: 'given', text: 'the limit' } as const;
    const cold = { load: { devices: 1, askedBitsPerSecond: 7 * gigabit, hitRatioBytes: 0.6, otherCores: 0.8 } };
    const found = answer('bracketed', [7, 'holds', cold], [12, 'fails'], [8, 'fails', { bottleneck }]);
    expect(found.bottleneck).toEqual(bottleneck);
    expect(found.notes).toEqual([
      expect.stringContaining('at 7 Gbit/s only 60 % of the bytes came from the cache'),
      'other programs used up to 0.80 cores around the knee: on a quiet machine it may be higher',
    ]);
  });
});
