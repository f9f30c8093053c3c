import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Expectation, parseExpectation } from '../../simulator/judge/expectation.ts';
import {
  combinedVerdict,
  type ExpectationVerdict,
  type JudgedRun,
  judgeRun,
  overallVerdict,
} from '../../simulator/judge/judge.ts';
import type { WorldName } from '../../simulator/result/metrics.ts';

function expectation(text: string, world?: WorldName): Expectation {
  const parsed = parseExpectation(text, world);
  if (parsed.kind === 'problem') throw new Error(parsed.problem.expected);
  return parsed.expectation;
}

const run = (metrics: Record<string, number>, more: Partial<JudgedRun> = {}): JudgedRun => {
  return { world: 'live', purpose: 'measurement', metrics, unavailable: {}, ...more };
};

/** The verdict on one text, with one value. */
function judge(text: string, actual: number, more: Partial<JudgedRun> = {}): ExpectationVerdict {
  const parsed = expectation(text);
  const verdict = judgeRun([parsed], run({ [parsed.metric]: actual }, more))[0];
  if (verdict === undefined) throw new Error('no verdict');
  return verdict;
}

describe('a value and its limit', () => {
  it.each([
    // text, value, verdict
    ['cdn.egressBytes == 2 GB', 2e9, 'pass'],
    ['cdn.egressBytes == 2 GB', 2e9 + 1, 'fail'],
    ['cdn.egressBytes <= 2 GB', 2e9 + 1, 'fail'],
    ['cdn.egressBytes < 2 GB', 2e9, 'fail'],
    ['cdn.egressBytes < 2 GB', 2e9 - 1, 'pass'],
    ['cdn.egressBytes != 2 GB', 2e9 + 1, 'pass'],
    ['devices.completedRatio == 1', 34_999_999_999 / 35_000_000_000, 'fail'],
    ['fleet.finishMs <= 24 h', 86_400_000 * (1 + 5e-10), 'pass'],
    ['fleet.finishMs <= 24 h', 86_400_000 * (1 + 2e-9), 'fail'],
    ['fleet.finishMs < 24 h', 86_400_000 * (1 - 5e-10), 'fail'],
    ['fleet.finishMs == 24 h', 86_400_000 * (1 - 5e-10), 'pass'],
    ['node.hq.egressBitsPerSecond.mean >= 1 Gbit/s', 1e9 * (1 - 5e-10), 'pass'],
    ['node.hq.egressBitsPerSecond.mean >= 1 Gbit/s', 1e9 * (1 - 2e-9), 'fail'],
    ['node.hq.egressBitsPerSecond.mean > 1 Gbit/s', 1e9 * (1 + 5e-10), 'fail'],
  ] as const)('%s, measured %d: %s', (text, actual, verdict) => {
    expect(judge(text, actual).verdict).toBe(verdict);
  });

  it.each([
    ['fleet.finishMs <= 24 h', 82_080_000, 0.05],
    ['fleet.finishMs <= 24 h', 90_720_000, -0.05],
    ['node.hq.egressBitsPerSecond.mean >= 1 Gbit/s', 1.25e9, 0.25],
    ['integrity.corruptBytes <= 0 B', 5, undefined],
    ['devices.completedRatio == 1', 0.5, undefined],
  ])('%s, measured %d, has headroom %d', (text, actual, ratio) => {
    const { headroomRatio } = judge(text, actual);
    if (ratio === undefined) expect(headroomRatio).toBeUndefined();
    else expect(headroomRatio).toBeCloseTo(ratio, 12);
  });

  it('contradict each other exactly when their operators do', () => {
    const pairs = [
      ['==', '!='],
      ['<', '>='],
      ['>', '<='],
    ] as const;
    fc.assert(
      fc.property(fc.constantFrom(...pairs), fc.nat(), fc.nat(), fc.boolean(), (ops, limitMs, actual, near) => {
        const value = near ? limitMs * (1 + 1e-10) : actual;
        const verdicts = ops.map((op) => judge(`fleet.finishMs ${op} ${limitMs} ms`, value).verdict);
        expect([...verdicts].sort()).toEqual(['fail', 'pass']);
      }),
    );
  });
});

