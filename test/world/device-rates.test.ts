import { describe, expect, it } from 'vitest';
import type { DownloadPolicySpec } from '../../simulator/scenario/scenario.ts';
import { deviceRate, untilHoursChangeMs } from '../../simulator/world/device-rates.ts';
import { plannedDevices } from '../../simulator/world/fleet-plan.ts';
import { layOut } from '../../simulator/world/virtual/topology.ts';
import { scenarioOf } from './fleet-run.ts';

const hour = 3_600_000;
const hours = { fromMs: 22 * hour, toMs: 6 * hour, insideRatio: 0.5, outsideRatio: 0.1 };

describe('the speeds of a group', () => {
  it.each([
    ['of one speed', 'devices: 7, downlink: 20 Mbit/s'],
    ['without a limit', 'devices: 7'],
    ['of a few devices with a spread', 'devices: 7, downlink: { from: 10 Mbit/s, to: 1 Gbit/s }'],
    ['of many with a spread', 'devices: 300, downlink: { from: 10 Mbit/s, to: 1 Gbit/s }'],
    ['at copies of a site', 'devices: 50, site: branch, downlink: { from: 10 Mbit/s, to: 1 Gbit/s }'],
  ])('%s are those of the same devices in both worlds', (_what, keys) => {
    const scenario = scenarioOf(`
content: [{ id: update, size: 1 MB }]
sites: [{ id: branch, count: 3 }]
fleet: [{ id: office, wants: [update], ${keys} }]`);
    const planned = [...plannedDevices(scenario, { index: 0, count: 1 })].map((device) => device.downlinkBytesPerMs);
    const modelled: number[] = [];
    for (const { first, stride, count, downlinkBytesPerMs } of layOut(scenario).populations) {
      for (let i = 0; i < count; i += 1) modelled[first + i * stride] = downlinkBytesPerMs;
    }
    expect(planned).toEqual(modelled);
  });
});

describe('what a device may receive', () => {
  const downlink = 1000;
  it.each<[string, Partial<DownloadPolicySpec>, number, number, string]>([
    ['its downlink without policies', {}, 0, 1000, 'downlink'],
    ['what the absolute limit says', { maxBackgroundDownloadBytesPerMs: 300 }, 0, 300, 'throttle'],
    ['the downlink below an absolute limit', { maxBackgroundDownloadBytesPerMs: 3000 }, 0, 1000, 'downlink'],
    ['a share of the downlink', { maxBackgroundRatio: 0.2 }, 0, 200, 'throttle'],
    ['the lower of both', { maxBackgroundRatio: 0.2, maxBackgroundDownloadBytesPerMs: 100 }, 0, 100, 'throttle'],
    ['nothing of the other priority', { maxForegroundRatio: 0.2 }, 0, 1000, 'downlink'],
    ['that of the foreground', { priority: 'foreground', maxForegroundRatio: 0.3 }, 0, 300, 'throttle'],
    ['half in the hours, which last past midnight', { limitedHours: hours }, 23 * hour, 500, 'limitedHours'],
    ['the same on the morning after', { limitedHours: hours }, 29 * hour, 500, 'limitedHours'],
    ['a tenth outside', { limitedHours: hours }, 12 * hour, 100, 'limitedHours'],
  ])('is %s', (_what, policy, timeOfDayMs, bytesPerMs, limit) => {
    expect(deviceRate({ priority: 'background', ...policy }, downlink, timeOfDayMs)).toEqual({ bytesPerMs, limit });
  });

  it('changes with the hours', () => {
    expect([21, 22, 23, 30].map((at) => untilHoursChangeMs(hours, at * hour) / hour)).toEqual([1, 8, 7, 16]);
    expect(untilHoursChangeMs(undefined, 0)).toBe(Number.POSITIVE_INFINITY);
  });
});
