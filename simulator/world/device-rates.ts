// What a device may receive by itself: its downlink, cut by the policies of its group; some of them by the hour. The same in
// both worlds, down to which device has which speed:
//
//   group of 8, site × 2, 2 speeds     device 0 1 2 3 4 5 6 7
//                                      site   0 1 0 1 0 1 0 1
//                                      speed  a a b b a a b b

import type { DownloadPolicySpec, FleetGroup, LimitedHours } from '../scenario/scenario.ts';

/** A rate, and what says so: the last part of `group.<id>.…` in reports. */
export type DeviceRate = { readonly bytesPerMs: number; readonly limit: 'downlink' | 'throttle' | 'limitedHours' };

const dayMs = 86_400_000;

/** Speeds of a spread are cut into so many classes, each with its geometric mean (`docs/model.md`). */
export const speedClassesMax = 64;

/**
 * The speeds that devices of a group have, in bytes/ms, dealt to them in turn at each copy of their site; Infinity: not
 * limited. `siteCount`: copies of the site.
 */
export function downlinksOf({ downlink, devices }: FleetGroup, siteCount: number): readonly number[] {
  if (downlink === undefined) return [Number.POSITIVE_INFINITY];
  const { bytesPerMsMin, bytesPerMsMax } = downlink;
  if (bytesPerMsMin === bytesPerMsMax) return [bytesPerMsMin];
  const count = Math.min(speedClassesMax, Math.ceil(devices / siteCount));
  const ratio = bytesPerMsMax / bytesPerMsMin;
  return Array.from({ length: count }, (_, k) => bytesPerMsMin * ratio ** ((k + 0.5) / count));
}

/** What device `number` of a group has of its downlinks. */
export function downlinkOf(downlinks: readonly number[], siteCount: number, number: number): number {
  return downlinks[Math.floor(number / siteCount) % downlinks.length] ?? Number.POSITIVE_INFINITY;
}

/** The downlink, or what the policies make of it at a time of day. */

export function deviceRate(policy: DownloadPolicySpec, downlinkBytesPerMs: number, timeOfDayMs: number): DeviceRate {
  const isForeground = policy.priority === 'foreground';
  const absolute = isForeground ? policy.maxForegroundDownloadBytesPerMs : policy.maxBackgroundDownloadBytesPerMs;
  const ratio = (isForeground ? policy.maxForegroundRatio : policy.maxBackgroundRatio) ?? 1;
  const ofHours = policy.limitedHours === undefined ? 1 : ratioAt(policy.limitedHours, timeOfDayMs);
  const throttle = Math.min(absolute ?? Number.POSITIVE_INFINITY, ratio < 1 ? ratio * downlinkBytesPerMs : Infinity);
  const hours = ofHours < 1 ? ofHours * downlinkBytesPerMs : Number.POSITIVE_INFINITY;
  if (hours < Math.min(throttle, downlinkBytesPerMs)) return { bytesPerMs: hours, limit: 'limitedHours' };
  if (throttle < downlinkBytesPerMs) return { bytesPerMs: throttle, limit: 'throttle' };
  return { bytesPerMs: downlinkBytesPerMs, limit: 'downlink' };
}

/** Whether the hours last past midnight is seen from `to` being earlier. */
function ratioAt({ fromMs, toMs, insideRatio, outsideRatio }: LimitedHours, timeOfDayMs: number): number {
  const time = timeOfDayMs % dayMs;
  const isInside = fromMs < toMs ? time >= fromMs && time < toMs : time >= fromMs || time < toMs;
  return isInside ? insideRatio : outsideRatio;
}

/** Ms from a time of day until its ratio may change next; Infinity without limited hours. */
export function untilHoursChangeMs(hours: LimitedHours | undefined, timeOfDayMs: number): number {
  if (hours === undefined) return Number.POSITIVE_INFINITY;
  const time = timeOfDayMs % dayMs;
  const until = (at: number): number => (at > time ? at - time : at - time + dayMs);
  return Math.min(until(hours.fromMs), until(hours.toMs));
}
