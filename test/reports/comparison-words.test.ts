import { describe, expect, it } from 'vitest';
import { comparisonMarkdown } from '../../reports/comparison-markdown.ts';
import { changeText, intervalText, sideText } from '../../reports/comparison-words.ts';
import { compareSides } from '../../simulator/compare/compare.ts';
import type { MetricComparison } from '../../simulator/compare/comparison.ts';
import { sideOf } from '../compare/results.ts';

const metric = (more: Partial<MetricComparison>): MetricComparison => ({
  name: 'range.latencyMs.p50',
  world: 'live',
  unit: 'ms',
  better: 'lower',
  role: 'required',
  base: [1],
  candidate: [2],
  marginRatio: 0.05,
  verdict: 'pass',
  reason: '',
  ...more,
});

describe('a comparison in words', () => {
  it.each([
    [1.1024, '+10.2 %'],
    [0.9, '-10.0 %'],
    [72.05, '+7,105 %'],
    [1, '0 %'],
    [1 + 1e-12, '0 %'],
    [1.000_04, '+0.0040 %'],
    [0.999_6, '-0.040 %'],
  ])('says a ratio of %d as %s', (ratio, text) => {
    expect(changeText(metric({ ratio }))).toBe(text);
  });

  it('says nothing of a ratio by zero, and that an end has no bound', () => {
    expect(changeText(metric({}))).toBe('');
    expect(intervalText(metric({ interval: { low: 1.08, high: 1.12 } }))).toBe('+8.0 … +12.0 %');
    expect(intervalText(metric({ interval: { low: 1 } }))).toBe('0 … no bound');
  });

  it('says what a side is', () => {
    const side = { label: 'main', runCount: 10, overrides: { 'nodes.0.workers': '2' }, toolVersions: [], leftOut: [] };
    expect(sideText({ ...side, seeds: [7] })).toBe('main (10 runs, seed 7, nodes.0.workers=2)');
    expect(sideText({ ...side, seeds: [7, 8, 9] })).toBe('main (10 runs, seeds 7 to 9, nodes.0.workers=2)');
    expect(sideText({ ...side, seeds: [7, 9] })).toBe('main (10 runs, seeds 7, 9, nodes.0.workers=2)');
  });

  it('is Markdown that folds away what is not judged', () => {
    const rules = { marginRatio: 0.05, margins: [], metrics: [] };
    const [base, candidate] = [1, 2].map((factor) =>
      sideOf('fleet.finishMs', [1000 * factor], { world: 'virtual', metrics: { 'range.latencyMs.max': 5 * factor } }),
    );
    if (base === undefined || candidate === undefined) throw new Error('two sides');
    const text = comparisonMarkdown(compareSides(base, [candidate], rules));
    expect(text).toContain('# A test: FAIL\n\nworse: fleet.finishMs.\n');
    expect(text).toContain('| `fleet.finishMs` | 1.00 s | 2.00 s | +100 % |  | FAIL (worse, exactly) |');
    expect(text).toMatch(
      /<summary>Not judged<\/summary>[\s\S]*\| `range\.latencyMs\.max` \| 5\.00 ms \| 10\.0 ms \| \+100 % \| {2}\| {2}\|/,
    );
  });
});
