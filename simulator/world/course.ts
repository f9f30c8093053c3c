// Columns and histograms that both worlds have, made from what each has counted: devices by state, shares from the cache,
// times to complete.

import { encodeHistogram, type Histogram } from './histogram.ts';

/** What happened in each step: devices that arrived, that got everything, and (where that is known by step) that gave up. */
export type DeviceCourse = {
  readonly started: readonly number[];
  readonly completed: readonly number[];
  readonly failed?: readonly number[];
};

/**
 * Devices in each state at the end of each step. Without `failed`, those that gave up stay among the active ones.
 */
export function deviceStates(count: number, { started, completed, failed }: DeviceCourse): Record<string, number[]> {
  const [arrived, done, gone] = [totals(started), totals(completed), failed && totals(failed)];
  return {
    'devices.waitingCount': arrived.map((total) => count - total),
    'devices.activeCount': arrived.map((total, step) => total - (done[step] ?? 0) - (gone?.[step] ?? 0)),
    'devices.completedCount': done,
    ...(gone === undefined ? {} : { 'devices.failedCount': gone }),
  };
}

function totals(perStep: readonly number[]): number[] {
  let total = 0;
  return perStep.map((value) => {
    total += value;
    return total;
  });
}

/** Share that was not missed, step by step; where nothing moved, that of the last step in which something did. */
export function hitRatios(all: readonly number[], missed: readonly number[]): number[] {
  let last = 0;
  return all.map((amount, step) => {
    if (amount > 0) last = Math.max(0, 1 - (missed[step] ?? 0) / amount);
    return last;
  });
}

/** Times to complete of all devices and, where there are several groups, of each; nothing where nobody completed. */
export function completionHistograms(
  all: Histogram,
  groups: readonly { readonly id: string; readonly completion: Histogram }[],
): Record<string, string> {
  const named: (readonly [string, Histogram])[] = [['devices.completionMs', all]];
  if (groups.length > 1) {
    for (const { id, completion } of groups) named.push([`group.${id}.devices.completionMs`, completion]);
  }
  return Object.fromEntries(
    named.flatMap(([name, histogram]) => (histogram.totalCount === 0 ? [] : [[name, encodeHistogram(histogram)]])),
  );
}
