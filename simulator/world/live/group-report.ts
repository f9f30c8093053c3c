// What a fleet says of one of its groups at the end.

import { encodeHistogram, newHistogram, recordMs } from '../histogram.ts';
import type { GroupReport } from './device-protocol.ts';
import type { LiveDevice } from './live-device.ts';

/** Adds up the group's devices of this process; there may be none. */
export function groupReport(id: string, devices: readonly LiveDevice[]): GroupReport {
  const completion = newHistogram();
  let lastCompletionMs = 0;
  let firstArrivalMs = Number.POSITIVE_INFINITY;
  for (const { completedAtMs, arriveAtMs } of devices) {
    firstArrivalMs = Math.min(firstArrivalMs, arriveAtMs);
    if (completedAtMs === undefined) continue;
    lastCompletionMs = Math.max(lastCompletionMs, completedAtMs);
    recordMs(completion, completedAtMs - arriveAtMs);
  }
  const sum = (of: (device: LiveDevice) => number): number => devices.reduce((total, device) => total + of(device), 0);
  return {
    id,
    count: devices.length,
    connectedCount: sum((device) => (device.hasConnected ? 1 : 0)),
    completedCount: sum((device) => (device.state === 'completed' ? 1 : 0)),
    failedCount: sum((device) => (device.state === 'failed' ? 1 : 0)),
    firstArrivalMs: devices.length === 0 ? 0 : firstArrivalMs,
    lastCompletionMs,
    bytesFromCacheServer: sum((device) => device.bytesFromCacheServer),
    bytesFromCdn: sum((device) => device.bytesFromCdn),
    rangeCount: sum((device) => device.rangeCount),
    wantedBytes: sum((device) => device.wantedBytes),
    usefulBytes: sum((device) => device.usefulBytes),
    refetchedBytes: sum((device) => device.refetchedBytes),
    completion: encodeHistogram(completion),
  };
}
