import { describe, expect, it } from 'vitest';
import type { Finding } from '../../simulator/compare/finding.ts';
import { judgeFinding } from '../../simulator/compare/judge-finding.ts';

describe('an interval of a ratio, with its rank test,', () => {
  it.each([
    // low, high, corrected p-value, verdict; by a margin of 5 %, less is better
    [1.06, 1.2, 0.049, 'fail'],
    [1.06, 1.2, 0.05, 'inconclusive'],
    [1.06, 1.2, undefined, 'inconclusive'],
    [1.04, 1.2, 0.001, 'inconclusive'],
    [0.9, 1.05, 0.001, 'pass'],
  ] as const)('from %d to %d at p = %d: %s', (low, high, pValue, verdict) => {
    const finding: Finding = { kind: 'interval', interval: { ratio: (low + high) / 2, low, high }, pValue: 0.001 };
    expect(judgeFinding(finding, 'lower', 'required', 0.05, pValue).verdict).toBe(verdict);
  });

  it.each([
    // More is better: worse by 5 % is 1 / 1.05 times as much.
    [0.8, 0.95, 'fail'],
    [0.8, 0.953, 'inconclusive'],
    [0.953, 1.1, 'pass'],
  ] as const)('of what is better when higher, from %d to %d: %s', (low, high, verdict) => {
    const finding: Finding = { kind: 'interval', interval: { ratio: 1, low, high }, pValue: 0.001 };
    expect(judgeFinding(finding, 'higher', 'required', 0.05, 0.001).verdict).toBe(verdict);
  });
});
