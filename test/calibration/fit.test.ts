// Fits find what synthetic measurements were made of: exactly without noise, nearly with noise, and in spite of outliers.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../common/random.ts';
import { fitCosts, median, type Row, residualsOf } from '../../simulator/calibration/fit.ts';
import { fitScalability } from '../../simulator/calibration/scalability.ts';
import { bestConnections, relativeCapacity, scaling } from '../../simulator/scenario/scalability-law.ts';

const sizes = [4096, 65_536, 262_144, 1_048_576];
const msPerRequest = 0.05;
const msPerByte = 160e-9;

/** Requests and bytes of runs over several sizes, each disturbed by a factor. */
const rowsWith = (factor: (index: number) => number, repeats = 5): Row[] =>
  Array.from({ length: repeats * sizes.length }, (_, i) => {
    const requests = 1000 + 137 * i;
    const bytes = requests * (sizes[i % sizes.length] ?? 0);
    return { terms: [requests, bytes], measured: (requests * msPerRequest + bytes * msPerByte) * factor(i) };
  });

describe('a fit of costs', () => {
  it('finds any costs exactly when there is no noise, whatever their sizes', () => {
    const cost = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
    fc.assert(
      fc.property(cost, cost, fc.double({ min: -9, max: 3, noNaN: true }), (a, b, exponent) => {
        const perByte = b * 10 ** exponent;
        const rows = sizes.map((size, i) => ({
          terms: [i + 1, (i + 1) * size],
          measured: (i + 1) * a + (i + 1) * size * perByte,
        }));
        const { coefficients, residuals } = fitCosts(rows);
        const again = rows.map(
          ({ terms: [n = 0, bytes = 0] }) => n * (coefficients[0] ?? 0) + bytes * (coefficients[1] ?? 0),
        );
        for (const [i, { measured }] of rows.entries()) expect((again[i] ?? 0) / measured).toBeCloseTo(1, 6);
        expect(residuals.worstLn).toBeLessThan(1e-6);
      }),
    );
  });

  it.each([1, 2, 3, 4, 5])('finds them within 5 %% under noise of 5 %% (seed %i)', (seed) => {
    const random = randomStream(seed, 'noise');
    const { coefficients, residuals } = fitCosts(rowsWith(() => Math.exp(0.1 * (random() - 0.5)), 20));
    expect((coefficients[0] ?? 0) / msPerRequest).toBeCloseTo(1, 1);
    expect(Math.abs((coefficients[0] ?? 0) / msPerRequest - 1)).toBeLessThan(0.05);
    expect(Math.abs((coefficients[1] ?? 0) / msPerByte - 1)).toBeLessThan(0.05);
    expect(residuals).toMatchObject({ count: 80 });
    expect(residuals.medianLn).toBeLessThan(0.05);
  });

  it('is not led astray by one measurement in ten that is three times too large, and shows it as the worst', () => {
    const { coefficients, residuals } = fitCosts(rowsWith((i) => (i % 10 === 3 ? 3 : 1), 10));
    expect(Math.abs((coefficients[0] ?? 0) / msPerRequest - 1)).toBeLessThan(0.02);
    expect(Math.abs((coefficients[1] ?? 0) / msPerByte - 1)).toBeLessThan(0.02);
    expect(residuals.worstLn).toBeCloseTo(Math.log(3), 1);
    expect(residuals.medianLn).toBeLessThan(0.02);
  });

  it('gives no negative cost, also where the measurements ask for one', () => {
    const rows = [1, 2, 3, 4].map((n) => ({ terms: [1, n], measured: 10 - n }));
    const { coefficients } = fitCosts(rows);
    expect(coefficients.every((coefficient) => coefficient >= 0)).toBe(true);
    expect(coefficients[1]).toBe(0);
  });

  it('leaves at zero what occurs in no measurement', () => {
    const { coefficients } = fitCosts(rowsWith(() => 1).map((row) => ({ ...row, terms: [...row.terms, 0] })));
    expect(coefficients[2]).toBe(0);
    expect(coefficients[0]).toBeCloseTo(msPerRequest, 6);
  });
});

