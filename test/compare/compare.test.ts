import { describe, expect, it } from 'vitest';
import { randomStream } from '../../common/random.ts';
import { compareSides, comparisonExitCode } from '../../simulator/compare/compare.ts';
import type { MetricComparison, Rules } from '../../simulator/compare/comparison.ts';
import type { Side } from '../../simulator/compare/side.ts';
import { type ResultChanges, resultWith, sideOf } from './results.ts';

const rules: Rules = { marginRatio: 0.05, margins: [], metrics: [] };

/** Ten values about a centre, 1 % apart from end to end. */
const about = (centre: number): number[] => Array.from({ length: 10 }, (_, i) => centre * (0.995 + i / 900));
const ten = (value: number): number[] => new Array<number>(10).fill(value);

function only(
  name: string,
  base: readonly number[],
  candidate: readonly number[],
  changes: ResultChanges = {},
): MetricComparison {
  const comparison = compareSides(sideOf(name, base, changes), [sideOf(name, candidate, changes)], rules);
  const metric = comparison.candidates[0]?.metrics.find((each) => each.name === name);
  if (metric === undefined) throw new Error(`${name} was not compared`);
  return metric;
}

describe('a metric of live runs', () => {
  it.each([
    // metric, base, candidate, verdict
    ['range.latencyMs.p50', about(10), about(10.1), 'pass'],
    ['range.latencyMs.p50', about(10), about(11), 'fail'],
    ['range.latencyMs.p50', about(10), about(9), 'pass'],
    ['range.latencyMs.p50', about(10), about(10.5), 'inconclusive'],
    ['node.hq.egressBitsPerSecond.mean', about(1e9), about(0.9e9), 'fail'],
    ['node.hq.egressBitsPerSecond.mean', about(1e9), about(1.1e9), 'pass'],
    ['node.hq.hitRatioBytes', about(0.9), about(0.8), 'fail'],
    // Values that never vary are compared exactly, margin or not.
    ['cdn.egressBytes', ten(4e6), ten(4_000_001), 'fail'],
    ['cdn.egressBytes', ten(4e6), ten(3_999_999), 'pass'],
    ['cdn.egressBytes', ten(4e6), ten(4e6), 'pass'],
    ['devices.completedCount', ten(100), ten(99), 'fail'],
    // One run that differs is chance, until a rank test says otherwise.
    ['cdn.egressBytes', ten(4e6), [...ten(4e6).slice(1), 5e6], 'pass'],
    // Too few to tell, unless nothing differs.
    ['range.latencyMs.p50', [10], [20], 'inconclusive'],
    ['cdn.egressBytes', [4e6], [8e6], 'inconclusive'],
    ['cdn.egressBytes', [4e6], [4e6], 'pass'],
    ['range.latencyMs.p50', about(10).slice(1), about(20).slice(1), 'inconclusive'],
    // What must be zero has no chance to be otherwise: one run is one too many.
    ['integrity.corruptBytes', ten(0), [...ten(0).slice(1), 1], 'fail'],
    ['accounting.imbalanceBytes', [0], [1], 'fail'],
    ['integrity.corruptBytes', [5], [0], 'pass'],
    ['devices.failedCount', ten(0), ten(1), 'fail'],
    // Neither is better, or nobody judges it by default.
    ['fleet.rangeCount', ten(400), ten(500), 'notJudged'],
    ['range.latencyMs.max', about(10), about(20), 'notJudged'],
    ['group.office.fleet.finishMs', about(10), about(20), 'notJudged'],
  ] as const)('%s, %j, then %j: %s', (name, base, candidate, verdict) => {
    expect(only(name, base, candidate).verdict).toBe(verdict);
  });

  it('has the ratio of medians with its interval, and what it rests on', () => {
    const { ratio, interval, pValue, reason } = only('range.latencyMs.p50', about(10), about(11));
    expect(ratio).toBeCloseTo(1.1, 12);
    expect(interval?.low).toBeGreaterThan(1.05);
    expect(interval?.high).toBeLessThan(1.15);
    // 2 of C(20, 10) orders are as far apart; it is the only one that was looked at.
    expect(pValue).toBeCloseTo(2 / 184_756, 12);
    expect(reason).toBe('worse by more than 5 %');
  });

  it('is not told where the generator was the limit of a run, but what that does not touch is', () => {
    const saturated = { metrics: { 'generator.saturated': 1 } };
    expect(only('range.latencyMs.p50', about(10), about(20), saturated)).toMatchObject({
      verdict: 'inconclusive',
      reason: 'the load generator was the limit in 20 of 20 runs',
    });
    expect(only('node.hq.egressBitsPerSecond.mean', about(2), about(1), saturated).verdict).toBe('inconclusive');
    expect(only('cdn.egressBytes', ten(1), ten(2), saturated).verdict).toBe('fail');
  });

  it('is not told of different machines, when it is a time or a rate', () => {
    const base = sideOf('range.latencyMs.p50', about(10), { metrics: { 'cdn.egressBytes': 1 } });
    const machine = { cpu: 'Another', cores: 64, memoryBytes: 1e12, os: 'Linux', node: 'v20.20.2' };
    const candidate = sideOf('range.latencyMs.p50', about(20), { metrics: { 'cdn.egressBytes': 2 }, machine });
    const [compared] = compareSides(base, [candidate], rules).candidates;
    expect(compared?.metrics.map(({ name, verdict }) => [name, verdict])).toEqual([
      ['cdn.egressBytes', 'fail'],
      ['range.latencyMs.p50', 'inconclusive'],
    ]);
    expect(compared?.notes).toContain('machines differ, cores: base 2, candidate 64');
  });

  it('is not told when one side has not measured it, and says why', () => {
    const base = sideOf('fleet.finishMs', about(10));
    const unavailable = { 'fleet.finishMs': 'nobody finished' };
    const candidate = { ...base, results: ten(0).map(() => resultWith({ unavailable })) };
    expect(compareSides(base, [candidate], rules).candidates[0]?.metrics[0]).toMatchObject({
      verdict: 'inconclusive',
      reason: 'not measured in 10 of 10 runs of the candidate (nobody finished)',
    });
  });

  it('of processor time is judged for equal work only', () => {
    const cpu = (bytes: number, ms: number) =>
      sideOf('node.hq.cpuMs', about(ms), { metrics: { 'node.hq.egressBytes': bytes } });
    const verdicts = (base: Side, candidate: Side) =>
      compareSides(base, [candidate], rules).candidates[0]?.metrics.find(({ name }) => name === 'node.hq.cpuMs')
        ?.verdict;
    expect(verdicts(cpu(4e8, 300), cpu(4e8, 330))).toBe('fail');
    expect(verdicts(cpu(4e8, 300), cpu(4.03e8, 330))).toBe('fail');
    expect(verdicts(cpu(4e8, 300), cpu(4.05e8, 330))).toBe('notJudged');
    expect(verdicts(cpu(4e8, 300), cpu(5e8, 330))).toBe('notJudged');
  });
});