describe('an expectation in a run', () => {
  it('carries what a report shows', () => {
    expect(judge('fleet.finishMs <= 24 h', 43_200_000)).toEqual({
      text: 'fleet.finishMs <= 24 h',
      metric: 'fleet.finishMs',
      actual: 43_200_000,
      limit: 86_400_000,
      unit: 'ms',
      op: '<=',
      verdict: 'pass',
      headroomRatio: 0.5,
    });
  });

  it('that the run could not measure is not judged, with the run’s reason', () => {
    const text = 'node.hq.hitBytes > 1 MB';
    const unavailable = { 'node.hq.hitBytes': 'we did not start that node' };
    expect(judgeRun([expectation(text)], run({}, { unavailable }))).toMatchObject([
      { verdict: 'notJudged', reason: 'we did not start that node' },
    ]);
    expect(judgeRun([expectation(text)], run({}))[0]).toMatchObject({ reason: 'the live run did not measure it' });
    expect(judgeRun([expectation(text)], run({}))[0]).not.toHaveProperty('actual');
  });

  it('is not judged in the other world, nor in a prediction', () => {
    const texts = [expectation('fleet.finishMs <= 24 h', 'virtual')];
    const metrics = { 'fleet.finishMs': 1 };
    expect(judgeRun(texts, run(metrics))).toMatchObject([{ verdict: 'notJudged' }]);
    expect(judgeRun(texts, run(metrics, { world: 'virtual', purpose: 'claim' }))).toMatchObject([{ verdict: 'pass' }]);
    expect(judgeRun(texts, run(metrics, { world: 'virtual', purpose: 'prediction' }))).toMatchObject([
      { verdict: 'notJudged', reason: 'a prediction is compared with the measurement, not judged' },
    ]);
  });

  it('refuses a metric that is no number: that is a bug of the run', () => {
    expect(() => judge('fleet.finishMs <= 24 h', Number.NaN)).toThrow(/finite/);
  });
});

describe('when the generator was the limit', () => {
  it.each([
    // text, value, verdict
    ['node.hq.egressBitsPerSecond.sustained >= 6.5 Gbit/s', 6.4e9, 'inconclusive'], // missed: more might have come
    ['node.hq.egressBitsPerSecond.sustained >= 6.5 Gbit/s', 6.6e9, 'pass'], // reached stays reached
    ['cdn.egressBitsPerSecond.peak <= 1 Gbit/s', 2e9, 'fail'], // exceeded stays exceeded
    ['cdn.egressBitsPerSecond.peak <= 1 Gbit/s', 0.5e9, 'inconclusive'], // not enough was asked for
    ['range.latencyMs.p99 <= 20 ms', 10, 'inconclusive'],
    ['range.latencyMs.p99 <= 20 ms', 30, 'inconclusive'],
    ['integrity.corruptBytes == 0', 0, 'pass'],
    ['integrity.corruptBytes == 0', 1, 'fail'],
    ['accounting.imbalanceBytes == 0', 1, 'fail'],
    ['devices.completedRatio == 1', 0.5, 'fail'],
    ['cdn.requestCount <= 10', 11, 'fail'],
    ['generator.saturated == 0', 1, 'fail'],
    ['generator.latenessMs.p99 <= 5 ms', 9, 'fail'],
  ] as const)('%s, measured %d: %s', (text, actual, verdict) => {
    const generatorLimits = ['device process 1 used 97 % of a core', 'device process 2 sent ranges 340 ms late (99 %)'];
    const judged = judge(text, actual, { generatorLimits });
    expect(judged.verdict).toBe(verdict);
    if (verdict === 'inconclusive')
      expect(judged.reason).toContain(`the generator was the limit (${generatorLimits.join('; ')})`);
    else expect(judged.reason).toBeUndefined();
  });
});

