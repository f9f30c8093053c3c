// The reports of all device processes as one: counters and histograms add up exactly, series by their seconds.

import type { LedgerEntry } from '../../../common/ledger.ts';
import { type Histogram, mergeHistograms } from '../histogram.ts';
import type { DeviceProgress, DeviceReport, GroupReport, ReplayReport } from './device-protocol.ts';
import type { HistogramName, MeterReading } from './meter.ts';
import { mergeReplays } from './replay-outcome.ts';

export type MergedReport = Omit<MeterReading, 'histograms'> & {
  readonly histograms: Readonly<Record<HistogramName, Histogram>>;
  readonly groups: readonly MergedGroup[];
  readonly ledgers: Readonly<Record<string, readonly LedgerEntry[]>>;
  readonly corruption: readonly string[];
  /** Processor time of all device processes since the start; ms of one core. */
  readonly cpuMs: number;
  /** Each device process by itself, in order. */
  readonly processes: readonly DeviceProcess[];
  readonly replay?: ReplayReport | undefined;
};

/** What one device process took of the machine, and how late it was. */
export type DeviceProcess = Pick<DeviceReport, 'part' | 'cpuMs' | 'cpuWaitMs' | 'wallMs'> & {
  readonly devices: number;
  readonly lateness: Histogram;
  readonly loopDelay: Histogram;
};

export type MergedGroup = Omit<GroupReport, 'completion'> & { readonly completion: Histogram };

export function mergeReports(reports: readonly DeviceReport[]): MergedReport {
  const readings = reports.map((report) => report.reading);
  const startSecond = Math.min(...readings.map((reading) => reading.startSecond));
  const seconds = Math.max(...readings.map((r) => r.startSecond - startSecond + r.rangesPerSecond.length));
  const addUp = (of: (reading: (typeof readings)[number]) => readonly number[] | undefined): number[] => {
    const sum = new Array<number>(seconds).fill(0);
    for (const reading of readings) {
      const offset = reading.startSecond - startSecond;
      for (const [i, value] of (of(reading) ?? []).entries()) sum[offset + i] = (sum[offset + i] ?? 0) + value;
    }
    return sum;
  };
  const servers = [...new Set(readings.flatMap((reading) => Object.keys(reading.bytesPerSecond)))];
  const histogram = (name: HistogramName): Histogram => mergeHistograms(readings.map((r) => r.histograms[name]));
  return {
    startSecond,
    bytesPerSecond: Object.fromEntries(servers.map((server) => [server, addUp((r) => r.bytesPerSecond[server])])),
    rangesPerSecond: addUp((reading) => reading.rangesPerSecond),
    failuresPerSecond: addUp((reading) => reading.failuresPerSecond),
    startedPerSecond: addUp((reading) => reading.startedPerSecond),
    completedPerSecond: addUp((reading) => reading.completedPerSecond),
    connectedPerSecond: addUp((reading) => reading.connectedPerSecond),
    cpuMsPerSecond: addUp((reading) => reading.cpuMsPerSecond),
    histograms: {
      latency: histogram('latency'),
      service: histogram('service'),
      firstByte: histogram('firstByte'),
      lateness: histogram('lateness'),
      loopDelay: histogram('loopDelay'),
      fallback: histogram('fallback'),
    },
    refetchedBytes: sumRecords(readings.map((reading) => reading.refetchedBytes)),
    failedRanges: sumRecords(readings.map((reading) => reading.failedRanges)),
    failureDetails: sumRecords(readings.map((reading) => reading.failureDetails)),
    fallbackDevices: sumRecords(readings.map((reading) => reading.fallbackDevices)),
    verifiedBytes: total(readings.map((reading) => reading.verifiedBytes)),
    uncheckedBytes: total(readings.map((reading) => reading.uncheckedBytes)),
    droppedBytes: total(readings.map((reading) => reading.droppedBytes)),
    corruptBytes: total(readings.map((reading) => reading.corruptBytes)),
    groups: mergeGroups(reports),
    ledgers: mergeLedgers(reports),
    corruption: reports.flatMap((report) => report.corruption),
    cpuMs: total(reports.map((report) => report.cpuMs)),
    processes: reports.map(deviceProcess).sort((a, b) => a.part - b.part),
    replay: mergeReplays(reports.map((report) => report.replay)),
  };
}

function deviceProcess({ part, cpuMs, cpuWaitMs, wallMs, groups, reading }: DeviceReport): DeviceProcess {
  return {
    ...{ part, cpuMs, cpuWaitMs, wallMs },
    devices: total(groups.map((group) => group.count)),
    lateness: mergeHistograms([reading.histograms.lateness]),
    loopDelay: mergeHistograms([reading.histograms.loopDelay]),
  };
}

/** Adds up what the processes said last. */
export function sumProgress(all: readonly DeviceProgress[]): DeviceProgress {
  const sum = (of: (progress: DeviceProgress) => number): number => total(all.map(of));
  return {
    waiting: sum((p) => p.waiting),
    connected: sum((p) => p.connected),
    downloading: sum((p) => p.downloading),
    onCdn: sum((p) => p.onCdn),
    completed: sum((p) => p.completed),
    failed: sum((p) => p.failed),
    bytesFromCacheServer: sum((p) => p.bytesFromCacheServer),
    bytesFromCdn: sum((p) => p.bytesFromCdn),
    failedRanges: sum((p) => p.failedRanges),
  };
}

function mergeGroups(reports: readonly DeviceReport[]): MergedGroup[] {
  const first = reports[0]?.groups ?? [];
  return first.map(({ id }, index) => {
    const groups = reports.flatMap((report) => report.groups[index] ?? []);
    const sum = (of: (group: GroupReport) => number): number => total(groups.map(of));
    return {
      id,
      count: sum((g) => g.count),
      connectedCount: sum((g) => g.connectedCount),
      completedCount: sum((g) => g.completedCount),
      failedCount: sum((g) => g.failedCount),
      firstArrivalMs: Math.min(...groups.filter((g) => g.count > 0).map((g) => g.firstArrivalMs)),
      lastCompletionMs: Math.max(...groups.map((g) => g.lastCompletionMs)),
      bytesFromCacheServer: sum((g) => g.bytesFromCacheServer),
      bytesFromCdn: sum((g) => g.bytesFromCdn),
      rangeCount: sum((g) => g.rangeCount),
      wantedBytes: sum((g) => g.wantedBytes),
      usefulBytes: sum((g) => g.usefulBytes),
      refetchedBytes: sum((g) => g.refetchedBytes),
      completion: mergeHistograms(groups.map((g) => g.completion)),
    };
  });
}

function mergeLedgers(reports: readonly DeviceReport[]): Record<string, LedgerEntry[]> {
  const merged: Record<string, LedgerEntry[]> = {};
  for (const { ledgers } of reports) {
    for (const [server, entries] of Object.entries(ledgers)) {
      const all = merged[server] ?? [];
      merged[server] = all;
      for (const entry of entries) all.push(entry);
    }
  }
  return merged;
}

function sumRecords(records: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const record of records) for (const [key, value] of Object.entries(record)) sum[key] = (sum[key] ?? 0) + value;
  return sum;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