describe('a metric of the virtual world', () => {
  const virtual = { world: 'virtual' } as const;

  it.each([
    ['fleet.finishMs', 1000, 1000 * (1 + 5e-10), 'pass'],
    ['fleet.finishMs', 1000, 1000 * (1 + 5e-9), 'fail'],
    ['fleet.finishMs', 1000, 1001, 'fail'],
    ['fleet.finishMs', 1000, 999, 'pass'],
    ['cdn.egressBytes', 2e9, 2e9 + 1, 'fail'],
  ] as const)('%s, %d, then %d in one run each: %s', (name, base, candidate, verdict) => {
    expect(only(name, [base], [candidate], virtual).verdict).toBe(verdict);
  });

  const seeded = (values: readonly number[]): Side => ({
    label: 'seeds',
    leftOut: [],
    results: values.map((value, seed) => resultWith({ ...virtual, seed, metrics: { 'fleet.finishMs': value } })),
  });

  it.each([
    ['the same for each', about(100), about(100), 'pass'],
    ['worse on the whole', about(100), about(120), 'fail'],
    ['worse in one draw', about(100), [...about(100).slice(1), 200], 'pass'],
    ['worse, by few seeds', about(100).slice(5), about(120).slice(5), 'inconclusive'],
  ] as const)('of several seeds is judged on the interval: %s', (_, base, candidate, verdict) => {
    expect(compareSides(seeded(base), [seeded(candidate)], rules).verdict).toBe(verdict);
  });
});

