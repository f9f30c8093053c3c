// The parts of a fleet add up to the whole, exactly.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeHistogram, newHistogram, percentileMs, recordMs } from '../../simulator/world/histogram.ts';
import type { DeviceReport, GroupReport } from '../../simulator/world/live/device-protocol.ts';
import { mergeReports, sumProgress } from '../../simulator/world/live/merge.ts';

/** Something that one device process saw in one second. */
type Happening = {
  readonly part: number;
  readonly second: number;
  readonly kind: 'range' | 'failure' | 'started' | 'completed';
  readonly server: 'hq' | 'cdn';
  readonly bytes: number;
  readonly ms: number;
};

const happening: fc.Arbitrary<Happening> = fc.record({
  part: fc.nat(4),
  second: fc.nat(20),
  kind: fc.constantFrom('range', 'failure', 'started', 'completed'),
  server: fc.constantFrom('hq', 'cdn'),
  bytes: fc.integer({ min: 0, max: 2 ** 20 }),
  ms: fc.double({ min: 0, max: 1e6, noNaN: true }),
});

const histogramOf = (times: readonly number[]): string => {
  const histogram = newHistogram();
  for (const ms of times) recordMs(histogram, ms);
  return encodeHistogram(histogram);
};

/** What a process reports that saw these, and began its series in `startSecond`. */
function reportOf(seen: readonly Happening[], startSecond: number, number: number): DeviceReport {
  const length = 21 - startSecond + number;
  const perSecond = (of: (each: Happening) => number): number[] => {
    const values = new Array<number>(length).fill(0);
    for (const each of seen) values[each.second - startSecond] = (values[each.second - startSecond] ?? 0) + of(each);
    return values;
  };
  const total = (of: (each: Happening) => number): number => seen.reduce((sum, each) => sum + of(each), 0);
  const is = (kind: Happening['kind']) => (each: Happening) => (each.kind === kind ? 1 : 0);
  const from = (server: string) => (each: Happening) => (each.server === server ? each.bytes : 0);
  const times = histogramOf(seen.map((each) => each.ms));
  const record = (count: number): Record<string, number> => (count === 0 ? {} : { reset: count });
  const group: GroupReport = {
    id: 'office',
    count: seen.length,
    connectedCount: seen.length,
    completedCount: total(is('completed')),
    failedCount: total(is('failure')),
    firstArrivalMs: seen.length === 0 ? 0 : Math.min(...seen.map((each) => each.ms)),
    lastCompletionMs: Math.max(0, ...seen.map((each) => each.ms)),
    bytesFromCacheServer: total(from('hq')),
    bytesFromCdn: total(from('cdn')),
    rangeCount: total(is('range')),
    wantedBytes: 2 * total((each) => each.bytes),
    usefulBytes: total((each) => each.bytes),
    refetchedBytes: total(is('failure')),
    completion: times,
  };
  return {
    part: number,
    reading: {
      startSecond: 1000 + startSecond,
      bytesPerSecond: { hq: perSecond(from('hq')), cdn: perSecond(from('cdn')) },
      rangesPerSecond: perSecond(is('range')),
      failuresPerSecond: perSecond(is('failure')),
      startedPerSecond: perSecond(is('started')),
      completedPerSecond: perSecond(is('completed')),
      connectedPerSecond: perSecond(() => 1),
      cpuMsPerSecond: perSecond(is('range')),
      histograms: {
        latency: times,
        service: times,
        firstByte: times,
        lateness: times,
        loopDelay: times,
        fallback: times,
      },
      refetchedBytes: record(total(is('failure'))),
      failedRanges: record(total(is('failure'))),
      failureDetails: record(total(is('failure'))),
      fallbackDevices: record(total(is('failure'))),
      verifiedBytes: total((each) => each.bytes),
      uncheckedBytes: total(is('range')),
      droppedBytes: 0,
      corruptBytes: total(is('failure')),
    },
    groups: [group],
    ledgers: {
      hq: seen.map(({ bytes }, i) => ({ peer: `${number}:${i}`, bodyBytes: bytes, answerCount: 1, cut: false })),
    },
    rows: [],
    corruption: seen.filter((each) => each.kind === 'failure').map(() => 'wrong'),
    cpuMs: 10 * seen.length,
    cpuWaitMs: undefined,
    wallMs: 100,
  };
}

