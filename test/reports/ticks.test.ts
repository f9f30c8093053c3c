import { describe, expect, it } from 'vitest';
import { lnMarks, tickText, timeInterval, timeMarks } from '../../reports/html/browser/ticks.ts';

const [second, minute, hour] = [1000, 60_000, 3_600_000];

describe('marks on an axis of times', () => {
  it.each([
    { spanMs: 10 * second, count: 8, intervalMs: 2 * second },
    { spanMs: 86_400 * second, count: 8, intervalMs: 3 * hour },
    { spanMs: 86_400 * second, count: 4, intervalMs: 6 * hour },
    { spanMs: 20 * minute, count: 8, intervalMs: 5 * minute },
    { spanMs: 30 * 24 * hour, count: 8, intervalMs: 5 * 24 * hour },
    { spanMs: 3, count: 4, intervalMs: 1 },
  ])('over $spanMs ms are $intervalMs ms apart', ({ spanMs, count, intervalMs }) => {
    expect(timeInterval(spanMs, count)).toBe(intervalMs);
  });
});

describe('the marks of an axis of times', () => {
  it.each([
    { minMs: 0, maxMs: 10 * second, marksMs: [0, 5, 10].map((seconds) => seconds * second) },
    // A live run begins a little before its start.
    { minMs: -700, maxMs: 31 * second, marksMs: [0, 10, 20, 30].map((seconds) => seconds * second) },
    { minMs: -9.5 * second, maxMs: 9 * second, marksMs: [-5, 0, 5].map((seconds) => seconds * second) },
    { minMs: 0, maxMs: 0, marksMs: [0] },
  ])('from $minMs to $maxMs ms are at $marksMs', ({ minMs, maxMs, marksMs }) => {
    expect(timeMarks(minMs, maxMs, 4)).toEqual(marksMs);
  });
});

describe('a mark says', () => {
  it.each([
    { value: 0, unit: 'ms', text: '0' },
    { value: 500, unit: 'ms', text: '500 ms' },
    { value: 90 * second, unit: 'ms', text: '90 s' },
    { value: -2 * second, unit: 'ms', text: '−2 s' },
    { value: 5 * minute, unit: 'ms', text: '5 min' },
    { value: 6 * hour, unit: 'ms', text: '6 h' },
    { value: 1.5 * hour, unit: 'ms', text: '1 h 30 min' },
    { value: 36 * hour, unit: 'ms', text: '36 h' },
    { value: 49 * hour, unit: 'ms', text: '2 d 1 h' },
    { value: 2e9, unit: 'bitsPerSecond', text: '2 Gbit/s' },
    { value: 2.5e9, unit: 'bitsPerSecond', text: '2.5 Gbit/s' },
    { value: 200e6, unit: 'bitsPerSecond', text: '200 Mbit/s' },
    { value: 0, unit: 'bitsPerSecond', text: '0' },
    { value: 35_000, unit: 'count', text: '35,000' },
    { value: 0.2, unit: 'ratio', text: '20 %' },
    { value: 1.5, unit: 'cores', text: '1.5' },
    { value: 0, unit: 'lnRatio', text: 'equal' },
    { value: Math.log(1.25), unit: 'lnRatio', text: '+25 %' },
    { value: Math.log(0.5), unit: 'lnRatio', text: '−50 %' },
    { value: Math.log(10), unit: 'lnRatio', text: '× 10' },
  ] as const)('$text for $value $unit', ({ value, unit, text }) => expect(tickText(value, unit)).toBe(text));
});

it('marks of ratios are on both sides of what is equal, and not too near to each other', () => {
  for (const [least, most] of [
    [-0.05, 0.3],
    [-6, 2],
    [-0.01, 0.01],
  ] as const) {
    const marks = lnMarks(least, most);
    expect(marks).toContain(0);
    expect(Math.min(...marks)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...marks)).toBeLessThanOrEqual(most);
    for (const [index, mark] of marks.slice(1).entries()) {
      expect(mark - (marks[index] ?? 0)).toBeGreaterThanOrEqual((most - least) / 9 - 1e-12);
    }
  }
});
