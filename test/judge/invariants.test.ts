import { describe, expect, it } from 'vitest';
import { type Expectation, parseExpectation } from '../../simulator/judge/expectation.ts';
import { invariants, withInvariants } from '../../simulator/judge/invariants.ts';

const read = (text: string, world?: 'live' | 'virtual'): Expectation => {
  const parsed = parseExpectation(text, world);
  if (parsed.kind === 'problem') throw new Error(text);
  return parsed.expectation;
};

describe('what must hold in every run', () => {
  it.each<{ name: string; written: readonly Expectation[]; added: readonly string[] }>([
    { name: 'is added to a scenario that says nothing of it', written: [], added: invariants },
    {
      name: 'is not added to one that says it',
      written: invariants.map((text) => read(text)),
      added: [],
    },
    {
      name: 'is added beside a laxer limit',
      written: [read('integrity.corruptBytes <= 5 B'), read('accounting.imbalanceBytes == 1 B')],
      added: invariants,
    },
    {
      name: 'is added beside the same for one world only',
      written: invariants.map((text) => read(text, 'live')),
      added: invariants,
    },
  ])('$name', ({ written, added }) => {
    const all = withInvariants(written, ['virtual', 'live']);
    expect(all.slice(0, written.length)).toEqual(written);
    expect(all.slice(written.length).map((each) => each.text)).toEqual(added);
  });

  it('is not added when no world that ran can measure it', () => {
    expect(withInvariants([], ['virtual']).map((each) => each.text)).toEqual(['accounting.imbalanceBytes == 0']);
  });
});
