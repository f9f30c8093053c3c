// Rates from bytes per second, in bit/s.

import type { Scenario } from '../scenario/scenario.ts';
import { deviceCount } from './fleet-plan.ts';

/** First second of a span, and the second after its last, as places in a series. */
export type Bounds = { readonly from: number; readonly to: number };

/** What the bounds are read from: devices that arrived, and that completed, second by second. */
export type Course = { readonly startedPerSecond: readonly number[]; readonly completedPerSecond: readonly number[] };

/**
 * The seconds in which the fleet is fully at it: from when 90 % has started (in a live window all are connected: from the end
 * of its warm-up) until 10 % has finished or the window ends; of a replay, all of it. `startSecond`: the run's start as a place in the series.
 */
export function steadyBounds(course: Course, scenario: Scenario, startSecond: number): Bounds {
  const total = deviceCount(scenario);
  const finished = secondOfTotal(course.completedPerSecond, 0.1 * total);
  const { live, replay } = scenario;
  if (replay?.surveyed !== undefined) {
    const seconds = Math.floor(replay.surveyed.durationMs / replay.speed / 1000);
    return { from: startSecond, to: startSecond + seconds };
  }
  const from =
    live === undefined
      ? secondOfTotal(course.startedPerSecond, 0.9 * total) + 1
      : startSecond + Math.ceil((live.warmUpMs ?? 0) / 1000);
  const to = live === undefined ? finished : Math.min(finished, startSecond + Math.floor(live.windowMs / 1000));
  return { from, to: Math.max(from, to) };
}

/** The second in which a running total reaches a number; the length of the series when it never does. */
function secondOfTotal(perSecond: readonly number[], number: number): number {
  let total = 0;
  const second = perSecond.findIndex((value) => {
    total += value;
    return total >= number;
  });
  return second < 0 ? perSecond.length : second;
}

/** Length of the window whose lowest mean is the sustained rate (the contract's definition). */
export const sustainedSeconds = 10;

/** Highest one-second mean; undefined without a byte. */
export function peakRate(bytesPerSecond: readonly number[]): number | undefined {
  const peak = bytesPerSecond.reduce((most, bytes) => Math.max(most, bytes), 0);
  return peak === 0 ? undefined : peak * 8;
}

/** Mean over the bounds, or (without) from the first second with a byte to the last one; undefined without a byte. */
export function meanRate(bytesPerSecond: readonly number[], bounds: Bounds | undefined): number | undefined {
  const first = bytesPerSecond.findIndex((bytes) => bytes > 0);
  const last = bytesPerSecond.findLastIndex((bytes) => bytes > 0);
  const within = bytesPerSecond.slice(bounds?.from ?? first, bounds?.to ?? last + 1);
  const bytes = within.reduce((sum, value) => sum + value, 0);
  return bytes === 0 ? undefined : (bytes * 8) / within.length;
}

/** Lowest mean of any ten seconds in a row within the bounds and the series; undefined when these are shorter. */
export function sustainedRate(bytesPerSecond: readonly number[], bounds: Bounds): number | undefined {
  const from = Math.max(0, bounds.from);
  const to = Math.min(bounds.to, bytesPerSecond.length);
  if (to - from < sustainedSeconds) return undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (let start = from; start + sustainedSeconds <= to; start += 1) {
    let bytes = 0;
    for (let second = start; second < start + sustainedSeconds; second += 1) bytes += bytesPerSecond[second] ?? 0;
    lowest = Math.min(lowest, bytes);
  }
  return (lowest * 8) / sustainedSeconds;
}
