// One virtual run as small plain data, from the text of a scenario to its verdicts: what plans and sweeps make by the thousand, in
// threads of their own (virtual-pool.ts) or here.

import { type ExitCode, OperatorError } from '../../common/errors.ts';
import { withInvariants } from '../judge/invariants.ts';
import { judgeRun, scenarioVerdict } from '../judge/judge.ts';
import type { Run, Verdict } from '../result/result.ts';
import { parseScenario } from '../scenario/load.ts';
import { chooseWorlds } from '../world/choose-worlds.ts';
import { refuseLateEvents, runVirtual } from '../world/virtual/virtual-world.ts';

export type VirtualJob = {
  /** Of the scenario file. */
  readonly text: string;
  /** Of the scenario file: for messages, and for the profiles beside it. */
  readonly path: string;
  /** `path=value`, as `--set` takes them; the later one counts. */
  readonly overrides: readonly string[];
  /** Whether the outcome has the run's series, many kilobytes; default: no. */
  readonly keepsSeries?: boolean;
};

/** A run without what is large. */
export type SmallRun = Omit<Run, 'series' | 'histograms'> & { readonly series?: Run['series'] };

export type VirtualOutcome =
  /** As `sim run --world virtual` has it: the same numbers, verdict and exit code. */
  | {
      readonly kind: 'ran';
      readonly run: SmallRun;
      readonly verdict: Exclude<Verdict, 'interrupted'>;
      readonly exitCode: ExitCode;
      /** What the verdict rests on, in a sentence. */
      readonly reason: string;
      /** On the clock on the wall. */
      readonly elapsedMs: number;
    }
  /** An operator's error: there is no such scenario, or the model cannot run it. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly exitCode: ExitCode }
  /** The thread that ran it died (its memory was full, or of a bug). */
  | { readonly kind: 'broken'; readonly message: string }
  | { readonly kind: 'interrupted' };

/** Runs a job in this thread. */
export async function runVirtualJob(job: VirtualJob): Promise<VirtualOutcome> {
  const startedMs = performance.now();
  try {
    const { scenario } = parseScenario(job.text, job.path, job.overrides);
    chooseWorlds(scenario, 'virtual');
    const virtual = await runVirtual(scenario);
    refuseLateEvents(virtual);
    const { series, histograms: _, ...small } = virtual.run;
    const expectations = judgeRun(withInvariants(scenario.expect, ['virtual']), virtual.run);
    const { verdict, exitCode, reason } = scenarioVerdict([expectations], scenario);
    const run: SmallRun = { ...small, expectations, ...(job.keepsSeries === true ? { series } : {}) };
    return { kind: 'ran', run, verdict, exitCode, reason, elapsedMs: performance.now() - startedMs };
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    const { code, message, exitCode } = error;
    return { kind: 'refused', code, message, exitCode };
  }
}
