// What a virtual run adds up, over all components: by group, node and for the CDN; the books are kept from both sides, by
// devices (sizes and what was left) and by the network (rates and time), so that they can be held against each other.

import type { SourceFailureCause } from '../../device/download-policy.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { RateMeter } from './rate-meter.ts';
import type { SeriesGrid } from './series-grid.ts';
import { WeightedHistogram } from './weighted-histogram.ts';

export type GroupTally = {
  readonly id: string;
  deviceCount: number;
  startedCount: number;
  completedCount: number;
  failedCount: number;
  firstArrivalMs: number;
  lastCompletionMs: number;
  /** As the network moved them. */
  bytesFromCacheServer: number;
  bytesFromCdn: number;
  rangeCount: number;
  wantedBytes: number;
  unfetchedBytes: number;
  refetchedBytes: number;
  readonly completion: WeightedHistogram;
};

export type NodeTally = {
  readonly id: string;
  egressBytes: number;
  missBytes: number;
  requestCount: number;
  missRequestCount: number;
  /** Of the only copy; with several the series tells. */
  readonly meter: RateMeter | undefined;
};

export class Tally {
  readonly groups: readonly GroupTally[];
  readonly nodes: readonly NodeTally[];
  readonly grid: SeriesGrid;
  cdnBytes = 0;
  cdnRequestCount = 0;
  readonly cdnMeter: RateMeter | undefined;
  readonly service = new WeightedHistogram();
  readonly latency = new WeightedHistogram();
  /** Times of ranges that were served before are left out (the warm-up of a window). */
  timesFromMs = Number.NEGATIVE_INFINITY;
  readonly fallbackTime = new WeightedHistogram();
  readonly fallbackDevices = new Map<SourceFailureCause, number>();
  readonly refetched = new Map<SourceFailureCause | 'version', number>();
  failedRangeCount = 0;
  /** Bytes that moved while each limit bound them. */
  readonly boundBytes: number[] = [];
  /** What a reader must know: named once each, with how often. */
  readonly failures = new Map<string, number>();
  /** Devices that can never finish, and how that shows. */
  readonly stuck: { readonly group: string; readonly devices: number; readonly why: string }[] = [];
  endMs = 0;
  completedCount = 0;
  /** Not yet in the series. */
  startedInStep = 0;
  completedInStep = 0;
  readonly tenthOfDevices: number;
  tenthCompletedMs: number | undefined;

  constructor(scenario: Scenario, grid: SeriesGrid, isOneComponent: boolean, nodeCopies: (id: string) => number) {
    this.grid = grid;
    this.tenthOfDevices = scenario.fleet.reduce((sum, { devices }) => sum + devices, 0) / 10;
    this.groups = scenario.fleet.map(({ id, devices }) => ({
      id,
      deviceCount: devices,
      startedCount: 0,
      completedCount: 0,
      failedCount: 0,
      firstArrivalMs: Number.POSITIVE_INFINITY,
      lastCompletionMs: 0,
      bytesFromCacheServer: 0,
      bytesFromCdn: 0,
      rangeCount: 0,
      wantedBytes: 0,
      unfetchedBytes: 0,
      refetchedBytes: 0,
      completion: new WeightedHistogram(),
    }));
    this.nodes = scenario.nodes.map(({ id }) => ({
      id,
      egressBytes: 0,
      missBytes: 0,
      requestCount: 0,
      missRequestCount: 0,
      meter: isOneComponent && nodeCopies(id) === 1 ? new RateMeter() : undefined,
    }));
    this.cdnMeter = isOneComponent ? new RateMeter() : undefined;
  }

  /** So many devices have everything. */
  completed(nowMs: number, devices: number): void {
    this.completedCount += devices;
    this.completedInStep += devices;
    if (this.completedCount < this.tenthOfDevices || this.tenthCompletedMs !== undefined) return;
    // The fleet is fully at it until a tenth has finished.
    this.tenthCompletedMs = nowMs;
    const second = Math.floor(nowMs / 1000);
    for (const { meter } of this.nodes) meter?.boundTo(second);
  }

  addTo<Key>(counts: Map<Key, number>, key: Key, amount: number): void {
    counts.set(key, (counts.get(key) ?? 0) + amount);
  }
}
