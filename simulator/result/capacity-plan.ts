// A capacity plan as data (plan.json): what was asked, how many nodes of which class each kind of site needs, what came of the
// runs that say so, and what binds. Every page and table of a plan is made of it. Rates in bits per second, times in ms.

import type { LimitReport, Machine } from './result.ts';

/** Version of the file's form. */
export const capacityPlanSchema = 1;

export type CapacityPlan = {
  readonly schema: typeof capacityPlanSchema;
  readonly kind: 'capacityPlan';
  readonly tool: { readonly name: string; readonly version: string };
  /** The command that makes it again. */
  readonly command: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly machine: Machine;
  readonly name: string;
  readonly question?: string;
  readonly source?: string;
  /** Of the plan file; for options, what they come to. */
  readonly text: string;
  readonly asked: Asked;
  /** `none`: at one kind of site at least nothing that was tried meets the deadline. */
  readonly verdict: 'found' | 'none' | 'interrupted';
  /** What was being looked for when it was interrupted. */
  readonly interruptedAt?: string;
  /** In the order of the file; those that an interrupt left out are not there. */
  readonly sites: readonly SitePlan[];
  /** All sites at once, with the nodes that were found. */
  readonly whole?: Figures;
  readonly notes: readonly string[];
  readonly runCount: number;
  readonly elapsedMs: number;
};

export type Asked = {
  /** At all sites. */
  readonly devices: number;
  /** One size a file that each device wants. */
  readonly payloadBytes: readonly number[];
  readonly deadlineMs: number;
  /** Devices arrive evenly at random over so long. */
  readonly arriveOverMs: number;
  readonly classes: readonly NodeClass[];
  readonly nodesMax: number;
  readonly cdnEgressBitsPerSecond?: number;
  readonly seed: number;
};

/** A hardware profile, as far as a plan shows it. */
export type NodeClass = {
  readonly id: string;
  readonly name: string;
  readonly source: string;
  readonly nicWireBitsPerSecond?: number;
  /** Most body bytes to devices: of the card, or as a source states it. */
  readonly egressBitsPerSecond?: number;
  readonly cores?: number;
  readonly memoryBytes?: number;
  readonly drivesBytes?: readonly number[];
};

export type SitePlan = {
  readonly id: string;
  /** How many such sites there are; all figures are of one. */
  readonly count: number;
  readonly devices: number;
  readonly linkBitsPerSecond?: number;
  readonly downlinkBitsPerSecond?: number;
  /** Each class, with as many nodes as it takes; those that never meet the deadline, with what comes nearest. */
  readonly candidates: readonly Candidate[];
  /** The fewest nodes; of equally many the class that stands first in the plan. */
  readonly chosen?: Candidate;
  /** Where nothing meets the deadline: what comes nearest, which the remedies are for. */
  readonly nearest?: Candidate;
  /** The chosen class with one node fewer; absent for one node. */
  readonly oneFewer?: Figures;
  readonly withoutNodes?: Figures;
  readonly rate?: NeededRate;
  readonly failure?: NodeFailure;
  readonly sensitivity: readonly Sensitivity[];
  /** Where nothing meets the deadline: what would. */
  readonly remedies: readonly Remedy[];
  readonly documented: readonly Documented[];
  readonly course?: Course;
};

export type Candidate = {
  readonly classId: string;
  readonly nodes: number;
  readonly figures: Figures;
};

/** What came of one virtual run. */
export type Figures = {
  /** Everybody has everything, in time, and books balance. */
  readonly holds: boolean;
  /** First arrival to last completion; absent: not everybody completed. */
  readonly finishMs?: number;
  readonly devices: number;
  readonly completedCount: number;
  /** What devices wanted in all. */
  readonly wantedBytes: number;
  readonly cdnBytes: number;
  /** The highest second of what came from the CDN. */
  readonly wanPeakBitsPerSecond: number;
  /** Of the steps until the end (95 % of the time there was no more). */
  readonly wanP95BitsPerSecond: number;
  readonly stepSeconds: number;
  /** Of the busiest node; absent without nodes. */
  readonly nodePeakBitsPerSecond?: number;
  /** The most that a node stores; absent without nodes. */
  readonly storedBytes?: number;
  /** What bound for how long, most first. */
  readonly binds: readonly Binding[];
};

/** Limits of a kind, all nodes or groups together. */
export type Binding = Omit<LimitReport, 'boundRatio' | 'name'> & {
  /** `nic`, `egress`, `cpu`, `diskRead`, `diskWrite`, `wan`, `limit`, `link`, `cdn`, `downlink`, `requests`, `arrivals`. */
  readonly kind: string;
  /** Share of the time until the end in which it bound most of what moved; of `arrivals`: which they last. */
  readonly boundRatio: number;
};

/** The least that each of the chosen nodes has to be able to send. */
export type NeededRate = {
  /** Body bytes, to 1 %; found by runs. */
  readonly egressBitsPerSecond: number;
  /** The same on the wire. */
  readonly wireBitsPerSecond: number;
  /** The smallest usual card that carries it; absent: none does. */
  readonly cardBitsPerSecond?: number;
};

export type NodeFailure = {
  /** As many nodes as it takes, with one that fails and stays away; the most that were tried when none are enough. */
  readonly nodes: number;
  readonly holds: boolean;
  /** When it fails, for the latest end. */
  readonly worstAtMs: number;
  /** In words: what the moment is. */
  readonly worstMoment: string;
  readonly figures: Figures;
  /** All moments that were tried with so many nodes, in their order. */
  readonly moments: readonly { readonly atMs: number; readonly figures: Figures }[];
  /** Fewer nodes, with the moment at which they fail. */
  readonly tooFew: readonly { readonly nodes: number; readonly atMs: number; readonly figures: Figures }[];
};

export type Sensitivity = {
  readonly what: string;
  /** With the chosen nodes. */
  readonly figures: Figures;
  /** Of the chosen class, when those are not enough; absent: no number up to the most is. */
  readonly nodesNeeded?: number;
};

export type Remedy = {
  /** What would have to be different, as a key of the plan. */
  readonly key: 'deadline' | 'devices' | 'link' | 'downlink' | 'cdn';
  /** Its value: ms, devices, or bits per second; to 2 %. */
  readonly value: number;
};

/** A sentence of a document beside what was computed. */
export type Documented = {
  readonly source: string;
  readonly says: string;
  readonly computed: string;
  readonly agrees: boolean;
  readonly why: string;
};

/** The course of a few runs over time, for pictures: values at the middle of each step. */
export type Course = { readonly lines: readonly CourseLine[] };

export type CourseLine = {
  readonly name: 'chosen' | 'withoutNodes' | 'failure';
  readonly stepSeconds: number;
  readonly wanBitsPerSecond: readonly number[];
  readonly nodesBitsPerSecond: readonly number[];
  readonly completedCount: readonly number[];
};
