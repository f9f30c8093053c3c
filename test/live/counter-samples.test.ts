import { describe, expect, test, vi } from 'vitest';
import { CounterSampler, growthPerSecond, growthSince } from '../../simulator/world/live/counter-samples.ts';

describe('the growth of a counter, second by second', () => {
  test.each([
    {
      what: 'is spread evenly between two samples',
      samples: [
        [10_500, 0],
        [12_500, 200],
      ],
      expected: [50, 100, 50, 0],
    },
    {
      what: 'of a program that started again counts from zero',
      samples: [
        [10_000, 90],
        [11_000, 5],
      ],
      expected: [5, 0, 0, 0],
    },
    {
      what: 'outside of the span goes to its ends',
      samples: [
        [8_000, 0],
        [10_000, 7],
        [14_000, 11],
      ],
      expected: [8, 1, 1, 1],
    },
    {
      what: 'of two samples at one moment is not lost',
      samples: [
        [10_500, 0],
        [10_500, 3],
      ],
      expected: [3, 0, 0, 0],
    },
    { what: 'is not known from one sample', samples: [[10_000, 5]], expected: [0, 0, 0, 0] },
  ])('$what', ({ samples, expected }) => {
    const named = samples.map(([atEpochMs = 0, counters = 0]) => ({ atEpochMs, counters }));
    expect(growthPerSecond(named, 10, 4, (value) => value).map((value) => Math.round(value * 1e6) / 1e6)).toEqual(
      expected,
    );
  });

  test.each([
    {
      what: 'counts from the last sample before it, and a program that started again from zero',
      sinceMs: 1500,
      expected: 20,
    },
    { what: 'is not known when there is no sample before', sinceMs: 0, expected: undefined },
    { what: 'is nothing after the last sample', sinceMs: 9000, expected: 0 },
  ])('since a moment $what', async ({ sinceMs, expected }) => {
    const values = [10, 25, 5];
    const sampler = new CounterSampler<number>(() => Promise.resolve(values.shift()));
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      for (const atMs of [1000, 2000, 3000]) {
        vi.setSystemTime(atMs);
        await sampler.take();
      }
    } finally {
      vi.useRealTimers();
    }
    expect(growthSince(sampler.samples, sinceMs, (value) => value)).toBe(expected);
  });

  test('is not asked for again while an answer is awaited, and no answer is no sample', async () => {
    let asked = 0;
    let answer: (value: number | undefined) => void = () => undefined;
    const sampler = new CounterSampler<number>(() => {
      asked += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    });
    const first = sampler.take();
    await sampler.take();
    expect(asked).toBe(1);
    answer(undefined);
    await first;
    expect(sampler.last).toBeUndefined();
    const second = sampler.take();
    answer(4);
    await second;
    expect(sampler.last).toBe(4);
  });
});
