// Runs the experiments on this machine, one after the other.

import { BusyTime } from '../world/live/busy-time.ts';
import type { LiveProgress } from '../world/live/live-progress.ts';
import { type Experiment, nodeId, type Plan } from './experiment.ts';
import { type Observation, observe } from './observation.ts';

export type CalibrationProgress = {
  /** From 1. */
  readonly step: number;
  readonly stepCount: number;
  readonly what: string;
  /** Undefined when it is known only at the end of the step. */
  readonly bitsPerSecond: number | undefined;
};

export type MeasureOptions = {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CalibrationProgress) => void;
};

/** Others used so much of the machine that an experiment which wants all of it is worth repeating. */
const disturbedCores = 0.3;

/** Runs a plan; what others disturbed most is run again, and the quieter of the two counts. Undefined when it was interrupted. Throws an OperatorError when an experiment cannot be carried out. */
export async function measureOwnNode(
  { experiments, repeatsMax }: Plan,
  { signal, onProgress }: MeasureOptions,
): Promise<readonly Observation[] | undefined> {
  const observations: Observation[] = [];
  for (const [index, experiment] of experiments.entries()) {
    const observation = await measure(experiment, signal, (bitsPerSecond) =>
      onProgress({ step: index + 1, stepCount: experiments.length, what: experiment.what, bitsPerSecond }),
    );
    if (observation === undefined) return undefined;
    observations.push(observation);
  }
  const disturbed = observations
    .filter(({ experiment, otherCores = 0 }) => experiment.tells.includes('capacity') && otherCores > disturbedCores)
    .sort((a, b) => (b.otherCores ?? 0) - (a.otherCores ?? 0))
    .slice(0, repeatsMax);
  for (const [index, first] of disturbed.entries()) {
    const what = `${first.experiment.what}, again: other programs were busy`;
    const again = await measure(first.experiment, signal, (bitsPerSecond) =>
      onProgress({ step: index + 1, stepCount: disturbed.length, what, bitsPerSecond }),
    );
    if (again === undefined) return undefined;
    const isQuieter = (again.otherCores ?? 0) < (first.otherCores ?? 0);
    if (isQuieter) observations[observations.indexOf(first)] = again;
  }
  return observations;
}

async function measure(
  experiment: Experiment,
  signal: AbortSignal,
  onRate: (bitsPerSecond: number) => void,
): Promise<Observation | undefined> {
  const busy = new BusyTime();
  const onProgress = ({ phase, egressBitsPerSecond }: LiveProgress): void => {
    busy.hear(phase);
    onRate(egressBitsPerSecond);
  };
  // A signal of its own: a run does not take its listeners away.
  const { runLive } = await import('../world/live/live-world.ts');
  const live = await runLive(experiment.scenario, { signal: AbortSignal.any([signal]), onProgress, deviceRows: false });
  if (live.interrupted) return undefined;
  const { metrics } = live.run;
  const parts = [`node.${nodeId}.cpuMs`, 'cdn.cpuMs', 'generator.cpuMs'];
  const ownMs = parts.reduce((sum, name) => sum + (metrics[name] ?? 0), 0);
  return observe(experiment, live, busy.coresBeside(ownMs));
}
