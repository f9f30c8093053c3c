// The one result type: complete, so that every report, comparison and plan can be made from it later, elsewhere. Written
// as `result.json`; numbers are in the unit that the name says.

import type { ExpectationVerdict, RunPurpose } from '../judge/judge.ts';
import type { PredictedMetric } from '../judge/prediction.ts';
import type { WorldName } from './metrics.ts';

/** Version of the file's form. */
export const resultSchema = 1;

export type Verdict = 'pass' | 'fail' | 'inconclusive' | 'interrupted';

export type Result = {
  readonly schema: typeof resultSchema;
  readonly tool: { readonly name: string; readonly version: string };
  readonly scenario: ScenarioSource;
  /** `--set path=value`, as given. */
  readonly overrides: Readonly<Record<string, string>>;
  readonly seed: number;
  /** The command that repeats the run. */
  readonly command: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly machine: Machine;
  /** Hardware profiles that were modelled, by id, in inner units (`HardwareProfile` of scenario/profile.ts). */
  readonly profiles?: Readonly<Record<string, unknown>>;
  readonly verdict: Verdict;
  /** One sentence: what the verdict rests on. */
  readonly reason: string;
  readonly runs: readonly Run[];
  /** When both ran: the prediction against the measurement. */
  readonly prediction?: readonly PredictedMetric[];
};

export type ScenarioSource = {
  readonly name: string;
  readonly path: string;
  readonly sha256: string;
  readonly text: string;
  /** The question that it answers; absent where it asks none. */
  readonly question?: string;
  /** What the scenario says of itself: one that shows something that does not work is to fail. Absent: `pass`. */
  readonly expected?: 'pass' | 'fail';
};

export type Machine = {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly os: string;
  readonly node: string;
  /** Absent where the system sets no limit. */
  readonly openFilesMax?: number | undefined;
};

/** One world's run. */
export type Run = {
  readonly world: WorldName;
  readonly purpose: RunPurpose;
  readonly metrics: Readonly<Record<string, number>>;
  /** Why a metric is absent. */
  readonly unavailable: Readonly<Record<string, string>>;
  readonly series: Series;
  /** Times in µs, encoded by HdrHistogram (compressed, base64): they merge over runs. */
  readonly histograms: Readonly<Record<string, string>>;
  readonly expectations: readonly ExpectationVerdict[];
  /** Virtual: what can limit, and how much of what moved it bound. */
  readonly limits?: readonly LimitReport[];
  /** Live: which limits of the load generator itself were reached, in words; empty when it was not the limit. */
  readonly generatorLimits?: readonly string[];
  /** Live: who took how much of the processors, and how late the device processes were. */
  readonly processes?: readonly ProcessReport[];
  /** What happened when, by the scenario. */
  readonly timeline: readonly { readonly atMs: number; readonly what: string }[];
  /** What a reader must know to read the numbers right. */
  readonly notes: readonly string[];
  /** What went wrong: wrong bytes, books that do not balance, failures by kind. */
  readonly problems: readonly string[];
  readonly durationMs: number;
};

/** A device process, or a program (node, CDN) with all its processes, from the start of the run to its end. */
export type ProcessReport = {
  /** `device process 0`, `node hq`, `the CDN`. */
  readonly name: string;
  /** Processor time, ms of one core. */
  readonly cpuMs: number;
  /** By the duration: share of one core; above 1 for a program of several processes or threads. */
  readonly cpuRatio: number;
  /** Share of the time in which its main thread had work and no processor; device processes, where the system tells it (Linux). */
  readonly cpuWaitRatio?: number;
  /** Device processes only, as what follows. */
  readonly devices?: number;
  /** How late it sent what was due; absent when nothing was due at a time. */
  readonly latenessMsP99?: number;
  /** How long a moment of the run waited for its event loop. */
  readonly eventLoopDelayMsP99?: number;
  readonly eventLoopDelayMsMax?: number;
};

/** One limit of the model: an answer that only repeats an input is one that a `given` limit bound. */
export type LimitReport = {
  /** E.g. `node.hq.nic`, `site.branch.link`, `cdn.egress`, `group.office.downlink`. */
  readonly name: string;
  /** Of one copy; absent where there is no one number. */
  readonly capacity?: number;
  readonly unit: 'bitsPerSecond' | 'cores';
  readonly basis: 'given' | 'measured' | 'assumed';
  /** Share of all bytes that moved while it was what bound them. */
  readonly boundRatio: number;
};

/** Values step by step; all columns are of one length. */
export type Series = {
  /** Length of a step; absent: one second. */
  readonly stepSeconds?: number;
  /** Second of the epoch (live) or of the run (virtual) of the first value. */
  readonly startSecond: number;
  /** Second, counted as `startSecond` is, at which the run began, from which its time line counts. Absent: the first one. */
  readonly runStartSecond?: number;
  /** Live: the steps in which the fleet was fully at it (`from` up to, not including, `to`): what sustained rates are of. */
  readonly steady?: { readonly from: number; readonly to: number };
  /** By name, e.g. `node.hq.egressBitsPerSecond`. */
  readonly columns: Readonly<Record<string, readonly number[]>>;
};
