// What the run and its device processes say to each other.

import type { Address } from '../../../common/address.ts';
import type { LedgerEntry } from '../../../common/ledger.ts';
import type { DeviceRow } from '../../result/device-row.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import type { FleetPart } from '../fleet-plan.ts';
import type { MeterReading } from './meter.ts';
import type { RowBatch } from './raw/row-batch.ts';

/** How long a device waits; default: what stands in for the constants of Windows that are not public. */
export type DeviceTimeouts = {
  /** For a connection. */
  readonly connectMs: number;
  /** For the next byte, or for as many that it is this fast (per ms; 0: any byte counts). */
  readonly stallMs: number;
  readonly stallBytesPerMs: number;
  /** With an idle connection after the download, before it closes it. */
  readonly idleCloseMs: number;
};

/** All that a device process needs to know. */
export type DeviceOrder = {
  readonly scenario: Scenario;
  /** Which device process it is: 0, 1 … */
  readonly number: number;
  readonly part: FleetPart;
  /** Of the part, the devices of these groups alone (ids); absent: of all. */
  readonly groups?: readonly string[] | undefined;
  /** Where the nodes are, by id. */
  readonly nodes: Readonly<Record<string, Address>>;
  /** Where the CDN is; device i uses the (i mod length)-th. */
  readonly cdns: readonly Address[];
  /** First two numbers of the source addresses to use (`127.16`); undefined: the system chooses. */
  readonly sourceNetwork: string | undefined;
  /** Whether a row per device is wanted. */
  readonly deviceRows: boolean;
  /** Whether a row per range request is wanted, while the run is under way. Default: not. */
  readonly rangeRows?: boolean | undefined;
  /** Whether they are to say once a second what they have measured so far; default false. */
  readonly snapshots?: boolean | undefined;
  readonly timeouts?: Partial<DeviceTimeouts> | undefined;
};

export type ToDeviceProcess =
  | { readonly kind: 'order'; readonly order: DeviceOrder }
  /** The run starts at this time (epoch ms). */
  | { readonly kind: 'start'; readonly atEpochMs: number }
  /** Stop asking, let what is under way finish for `graceMs`, then report. */
  | { readonly kind: 'stop'; readonly graceMs: number };

export type FromDeviceProcess =
  | { readonly kind: 'connected'; readonly problem: string | undefined }
  | { readonly kind: 'progress'; readonly progress: DeviceProgress }
  /** All devices of this part have completed or failed. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'rows'; readonly batch: RowBatch }
  /** What was measured so far, without ledgers and rows; of series, the whole seconds since the last one. */
  | { readonly kind: 'snapshot'; readonly report: DeviceReport }
  | { readonly kind: 'report'; readonly report: DeviceReport };

/** Counts of one part of the fleet at one moment; they add up over parts. */
export type DeviceProgress = {
  readonly waiting: number;
  readonly connected: number;
  readonly downloading: number;
  readonly onCdn: number;
  readonly completed: number;
  readonly failed: number;
  readonly bytesFromCacheServer: number;
  readonly bytesFromCdn: number;
  readonly failedRanges: number;
};

export type DeviceReport = {
  /** Which device process it is: 0, 1 … */
  readonly part: number;
  readonly reading: MeterReading;
  readonly groups: readonly GroupReport[];
  /** Connections by the name of the server: a node's id, or `cdn`. */
  readonly ledgers: Readonly<Record<string, readonly LedgerEntry[]>>;
  readonly rows: readonly DeviceRow[];
  /** The first few wrong bytes, described. */
  readonly corruption: readonly string[];
  /** Since the start of the run: processor time, ms of one core; time without a processor though there was work (undefined: not told). */
  readonly cpuMs: number;
  readonly cpuWaitMs: number | undefined;
  readonly wallMs: number;
  /** Absent without a log to replay. */
  readonly replay?: ReplayReport | undefined;
};

/** What a process did of a log. */
export type ReplayReport = {
  /** Requests that became due, and were made. */
  readonly requestCount: number;
  /** Of these, those whose line came too late to be put in order. */
  readonly lateLineCount: number;
  /** Most requests that were read ahead at once. */
  readonly heldCountMax: number;
  /** Why the log could not be read to its end. */
  readonly problem: string | undefined;
};

export type GroupReport = {
  readonly id: string;
  readonly count: number;
  readonly connectedCount: number;
  readonly completedCount: number;
  readonly failedCount: number;
  readonly firstArrivalMs: number;
  readonly lastCompletionMs: number;
  readonly bytesFromCacheServer: number;
  readonly bytesFromCdn: number;
  readonly rangeCount: number;
  readonly wantedBytes: number;
  readonly usefulBytes: number;
  readonly refetchedBytes: number;
  /** Completion times from arrival, an encoded histogram in µs. */
  readonly completion: string;
};
