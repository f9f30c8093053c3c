import { describe, expect, it } from 'vitest';
import { measuredBottleneck, predictionError } from '../../simulator/judge/bottleneck.ts';

describe('what limited a live run', () => {
  const [card, processor] = ['node.hq.egress', 'machine.cpu'];

  it('is the limit that was the fullest while most bytes moved', () => {
    const utilizations = [
      { limit: card, ratios: [1, 1, 0.2] },
      { limit: processor, ratios: [0.9, 0.9, 0.95] },
    ];
    expect(measuredBottleneck(utilizations, [10, 10, 15])).toBe(card);
    expect(measuredBottleneck(utilizations, [10, 10, 25])).toBe(processor);
  });

  it.each([
    { ratio: 0.85, limit: undefined },
    { ratio: 0.87, limit: card },
  ])('used by $ratio is $limit: from 0.86 on it is full', ({ ratio, limit }) => {
    expect(measuredBottleneck([{ limit: card, ratios: [ratio] }], [1])).toBe(limit);
  });

  it('of two that are as full to a hundredth is the first', () => {
    const [first, second] = [
      { limit: card, ratios: [0.95] },
      { limit: processor, ratios: [0.955] },
    ];
    expect(measuredBottleneck([first, second], [1])).toBe(card);
    expect(measuredBottleneck([second, first], [1])).toBe(processor);
  });

  it('is none when nothing moved', () => {
    expect(measuredBottleneck([], [])).toBeUndefined();
  });
});

describe('how far predictions are from measurements', () => {
  // By hand: of 15, 20, 35, 40 and 50 the third is the 50th percentile (0.5 × 5 = 2.5), and the fifth the 95th (4.75).
  it('is told by nearest ranks of the sizes, and by the mean with its sign', () => {
    const error = predictionError([-50, 20, -15, 40, 35]);
    expect(error).toEqual({ count: 5, median: 35, p95: 50, worst: 50, bias: 6 });
  });

  it('of an even count is at the lower of both middle ones; 95 of 100 are within the 95th', () => {
    const lnRatios = Array.from({ length: 100 }, (_, index) => index + 1);
    expect(predictionError(lnRatios)).toEqual({ count: 100, median: 50, p95: 95, worst: 100, bias: 50.5 });
  });

  it('is nothing without a value', () => {
    expect(predictionError([])).toBeUndefined();
  });
});
