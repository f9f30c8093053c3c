// What a search for the highest load leaves behind (`saturation.json`): every run that it made, the knee, and what it rests on.
// Values of what was varied, and metrics, are in the unit that is named.

import type { ExpectationVerdict } from '../judge/judge.ts';
import type { WorldName } from './metrics.ts';
import type { Machine, ScenarioSource } from './result.ts';

/** Version of the file's form. */
export const saturationSchema = 1;

/** What the values of a search count. */
export type SaturationUnit = 'count' | 'bitsPerSecond' | 'bytes' | 'ms' | 'number';

export type Saturation = {
  readonly schema: typeof saturationSchema;
  readonly kind: 'saturation';
  readonly tool: { readonly name: string; readonly version: string };
  readonly scenario: ScenarioSource;
  readonly overrides: Readonly<Record<string, string>>;
  readonly seed: number;
  /** The command that repeats the search. */
  readonly command: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly machine: Machine;
  readonly world: WorldName;
  readonly varied: { readonly name: string; readonly paths: readonly string[]; readonly unit: SaturationUnit };
  readonly search: SearchTerms;
  /** In the order in which they were run. */
  readonly steps: readonly SaturationStep[];
  readonly answer: SaturationAnswer;
};

/** How it was searched. */
export type SearchTerms = {
  readonly start: number;
  readonly floor: number;
  /** Absent: no upper end. */
  readonly ceiling?: number;
  readonly growth: number;
  readonly resolutionRatio: number;
  readonly repeats: number;
  readonly budgetMs: number;
};

/** One run. */
export type SaturationStep = {
  readonly value: number;
  /** As the file would say it. */
  readonly text: string;
  /** `search`: its outcome steered the search. `curve`: it only shows the curve. */
  readonly purpose: 'search' | 'curve';
  readonly outcome: 'holds' | 'fails' | 'inconclusive' | 'impossible';
  /** One sentence: what did not hold, or why it could not be judged or run. Absent where all held. */
  readonly reason?: string;
  /** The command that makes this run by itself. */
  readonly command: string;
  readonly durationMs: number;
  readonly load: StepLoad;
  readonly metrics: Readonly<Record<string, number>>;
  readonly expectations: readonly ExpectationVerdict[];
  /** What was full; absent: nothing was, or it cannot be told. */
  readonly bottleneck?: Bottleneck;
};

/** A step in a few numbers, over its measured time; absent is what the run cannot tell. */
export type StepLoad = {
  readonly devices: number;
  /** What the fleet asked for, where a rate was asked. */
  readonly askedBitsPerSecond?: number;
  readonly receivedBitsPerSecond?: number;
  /** Where a rate was asked: ranges that came, by those that were due. */
  readonly receivedRatio?: number;
  readonly hitRatioBytes?: number;
  /** Cores in use, live: by the nodes that the run started, the CDN, the device processes, and everything else on the machine. */
  readonly nodeCores?: number;
  readonly cdnCores?: number;
  readonly generatorCores?: number;
  readonly otherCores?: number;
};

/** What was full. `generator`: what makes the load, which says nothing of the node. */
export type Bottleneck = {
  /** E.g. `node.hq.limit`, `node.hq.nic`, `cdn.egress`, `machine.cpu`, `generator`. */
  readonly name: string;
  /** `given`: the scenario or a document states it, and the answer repeats it. */
  readonly basis: 'given' | 'measured' | 'assumed';
  /** One phrase for people. */
  readonly text: string;
};

export type SaturationAnswer = {
  /**
   * `knee`: it lies between the highest value that held and the lowest that failed. `ceiling`: all of the range holds. `generator`,
   * `machine`: the value that held is a lower bound, the next one could not be judged or run. `nothing`: none held. `budget`:
   * the time was up before a value failed. `interrupted`.
   */
  readonly how: 'knee' | 'ceiling' | 'generator' | 'machine' | 'nothing' | 'budget' | 'interrupted';
  /** The highest value that held, and the lowest above it that did not. */
  readonly held?: { readonly value: number; readonly text: string };
  readonly failed?: { readonly value: number; readonly text: string; readonly reason: string };
  /** At the lowest value that did not hold. */
  readonly bottleneck?: Bottleneck;
  /** Whether the bracket is as narrow as was asked for. */
  readonly isResolved: boolean;
  /** Where the curve bends, whatever the expectations say; absent: nowhere, or too few points. */
  readonly curveKnee?: { readonly value: number; readonly text: string };
  /** What a reader must know: repeats that disagreed, values that failed below one that held. */
  readonly notes: readonly string[];
};