describe('the verdict on all', () => {
  const both = (latency: number, tail: number): Side => ({
    label: 'both',
    leftOut: [],
    results: about(1).map((factor, index) =>
      resultWith({
        metrics: {
          'range.latencyMs.p50': latency * factor,
          'range.latencyMs.p99': tail * (index % 2 === 0 ? 1 : 2) * factor,
        },
      }),
    ),
  });

  it('is not made inconclusive by a tail that the runs do not tell of, but can fail by one', () => {
    const uncertain = compareSides(both(10, 100), [both(10, 100.5)], rules);
    expect(uncertain).toMatchObject({
      verdict: 'pass',
      reason: 'nothing is worse, of 2 that were judged; of tails the runs do not tell 1',
    });
    const worse = compareSides(both(10, 100), [both(10, 1000)], rules);
    expect(worse).toMatchObject({ verdict: 'fail', reason: 'worse: range.latencyMs.p99' });
  });

  it('is required of a tail that is asked for', () => {
    const asked = { ...rules, metrics: ['range.*.p99'] };
    expect(compareSides(both(10, 100), [both(100, 100.5)], asked).verdict).toBe('inconclusive');
  });

  it('is that of the worst candidate', () => {
    const comparison = compareSides(both(10, 100), [both(10, 100), both(20, 100)], rules);
    expect(comparison.candidates.map(({ verdict }) => verdict)).toEqual(['pass', 'fail']);
    expect(comparison.verdict).toBe('fail');
    expect(comparisonExitCode(comparison)).toBe(1);
  });

  it('is inconclusive where nothing was judged', () => {
    const shown = compareSides(sideOf('fleet.rangeCount', [1]), [sideOf('fleet.rangeCount', [2])], rules);
    expect(shown).toMatchObject({ verdict: 'inconclusive', reason: 'nothing was judged' });
    expect(comparisonExitCode(shown)).toBe(4);
  });

  it('takes the margin of a metric before the general one, and for exact values only its own', () => {
    const margins = [{ pattern: 'cdn.*', marginRatio: 0.5 }];
    const worse = [sideOf('cdn.egressBytes', ten(4)), sideOf('cdn.egressBytes', ten(5))] as const;
    expect(compareSides(worse[0], [worse[1]], rules).verdict).toBe('fail');
    expect(compareSides(worse[0], [worse[1]], { ...rules, margins }).verdict).toBe('pass');
  });

  it('fails at most 5 % of comparisons of equal builds, whatever the noise and however many metrics', () => {
    const random = randomStream(5, 'equal builds');
    const names = ['p50'].flatMap((p) => ['latencyMs', 'serviceMs', 'firstByteMs'].map((of) => `range.${of}.${p}`));
    const noisy = (): Side => ({
      label: 'noise',
      leftOut: [],
      // A heavy tail: one run in five is disturbed.
      results: ten(0).map(() =>
        resultWith({
          metrics: Object.fromEntries(
            names.map((name) => [name, 10 * (1 + 0.3 * random()) * (random() < 0.2 ? 1 + 4 * random() : 1)]),
          ),
        }),
      ),
    });
    const comparisons = 200;
    let failed = 0;
    for (let k = 0; k < comparisons; k += 1) {
      if (compareSides(noisy(), [noisy()], rules).verdict === 'fail') failed += 1;
    }
    expect(failed / comparisons).toBeLessThanOrEqual(0.05);
  });
});

describe('an expectation of the scenario', () => {
  const side = (failedCount: number, count: number, world: 'live' | 'virtual' = 'live'): Side => ({
    label: 'expects',
    leftOut: [],
    results: Array.from({ length: count }, (_, index) => {
      const failed = index < failedCount;
      const text = 'devices.completedRatio == 1';
      const actual = failed ? 0.5 : 1;
      const verdict = failed ? 'fail' : 'pass';
      return resultWith({
        world,
        metrics: { 'cdn.egressBytes': 1 },
        expectations: [{ text, metric: 'devices.completedRatio', actual, limit: 1, unit: 'ratio', op: '==', verdict }],
      });
    }),
  });

  it.each([
    ['as before', side(0, 10), side(0, 10), 'pass'],
    ['in every run of the candidate alone', side(0, 10), side(10, 10), 'fail'],
    ['in one run of the candidate alone', side(0, 10), side(1, 10), 'inconclusive'],
    ['now and then on both sides', side(2, 10), side(4, 10), 'pass'],
    ['less often', side(4, 10), side(0, 10), 'pass'],
    ['in few runs', side(0, 3), side(3, 3), 'inconclusive'],
    ['in the virtual world', side(0, 1, 'virtual'), side(1, 1, 'virtual'), 'fail'],
  ] as const)('that fails %s: %#', (_, base, candidate, verdict) => {
    expect(compareSides(base, [candidate], rules).verdict).toBe(verdict);
  });
});

describe('what cannot be compared', () => {
  const side = sideOf('range.latencyMs.p50', about(10));

  it.each([
    [
      'another scenario',
      sideOf('range.latencyMs.p50', about(10), { scenarioText: 'name: Another\n' }),
      rules,
      'DIFFERENT_SCENARIOS',
    ],
    ['other seeds', sideOf('range.latencyMs.p50', about(10), { seed: 8 }), rules, 'DIFFERENT_SEEDS'],
    ['the other world', sideOf('range.latencyMs.p50', [1], { world: 'virtual' }), rules, 'NO_COMMON_WORLD'],
    ['a metric that nobody has', side, { ...rules, metrics: ['range.latencyMs.p5'] }, 'NO_SUCH_METRIC'],
  ] as const)('%s is refused with words', (_, candidate, given, code) => {
    expect(() => compareSides(side, [candidate], given)).toThrow(expect.objectContaining({ code, exitCode: 2 }));
  });

  it('settings may differ, as that is what may be compared, and it is said', () => {
    const other = sideOf('range.latencyMs.p50', about(10), { overrides: { 'nodes.0.workers': '2' } });
    const { candidates } = compareSides(side, [other], rules);
    expect(candidates[0]?.notes).toEqual(['settings differ: base --set nothing; candidate --set nodes.0.workers=2']);
  });
});
