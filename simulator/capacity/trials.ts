// The runs of a plan: a scenario goes to the pool, figures come back. Nothing is run twice; runs are counted and timed for the line of
// progress.

import { availableParallelism } from 'node:os';
import { assert, OperatorError } from '../../common/errors.ts';
import type { VirtualJob, VirtualOutcome } from '../plan/virtual-job.ts';
import type { CourseLine, Figures } from '../result/capacity-plan.ts';
import { courseOf, figuresOf } from './figures.ts';
import { planScenario, type SiteLayout } from './plan-scenario.ts';
import type { PlanSpec } from './plan-spec.ts';

/** Runs jobs, several at a time: a `VirtualPool`. */
export type VirtualRunner = { readonly run: (job: VirtualJob) => Promise<VirtualOutcome> };

export type PlanProgress = {
  /** What is looked for. */
  readonly phase: string;
  readonly runCount: number;
  /** About so many in all. */
  readonly runsAbout: number;
  /** Absent until it can be told. */
  readonly leftMs?: number;
};

export type Trial = {
  readonly figures: Figures;
  readonly course: Omit<CourseLine, 'name'>;
  /** Of the run, whether or not everybody completed. */
  readonly durationMs: number;
};

export class Trials {
  runCount = 0;
  readonly #runner: VirtualRunner;
  /** For profiles beside the plan. */
  readonly #path: string;
  readonly #onProgress: (progress: PlanProgress) => void;
  readonly #known = new Map<string, Promise<Trial>>();
  readonly #startedMs = performance.now();
  #begun = 0;
  readonly #runsAbout: number;
  #phase = '';

  constructor(runner: VirtualRunner, path: string, runsAbout: number, onProgress: (progress: PlanProgress) => void) {
    this.#runner = runner;
    this.#path = path;
    this.#runsAbout = runsAbout;
    this.#onProgress = onProgress;
  }

  get phase(): string {
    return this.#phase;
  }

  begin(phase: string): void {
    this.#phase = phase;
    this.#tell();
  }

  /** One kind of site, alone, of which there is one. Throws an OperatorError, also when it is interrupted (exit code 130). */
  ofSite(spec: PlanSpec, layout: SiteLayout): Promise<Trial> {
    return this.of(spec, [{ ...layout, site: { ...layout.site, count: 1 } }]);
  }

  of(spec: PlanSpec, layouts: readonly SiteLayout[]): Promise<Trial> {
    const text = planScenario(spec, layouts, { name: spec.name });
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    this.#begun += 1;
    const trial = this.#run({ text, path: this.#path, overrides: [], keepsSeries: true }, spec.arriveOverMs);
    this.#known.set(text, trial);
    return trial;
  }

  async #run(job: VirtualJob, arriveOverMs: number): Promise<Trial> {
    const outcome = await this.#runner.run(job);
    switch (outcome.kind) {
      case 'ran': {
        this.runCount += 1;
        this.#tell();
        const { run, verdict } = outcome;
        const { series } = run;
        assert(series !== undefined, 'the series was asked for');
        const figures = figuresOf({ ...run, series }, { holds: verdict === 'pass', arriveOverMs });
        return { figures, course: courseOf(series), durationMs: run.durationMs };
      }
      case 'interrupted':
        throw new OperatorError('INTERRUPTED', 'The plan was interrupted.', 130);
      case 'refused':
        throw new OperatorError(outcome.code, `${this.#path}: ${outcome.message}`, 2);
      case 'broken':
        throw new OperatorError('RUN_DIED', `A virtual run died: ${outcome.message}. Plan fewer devices at a time.`, 3);
    }
  }

  #tell(): void {
    const runsAbout = Math.max(this.#runsAbout, this.#begun);
    const each = (performance.now() - this.#startedMs) / Math.max(1, this.runCount);
    this.#onProgress({
      phase: this.#phase,
      runCount: this.runCount,
      runsAbout,
      ...(this.runCount < availableParallelism() ? {} : { leftMs: (runsAbout - this.runCount) * each }),
    });
  }
}
