import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntervalSet } from '../../common/interval-set.ts';
import { pieceBytes, RangePlan, windowsConnectionsPerFile } from '../../simulator/device/range-plan.ts';

const sizes = fc.oneof(
  fc.integer({ min: 1, max: 40 * pieceBytes }),
  fc.integer({ min: 1, max: 40 }).map((pieces) => pieces * pieceBytes),
  fc.integer({ min: 1, max: 39 }).map((pieces) => pieces * pieceBytes + 1),
);
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });

function drain(plan: RangePlan): number[] {
  const pieces: number[] = [];
  for (let piece = plan.next(); piece !== undefined; piece = plan.next()) pieces.push(piece);
  return pieces;
}

describe('a range plan', () => {
  it.each([
    { sizeBytes: 1, ranges: [[0, 1]] },
    { sizeBytes: pieceBytes - 1, ranges: [[0, pieceBytes - 1]] },
    { sizeBytes: pieceBytes, ranges: [[0, pieceBytes]] },
    {
      sizeBytes: pieceBytes + 1,
      ranges: [
        [0, pieceBytes],
        [pieceBytes, pieceBytes + 1],
      ],
    },
  ])('cuts $sizeBytes bytes into aligned pieces, the last one short', ({ sizeBytes, ranges }) => {
    const plan = new RangePlan(sizeBytes, 7);
    expect(plan.pieceCount).toBe(ranges.length);
    expect(ranges.map((_, piece) => plan.rangeOf(piece))).toEqual(ranges.map(([start, end]) => ({ start, end })));
  });

  it('of 2 GB has 1,908 pieces', () => {
    const plan = new RangePlan(2e9, 7);
    expect(plan.pieceCount).toBe(1908);
    expect(plan.rangeOf(1907)).toEqual({ start: 1907 * pieceBytes, end: 2e9 });
    expect(drain(plan)).not.toEqual(Array.from({ length: 1908 }, (_, piece) => piece));
  });

  it('asks for every byte exactly once, in aligned pieces', () => {
    fc.assert(
      fc.property(sizes, seeds, (sizeBytes, seed) => {
        const plan = new RangePlan(sizeBytes, seed);
        const asked = new IntervalSet();
        for (const piece of drain(plan)) {
          const { start, end } = plan.rangeOf(piece);
          expect(start % pieceBytes).toBe(0);
          expect(end === sizeBytes || end - start === pieceBytes).toBe(true);
          expect(asked.add(start, end)).toBe(end - start);
        }
        expect([...asked]).toEqual([{ start: 0, end: sizeBytes }]);
        expect(plan.next()).toBeUndefined();
      }),
    );
  });

  it('gives the order of its seed', () => {
    expect(drain(new RangePlan(50e6, 3))).toEqual(drain(new RangePlan(50e6, 3)));
    expect(drain(new RangePlan(50e6, 3))).not.toEqual(drain(new RangePlan(50e6, 4)));
  });

  it('asks first for what was given back', () => {
    const plan = new RangePlan(10 * pieceBytes, 7);
    const first = plan.next() ?? -1;
    const second = plan.next() ?? -1;
    plan.giveBack(first);
    expect(plan.next()).toBe(first);
    expect(drain(plan)).not.toContain(second);
  });

  it('brings every byte of the last version, whatever failed and whenever it began again', () => {
    // A model of a download: pieces under way on some connections; each step takes, completes, loses or restarts.
    type Step = { readonly kind: 'take' | 'come' | 'lose' | 'restart'; readonly place: number };
    const steps: fc.Arbitrary<Step> = fc.record({
      kind: fc.constantFrom('take', 'take', 'take', 'come', 'come', 'lose', 'restart'),
      place: fc.nat(15),
    });
    fc.assert(
      fc.property(sizes, seeds, fc.array(steps, { maxLength: 120 }), (sizeBytes, seed, script) => {
        const plan = new RangePlan(sizeBytes, seed);
        let underWay: number[] = [];
        let come = new IntervalSet();
        const finish = (piece: number): void => {
          const { start, end } = plan.rangeOf(piece);
          expect(come.add(start, end)).toBe(end - start);
        };
        const take = (): boolean => {
          const piece = plan.next();
          if (piece === undefined) return false;
          expect(underWay).not.toContain(piece);
          underWay.push(piece);
          return true;
        };
        for (const { kind, place } of script) {
          const piece = underWay[place % Math.max(1, underWay.length)];
          if (kind === 'take') take();
          if (piece === undefined) continue;
          if (kind === 'come' || kind === 'lose') underWay = underWay.filter((other) => other !== piece);
          if (kind === 'come') finish(piece);
          else if (kind === 'lose') plan.giveBack(piece);
          else if (kind === 'restart') {
            for (const other of underWay) if (other !== piece) plan.giveBack(other);
            plan.restart(piece);
            underWay = [piece];
            come = new IntervalSet();
          }
        }
        while (take());
        for (const piece of underWay) finish(piece);
        expect([...come]).toEqual([{ start: 0, end: sizeBytes }]);
      }),
    );
  });

  it('begins again with nothing under way', () => {
    const plan = new RangePlan(5 * pieceBytes, 7);
    const order = drain(plan);
    plan.restart(undefined);
    expect(drain(plan)).toEqual(order);
  });

  it('refuses a file without a byte', () => {
    expect(() => new RangePlan(0, 1)).toThrow('a file has at least one byte');
  });
});

describe('connections per file', () => {
  it.each([
    { ranges: 1, connections: 1 },
    { ranges: 7, connections: 1 },
    { ranges: 12, connections: 2 },
    { ranges: 196, connections: 3 },
    { ranges: 1908, connections: 3 },
  ])('are $connections for $ranges ranges, as captured', ({ ranges, connections }) => {
    expect(windowsConnectionsPerFile(ranges)).toBe(connections);
  });
});
