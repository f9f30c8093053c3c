// From the runs of a command to its result and exit code: judged, compared, with what it takes to do it again.

import { exitCodes } from '../../common/errors.ts';
import { shellWord } from '../../common/shell-word.ts';
import type { Expectation } from '../judge/expectation.ts';
import { withInvariants } from '../judge/invariants.ts';
import { type ExpectationVerdict, judgeRun, scenarioVerdict } from '../judge/judge.ts';
import { comparePrediction } from '../judge/prediction.ts';
import { thisMachine } from '../result/machine.ts';
import { type Result, type Run, resultSchema } from '../result/result.ts';
import { toolVersion } from '../result/tool-version.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import type { HardwareProfile } from '../scenario/profile.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** One world's run, before it is judged. */
export type FinishedRun = {
  readonly run: Omit<Run, 'expectations'>;
  readonly interrupted: boolean;
  /** Why it could not be carried to its end. */
  readonly broken: string | undefined;
};

/**
 * Judges, and puts the whole result together. `options`: those of the command, beside what it changes in the scenario;
 * `interrupted`: in one of the runs, or before all were made.
 */
export function conclude(
  loaded: LoadedScenario,
  finished: readonly FinishedRun[],
  startedAt: Date,
  options: readonly string[] = [],
  interrupted = finished.some((each) => each.interrupted),
  machine?: HardwareProfile,
): { result: Result; exitCode: number } {
  const { scenario } = loaded;
  const expectations = withInvariants(
    scenario.expect,
    finished.map(({ run }) => run.world),
  );
  const runs = finished.map((each) => judged(each, expectations));
  const broken = finished.find((each) => each.broken !== undefined)?.broken;
  const overall = scenarioVerdict(
    runs.map((run) => run.expectations),
    scenario,
  );
  const prediction = runs.find(({ purpose }) => purpose === 'prediction');
  const measurement = runs.find(({ purpose }) => purpose === 'measurement');
  const result: Result = {
    schema: resultSchema,
    tool: { name: 'delivery-optimization-simulator', version: toolVersion },
    scenario: sourceOf(loaded),
    overrides: loaded.overrides,
    seed: scenario.seed,
    command: repeatCommand(loaded, options),
    startedAt: startedAt.toISOString(),
    machine: thisMachine(),
    ...profilesOf(scenario, machine),
    verdict: interrupted ? 'interrupted' : broken !== undefined ? 'inconclusive' : overall.verdict,
    reason: interrupted ? 'interrupted before its end' : (broken ?? overall.reason),
    runs,
    ...(prediction === undefined || measurement === undefined
      ? {}
      : { prediction: comparePrediction(prediction.metrics, measurement.metrics) }),
  };
  const exitCode = interrupted
    ? exitCodes.interrupted
    : broken !== undefined && overall.exitCode !== exitCodes.failed
      ? exitCodes.cannotRun
      : overall.exitCode;
  return { result, exitCode };
}

function sourceOf({ scenario, path, sha256, text }: LoadedScenario): Result['scenario'] {
  const { name, question, expected } = scenario;
  return { name, path, sha256, text, ...(question === undefined ? {} : { question }), expected };
}

/** The hardware that was modelled, for a file that needs no other one. */
function profilesOf({ nodes }: Scenario, machine: HardwareProfile | undefined): Pick<Result, 'profiles'> {
  const used = [...nodes.flatMap(({ hardware }) => hardware ?? []), ...(machine === undefined ? [] : [machine])];
  return used.length === 0 ? {} : { profiles: Object.fromEntries(used.map((profile) => [profile.id, profile])) };
}

function judged({ run, interrupted, broken }: FinishedRun, expectations: readonly Expectation[]): Run {
  const verdicts = judgeRun(expectations, run);
  const isCut = interrupted || broken !== undefined;
  return { ...run, expectations: isCut ? verdicts.map(whenCutShort) : verdicts };
}

/** Half a run says nothing about the whole one; but a wrong byte, and books that do not balance, stay wrong. */
function whenCutShort(verdict: ExpectationVerdict): ExpectationVerdict {
  const staysValid = /^(integrity|accounting)\./.test(verdict.metric);
  if (staysValid || verdict.verdict === 'notJudged') return verdict;
  return { ...verdict, verdict: 'inconclusive', reason: 'the run was cut short' };
}

function repeatCommand({ path, overrides, scenario }: LoadedScenario, options: readonly string[]): string {
  const sets = Object.entries(overrides).flatMap(([key, value]) =>
    key === 'seed' ? [] : [` --set ${shellWord(`${key}=${value}`)}`],
  );
  const words = options.map((word) => ` ${shellWord(word)}`);
  return `sim run ${shellWord(path)} --seed ${scenario.seed}${sets.join('')}${words.join('')}`;
}
