// When devices arrive, as scenarios of k6: one for each group, under its id.
//
//   all at once (within 1 s)    shared-iterations: as many virtual users as devices, an iteration each
//   over a time                 constant-arrival-rate: an iteration is a device
//   live window, demand a rate  constant-arrival-rate: an iteration is one range
//   live window, demand max     shared-iterations, until the window ends
//
// None of them is per virtual user: k6's segments divide rates and shared iterations among instances, not those.

import type { ExportedGroup } from './script/exported-scenario.ts';

/** In the words of k6. */
export type K6Scenario =
  | {
      readonly executor: 'shared-iterations';
      readonly exec: 'device';
      readonly vus: number;
      readonly iterations: number;
      readonly startTime: string;
      readonly maxDuration: string;
      readonly gracefulStop: string;
    }
  | {
      readonly executor: 'constant-arrival-rate';
      readonly exec: 'device' | 'range';
      readonly rate: number;
      readonly timeUnit: string;
      readonly duration: string;
      readonly startTime: string;
      readonly preAllocatedVUs: number;
      readonly maxVUs: number;
      readonly gracefulStop: string;
    };

/** No limit of ours: the policy ends a download that makes no progress. */
const downloadTimeMax = '24h';
/** What a window's last ranges may take. */
const windowGrace = '60s';
/** k6 takes no shorter duration. */
export const shortestDurationMs = 1000;
/** Virtual users that are there before the first iteration; more are made while it runs, up to one a device. */
const preAllocatedMax = 1000;

export function k6Scenario(
  group: ExportedGroup,
  arrive: { readonly atMs: number; readonly overMs: number },
): K6Scenario {
  const { devices, windowMs, intervalMs } = group;
  if (windowMs !== null && intervalMs !== null) {
    return {
      executor: 'constant-arrival-rate',
      exec: 'range',
      rate: devices,
      timeUnit: microseconds(intervalMs),
      duration: microseconds(Math.max(shortestDurationMs, windowMs)),
      startTime: '0s',
      // A range of a second each at the whole rate; a stalled node holds as many as there are devices.
      preAllocatedVUs: Math.max(1, Math.min(devices, preAllocatedMax, Math.ceil((devices / intervalMs) * 1000))),
      maxVUs: devices,
      gracefulStop: windowGrace,
    };
  }
  if (windowMs !== null || arrive.overMs < shortestDurationMs) {
    return {
      executor: 'shared-iterations',
      exec: 'device',
      vus: devices,
      iterations: devices,
      startTime: microseconds(windowMs === null ? arrive.atMs : 0),
      maxDuration: windowMs === null ? downloadTimeMax : microseconds(Math.max(shortestDurationMs, windowMs)),
      gracefulStop: windowMs === null ? '0s' : windowGrace,
    };
  }
  return {
    executor: 'constant-arrival-rate',
    exec: 'device',
    rate: devices,
    timeUnit: microseconds(arrive.overMs),
    // How many iterations k6 starts in a duration is not quite sure (k6 issue 3052). One step longer, at least all devices
    // arrive; iterations beyond them end at once, and find a virtual user.
    duration: microseconds(arrive.overMs + arrive.overMs / devices),
    startTime: microseconds(arrive.atMs),
    preAllocatedVUs: Math.min(devices, preAllocatedMax),
    maxVUs: devices + 2,
    gracefulStop: downloadTimeMax,
  };
}

/** Most virtual users at a time: one a device. */
export function virtualUsersMax(groups: readonly ExportedGroup[]): number {
  return groups.reduce((sum, { devices }) => sum + devices, 0);
}

/** Whole seconds where it is that, for people. */
function microseconds(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.max(1, Math.round(ms * 1000))}us`;
}
