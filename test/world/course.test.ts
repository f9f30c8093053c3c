import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completionHistograms, deviceStates, hitRatios } from '../../simulator/world/course.ts';
import { decodeHistogram, newHistogram, percentileMs, recordMs } from '../../simulator/world/histogram.ts';

describe('devices by state', () => {
  it('add up to all of them, at the end of each step', () => {
    const steps = fc.array(fc.tuple(fc.nat(9), fc.nat(9), fc.nat(9)), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(steps, (drawn) => {
        const [started, completed, failed] = [0, 1, 2].map((place) => drawn.map((step) => step[place] ?? 0));
        const count = 1000;
        const states = deviceStates(count, {
          started: started ?? [],
          completed: completed ?? [],
          failed: failed ?? [],
        });
        for (const step of drawn.keys()) {
          const sum = Object.values(states).reduce((total, column) => total + (column[step] ?? Number.NaN), 0);
          expect(sum).toBe(count);
        }
      }),
      { seed: 7 },
    );
  });

  it('are waiting until they start, active until they end', () => {
    const states = deviceStates(3, { started: [1, 0, 2], completed: [0, 1, 0], failed: [0, 0, 1] });
    expect(states).toEqual({
      'devices.waitingCount': [2, 2, 0],
      'devices.activeCount': [1, 0, 1],
      'devices.completedCount': [0, 1, 1],
      'devices.failedCount': [0, 0, 1],
    });
  });
});

it('the hit ratio of a step in which nothing moved is that of the last one in which something did', () => {
  expect(hitRatios([0, 10, 0, 4], [0, 1, 0, 4])).toEqual([0, 0.9, 0.9, 0]);
});

describe('times to complete', () => {
  const times = (...ms: number[]) => {
    const histogram = newHistogram();
    for (const each of ms) recordMs(histogram, each);
    return histogram;
  };

  it('are given for all, and for each group where there are several', () => {
    const groups = [
      { id: 'a', completion: times(10, 20) },
      { id: 'b', completion: times() },
    ];
    const encoded = completionHistograms(times(10, 20), groups);
    expect(Object.keys(encoded)).toEqual(['devices.completionMs', 'group.a.devices.completionMs']);
    const decoded = decodeHistogram(encoded['devices.completionMs'] ?? '');
    expect([decoded.totalCount, percentileMs(decoded, 100)]).toEqual([2, expect.closeTo(20, 1)]);
    expect(Object.keys(completionHistograms(times(1), groups.slice(0, 1)))).toEqual(['devices.completionMs']);
  });

  it('are not there where nobody completed', () => expect(completionHistograms(times(), [])).toEqual({}));
});
