// The series of a virtual run, by the names of the live world where it has them.

import type { Series } from '../../result/result.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { deviceStates, hitRatios } from '../course.ts';
import { deviceCount } from '../fleet-plan.ts';
import type { Tally } from './tally.ts';

/**
 * Rates are means over a step; counts, stored bytes and totals are those at its end. Hit ratios of a step in which a node sent
 * nothing are those of the last one in which it did.
 */
export function seriesOf(scenario: Scenario, tally: Tally): Series {
  const { grid } = tally;
  const bits = (column: string): number[] => grid.perSecond(column).map((bytes) => bytes * 8);
  const [started, completed, failed] = [grid.sums('started'), grid.sums('completed'), grid.sums('failed')];
  const columns: Record<string, number[]> = {
    'range.rangesPerSecond': grid.perSecond('ranges'),
    'range.failuresPerSecond': grid.perSecond('failures'),
    ...deviceStates(deviceCount(scenario), { started, completed, failed }),
    'fleet.fromCdnBitsPerSecond': bits('fromCdn'),
    'cdn.egressBitsPerSecond': bits('cdn'),
  };
  for (const { id } of scenario.nodes) {
    const egress = bits(`node.${id}.egress`);
    const miss = bits(`node.${id}.miss`);
    columns[`node.${id}.egressBitsPerSecond`] = egress;
    columns[`node.${id}.hitBitsPerSecond`] = egress.map((value, step) => value - (miss[step] ?? 0));
    columns[`node.${id}.missBitsPerSecond`] = miss;
    columns[`node.${id}.upstreamBitsPerSecond`] = miss;
    columns[`node.${id}.hitRatioBytes`] = hitRatios(egress, miss);
    const requests = grid.sums(`node.${id}.requests`);
    columns[`node.${id}.hitRatioRequests`] = hitRatios(requests, grid.sums(`node.${id}.missRequests`));
    columns[`node.${id}.storedBytes`] = grid.totals(`node.${id}.stored`).map((bytes) => Math.max(0, Math.round(bytes)));
  }
  const bound = Array.from(tally.boundBytes, (_, limit) => grid.sums(`bound.${limit}`));
  // The limit that bound most of what moved, by its place in `limits`; -1: nothing moved.
  columns['limitIndex'] = Array.from({ length: grid.length }, (_, step) => {
    let most = 0;
    let index = -1;
    for (const [limit, bytes] of bound.entries()) {
      if ((bytes[step] ?? 0) <= most) continue;
      most = bytes[step] ?? 0;
      index = limit;
    }
    return index;
  });
  return { startSecond: 0, stepSeconds: grid.stepMs / 1000, columns };
}
