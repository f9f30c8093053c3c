// The logic of limits, on a clock of the test's own.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pace, paceBurstMs, paceCatchUpMsMax } from '../../simulator/device/pace.ts';

/** Readers of one line, of which each reads when it may: once, then it waits until nothing is owed. */
type Course = {
  readonly rateBytesPerMs: number;
  readonly readers: number;
  /** By turn of a reader: how much it reads, how late it is woken, how long there was nothing to read. */
  readonly turns: readonly { readonly bytes: number; readonly lateMs: number; readonly idleMs: number }[];
};

/** `paidAtMs`: somebody had waited for it, until all before it had passed. */
type Taken = { readonly atMs: number; readonly bytes: number; readonly paidAtMs: number | undefined };

const bytesMax = 64 * 1024;

function courseOf(lateMsMax: number, idleMsMax: number): fc.Arbitrary<Course> {
  const turn = fc.record({
    bytes: fc.integer({ min: 1, max: bytesMax }),
    lateMs: fc.double({ min: 0, max: lateMsMax, noNaN: true }),
    idleMs: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.double({ min: 0, max: idleMsMax, noNaN: true })),
  });
  return fc.record({
    rateBytesPerMs: fc.double({ min: 1, max: 100_000, noNaN: true }),
    readers: fc.integer({ min: 1, max: 4 }),
    turns: fc.array(turn, { minLength: 1, maxLength: 60 }),
  });
}

function run({ rateBytesPerMs, readers, turns }: Course): Taken[] {
  const pace = new Pace(rateBytesPerMs);
  const taken: Taken[] = [];
  let nowMs = 1000;
  for (const [index, { bytes, lateMs, idleMs }] of turns.entries()) {
    let paidAtMs: number | undefined;
    if (index % readers === 0) {
      // All are woken together, once nothing is owed.
      const owedMs = pace.owedMs(nowMs);
      if (owedMs > 0) {
        pace.settle();
        paidAtMs = nowMs + owedMs;
        nowMs = paidAtMs + lateMs;
        pace.wake();
      }
      if (idleMs > 0) pace.settle();
      nowMs += idleMs;
    }
    pace.take(bytes, nowMs);
    taken.push({ atMs: nowMs, bytes, paidAtMs });
  }
  return taken;
}

/** The most that came in any time, beyond what the rate allows for it. */
function burstBytes(taken: readonly Taken[], rateBytesPerMs: number): number {
  let most = 0;
  for (let from = 0; from < taken.length; from += 1) {
    let bytes = 0;
    for (const each of taken.slice(from)) {
      bytes += each.bytes;
      most = Math.max(most, bytes - rateBytesPerMs * (each.atMs - (taken[from]?.atMs ?? 0)));
    }
  }
  return most;
}

const options = { seed: 7, numRuns: Number(process.env['ORACLE_RUNS'] ?? 300) };

describe('a pace', () => {
  it('never lets through more than its rate and one burst: a read of each, and what it kept from 10 ms of rest', () => {
    fc.assert(
      fc.property(courseOf(0, 50), (course) => {
        const allowed = course.readers * bytesMax + course.rateBytesPerMs * paceBurstMs;
        expect(burstBytes(run(course), course.rateBytesPerMs)).toBeLessThanOrEqual(allowed * (1 + 1e-9));
      }),
      options,
    );
  });

  it('lets through no more when those that wait are woken late, but for what they could have had until then', () => {
    fc.assert(
      fc.property(courseOf(2000, 50), (course) => {
        const allowed = course.readers * bytesMax + course.rateBytesPerMs * (paceBurstMs + paceCatchUpMsMax);
        expect(burstBytes(run(course), course.rateBytesPerMs)).toBeLessThanOrEqual(allowed * (1 + 1e-9));
      }),
      options,
    );
  });

  it('never lets through less while there is something to read, however late (up to 500 ms) its timers ring', () => {
    fc.assert(
      fc.property(courseOf(paceCatchUpMsMax, 0), (course) => {
        const taken = run(course);
        let before = 0;
        // At the moment in which nothing was owed, all that the rate allows had come.
        for (const { bytes, paidAtMs } of taken) {
          const due = course.rateBytesPerMs * ((paidAtMs ?? 0) - (taken[0]?.atMs ?? 0));
          if (paidAtMs !== undefined) expect(before).toBeGreaterThanOrEqual(due - 1e-6 * (1 + due));
          before += bytes;
        }
      }),
      options,
    );
  });

  it('lets everything through at once without a limit', () => {
    const pace = new Pace(Number.POSITIVE_INFINITY);
    pace.take(1e12, 5);
    expect(pace.owedMs(5)).toBe(0);
  });

  it('lets through at once what fits into 10 ms of rest, so that short ranges on a fast line wait for nothing', () => {
    const pace = new Pace(125_000);
    for (let range = 0; range < 3; range += 1) {
      pace.take(2 ** 20, 100 * range);
      expect(pace.owedMs(100 * range)).toBe(0);
    }
    pace.take(2 ** 20, 200);
    expect(pace.owedMs(200)).toBeCloseTo((2 * 2 ** 20) / 125_000 - paceBurstMs, 9);
  });

  it('goes on at another rate with what is owed', () => {
    const pace = new Pace(10);
    pace.take(1100, 0); // 110 ms, of which 10 are of its rest
    expect(pace.owedMs(0)).toBeCloseTo(100, 9);
    pace.setRate(20, 50);
    expect(pace.owedMs(50)).toBeCloseTo(25, 9);
    pace.setRate(Number.POSITIVE_INFINITY, 60);
    expect(pace.owedMs(60)).toBe(0);
    pace.setRate(10, 70);
    expect(pace.owedMs(70)).toBe(0);
  });
});