describe('merging', () => {
  it('of parts equals the whole: counters, series with other first seconds, histograms', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 80 }), fc.integer({ min: 1, max: 5 }), (all, count) => {
        const parts = Array.from({ length: count }, (_, part) => {
          const seen = all.filter((each) => each.part % count === part);
          // A process begins its series when it starts: at the latest with the first that it sees.
          return reportOf(seen, Math.min(part, ...seen.map((each) => each.second)), part);
        });
        const merged = mergeReports(parts);
        const whole = mergeReports([reportOf(all, merged.startSecond - 1000, 0)]);
        const { histograms, groups, ledgers, processes, ...rest } = merged;
        const {
          histograms: wholeHistograms,
          groups: wholeGroups,
          ledgers: wholeLedgers,
          processes: _,
          ...wholeRest
        } = whole;
        const trimmed = (series: readonly number[]): readonly number[] =>
          series.slice(0, series.findLastIndex((v) => v !== 0) + 1);
        const comparable = (report: typeof rest) =>
          Object.fromEntries(
            Object.entries({ ...report, ...report.bytesPerSecond, bytesPerSecond: undefined }).map(([name, value]) => [
              name,
              Array.isArray(value) && name !== 'corruption' ? trimmed(value as number[]) : value,
            ]),
          );
        expect(comparable(rest)).toEqual(comparable(wholeRest));
        for (const name of ['latency', 'service', 'firstByte', 'lateness', 'loopDelay', 'fallback'] as const) {
          expect(encodeHistogram(histograms[name])).toBe(encodeHistogram(wholeHistograms[name]));
        }
        const withoutHistogram = (group: (typeof groups)[number] | undefined) =>
          group === undefined ? undefined : { ...group, completion: encodeHistogram(group.completion) };
        if (all.length > 0) expect(groups.map(withoutHistogram)).toEqual(wholeGroups.map(withoutHistogram));
        const bytes = (of: typeof ledgers): number => (of['hq'] ?? []).reduce((sum, each) => sum + each.bodyBytes, 0);
        expect([bytes(ledgers), ledgers['hq']?.length]).toEqual([bytes(wholeLedgers), wholeLedgers['hq']?.length]);
        const own = (report: DeviceReport) => ({
          ...{ part: report.part, cpuMs: report.cpuMs, cpuWaitMs: undefined, wallMs: 100 },
          devices: report.groups[0]?.count,
          lateness: report.reading.histograms.lateness,
          loopDelay: report.reading.histograms.loopDelay,
        });
        const said = processes.map((each) => ({
          ...each,
          lateness: encodeHistogram(each.lateness),
          loopDelay: encodeHistogram(each.loopDelay),
        }));
        expect(said).toEqual(parts.map(own));
      }),
      { numRuns: 60 },
    );
  });

  it('of histograms keeps each percentile of the whole', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { minLength: 1, maxLength: 200 }), (times) => {
        const merged = mergeReports(
          [times.filter((_, i) => i % 3 === 0), times.filter((_, i) => i % 3 !== 0)].map((part, i) =>
            reportOf(
              part.map((ms) => ({ part: 0, second: 1, kind: 'range', server: 'hq', bytes: 1, ms })),
              0,
              i,
            ),
          ),
        );
        const sorted = [...times].sort((a, b) => a - b);
        const max = percentileMs(merged.histograms.latency, 100) ?? -1;
        // Three digits, and whole µs.
        expect(Math.abs(max - (sorted.at(-1) ?? 0))).toBeLessThanOrEqual((sorted.at(-1) ?? 0) * 0.001 + 0.001);
        expect(merged.histograms.latency.totalCount).toBe(times.length);
      }),
      { numRuns: 40 },
    );
  });

  it('takes the first arrival of those who have devices', () => {
    const some: Happening = { part: 0, second: 3, kind: 'completed', server: 'hq', bytes: 5, ms: 700 };
    const [group] = mergeReports([reportOf([], 0, 0), reportOf([some], 0, 1)]).groups;
    expect(group).toMatchObject({ firstArrivalMs: 700, lastCompletionMs: 700 });
  });

  it('of progress adds up', () => {
    const one = {
      waiting: 1,
      connected: 2,
      downloading: 3,
      onCdn: 4,
      completed: 5,
      failed: 6,
      bytesFromCacheServer: 7,
      bytesFromCdn: 8,
      failedRanges: 9,
    };
    expect(sumProgress([one, one, one])).toEqual(Object.fromEntries(Object.entries(one).map(([k, v]) => [k, 3 * v])));
  });
});