describe('residuals', () => {
  it('are symmetric: twice is as far as half', () => {
    const { medianLn, worstLn } = residualsOf([
      { fitted: 2, measured: 1 },
      { fitted: 1, measured: 2 },
      { fitted: 1, measured: 1 },
    ]);
    expect(medianLn).toBeCloseTo(Math.log(2), 12);
    expect(worstLn).toBeCloseTo(Math.log(2), 12);
  });

  it.each([
    { values: [3, 1, 2], expected: 2 },
    { values: [4, 1, 3, 2], expected: 2.5 },
  ])('the median of $values is $expected', ({ values, expected }) => {
    expect(median(values)).toBe(expected);
  });
});

describe('the Universal Scalability Law', () => {
  const counts = [1, 4, 16, 64, 256, 1000];

  it('is found again from throughputs that follow it', () => {
    const parameter = fc.record({
      sigma: fc.double({ min: 0.01, max: 0.9, noNaN: true }),
      kappa: fc.double({ min: 1e-7, max: 1e-3, noNaN: true }),
      ofOne: fc.double({ min: 1, max: 1e7, noNaN: true }),
    });
    fc.assert(
      fc.property(parameter, ({ sigma, kappa, ofOne }) => {
        const points = counts.map((connections) => ({
          connections,
          bytesPerMs: ofOne * scaling({ sigma, kappa }, connections),
        }));
        const fit = fitScalability(points);
        expect((fit?.concurrency.sigma ?? 0) / sigma).toBeCloseTo(1, 3);
        expect((fit?.concurrency.kappa ?? 0) / kappa).toBeCloseTo(1, 3);
        expect((fit?.bytesPerMsOfOne ?? 0) / ofOne).toBeCloseTo(1, 3);
        expect(fit?.concurrency.connectionsMax).toBe(1000);
      }),
    );
  });

  it('is near under noise of 5 %', () => {
    const random = randomStream(5, 'noise');
    const law = { sigma: 0.5, kappa: 2e-5 };
    const fit = fitScalability(
      counts.flatMap((connections) =>
        [1, 2, 3].map(() => ({
          connections,
          bytesPerMs: 1000 * scaling(law, connections) * Math.exp(0.1 * (random() - 0.5)),
        })),
      ),
    );
    expect(fit?.concurrency.sigma).toBeGreaterThan(0.45);
    expect(fit?.concurrency.sigma).toBeLessThan(0.55);
    expect((fit?.concurrency.kappa ?? 0) / law.kappa).toBeGreaterThan(0.5);
    expect((fit?.concurrency.kappa ?? 0) / law.kappa).toBeLessThan(1.5);
  });

  it.each([
    { what: 'falls again: highest at √((1 - σ) / κ)', sigma: 0.5, kappa: 5e-5, best: 100 },
    { what: 'never falls: highest at the most that was measured', sigma: 0.5, kappa: 0, best: 1000 },
    { what: 'would be highest beyond what was measured', sigma: 0, kappa: 1e-9, best: 1000 },
    { what: 'is lower with every other one', sigma: 1.2, kappa: 0, best: 1 },
  ])('the capacity that $what', ({ sigma, kappa, best }) => {
    const law = { sigma, kappa, connectionsMax: 1000 };
    expect(bestConnections(law)).toBeCloseTo(best, 6);
    expect(relativeCapacity(law, best)).toBeCloseTo(1, 12);
    for (const count of counts) expect(relativeCapacity(law, count)).toBeLessThanOrEqual(1 + 1e-12);
  });

  it('has σ of 1 at the most, also where one connection alone is fastest', () => {
    const fit = fitScalability(
      [1, 4, 16].map((connections) => ({ connections, bytesPerMs: 100 / connections ** 0.2 })),
    );
    expect(fit?.concurrency.sigma).toBeLessThanOrEqual(1);
    expect(fit?.concurrency.sigma).toBeGreaterThan(0.9);
  });

  it('needs three numbers of connections', () => {
    expect(fitScalability([1, 4].map((connections) => ({ connections, bytesPerMs: 1 })))).toBeUndefined();
  });
});
