import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../common/random.ts';
import { median, medianRatio } from '../../simulator/compare/median-ratio.ts';

/** What the interval is defined by: medians of resamples, drawn. */
function byDrawing(base: readonly number[], candidate: readonly number[], resamples: number): number[] {
  const random = randomStream(1, 'resamples');
  const resample = (values: readonly number[]): number[] =>
    values.map(() => values[Math.floor(random() * values.length)] as number);
  return Array.from({ length: resamples }, () => median(resample(candidate)) / median(resample(base))).sort(
    (a, b) => a - b,
  );
}

describe('the interval of a ratio of medians', () => {
  // scipy 1.17.1, stats.bootstrap of np.median(b) / np.median(a), method 'percentile', 400,000 resamples.
  it.each([
    [
      [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46],
      [1.15, 0.88, 0.9, 0.74, 1.21],
      { ratio: 0.6360424028268551, low: 0.509915014164306, high: 1.229946524064171 },
    ],
    [
      [12.1, 11.8, 12.9, 12.3, 11.9, 12.5, 12.2, 12.8, 12.0, 12.4],
      [13.0, 12.7, 13.4, 12.6, 13.1, 13.3, 12.35, 13.6, 13.2, 12.95],
      { ratio: 1.0653061224489797, low: 1.0277777777777777, high: 1.0991735537190084 },
    ],
  ])('is the one that scipy draws (case %#)', (base, candidate, expected) => {
    const { ratio, low, high } = medianRatio(base, candidate);
    expect(ratio).toBeCloseTo(expected.ratio, 12);
    // What is drawn may fall on the next of the values that a median can have.
    expect(low).toBeCloseTo(expected.low, 3);
    expect(high).toBeCloseTo(expected.high, 3);
  });

  it('is the one of drawn resamples, for odd and even counts, with and without ties', () => {
    const sample = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 13 });
    const resamples = 4000;
    fc.assert(
      fc.property(sample, sample, (base, candidate) => {
        const drawn = byDrawing(base, candidate, resamples);
        const { low, high } = medianRatio(base, candidate);
        // Shares of the drawn ratios below and up to each end hold the chance, but for four standard deviations of drawing.
        const share = (test: (ratio: number) => boolean): number => drawn.filter(test).length / resamples;
        const error = 4 * Math.sqrt((0.025 * 0.975) / resamples);
        for (const [end, chance] of [
          [low, 0.025],
          [high, 0.975],
        ] as const) {
          expect(share((ratio) => ratio < end - 1e-9)).toBeLessThanOrEqual(chance + error);
          expect(share((ratio) => ratio <= end + 1e-9)).toBeGreaterThanOrEqual(chance - error);
        }
      }),
      { seed: 7, numRuns: 25 },
    );
  });

  it.each([10, 11, 20])('holds the true ratio in at least 95 of 100 comparisons of %d runs', (count) => {
    const random = randomStream(3, `coverage ${count}`);
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const sample = (centre: number): number[] => Array.from({ length: count }, () => centre * Math.exp(0.1 * normal()));
    const comparisons = 1000;
    let held = 0;
    for (let k = 0; k < comparisons; k += 1) {
      const { low, high } = medianRatio(sample(100), sample(110));
      if (low <= 1.1 && 1.1 <= high) held += 1;
    }
    // Two standard deviations of counting below 95 %.
    expect(held / comparisons).toBeGreaterThan(0.95 - 2 * Math.sqrt((0.95 * 0.05) / comparisons));
  });

  it('turns over when the sides do', () => {
    const sample = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 2, maxLength: 30 });
    fc.assert(
      fc.property(sample, sample, (a, b) => {
        const [one, other] = [medianRatio(a, b), medianRatio(b, a)];
        expect(one.ratio * other.ratio).toBeCloseTo(1, 9);
        // A distribution of steps has two values at a chance that falls on a step.
        expect(one.low * other.high).toBeLessThanOrEqual(1 + 1e-9);
        expect(one.low).toBeLessThanOrEqual(one.ratio * (1 + 1e-9));
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it.each([
    // base, candidate, ratio, low, high
    [[4, 4, 4], [8, 8, 8], 2, 2, 2],
    [[0, 0, 0], [0, 0, 0], 1, 1, 1],
    [[0, 0, 0], [5, 5, 5], Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    [[5, 5, 5], [0, 0, 0], 0, 0, 0],
    [[7], [14], 2, 2, 2],
  ])('of %j and %j is %d, from %d to %d', (base, candidate, ratio, low, high) => {
    expect(medianRatio(base, candidate)).toEqual({ ratio, low, high });
  });

  it('is there for hundreds of runs', () => {
    const base = Array.from({ length: 300 }, (_, i) => 100 + ((i * 7919) % 97));
    const { ratio, low, high } = medianRatio(
      base,
      base.map((value) => value * 1.02),
    );
    expect(ratio).toBeCloseTo(1.02, 12);
    expect(low).toBeLessThan(1.02);
    expect(high).toBeGreaterThan(1.02);
  });
});
