import { describe, expect, test, vi } from 'vitest';
import {
  CounterSampler,
  growthPerSecond,
  growthSince,
  samplesUntil,
} from '../../simulator/world/live/counter-samples.ts';

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

  test('in all lives of a program is its total, whatever else it tells', async () => {
    const answers = [
      { bytes: 10, answers: { 200: 1 } },
      { bytes: 25, answers: { 200: 2 } },
      { bytes: 5, answers: { 200: 1 } },
    ];
    const sampler = new CounterSampler(() => Promise.resolve(answers.shift()));
    expect(sampler.total).toBeUndefined();
    for (const total of [10, 25, 30]) {
      await sampler.take();
      expect(sampler.total?.bytes).toBe(total);
    }
  });

  test.each([
    { what: 'ends between two samples: evenly', untilMs: 1500, expected: [10, 15] },
    { what: 'ends after a start: from zero', untilMs: 2500, expected: [10, 20, 2] },
    { what: 'ends at a sample', untilMs: 2000, expected: [10, 20] },
    { what: 'ends after all samples', untilMs: 9000, expected: [10, 20, 4] },
    { what: 'ends before all samples', untilMs: 500, expected: [] },
  ])('of a run that goes on $what', ({ untilMs, expected }) => {
    const samples = [10, 20, 4].map((bytes, i) => ({ atEpochMs: 1000 * (i + 1), counters: { bytes } }));
    const cut = samplesUntil(samples, untilMs);
    expect(cut.map(({ counters }) => counters.bytes)).toEqual(expected);
    expect(cut.every(({ atEpochMs }) => atEpochMs <= untilMs)).toBe(true);
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
    const values = [{ bytes: 10 }, { bytes: 25 }, { bytes: 5 }];
    const sampler = new CounterSampler(() => Promise.resolve(values.shift()));
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      for (const atMs of [1000, 2000, 3000]) {
        vi.setSystemTime(atMs);
        await sampler.take();
      }
    } finally {
      vi.useRealTimers();
    }
    expect(growthSince(sampler.samples, sinceMs, ({ bytes }) => bytes)).toBe(expected);
  });

  test('is not asked for again while an answer is awaited, and no answer is no sample', async () => {
    let asked = 0;
    let answer: (value: { readonly bytes: number } | undefined) => void = () => undefined;
    const sampler = new CounterSampler<{ readonly bytes: number }>(() => {
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
    answer({ bytes: 4 });
    await second;
    expect(sampler.last).toEqual({ bytes: 4 });
  });
});
