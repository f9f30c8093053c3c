// What the parts of a live run hand over at its end: devices their reports, the environment its books. All of it is plain
// data that survives JSON, so that it makes no difference whether a part comes from a process of this run, over the network
// or out of a file.

import type { LedgerEntry } from '../../../common/ledger.ts';
import type { FleetPart } from '../fleet-plan.ts';
import type { Sample } from './counter-samples.ts';
import type { DeviceReport } from './device-protocol.ts';
import type { CdnBooks, NodeBooks, NodeLedger } from './environment.ts';
import type { TimelineEntry } from './run-events.ts';

/** What a node of the scenario leaves. */
export type NodeRecord = {
  readonly id: string;
  readonly parent?: string | undefined;
  /** Whether it is one that we did not start. */
  readonly external: boolean;
  /** Whether one of its lives ended without handing its books over. */
  readonly lost: boolean;
  /** Undefined for a node that we did not start, and for one that is dead or frozen. */
  readonly books?: NodeBooks | undefined;
  readonly ledger?: NodeLedger | undefined;
  /** What it said of itself in the course of the run. */
  readonly samples: readonly Sample<NodeBooks>[];
};

/** What the CDN leaves. */
export type CdnRecord = {
  /** Undefined when it ended before it could hand over its books. */
  readonly books?: CdnBooks | undefined;
  readonly ledger: readonly LedgerEntry[];
  readonly samples: readonly Sample<CdnBooks>[];
};

/** The part of nodes, CDN and events. */
export type EnvironmentPart = {
  readonly nodes: readonly NodeRecord[];
  readonly cdn: CdnRecord;
  readonly timeline: readonly TimelineEntry[];
};

/** The part of devices: of the whole fleet, or of one shard of it. */
export type DevicesPart = {
  /** Which part of the fleet it is. */
  readonly shard: FleetPart;
  readonly reports: readonly DeviceReport[];
  /** Whether a device process died, and its report with it. */
  readonly lost: boolean;
  /** Why these devices could not go on to the end of the run. */
  readonly broken?: string | undefined;
  /** Of a shard. */
  readonly clock?: ClockOffset | undefined;
};

/** As messages name it: `shard 2/4`, as the command line does. */
export const shardName = ({ index, count }: FleetPart): string => `shard ${index}/${count}`;

/** How far the clock of a shard's machine was from the environment's; true within the error. */
export type ClockOffset = {
  /** Above 0: the shard's clock is ahead. */
  readonly aheadMs: number;
  /** Half of the time that asking took. */
  readonly errorMs: number;
};

/** A live run, as it is concluded. */
export type LiveParts = {
  /** When its clock began; 0: it never did. */
  readonly startEpochMs: number;
  readonly durationMs: number;
  readonly environment: EnvironmentPart;
  readonly devices: readonly DevicesPart[];
  readonly interrupted: boolean;
  /** Why the run could not be carried to its end. */
  readonly broken?: string | undefined;
  /** Whether it goes on: nobody has given its ledgers yet. */
  readonly isUnderWay?: boolean;
};
