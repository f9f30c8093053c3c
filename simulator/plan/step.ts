// One step of a search: a run at one value, judged. What the generator cannot tell stays inconclusive, and what it was not asked
// for does not count against anybody: a rate above the demand cannot be reached, whatever the node is.

import { exitCodes, OperatorError } from '../../common/errors.ts';
import type { Expectation } from '../judge/expectation.ts';
import { withInvariants } from '../judge/invariants.ts';
import { type ExpectationVerdict, judgeRun, overallVerdict } from '../judge/judge.ts';
import type { WorldName } from '../result/metrics.ts';
import type { Run } from '../result/result.ts';
import type { Bottleneck, SaturationStep, StepLoad } from '../result/saturation.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { BusyTime } from '../world/live/busy-time.ts';
import type { LiveProgress } from '../world/live/live-progress.ts';
import { runVirtual, type VirtualProgress } from '../world/virtual/virtual-world.ts';
import { liveBottleneck, virtualBottleneck } from './step-bottleneck.ts';
import { liveLoad, virtualLoad } from './step-load.ts';

/** What a step says of itself, beside which value it was. */
export type StepOutcome = Pick<
  SaturationStep,
  'outcome' | 'reason' | 'durationMs' | 'load' | 'metrics' | 'expectations' | 'bottleneck'
>;

export type StepOptions = {
  /** Aborted: the step ends at once, and counts for nothing. */
  readonly signal: AbortSignal;
  readonly onLive: (progress: LiveProgress) => void;
  readonly onVirtual: (progress: VirtualProgress) => void;
};

/** A node keeps up with a demand when so many of the ranges that are due come, over the measured time. */
export const receivedRatioMin = 0.98;

/** `isDemandVaried`: whether the fleet has to receive what it asks for. Undefined when it was interrupted. */
export async function runStep(
  scenario: Scenario,
  world: WorldName,
  isDemandVaried: boolean,
  options: StepOptions,
): Promise<StepOutcome | undefined> {
  const startedMs = performance.now();
  const elapsedMs = (): number => performance.now() - startedMs;
  if (world === 'virtual') {
    const { run, interrupted } = await runVirtual(scenario, { signal: options.signal, onProgress: options.onVirtual });
    if (interrupted) return undefined;
    const load = virtualLoad(scenario, run);
    return judged(scenario, run, load, { bottleneck: virtualBottleneck(run), durationMs: elapsedMs() });
  }
  const busy = new BusyTime();
  const { runLive } = await import('../world/live/live-world.ts');
  const live = await runLive(scenario, {
    signal: options.signal,
    onProgress: (progress) => {
      busy.hear(progress.phase);
      options.onLive(progress);
    },
    deviceRows: false,
  }).catch((error: unknown) => {
    if (error instanceof OperatorError && error.exitCode !== exitCodes.badInput) return error;
    throw error;
  });
  if (live instanceof OperatorError) {
    if (live.exitCode === exitCodes.interrupted) return undefined;
    return impossible(live.message, elapsedMs());
  }
  if (live.interrupted) return undefined;
  const { run, broken } = live;
  const load = liveLoad(scenario, run, busy);
  const bottleneck = liveBottleneck(scenario, run, load);
  const terms = { bottleneck, durationMs: elapsedMs(), broken, isDemandVaried };
  return judged(scenario, run, load, terms);
}

/** A step that could not be carried out at all. */
export function impossible(message: string, durationMs: number): StepOutcome {
  const reason = message.replace(/\s*\n\s*/g, ' ').trim();
  return { outcome: 'impossible', reason, durationMs, load: { devices: 0 }, metrics: {}, expectations: [] };
}

type JudgeTerms = {
  readonly durationMs: number;
  readonly bottleneck: Bottleneck | undefined;
  readonly broken?: string | undefined;
  readonly isDemandVaried?: boolean;
};

function judged(scenario: Scenario, run: Omit<Run, 'expectations'>, load: StepLoad, terms: JudgeTerms): StepOutcome {
  const { durationMs, bottleneck, broken, isDemandVaried = false } = terms;
  const asked = withInvariants(scenario.expect, [run.world]);
  const own = judgeRun(asked, run).map((verdict, index) =>
    isOutOfReach(asked[index], load) ? notAsked(verdict) : verdict,
  );
  const expectations = isDemandVaried ? [...own, receivedVerdict(load, run.generatorLimits ?? [])] : own;
  const base = {
    durationMs,
    load,
    metrics: run.metrics,
    expectations,
    ...(bottleneck === undefined ? {} : { bottleneck }),
  };
  const told = expectations.filter((_, index) => index < scenario.expect.length || index >= own.length);
  const { verdict } = overallVerdict([expectations]);
  const isTold = told.some((each) => each.verdict !== 'notJudged');
  if (broken !== undefined && verdict !== 'fail') {
    return { ...base, outcome: 'impossible', reason: `the run could not be carried to its end: ${broken}` };
  }
  if (verdict === 'pass' && isTold) return { ...base, outcome: 'holds' };
  const outcome = verdict === 'fail' ? 'fails' : 'inconclusive';
  const why = expectations.filter((each) => each.verdict === (verdict === 'fail' ? 'fail' : 'inconclusive'));
  const reason = why.map(({ text }) => text).join(', ');
  return { ...base, outcome, reason: isTold ? reason : 'nothing that the scenario expects could be judged' };
}

/** A rate that must be reached, above all that was asked for. */
function isOutOfReach(expectation: Expectation | undefined, { askedBitsPerSecond }: StepLoad): boolean {
  if (expectation === undefined || askedBitsPerSecond === undefined) return false;
  const { unit, op, limit } = expectation;
  return unit === 'bitsPerSecond' && (op === '>=' || op === '>') && limit > askedBitsPerSecond;
}

function notAsked(verdict: ExpectationVerdict): ExpectationVerdict {
  return { ...verdict, verdict: 'notJudged', reason: 'the fleet asked for less than that' };
}

/** The search's own expectation. */
function receivedVerdict(load: StepLoad, generatorLimits: readonly string[]): ExpectationVerdict {
  const actual = load.receivedRatio;
  const base = {
    text: `received >= ${receivedRatioMin * 100} % of the demand`,
    metric: 'saturation.receivedRatio',
    limit: receivedRatioMin,
    unit: 'ratio',
    op: '>=',
  } as const;
  if (actual === undefined) return { ...base, verdict: 'notJudged', reason: 'the run did not measure it' };
  const measured = { ...base, actual, headroomRatio: actual / receivedRatioMin - 1 };
  if (actual >= receivedRatioMin) return { ...measured, verdict: 'pass' };
  if (generatorLimits.length === 0) return { ...measured, verdict: 'fail' };
  const reason = `the generator was the limit (${generatorLimits.join('; ')}): it could not ask for more`;
  return { ...measured, verdict: 'inconclusive', reason };
}
