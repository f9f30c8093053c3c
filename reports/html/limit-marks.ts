// Lines for what bounds a rate, or what was expected of it, in the picture of that rate.

import { formatBitsPerSecond } from '../../common/units.ts';
import type { Run } from '../../simulator/result/result.ts';
import { limitText } from '../words.ts';
import type { PlotMark } from './plot.ts';

/** A rate that something has to stay below, or to reach; bit/s. */
export type RateLimit = {
  readonly label: string;
  readonly bitsPerSecond: number;
  /** The column of the series that it bounds; undefined where there is none. */
  readonly column: string | undefined;
  /** Whether the rate cannot be above it. */
  readonly isCapacity: boolean;
};

/**
 * Limits of the model by their names; the pattern's first group is the id of a node. A node's `limit` binds the live world,
 * too, so that it is taken from the claim.
 */
export function limitsOf(
  run: Run,
  runs: readonly Run[],
  names: RegExp,
  column: 'egress' | 'upstream',
): readonly RateLimit[] {
  const ofBothWorlds = runs
    .find(({ purpose }) => purpose === 'claim')
    ?.limits?.filter(({ name }) => /^node\..*\.limit$/.test(name));
  return (run.limits ?? ofBothWorlds ?? []).flatMap(({ name, capacity, unit, basis }) => {
    const match = names.exec(name);
    if (match === null || capacity === undefined || unit !== 'bitsPerSecond') return [];
    const ofNode = match[1] === undefined ? undefined : `node.${match[1]}.${column}BitsPerSecond`;
    return [
      {
        label: `${name} ${formatBitsPerSecond(capacity)}, ${basis}`,
        bitsPerSecond: capacity,
        column: name === 'cdn.egress' ? 'cdn.egressBitsPerSecond' : ofNode,
        isCapacity: true,
      },
    ];
  });
}

/** What the scenario expects of the egress of nodes. */
export function expectedRates({ expectations }: Run): readonly RateLimit[] {
  return expectations.flatMap((verdict) => {
    const match = /^node\.([^.]+)\.egressBitsPerSecond\.(.+)$/.exec(verdict.metric);
    if (match === null || verdict.verdict === 'notJudged') return [];
    const [, id, statistic] = match;
    return [
      {
        label: `expected of ${id}: ${limitText(verdict)} ${statistic}`,
        bitsPerSecond: verdict.limit,
        column: `node.${id}.egressBitsPerSecond`,
        isCapacity: false,
      },
    ];
  });
}

/** Limits that are much higher than what moved would make flat lines of it: they are named below the picture. */
const shownToPeak = 2.5;

/** As lines, as far as they fit into a picture of these columns; the others as a note. */
export function limitMarks(
  { series, world }: Run,
  columns: readonly { readonly values: readonly number[] }[],
  limits: readonly RateLimit[],
): { readonly limits: readonly PlotMark[]; readonly notes: readonly string[] } {
  const peak = Math.max(...columns.map(({ values }) => highest(values)), 0);
  const drawn: PlotMark[] = [];
  const others: string[] = [];
  for (const { label, bitsPerSecond, column, isCapacity } of limits) {
    const own = column === undefined ? peak : highest(series.columns[column] ?? []);
    // What moved is the sum over copies of a node or a site, and a limit that of one: it says nothing of the sum. There are copies in
    // the virtual world only, which is never above a limit; a measured second may be.
    if (isCapacity && world === 'virtual' && bitsPerSecond < own * 0.98) others.push(`${label} (each)`);
    else if (bitsPerSecond > peak * shownToPeak) others.push(label);
    else drawn.push({ at: bitsPerSecond, label });
  }
  return { limits: drawn, notes: others.length === 0 ? [] : [`Not drawn: ${others.join('; ')}.`] };
}

function highest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 0);
}
