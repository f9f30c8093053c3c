import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IntervalSet } from '../../common/interval-set.ts';

const universe = 40;

/** The trivial model: one boolean a byte. */
class ByteModel {
  readonly bytes: boolean[] = new Array(universe).fill(false);

  /** Sets [start, end) and says how many bytes changed. */
  set(start: number, end: number, value: boolean): number {
    let changed = 0;
    for (let i = start; i < end; i += 1) {
      if (this.bytes[i] !== value) changed += 1;
      this.bytes[i] = value;
    }
    return changed;
  }

  count(start: number, end: number): number {
    return this.bytes.slice(start, end).filter(Boolean).length;
  }

  /** The maximal runs of `value` inside [start, end). */
  runs(start: number, end: number, value: boolean): { start: number; end: number }[] {
    const runs: { start: number; end: number }[] = [];
    for (let i = start; i < end; i += 1) {
      if (this.bytes[i] !== value) continue;
      const last = runs.at(-1);
      if (last?.end === i) last.end = i + 1;
      else runs.push({ start: i, end: i + 1 });
    }
    return runs;
  }

  endOfRunAt(offset: number): number {
    let end = offset;
    while (this.bytes[end] === true) end += 1;
    return end;
  }
}

const interval = fc
  .tuple(fc.nat(universe), fc.nat(universe))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
const operations = fc.array(fc.record({ adds: fc.boolean(), interval }), { maxLength: 40 });

describe('an interval set', () => {
  it('holds the same bytes as an array of booleans, and answers every question alike', () => {
    fc.assert(
      fc.property(operations, interval, (steps, [from, to]) => {
        const set = new IntervalSet();
        const model = new ByteModel();
        for (const { adds, interval: at } of steps) {
          const [start, end] = at;
          expect(adds ? set.add(start, end) : set.remove(start, end)).toBe(model.set(start, end, adds));
        }
        const runs = model.runs(0, universe, true);
        expect([...set]).toEqual(runs);
        expect(set.count).toBe(runs.length);
        expect(set.bytes).toBe(model.count(0, universe));
        expect(set.overlapBytes(from, to)).toBe(model.count(from, to));
        expect(set.covers(from, to)).toBe(model.count(from, to) === to - from);
        expect(set.gaps(from, to)).toEqual(model.runs(from, to, false));
        expect(set.endOfRunAt(from)).toBe(model.endOfRunAt(from));
      }),
      { numRuns: 2000 },
    );
  });

  it('joins intervals that touch, so that a file in pieces becomes one interval', () => {
    const set = IntervalSet.of({ start: 0, end: 4 }, { start: 8, end: 12 }, { start: 4, end: 8 });
    expect([...set]).toEqual([{ start: 0, end: 12 }]);
  });

  it('does not change with an empty interval', () => {
    const set = IntervalSet.of({ start: 2, end: 4 });
    expect([set.add(9, 9), set.remove(3, 3), set.remove(4, 3)]).toEqual([0, 0, 0]);
    expect([...set]).toEqual([{ start: 2, end: 4 }]);
  });

  it('refuses an interval that ends before it begins, or begins before 0: that is a bug of the caller', () => {
    expect(() => new IntervalSet().add(4, 3)).toThrow(/in order/);
    expect(() => new IntervalSet().add(-1, 3)).toThrow(/in order/);
  });

  it('counts to the byte at offsets near 2^53', () => {
    const end = Number.MAX_SAFE_INTEGER;
    const set = IntervalSet.of({ start: end - 10, end });
    expect(set.bytes).toBe(10);
    expect(set.gaps(end - 12, end)).toEqual([{ start: end - 12, end: end - 10 }]);
  });
});
