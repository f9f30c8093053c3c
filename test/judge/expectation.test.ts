import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExpectation } from '../../simulator/judge/expectation.ts';
import { allMetrics } from '../../simulator/result/metrics.ts';

describe('an expectation', () => {
  it.each([
    ['devices.completedRatio == 1', '==', 1, 'ratio'],
    ['devices.completedCount>=35_000', '>=', 35_000, 'count'],
    ['fleet.finishMs <= 24 h', '<=', 86_400_000, 'ms'],
    ['range.latencyMs.p99 < 20ms', '<', 20, 'ms'],
    ['node.hq.egressBitsPerSecond.sustained >= 6.5 Gbit/s', '>=', 6.5e9, 'bitsPerSecond'],
    ['cdn.egressBitsPerSecond.peak <= 1 MB/s', '<=', 8e6, 'bitsPerSecond'],
    ['cdn.egressBytes <= 2 GiB', '<=', 2 ** 31, 'bytes'],
    ['integrity.corruptBytes == 0', '==', 0, 'bytes'],
    ['integrity.verifiedBytes > 0', '>', 0, 'bytes'],
    ['fallback.byCause.refused != 0', '!=', 0, 'count'],
    ['generator.saturated == false', '==', 0, 'boolean'],
    ['generator.saturated == 0', '==', 0, 'boolean'],
  ])('%s is read into the metric’s own unit', (text, op, limit, unit) => {
    expect(parseExpectation(text)).toMatchObject({ kind: 'expectation', expectation: { text, op, limit, unit } });
  });

  it.each([
    [''],
    ['devices.completedRatio'],
    ['devices.completedRatio =='],
    ['devices.completedRatio = 1'],
    ['devices.completedRatio => 1'],
    ['1 == devices.completedRatio'],
    ['devices.completedRatio == 99.9 %'],
    ['devices.completedRatio == 1.5'],
    ['devices.completedCount == 35,000'],
    ['devices.completedCount == 2.5'],
    ['cdn.egressBytes <= 4'],
    ['cdn.egressBytes <= 2 Gbit/s'],
    ['cdn.egressBytes <= -2 GB'],
    ['fleet.finishMs <= 0'],
    ['fleet.finishMs <= 24'],
    ['cdn.egressBitsPerSecond.peak <= 1 GB'],
    ['generator.saturated == no'],
    ['fleet.finish <= 24 h'],
  ])('%j is refused with what to write', (text) => {
    const parsed = parseExpectation(text);
    expect(parsed.kind === 'problem' ? parsed.problem : parsed).toMatchSnapshot();
  });

  it('for a world that cannot measure its metric is refused', () => {
    expect(parseExpectation('integrity.corruptBytes == 0', 'live').kind).toBe('expectation');
    expect(parseExpectation('integrity.corruptBytes == 0', 'virtual')).toEqual({
      kind: 'problem',
      problem: {
        expected: 'a metric that the virtual world can measure',
        found: 'integrity.corruptBytes, which is live only',
        didYouMean: undefined,
      },
    });
  });

  it('can be written for every metric, with a value in its unit', () => {
    const unitText = { bytes: '7 MB', ms: '7 min', bitsPerSecond: '7 kbit/s', ratio: '0.7', count: '7', boolean: '1' };
    for (const { name, unit } of allMetrics()) {
      const text = `${name.replace('<id>', 'x-1')} >= ${unitText[unit]}`;
      expect(parseExpectation(text), text).toMatchObject({ kind: 'expectation', expectation: { unit } });
    }
  });

  it('never throws, whatever the text', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('fleet.finishMs', 'node.hq.hitBytes', '<=', '=', ' ', '2 GB', '1e400'),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const parsed = parseExpectation(pieces.join(''));
        if (parsed.kind === 'expectation') expect(Number.isFinite(parsed.expectation.limit)).toBe(true);
      }),
    );
  });
});
