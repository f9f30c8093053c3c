// What all points of a sweep come to: fail beats not carried out beats inconclusive beats pass.

import { type ExitCode, exitCodes } from '../../common/errors.ts';
import { formatCount } from '../../common/units.ts';
import type { Sweep, SweepPoint } from '../result/sweep.ts';

/** `count`: of all points of the grid; fewer than that ended only when it was interrupted. */
export function sweepVerdict(points: Points, count: number): Pick<Sweep, 'verdict' | 'exitCode' | 'reason'> {
  const parts = words.flatMap(([outcome, one, many]) => {
    const found = points.filter((point) => point.outcome === outcome).length;
    return found === 0 ? [] : [`${formatCount(found)} ${found === 1 ? one : many}`];
  });
  const of = points.length < count ? `${formatCount(points.length)} of ${formatCount(count)}` : formatCount(count);
  const isFailExpected = points.some(
    ({ outcome, exitCode }) =>
      exitCode === (outcome === 'fail' ? exitCodes.pass : outcome === 'pass' ? exitCodes.failed : -1),
  );
  const expected = isFailExpected ? '; the scenario expects to fail' : '';
  const reason = `of ${of} runs ${parts.length === 0 ? 'none ended' : parts.join(', ')}${expected}`;
  return { verdict: verdictOf(points, count), exitCode: exitCodeOf(points, count), reason };
}

const words: readonly (readonly [SweepPoint['outcome'], one: string, many: string])[] = [
  ['pass', 'passes', 'pass'],
  ['fail', 'fails', 'fail'],
  ['inconclusive', 'is inconclusive', 'are inconclusive'],
  ['impossible', 'is impossible', 'are impossible'],
  ['broken', 'was not carried out', 'were not carried out'],
];

type Points = readonly Pick<SweepPoint, 'outcome' | 'exitCode'>[];

/** What the expectations say, before the scenario's `expected` is looked at. */
function verdictOf(points: Points, count: number): Sweep['verdict'] {
  const some = (outcome: SweepPoint['outcome']): boolean => points.some((point) => point.outcome === outcome);
  if (points.length < count) return 'interrupted';
  if (points.every(({ outcome }) => outcome === 'impossible')) return 'impossible';
  if (some('fail')) return 'fail';
  if (some('broken')) return 'notCarriedOut';
  return some('inconclusive') ? 'inconclusive' : 'pass';
}

/** Impossible ones do not count, as long as there are others. */
function exitCodeOf(points: Points, count: number): ExitCode {
  if (points.length < count) return exitCodes.interrupted;
  if (points.every(({ outcome }) => outcome === 'impossible')) return exitCodes.badInput;
  const codes = [exitCodes.failed, exitCodes.cannotRun, exitCodes.inconclusive];
  return codes.find((code) => points.some(({ exitCode }) => exitCode === code)) ?? exitCodes.pass;
}
