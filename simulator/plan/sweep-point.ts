// From what came of a run to its point of a sweep.

import { type ExitCode, exitCodes } from '../../common/errors.ts';
import type { SweepPoint } from '../result/sweep.ts';
import { virtualBottleneck } from './step-bottleneck.ts';
import type { VirtualOutcome } from './virtual-job.ts';

/** Undefined when it was interrupted. */
export function virtualPoint(index: number, outcome: VirtualOutcome): SweepPoint | undefined {
  switch (outcome.kind) {
    case 'ran': {
      const { run, verdict, exitCode, reason } = outcome;
      const { metrics, expectations, durationMs } = run;
      const bottleneck = virtualBottleneck(run);
      const ran = { index, outcome: verdict, exitCode, reason, metrics, expectations, durationMs };
      return bottleneck === undefined ? ran : { ...ran, bottleneck };
    }
    case 'refused':
      return refusedPoint(index, outcome);
    case 'broken':
      return brokenPoint(index, outcome.message);
    case 'interrupted':
      return undefined;
  }
}

/** A point that could not be run, and never can be where its scenario is the reason. */
export function refusedPoint(
  index: number,
  { message, exitCode }: { readonly message: string; readonly exitCode: ExitCode },
): SweepPoint {
  return unrun(index, exitCode === exitCodes.badInput ? 'impossible' : 'broken', exitCode, message);
}

/** A point that this machine did not carry out. */
export function brokenPoint(index: number, message: string): SweepPoint {
  return unrun(index, 'broken', exitCodes.cannotRun, message);
}

function unrun(index: number, outcome: SweepPoint['outcome'], exitCode: ExitCode, message: string): SweepPoint {
  // The last line of a loader's message counts its mistakes.
  const reason = message
    .replace(/\n[^\n]*nothing was run$/, '')
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
  return { index, outcome, exitCode, reason, metrics: {}, expectations: [], durationMs: 0 };
}
