// The search for the highest load under which a scenario holds: step after step by `search.ts`, each a run of its world, then a
// few more for the curve; as long as the time lasts.

import { OperatorError } from '../../common/errors.ts';
import { shellWord } from '../../common/shell-word.ts';
import type { WorldName } from '../result/metrics.ts';
import type { SaturationStep } from '../result/saturation.ts';
import { type LoadedScenario, parseScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { curveValues, propose, runsLeft, type SearchSpace, type Trial } from './search.ts';
import { impossible, runStep, type StepOptions, type StepOutcome } from './step.ts';
import type { Variable } from './variable.ts';

export type SaturateTerms = {
  readonly loaded: LoadedScenario;
  readonly world: WorldName;
  readonly variable: Variable;
  /** Whether a step has to receive what it asks for. */
  readonly isDemandVaried: boolean;
  readonly space: SearchSpace;
  /** Further values for the curve. */
  readonly curveCount: number;
  readonly budgetMs: number;
  /** `path=value` of every step: its window. */
  readonly sets: readonly string[];
};

export type SaturateProgress = {
  /** From 1. */
  readonly step: number;
  /** About how many steps there will be. */
  readonly stepsAbout: number;
  readonly text: string;
  /** Undefined before a step has shown how long one takes. */
  readonly leftMs: number | undefined;
};

export type SaturateOptions = Omit<StepOptions, 'signal'> & {
  readonly signal: AbortSignal;
  readonly onStep: (progress: SaturateProgress) => void;
  readonly onStepDone: (step: SaturationStep) => void;
};

/** `done`: how the search ended; `budget`: the time was up before. */
export type Searched = {
  readonly steps: readonly SaturationStep[];
  readonly ended: 'bracketed' | 'ceiling' | 'nothing' | 'budget' | 'interrupted';
};

/** Throws an OperatorError when the scenario is wrong at its first value, or asks for what its world does not have. */
export async function saturate(terms: SaturateTerms, options: SaturateOptions): Promise<Searched> {
  const run = new SearchRun(terms, options);
  const ended = await run.search();
  if (ended !== 'bracketed' && ended !== 'ceiling') return { steps: run.steps, ended };
  const isWhole = await run.curve();
  return { steps: run.steps, ended: isWhole ? ended : 'interrupted' };
}

/** What the runs of a search said. */
export function trialsOf(steps: readonly SaturationStep[]): readonly Trial[] {
  return steps.map(({ value, outcome }) => ({ value, outcome }));
}

class SearchRun {
  readonly steps: SaturationStep[] = [];
  readonly #terms: SaturateTerms;
  readonly #options: SaturateOptions;
  readonly #deadlineMs: number;

  constructor(terms: SaturateTerms, options: SaturateOptions) {
    this.#terms = terms;
    this.#options = options;
    this.#deadlineMs = performance.now() + terms.budgetMs;
  }

  async search(): Promise<Searched['ended']> {
    const { space, curveCount } = this.#terms;
    for (;;) {
      const trials = trialsOf(this.steps);
      const next = propose(space, trials);
      if (next.kind === 'done') return next.how;
      const how = await this.#step(next.value, 'search', runsLeft(space, trials) + curveCount);
      if (how !== 'done') return how;
    }
  }

  /** False when it was interrupted. */
  async curve(): Promise<boolean> {
    const { space, curveCount } = this.#terms;
    const values = curveValues(space, trialsOf(this.steps), curveCount);
    for (const [index, value] of values.entries()) {
      const how = await this.#step(value, 'curve', values.length - index);
      if (how === 'interrupted') return false;
      if (how === 'budget') break;
    }
    return true;
  }

  async #step(
    value: number,
    purpose: SaturationStep['purpose'],
    stepsLeft: number,
  ): Promise<'done' | 'budget' | 'interrupted'> {
    const { signal, onStep, onStepDone } = this.#options;
    const leftMs = this.#deadlineMs - performance.now();
    const usualMs = this.#usualMs();
    if (signal.aborted) return 'interrupted';
    if (usualMs !== undefined && usualMs > leftMs) return 'budget';
    const text = this.#terms.variable.text(value);
    onStep({
      step: this.steps.length + 1,
      stepsAbout: this.steps.length + stepsLeft,
      text,
      leftMs: usualMs === undefined ? undefined : Math.min(leftMs, usualMs * stepsLeft),
    });
    const outcome = await this.#outcomeAt(value, leftMs);
    if (outcome === undefined) return signal.aborted ? 'interrupted' : 'budget';
    const step: SaturationStep = { value, text, purpose, command: this.#command(value), ...outcome };
    this.steps.push(step);
    onStepDone(step);
    return 'done';
  }

  /** Undefined when it was interrupted, or the time was up. */
  async #outcomeAt(value: number, leftMs: number): Promise<StepOutcome | undefined> {
    const { world, isDemandVaried } = this.#terms;
    const { signal, onLive, onVirtual } = this.#options;
    const scenario = this.#scenarioAt(value);
    if (scenario instanceof OperatorError) return impossible(scenario.message, 0);
    const timeUp = AbortSignal.timeout(Math.max(1, Math.min(2 ** 31 - 1, Math.ceil(leftMs))));
    return await runStep(scenario, world, isDemandVaried, {
      signal: AbortSignal.any([signal, timeUp]),
      onLive,
      onVirtual,
    });
  }

  /** A value that the scenario cannot have is the end of the way up; at the first one it is a mistake. */
  #scenarioAt(value: number): Scenario | OperatorError {
    const { loaded } = this.#terms;
    try {
      return parseScenario(loaded.text, loaded.path, this.#overrides(value)).scenario;
    } catch (error) {
      if (error instanceof OperatorError && this.steps.length > 0) return error;
      throw error;
    }
  }

  #overrides(value: number): readonly string[] {
    const { loaded, sets, variable } = this.#terms;
    const ofFile = Object.entries(loaded.overrides).map(([key, text]) => `${key}=${text}`);
    return [...ofFile, ...sets, ...variable.sets(value)];
  }

  #command(value: number): string {
    const { loaded, world } = this.#terms;
    const sets = this.#overrides(value).map((set) => ` --set ${shellWord(set)}`);
    return `sim run ${shellWord(loaded.path)} --world ${world}${sets.join('')}`;
  }

  /** Mean time of the steps that ran. */
  #usualMs(): number | undefined {
    const times = this.steps.flatMap(({ outcome, durationMs }) => (outcome === 'impossible' ? [] : [durationMs]));
    return times.length === 0 ? undefined : times.reduce((sum, ms) => sum + ms, 0) / times.length;
  }
}
