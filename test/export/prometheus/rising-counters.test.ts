// What is told of a counter never falls, whatever is known of it.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MetricFamily } from '../../../common/prometheus-text.ts';
import { RisingCounters } from '../../../simulator/export/prometheus/rising-counters.ts';

const told = fc.record({
  a: fc.nat(9),
  b: fc.option(fc.nat(9), { nil: undefined }),
  counts: fc.array(fc.nat(5), { minLength: 3, maxLength: 3 }),
});

/** Bucket counts are cumulative. */
const cumulative = (counts: readonly number[]): number[] =>
  counts.map((_, i) => counts.slice(0, i + 1).reduce((sum, count) => sum + count, 0));

describe('counters', () => {
  test('are the most that was known so far, gauges what is known now, and buckets stay cumulative', () => {
    fc.assert(
      fc.property(fc.array(told, { minLength: 1, maxLength: 12 }), (moments) => {
        const rising = new RisingCounters();
        for (const [i, { a, b, counts }] of moments.entries()) {
          const samples = [
            { labels: { of: 'a' }, value: a },
            ...(b === undefined ? [] : [{ labels: { of: 'b' }, value: b }]),
          ];
          const upTo = cumulative(counts);
          const buckets = [1, 2].map((bound, place) => ({ bound, count: upTo[place] ?? 0 }));
          const families: MetricFamily[] = [
            { name: 'c_total', help: 'C.', type: 'counter', samples },
            { name: 'g', help: 'G.', type: 'gauge', samples },
            { name: 'h', help: 'H.', type: 'histogram', histograms: [{ buckets, sum: a, count: upTo[2] ?? 0 }] },
          ];
          const [counter, gauge, histogram] = rising.rise(families);
          const before = moments.slice(0, i + 1);
          expect(gauge).toEqual(families[1]);
          expect(counter).toEqual({
            ...families[0],
            samples: samples.map(({ labels }) => ({
              labels,
              value: Math.max(...before.flatMap((moment) => (labels.of === 'a' ? moment.a : (moment.b ?? [])))),
            })),
          });
          const most = (place: number): number =>
            Math.max(...before.map((moment) => cumulative(moment.counts)[place] ?? 0));
          expect(histogram).toMatchObject({
            histograms: [{ buckets: [{ count: most(0) }, { count: most(1) }], count: most(2) }],
          });
          expect(most(0)).toBeLessThanOrEqual(most(1));
        }
      }),
      { numRuns: 100, seed: 20_261_128 },
    );
  });
});
