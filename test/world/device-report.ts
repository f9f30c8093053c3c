// Reports of device processes, made up for tests of what is computed from them.

import type { LedgerEntry } from '../../common/ledger.ts';
import { encodeHistogram, newHistogram } from '../../simulator/world/histogram.ts';
import type { DeviceReport, GroupReport } from '../../simulator/world/live/device-protocol.ts';

export type ReportParts = {
  readonly startSecond: number;
  readonly servers: readonly string[];
  readonly bytesPerSecond: Readonly<Record<string, readonly number[]>>;
  readonly connectedPerSecond: readonly number[];
  readonly verifiedBytes: number;
  readonly latency: string;
  readonly ledgers: Readonly<Record<string, readonly LedgerEntry[]>>;
  readonly groups: readonly GroupReport[];
};

/** A report with these parts, and nothing in the others. */
export function reportOf(parts: ReportParts): DeviceReport {
  const none = encodeHistogram(newHistogram());
  const zeros = parts.connectedPerSecond.map(() => 0);
  return {
    part: 0,
    reading: {
      startSecond: parts.startSecond,
      bytesPerSecond: parts.bytesPerSecond,
      rangesPerSecond: zeros,
      failuresPerSecond: zeros,
      startedPerSecond: zeros,
      completedPerSecond: zeros,
      connectedPerSecond: parts.connectedPerSecond,
      cpuMsPerSecond: zeros,
      histograms: {
        latency: parts.latency,
        service: none,
        firstByte: none,
        lateness: none,
        loopDelay: none,
        fallback: none,
      },
      refetchedBytes: {},
      failedRanges: {},
      failureDetails: {},
      fallbackDevices: {},
      verifiedBytes: parts.verifiedBytes,
      uncheckedBytes: 0,
      droppedBytes: 0,
      corruptBytes: 0,
    },
    groups: parts.groups,
    ledgers: parts.ledgers,
    rows: [],
    corruption: [],
    cpuMs: 0,
    cpuWaitMs: 0,
    wallMs: 1000,
  };
}
