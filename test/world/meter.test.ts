// The one-second series of a device process, against sums over what was told to it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Meter } from '../../simulator/world/live/meter.ts';

/** Far from the edge of a second: the clocks of the epoch and of the process are read one after the other. */
const happening = fc.record({
  second: fc.integer({ min: 1, max: 30 }),
  withinMs: fc.integer({ min: 50, max: 950 }),
  server: fc.nat(1),
  bytes: fc.integer({ min: 1, max: 2 ** 21 }),
});

describe('the series of a meter', () => {
  it('have each byte and each range in the second of the epoch in which it came, also after seconds without any', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 60 }), (happenings) => {
        const meter = new Meter(['hq', 'cdn']);
        const { startSecond } = meter.read();
        const offsetMs = startSecond * 1000 - (Date.now() - performance.now());
        const inOrder = happenings
          .map((each) => ({ ...each, atMs: offsetMs + each.second * 1000 + each.withinMs }))
          .sort((a, b) => a.atMs - b.atMs);
        const told = { second: startSecond, ranges: [] as number[], hq: [] as number[] };
        for (const [place, { server, bytes, atMs }] of inOrder.entries()) {
          meter.received(server, bytes, atMs);
          meter.range(atMs, 1, 1, 1);
          if (place !== inOrder.length >> 1 && place !== inOrder.length - 1) continue;
          const since = meter.readSince(told.second);
          expect(since.startSecond).toBe(told.second);
          told.second += since.rangesPerSecond.length;
          told.ranges.push(...since.rangesPerSecond);
          told.hq.push(...(since.bytesPerSecond['hq'] ?? []));
        }
        const { bytesPerSecond, rangesPerSecond } = meter.read();
        const expected = (of: (each: (typeof inOrder)[number]) => number): number[] =>
          rangesPerSecond.map((_, second) =>
            inOrder.filter((each) => each.second === second).reduce((sum, each) => sum + of(each), 0),
          );
        expect(rangesPerSecond.length).toBeGreaterThan(inOrder.at(-1)?.second ?? 0);
        expect(rangesPerSecond).toEqual(expected(() => 1));
        expect(bytesPerSecond['hq']).toEqual(expected(({ server, bytes }) => (server === 0 ? bytes : 0)));
        expect(bytesPerSecond['cdn']).toEqual(expected(({ server, bytes }) => (server === 1 ? bytes : 0)));
        // What was told on the way, in pieces, is every second that was over.
        const over = inOrder.at(-1)?.second ?? 0;
        expect(told.ranges).toEqual(rangesPerSecond.slice(0, over));
        expect(told.hq).toEqual(bytesPerSecond['hq']?.slice(0, over));
      }),
      { numRuns: 60, seed: 20_261_128 },
    );
  });
});
