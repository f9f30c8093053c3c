// What a fleet says of its groups, at the end and on the way: one walk over its devices.

import { encodeHistogram, type Histogram, newHistogram, recordMs } from '../histogram.ts';
import type { GroupReport } from './device-protocol.ts';
import type { LiveDevice } from './live-device.ts';

type Sum = { -readonly [Key in keyof Omit<GroupReport, 'completion'>]: GroupReport[Key] } & { completion: Histogram };

/** Adds up the devices of this process by group, in the order of the ids; a group may have none here. */
export function groupReports(ids: readonly string[], devices: readonly LiveDevice[]): GroupReport[] {
  const sums = ids.map(empty);
  for (const device of devices) {
    const sum = sums[device.plan.groupIndex];
    if (sum !== undefined) add(sum, device);
  }
  return sums.map((sum) => ({
    ...sum,
    firstArrivalMs: sum.count === 0 ? 0 : sum.firstArrivalMs,
    completion: encodeHistogram(sum.completion),
  }));
}

const empty = (id: string): Sum => ({
  id,
  ...{ count: 0, connectedCount: 0, completedCount: 0, failedCount: 0 },
  ...{ firstArrivalMs: Number.POSITIVE_INFINITY, lastCompletionMs: 0 },
  ...{ bytesFromCacheServer: 0, bytesFromCdn: 0, rangeCount: 0 },
  ...{ wantedBytes: 0, usefulBytes: 0, refetchedBytes: 0 },
  completion: newHistogram(),
});

function add(sum: Sum, device: LiveDevice): void {
  const { arriveAtMs, completedAtMs } = device;
  sum.count += 1;
  if (device.hasConnected) sum.connectedCount += 1;
  if (device.state === 'completed') sum.completedCount += 1;
  if (device.state === 'failed') sum.failedCount += 1;
  sum.firstArrivalMs = Math.min(sum.firstArrivalMs, arriveAtMs);
  sum.bytesFromCacheServer += device.bytesFromCacheServer;
  sum.bytesFromCdn += device.bytesFromCdn;
  sum.rangeCount += device.rangeCount;
  sum.wantedBytes += device.wantedBytes;
  sum.usefulBytes += device.usefulBytes;
  sum.refetchedBytes += device.refetchedBytes;
  if (completedAtMs === undefined) return;
  sum.lastCompletionMs = Math.max(sum.lastCompletionMs, completedAtMs);
  recordMs(sum.completion, completedAtMs - arriveAtMs);
}
