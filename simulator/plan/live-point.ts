// A point of a sweep in the live world, judged as `sim run --world live` does.

import { exitCodes, OperatorError } from '../../common/errors.ts';
import { withInvariants } from '../judge/invariants.ts';
import { judgeRun, scenarioVerdict } from '../judge/judge.ts';
import type { SweepPoint } from '../result/sweep.ts';
import { parseScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { chooseWorlds } from '../world/choose-worlds.ts';
import { BusyTime } from '../world/live/busy-time.ts';
import type { LiveProgress } from '../world/live/live-progress.ts';
import { liveBottleneck } from './step-bottleneck.ts';
import { liveLoad } from './step-load.ts';
import { brokenPoint, refusedPoint } from './sweep-point.ts';
import type { VirtualJob } from './virtual-job.ts';

export type LivePointOptions = {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LiveProgress) => void;
};

/** Undefined when it was interrupted. */
export async function runLivePoint(
  index: number,
  { text, path, overrides }: VirtualJob,
  options: LivePointOptions,
): Promise<SweepPoint | undefined> {
  try {
    const { scenario } = parseScenario(text, path, overrides);
    chooseWorlds(scenario, 'live');
    return await measured(index, scenario, options);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    return error.exitCode === exitCodes.interrupted ? undefined : refusedPoint(index, error);
  }
}

async function measured(
  index: number,
  scenario: Scenario,
  { signal, onProgress }: LivePointOptions,
): Promise<SweepPoint | undefined> {
  const busy = new BusyTime();
  // Most sweeps are virtual, and nobody waits for what they do not use.
  const { runLive } = await import('../world/live/live-world.ts');
  const { run, broken, interrupted } = await runLive(scenario, {
    signal,
    deviceRows: false,
    onProgress: (progress) => {
      busy.hear(progress.phase);
      onProgress(progress);
    },
  });
  if (interrupted) return undefined;
  if (broken !== undefined) return brokenPoint(index, `the run could not be carried to its end: ${broken}`);
  const expectations = judgeRun(withInvariants(scenario.expect, ['live']), run);
  const { verdict, exitCode, reason } = scenarioVerdict([expectations], scenario);
  const bottleneck = liveBottleneck(scenario, run, liveLoad(scenario, run, busy));
  const { metrics, durationMs } = run;
  const point = { index, outcome: verdict, exitCode, reason, metrics, expectations, durationMs };
  return bottleneck === undefined ? point : { ...point, bottleneck };
}