describe('when the generator stood still for a moment, and was not the limit', () => {
  const metrics = {
    'generator.eventLoopDelayMs.p50': 1,
    'generator.eventLoopDelayMs.p99': 5,
    'generator.eventLoopDelayMs.p999': 40,
    'generator.eventLoopDelayMs.max': 210,
  };

  it.each([
    // text, value, verdict: the delay of the same percentile is given back, of the rest the longest
    ['range.latencyMs.max <= 100 ms', 310, 'inconclusive'],
    ['range.latencyMs.max <= 100 ms', 311, 'fail'],
    ['range.latencyMs.p999 < 100 ms', 139, 'inconclusive'],
    ['range.latencyMs.p999 < 100 ms', 140, 'fail'],
    ['range.latencyMs.p99 <= 20 ms', 25, 'inconclusive'],
    ['range.latencyMs.p99 <= 20 ms', 26, 'fail'],
    ['range.latencyMs.p50 <= 20 ms', 21, 'inconclusive'],
    ['range.latencyMs.p50 <= 20 ms', 22, 'fail'],
    ['devices.completionMs.p90 <= 1 s', 1005, 'inconclusive'],
    ['fleet.finishMs <= 1 s', 1210, 'inconclusive'],
    ['fleet.finishMs <= 1 s', 1211, 'fail'],
    ['fleet.finishMs <= 1 s', 1000, 'pass'], // with the delay in it
    ['fleet.finishMs >= 2 s', 1900, 'fail'], // a delay makes nothing shorter
    ['cdn.requestCount <= 10', 11, 'fail'],
    ['node.hq.cpuMs <= 1 s', 1100, 'fail'],
  ] as const)('%s, measured %d: %s', (text, actual, verdict) => {
    const { metric } = judge(text, actual);
    const judged = judge(text, actual, { metrics: { ...metrics, [metric]: actual } });
    expect(judged.verdict).toBe(verdict);
    if (verdict === 'inconclusive')
      expect(judged.reason).toMatch(/own delay: its event loop .* (1.00|5.00|40.0|210) ms$/);
  });

  it('says for how long', () => {
    const judged = judge('range.latencyMs.max <= 100 ms', 0, { metrics: { ...metrics, 'range.latencyMs.max': 250 } });
    expect(judged.reason).toBe(
      "it is too long by no more than the generator's own delay: its event loop stood still for 210 ms",
    );
  });
});

describe('the verdict over all runs', () => {
  const of = (verdict: ExpectationVerdict['verdict']): ExpectationVerdict => {
    return {
      text: 't',
      metric: 'fleet.finishMs',
      limit: 1,
      unit: 'ms',
      op: '<=',
      verdict,
      reason: `because ${verdict}`,
    };
  };

  it.each([
    // verdicts, one run each; expected; verdict; exit code
    [['pass'], 'pass', 'pass', 0],
    [['pass', 'fail'], 'pass', 'fail', 1],
    [['inconclusive', 'fail'], 'pass', 'fail', 1],
    [['pass', 'inconclusive'], 'pass', 'inconclusive', 4],
    [['notJudged', 'pass'], 'pass', 'pass', 0],
    [['notJudged'], 'pass', 'inconclusive', 4],
    [[], 'pass', 'inconclusive', 4],
    [['fail', 'pass'], 'fail', 'fail', 0],
    [['pass'], 'fail', 'pass', 1],
    [['pass', 'inconclusive'], 'fail', 'inconclusive', 4],
    [['notJudged'], 'fail', 'inconclusive', 4],
  ] as const)('of %j, expected to %s, is %s with exit code %d', (verdicts, expected, verdict, exitCode) => {
    const overall = overallVerdict(
      verdicts.map((each) => [of(each)]),
      expected,
    );
    expect(overall).toMatchObject({ verdict, exitCode, asExpected: exitCode === 0 });
  });

  it('says in a sentence what it rests on', () => {
    expect(overallVerdict([[of('pass'), of('fail')]]).reason).toBe('1 of 2 judged expectations failed');
    expect(overallVerdict([[of('fail')]], 'fail').reason).toBe('1 of 1 judged expectations failed, as expected');
    expect(overallVerdict([]).reason).toBe('nothing was judged: no run could measure an expectation');
  });

  it('counts an expectation once, however many runs judge it', () => {
    const runs = [
      [of('pass'), of('fail')],
      [of('fail'), of('fail')],
    ];
    expect(overallVerdict(runs).reason).toBe('2 of 2 judged expectations failed');
  });

  it('of one expectation is its worst, or why no run could judge it', () => {
    expect(combinedVerdict([of('pass'), of('fail'), of('inconclusive')])?.verdict).toBe('fail');
    expect(combinedVerdict([of('notJudged'), of('pass')])?.verdict).toBe('pass');
    expect(
      combinedVerdict([
        { ...of('notJudged'), reason: 'a' },
        { ...of('notJudged'), reason: 'b' },
      ]),
    ).toMatchObject({
      verdict: 'notJudged',
      reason: 'a; b',
    });
    expect(combinedVerdict([])).toBeUndefined();
  });
});
