// Series that come second by second, against those that came at once.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeviceReport } from '../../simulator/world/live/device-protocol.ts';
import { commonSeconds, continued, endSecondOf, fromSecond } from '../../simulator/world/live/series-so-far.ts';
import { reportOf } from '../world/device-report.ts';

const startSecond = 1000;

function reportWith(bytes: readonly number[]): DeviceReport {
  return reportOf({
    startSecond,
    ...{ servers: ['hq'], bytesPerSecond: { hq: bytes }, connectedPerSecond: bytes.map((value) => value % 7) },
    verifiedBytes: bytes.length,
    ...{ latency: '', ledgers: {}, groups: [] },
  });
}

const bytesOf = ({ reading }: DeviceReport): readonly number[] => reading.bytesPerSecond['hq'] ?? [];

describe('the series of a run that goes on', () => {
  test('are the same however they were cut, told again, or overtaken on their way', () => {
    const telling = fc.record({ known: fc.nat(40), again: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(fc.nat(1e9), { minLength: 1, maxLength: 40 }), fc.array(telling), (bytes, tellings) => {
        let soFar = reportWith(bytes.slice(0, 1));
        for (const { known, again } of tellings) {
          const end = endSecondOf(soFar);
          const told = fromSecond(reportWith(bytes.slice(0, known)), end - again);
          soFar = continued(soFar, told);
          expect(endSecondOf(soFar)).toBe(Math.max(end, startSecond + Math.min(known, bytes.length)));
          const expected = reportWith(bytes.slice(0, endSecondOf(soFar) - startSecond));
          expect(soFar.reading).toEqual({ ...expected.reading, verifiedBytes: soFar.reading.verifiedBytes });
        }
      }),
      { numRuns: 200, seed: 20_261_128 },
    );
  });

  test('end where one of the processes has not told any more', () => {
    const part = (index: number, ...reports: DeviceReport[]) => ({ shard: { index, count: 2 }, reports, lost: false });
    const said = [part(0, reportWith([1, 2, 3]), reportWith([4, 5])), part(1, reportWith([6, 7, 8, 9]))];
    const { parts, endSecond } = commonSeconds(said);
    expect(endSecond).toBe(startSecond + 2);
    expect(parts.map(({ reports }) => reports.map(bytesOf))).toEqual([
      [
        [1, 2],
        [4, 5],
      ],
      [[6, 7]],
    ]);
  });
});
