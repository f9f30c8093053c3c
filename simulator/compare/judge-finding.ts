// From a finding to a verdict. A failure takes two things that err in different ways: an interval of the ratio of medians that
// lies beyond the margin, and a rank test that, with all other looks counted, finds a difference.

import { formatCount } from '../../common/units.ts';
import type { Better } from '../result/metrics.ts';
import type { MetricComparison, Role } from './comparison.ts';
import type { Finding } from './finding.ts';

/** Below it a difference is not taken for chance. */
export const significantPValue = 0.05;

/** Numbers that say the same are not told apart. */
const tolerance = 1e-9;

type Judged = Pick<MetricComparison, 'verdict' | 'reason'>;

/** `pValue`: that of the finding, corrected; given where it has one and can fail. */
export function judgeFinding(
  finding: Finding,
  better: Better,
  role: Role,
  marginRatio: number,
  pValue: number | undefined,
): Judged {
  if (role === 'shown' || better === 'neither') return { verdict: 'notJudged', reason: 'shown' };
  const limit = 1 + marginRatio + tolerance;
  // How many times worse: the ratio, or what it is turned over.
  const worse = (ratio: number): number => (better === 'lower' ? ratio : 1 / ratio);
  switch (finding.kind) {
    case 'same':
      return { verdict: 'pass', reason: 'the same' };
    case 'untold':
      return { verdict: 'inconclusive', reason: finding.reason };
    case 'exact':
      if (worse(finding.ratio) <= 1 + marginRatio) return { verdict: 'pass', reason: 'exact' };
      return { verdict: 'fail', reason: `worse, exactly${beyond(marginRatio)}` };
    case 'interval': {
      const ends = [worse(finding.interval.low), worse(finding.interval.high)];
      if (Math.max(...ends) <= limit) return { verdict: 'pass', reason: `not worse by ${percent(marginRatio)}` };
      if (Math.min(...ends) <= limit) {
        return {
          verdict: 'inconclusive',
          reason: `the interval holds both less and more than ${percent(marginRatio)}`,
        };
      }
      if ((pValue ?? 1) < significantPValue)
        return { verdict: 'fail', reason: `worse by more than ${percent(marginRatio)}` };
      return { verdict: 'inconclusive', reason: 'the interval says worse, the rank test that it may be chance' };
    }
  }
}

const beyond = (marginRatio: number): string => (marginRatio === 0 ? '' : `, by more than ${percent(marginRatio)}`);

const percent = (ratio: number): string => `${formatCount(ratio * 100)} %`;
