import { describe, expect, it } from 'vitest';
import { differenceText, limitLines, reasonText, shownNotes, valueText } from '../../reports/words.ts';
import type { ExpectationVerdict } from '../../simulator/judge/judge.ts';
import type { Run } from '../../simulator/result/result.ts';

describe('a value in words', () => {
  it.each([
    { ratio: 1, text: '100 %' },
    { ratio: 0, text: '0 %' },
    { ratio: 0.9619, text: '96.19 %' },
    { ratio: 1 - 2e9 / 70e12, text: '99.997 %' },
    { ratio: 3e-6, text: '0.0003 %' },
    { ratio: 1 - 1e-12, text: '99.9999999999 %' },
  ])('a ratio of $ratio is $text: only a whole is called one', ({ ratio, text }) => {
    expect(valueText(ratio, 'ratio')).toBe(text);
  });

  it.each([
    { predicted: 101.2, text: '+1.2 %' },
    { predicted: 50, text: '-50.0 %' },
    { predicted: 300, text: '+200 %' },
    { predicted: 671_316, text: '× 6,700' },
    { predicted: 1.47, text: '÷ 68' },
  ])('$predicted predicted, 100 measured: $text', ({ predicted, text }) => {
    const each = { name: 'fleet.finishMs', predicted, measured: 100, lnRatio: Math.log(predicted / 100) };
    expect(differenceText(each)).toBe(text);
  });

  it('one that fails by less than its digits show is given in full', () => {
    const missed: ExpectationVerdict = {
      text: 'cdn.egressBytes <= 2 GB',
      metric: 'cdn.egressBytes',
      actual: 2_000_000_001,
      limit: 2e9,
      unit: 'bytes',
      op: '<=',
      verdict: 'fail',
    };
    expect(reasonText(missed)).toBe('it is 2,000,000,001 bytes');
    expect(reasonText({ ...missed, verdict: 'pass' })).toBeUndefined();
    expect(reasonText({ ...missed, actual: 3e9 })).toBeUndefined();
  });
});

describe('a run in words', () => {
  const run = (part: Partial<Run>): Run => ({
    ...{ world: 'virtual', purpose: 'claim', metrics: {}, unavailable: {}, series: { startSecond: 0, columns: {} } },
    ...{ histograms: {}, expectations: [], timeline: [], notes: [], problems: [], durationMs: 0 },
    ...part,
  });

  it('says a note once, however many runs have it', () => {
    const [claim, measurement] = [run({ notes: ['a', 'b'] }), run({ notes: ['b', 'c'] })];
    expect(shownNotes(claim, [claim, measurement])).toEqual(['a', 'b']);
    expect(shownNotes(measurement, [claim, measurement])).toEqual(['c']);
  });

  it('says what bound most first, and leaves out what bound next to nothing', () => {
    const unit = 'bitsPerSecond';
    const limits: Run['limits'] = [
      { name: 'cdn.egress', capacity: 1e10, unit, basis: 'given', boundRatio: 0.0001 },
      { name: 'group.office.requests', unit, basis: 'given', boundRatio: 0.2 },
      { name: 'machine.cpu', capacity: 1.8, unit: 'cores', basis: 'measured', boundRatio: 0.7999 },
    ];
    expect(limitLines(run({ limits }))).toEqual([
      '80.0 % of the bytes: machine.cpu, 1.8 cores, measured',
      '20.0 % of the bytes: group.office.requests, one request at a time on a connection',
    ]);
  });
});
