import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../common/random.ts';
import { permute } from '../../simulator/device/permutation.ts';

const orderOf = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, index) => permute(index, count, seed));

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe('a permutation', () => {
  it.each([1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 64, 65, 100, 196, 1023, 1024, 1025, 1908, 4096, 4097])(
    'of %i numbers has each of them once',
    (count) => {
      for (const seed of [0, 1, 7, 0xffffffff]) {
        const order = orderOf(count, seed);
        expect(new Set(order).size).toBe(count);
        expect(order.every((value) => Number.isInteger(value) && value >= 0 && value < count)).toBe(true);
      }
    },
  );

  it('is a bijection for any count and seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), seeds, (count, seed) => {
        expect(orderOf(count, seed).sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
      { numRuns: 60 },
    );
  });

  it('reaches the last numbers of the largest domain', () => {
    const count = 2 ** 32;
    const places = [0, 1, count - 2, count - 1].map((index) => permute(index, count, 7));
    expect(new Set(places).size).toBe(4);
    for (const place of places) expect(Number.isInteger(place) && place >= 0 && place < count).toBe(true);
  });

  it('depends on the seed, and on nothing else', () => {
    fc.assert(
      fc.property(seeds, seeds, (one, other) => {
        fc.pre(one !== other);
        expect(orderOf(1908, one)).toEqual(orderOf(1908, one));
        expect(orderOf(1908, one)).not.toEqual(orderOf(1908, other));
      }),
      { numRuns: 60 },
    );
  });

  it('is not the order of the numbers, nor a rotation of it', () => {
    for (let seed = 0; seed < 200; seed += 1) {
      const order = orderOf(1908, seed);
      const kept = order.filter((value, index) => value === index).length;
      const steps = order.filter((value, index) => index > 0 && value === ((order[index - 1] ?? 0) + 1) % 1908).length;
      // Of a random permutation both are near 1: 12 or more have a probability below 1e-9.
      expect(kept).toBeLessThan(12);
      expect(steps).toBeLessThan(12);
    }
  });

  it.each([
    { count: 2, seedCount: 20_000 },
    { count: 3, seedCount: 20_000 },
    { count: 5, seedCount: 20_000 },
    { count: 16, seedCount: 20_000 },
    { count: 196, seedCount: 40_000 },
    { count: 1908, seedCount: 100_000 },
  ])('of $count numbers begins with each of them equally often over the seeds of a fleet', ({ count, seedCount }) => {
    const orders = randomStream(7, 'piece order/office');
    for (const index of [0, count - 1]) {
      const hits = new Array<number>(count).fill(0);
      for (let i = 0; i < seedCount; i += 1) {
        const value = permute(index, count, Math.floor(orders() * 2 ** 32));
        hits[value] = (hits[value] ?? 0) + 1;
      }
      const expected = seedCount / count;
      const chiSquare = hits.reduce((sum, hit) => sum + (hit - expected) ** 2 / expected, 0);
      // Mean count - 1, variance 2 (count - 1); six deviations, and something for the tail of few degrees of freedom.
      expect(chiSquare).toBeLessThan(count - 1 + 6 * Math.sqrt(2 * (count - 1)) + 12);
    }
  });

  it('of three numbers takes on all six orders, each about as often', () => {
    const hits = new Map<string, number>();
    const orders = randomStream(7, 'three');
    for (let i = 0; i < 12_000; i += 1) {
      const order = orderOf(3, Math.floor(orders() * 2 ** 32)).join();
      hits.set(order, (hits.get(order) ?? 0) + 1);
    }
    expect(hits.size).toBe(6);
    for (const hit of hits.values()) expect(Math.abs(hit - 2000)).toBeLessThan(600);
  });

  it.each([
    [-1, 3],
    [3, 3],
    [0, 0],
  ])('refuses index %i of %i', (index, count) => {
    expect(() => permute(index, count, 1)).toThrow('Assertion failed');
  });
});
