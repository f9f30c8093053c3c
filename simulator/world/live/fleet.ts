// The fleet as a live run sees it, wherever the devices are: in processes of this run (fleet-processes.ts), or in shards that
// other commands run, perhaps on other machines (shards/remote-fleet.ts).

import type { DeviceOrder, DeviceProgress } from './device-protocol.ts';
import type { DevicesPart } from './parts.ts';

/** What devices need to know of the run: where nodes and CDN are, and what is wanted of them. */
export type FleetTerms = Pick<DeviceOrder, 'scenario' | 'nodes' | 'cdns' | 'deviceRows' | 'snapshots'>;

/** How long ranges under way at the end of a window may take to come. */
export const windowGraceMs = 5000;

export interface Fleet {
  /** How long before its time {@link begin} has to be called, for everybody to hear of it. */
  readonly beginLeadMs: number;
  /** Resolves when every device has completed or failed. */
  readonly idle: Promise<void>;
  /** Gets everybody ready (a live window: connects); resolves when all are, with the first problem that there was. */
  start(terms: FleetTerms): Promise<string | undefined>;
  /** The run's clock begins at this time. */
  begin(atEpochMs: number): void;
  /** Whom {@link start} still waits for, in words; undefined: nobody but its devices. */
  readonly waitsFor?: string | undefined;
  /** What everybody said last. */
  progress(): readonly DeviceProgress[];
  /** What everybody has measured so far, where the terms asked for it; undefined: somebody has not said anything yet. */
  snapshot(): readonly DevicesPart[] | undefined;
  /**
   * Ends: nothing more is asked for, what is under way may finish for `graceMs` (an abort takes that away). Resolves to the parts
   * of those that could still make one. `because`: why the run ends before its time.
   */
  report(graceMs: number, signal: AbortSignal, because: string | undefined): Promise<readonly DevicesPart[]>;
}
