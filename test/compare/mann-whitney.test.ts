import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holmAdjusted } from '../../simulator/compare/holm.ts';
import { mannWhitney } from '../../simulator/compare/mann-whitney.ts';

/** Placental membranes at term and at 12 to 26 weeks: M. Hollander, D. A. Wolfe, Nonparametric Statistical Methods, 1973, page 69; the example of R's wilcox.test. */
const atTerm = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
const before = [1.15, 0.88, 0.9, 0.74, 1.21];

/** All ways to choose which values are the second sample's, one by one. */
function byEnumeration(a: readonly number[], b: readonly number[]): number {
  const all = [...a, ...b];
  const pairs = (chosen: ReadonlySet<number>): number => {
    let u = 0;
    for (const [i, x] of all.entries()) {
      if (chosen.has(i)) continue;
      for (const j of chosen) u += x < (all[j] as number) ? 1 : x === all[j] ? 0.5 : 0;
    }
    return u;
  };
  const middle = (a.length * b.length) / 2;
  const distance = Math.abs(pairs(new Set(b.map((_, index) => a.length + index))) - middle);
  let far = 0;
  let count = 0;
  const choose = (from: number, chosen: readonly number[]): void => {
    if (chosen.length === b.length) {
      count += 1;
      if (Math.abs(pairs(new Set(chosen)) - middle) >= distance - 1e-9) far += 1;
      return;
    }
    for (let next = from; next < all.length; next += 1) choose(next + 1, [...chosen, next]);
  };
  choose(0, []);
  return far / count;
}

describe('the test of Mann and Whitney', () => {
  it('gives what R prints for the example of Hollander and Wolfe: W = 35, twice 0.1272', () => {
    const { u, pValue } = mannWhitney(before, atTerm);
    expect(u).toBe(35);
    expect(pValue / 2).toBeCloseTo(0.1272, 4);
  });

  // Table I of Mann and Whitney 1947: chance of a U of at most so much; twice that is two-sided.
  it.each([
    // size a, size b, U, P(U <= u)
    [3, 3, 0, 0.05],
    [4, 4, 1, 0.029],
    [5, 5, 0, 0.004],
    [5, 5, 2, 0.016],
    [5, 5, 4, 0.048],
    [8, 8, 13, 0.025],
  ])('of %d and %d values gives U = %d the chance of the table, %d', (sizeA, sizeB, u, chance) => {
    // The first sample is 1, 2, …; values of the second are put so that `u` of the pairs have the second one larger.
    const a = Array.from({ length: sizeA }, (_, index) => index + 1);
    let rest = u;
    const b = Array.from({ length: sizeB }, () => {
      const below = Math.min(rest, sizeA);
      rest -= below;
      return below + 0.5;
    }).map((value, index) => value + index / 1000);
    const test = mannWhitney(a, b);
    expect(test.u).toBe(u);
    expect(test.pValue / 2).toBeCloseTo(chance, 3);
  });

  // scipy 1.17.1, stats.mannwhitneyu: method 'exact', and 'asymptotic' with ties.
  it.each([
    [
      [12.1, 11.8, 12.9, 12.3, 11.9, 12.5, 12.2, 12.8, 12.0, 12.4],
      [13.0, 12.7, 13.4, 12.6, 13.1, 13.3, 12.35, 13.6, 13.2, 12.95],
      92,
      0.0007252809110394249,
    ],
    [
      Array.from({ length: 40 }, (_, i) => (i * 37) % 101),
      Array.from({ length: 40 }, (_, i) => ((i * 53) % 97) + 6),
      802,
      0.9884829833398903,
    ],
  ])('agrees with scipy (case %#)', (a, b, u, pValue) => {
    const test = mannWhitney(a, b);
    expect(test.u).toBe(u);
    expect(test.pValue).toBeCloseTo(pValue, 6);
  });

  it('counts ties exactly, whatever they are', () => {
    const sample = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        expect(mannWhitney(a, b).pValue).toBeCloseTo(byEnumeration(a, b), 10);
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it('does not ask which sample is which', () => {
    const sample = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const [one, other] = [mannWhitney(a, b), mannWhitney(b, a)];
        expect(one.u + other.u).toBe(a.length * b.length);
        expect(one.pValue).toBeCloseTo(other.pValue, 9);
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it('finds no difference where there is none', () => {
    expect(mannWhitney([3, 3, 3], [3, 3]).pValue).toBe(1);
    const many = new Array<number>(50).fill(3);
    expect(mannWhitney(many, many).pValue).toBe(1);
  });
});

describe('the correction of Holm', () => {
  // statsmodels 0.14, multipletests, method 'holm'.
  it.each([
    [
      [0.01, 0.04, 0.03, 0.005],
      [0.03, 0.06, 0.06, 0.02],
    ],
    [
      [0.2, 0.001, 0.02, 0.9, 0.02, 0.0004],
      [0.4, 0.005, 0.08, 0.9, 0.08, 0.0024],
    ],
    [[], []],
    [[0.7], [0.7]],
    [
      [0.9, 0.8],
      [1, 1],
    ],
  ])('of %j is %j', (pValues, adjusted) => {
    expect(holmAdjusted(pValues).map((value) => Number(value.toFixed(12)))).toEqual(adjusted);
  });
});
