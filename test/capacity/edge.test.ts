// The search for the value at which something begins to hold.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseQuantity } from '../../common/units.ts';
import { findEdge, toDigits } from '../../simulator/capacity/edge.ts';
import { quantityText } from '../../simulator/capacity/quantity-text.ts';

describe('an edge', () => {
  it('is found from either side, within the resolution, on the side that holds', async () => {
    const pairs = fc.tuple(
      fc.double({ min: 1, max: 1e12, noNaN: true }),
      fc.double({ min: 1.001, max: 1e6, noNaN: true }),
    );
    await fc.assert(
      fc.asyncProperty(
        pairs,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.boolean(),
        async ([low, span], at, isUp) => {
          const high = low * span;
          const edge = low * span ** at;
          const holds = (value: number): boolean => (isUp ? value >= edge : value <= edge);
          let tried = 0;
          const found = await findEdge({
            ...(isUp ? { fails: low, holds: high } : { fails: high, holds: low }),
            resolutionRatio: 0.01,
            quantize: toDigits(6),
            test: (value) => {
              tried += 1;
              return Promise.resolve(holds(value));
            },
          });
          expect(holds(found) || found === (isUp ? high : low)).toBe(true);
          expect(Math.abs(Math.log(found / edge))).toBeLessThan(0.0101);
          expect(tried).toBeLessThan(3 * 12);
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });

  it('of whole numbers ends when there is none between', async () => {
    const found = await findEdge({
      ...{ fails: 20, holds: 1, resolutionRatio: 0.001, quantize: Math.round },
      test: (value) => Promise.resolve(value <= 13),
    });
    expect(found).toBe(13);
  });
});

describe('a value as a scenario has it', () => {
  it('is read again as the same value', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (value) => {
        expect(parseQuantity(quantityText(value, 'bytes'), 'bytes')).toBe(value);
        expect(parseQuantity(quantityText(value, 'duration'), 'duration')).toBe(value);
        const rate = parseQuantity(quantityText(value / 8000, 'rate'), 'rate') ?? 0;
        expect(Math.abs(rate / (value / 8000) - 1)).toBeLessThan(1e-15);
      }),
      { seed: 5 },
    );
  });

  it('is in the unit that people would take', () => {
    expect(quantityText(2e9, 'bytes')).toBe('2 GB');
    expect(quantityText(86_400_000, 'duration')).toBe('24 h');
    expect(quantityText(12_500, 'rate')).toBe('100 Mbit/s');
    expect(quantityText(13_261, 'duration')).toBe('13.261 s');
  });
});
