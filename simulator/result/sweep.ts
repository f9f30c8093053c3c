// What a sweep leaves behind (`sweep.json`): every point of its grid, in the order of the grid. Values of axes and metrics are in
// the unit that is named.

import type { ExitCode } from '../../common/errors.ts';
import type { ExpectationVerdict } from '../judge/judge.ts';
import type { WorldName } from './metrics.ts';
import type { Machine, ScenarioSource } from './result.ts';
import type { Bottleneck, SaturationUnit } from './saturation.ts';

/** Version of the file's form. */
export const sweepSchema = 1;

/** One thing that is varied. */
export type SweepAxis = {
  /** As `--vary` names it: a path into the file, `devices` or `demand`. */
  readonly name: string;
  /** Of all its values; absent where they are no numbers. */
  readonly unit?: SaturationUnit;
  /** Whether its values are evenly spread by their ratio. */
  readonly isLog: boolean;
  readonly values: readonly AxisValue[];
};

export type AxisValue = {
  /** As the file would say it. */
  readonly text: string;
  /** In the axis' unit, where it has one. */
  readonly value?: number;
  /** `path=value`, as --set takes them. */
  readonly sets: readonly string[];
};

/** One run of the grid. */
export type SweepPoint = {
  /** Place in the grid: the last axis is the fastest, seeds are faster still. */
  readonly index: number;
  /**
   * `impossible`: there is no such scenario, or its world cannot run it. `broken`: this machine did not carry it out; it is
   * run again when the sweep goes on.
   */
  readonly outcome: 'pass' | 'fail' | 'inconclusive' | 'impossible' | 'broken';
  /** That of `sim run` for this point. */
  readonly exitCode: ExitCode;
  /** One sentence. */
  readonly reason: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly expectations: readonly ExpectationVerdict[];
  /** What was full; absent: nothing was, or it cannot be told. */
  readonly bottleneck?: Bottleneck;
  /** Of the run, in its own time. */
  readonly durationMs: number;
};

/** Which point of the grid an index is. */
export type SweepPlace = {
  readonly index: number;
  /** Of each axis, the place of its value. */
  readonly places: readonly number[];
  readonly seed: number;
};

export type Sweep = {
  readonly schema: typeof sweepSchema;
  readonly kind: 'sweep';
  readonly tool: { readonly name: string; readonly version: string };
  readonly scenario: ScenarioSource;
  readonly overrides: Readonly<Record<string, string>>;
  /** The command that repeats the sweep, and goes on with it while points are missing. */
  readonly command: string;
  /** ISO 8601, of the last start. */
  readonly startedAt: string;
  readonly machine: Machine;
  readonly world: WorldName;
  readonly axes: readonly SweepAxis[];
  /** Of each combination of values. */
  readonly seeds: readonly number[];
  /** What is shown, first things first. */
  readonly metrics: readonly string[];
  readonly verdict: 'pass' | 'fail' | 'inconclusive' | 'notCarriedOut' | 'impossible' | 'interrupted';
  readonly exitCode: ExitCode;
  /** One sentence. */
  readonly reason: string;
  /** Those that ended, by index; with the command that makes each by itself. */
  readonly points: readonly (SweepPoint & SweepPlace & { readonly command: string })[];
};
