// The histograms of times, against exact arithmetic on the samples themselves.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  countsUpTo,
  encodeHistogram,
  mergeHistograms,
  newHistogram,
  percentileMs,
  recordMs,
} from '../../simulator/world/histogram.ts';

/** Set ORACLE_RUNS for a longer search. */
const numRuns = Number(process.env['ORACLE_RUNS'] ?? 100);
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};

/** Times from a µs to ten days, of every magnitude; whole µs now and then. */
const times = fc.oneof(
  fc.double({ min: -3, max: 8.9, noNaN: true }).map((exponent) => 10 ** exponent),
  fc.integer({ min: 0, max: 5000 }).map((us) => us / 1000),
);

/** The largest relative error that three digits allow, and half a µs of rounding. */
const relativeError = 0.001;
const roundingMs = 0.0005;

const histogramOf = (samples: readonly number[]): string => {
  const histogram = newHistogram();
  for (const ms of samples) recordMs(histogram, ms);
  return encodeHistogram(histogram);
};

describe('a histogram of times', () => {
  it('merged from the parts of several processes equals the one of all samples, in any order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(times, fc.nat(7)), { maxLength: 500 }),
        fc.integer({ min: 1, max: 8 }),
        (samples, processCount) => {
          const parts = Array.from({ length: processCount }, (_, process) =>
            histogramOf(samples.filter(([, of]) => of % processCount === process).map(([ms]) => ms)),
          );
          const whole = histogramOf(samples.map(([ms]) => ms));
          expect(encodeHistogram(mergeHistograms(parts))).toBe(encodeHistogram(mergeHistograms([whole])));
          expect(encodeHistogram(mergeHistograms([...parts].reverse()))).toBe(encodeHistogram(mergeHistograms(parts)));
          // Merging in two steps, as shards do, comes to the same.
          const halves = [parts.slice(0, 2), parts.slice(2)].map((some) => encodeHistogram(mergeHistograms(some)));
          expect(encodeHistogram(mergeHistograms(halves))).toBe(encodeHistogram(mergeHistograms(parts)));
        },
      ),
      { numRuns, ...seed },
    );
  });

  it('gives each percentile within its stated error: as many samples are not above it as must be, and not more below', () => {
    fc.assert(
      fc.property(fc.array(times, { minLength: 1, maxLength: 2000 }), (samples) => {
        const histogram = mergeHistograms([histogramOf(samples)]);
        expect(histogram.totalCount).toBe(samples.length);
        for (const percentile of [0, 1, 50, 90, 95, 99, 99.9, 100]) {
          const ms = percentileMs(histogram, percentile) ?? Number.NaN;
          const rank = (percentile / 100) * samples.length;
          const notAbove = samples.filter((each) => each <= ms * (1 + relativeError) + roundingMs).length;
          const below = samples.filter((each) => each < ms * (1 - relativeError) - roundingMs).length;
          // The rank is rounded to a whole one.
          expect(notAbove, `${percentile} %: ${ms} ms`).toBeGreaterThanOrEqual(Math.max(1, rank - 0.5));
          expect(below, `${percentile} %: ${ms} ms`).toBeLessThanOrEqual(rank + 0.5);
        }
        const [smallest, largest] = [Math.min(...samples), Math.max(...samples)];
        const max = percentileMs(histogram, 100) ?? Number.NaN;
        expect(Math.abs(max - largest)).toBeLessThanOrEqual(largest * relativeError + roundingMs);
        expect(percentileMs(histogram, 0)).toBeLessThanOrEqual(smallest * (1 + relativeError) + roundingMs);
      }),
      { numRuns, ...seed },
    );
  });

  it('counts what is at most as long as a bound, and sums up, within its stated error', () => {
    fc.assert(
      fc.property(fc.array(times, { maxLength: 500 }), fc.array(times, { maxLength: 5 }), (samples, bounds) => {
        const { counts, sumMs } = countsUpTo(mergeHistograms([histogramOf(samples)]), bounds);
        for (const [place, bound] of bounds.entries()) {
          const atMost = (ms: number): number => samples.filter((each) => each <= ms).length;
          expect(counts[place]).toBeGreaterThanOrEqual(atMost(bound * (1 - relativeError) - 2 * roundingMs));
          expect(counts[place]).toBeLessThanOrEqual(atMost(bound * (1 + relativeError) + 2 * roundingMs));
        }
        const sum = samples.reduce((total, ms) => total + ms, 0);
        const error = sum * relativeError + samples.length * 2 * roundingMs;
        expect(Math.abs(sumMs - sum)).toBeLessThanOrEqual(error);
      }),
      { numRuns, ...seed },
    );
  });

  it('of nothing has no percentile', () => {
    expect(percentileMs(mergeHistograms([]), 99)).toBeUndefined();
  });
});
