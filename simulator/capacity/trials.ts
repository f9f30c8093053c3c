// The runs of a plan: a scenario goes to the pool, figures come back. Nothing is run twice; runs are counted and timed for the line of
// progress.

import { availableParallelism } from 'node:os';
import { OperatorError } from '../../common/errors.ts';
import type { SmallRun, VirtualJob, VirtualOutcome } from '../plan/virtual-job.ts';
import type { Figures } from '../result/capacity-plan.ts';
import { figuresOf } from './figures.ts';
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

export type Trial = { readonly figures: Figures; readonly run: SmallRun };

export class Trials {
  runCount = 0;
  readonly #runner: VirtualRunner;
  /** For profiles beside the plan. */
  readonly #path: string;
  readonly #onProgress: (progress: PlanProgress) => void;
  readonly #known = new Map<string, Promise<Trial>>();
  readonly #startedMs = performance.now();
  #begun = 0;
  #runsAbout: number;
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

  /** More, or (below zero) fewer runs are to come than was thought. */
  expect(runs: number): void {
    this.#runsAbout += runs;
  }

  /** One kind of site, alone, of which there is one. Throws an OperatorError, also when it is interrupted (exit code 130). */
  ofSite(spec: PlanSpec, layout: SiteLayout, keepsSeries = false): Promise<Trial> {
    return this.of(spec, [{ ...layout, site: { ...layout.site, count: 1 } }], keepsSeries);
  }

  of(spec: PlanSpec, layouts: readonly SiteLayout[], keepsSeries = false): Promise<Trial> {
    const text = planScenario(spec, layouts, { name: spec.name });
    const key = `${keepsSeries}\n${text}`;
    const known = this.#known.get(key) ?? this.#known.get(`true\n${text}`);
    if (known !== undefined) return known;
    this.#begun += 1;
    const trial = this.#run({ text, path: this.#path, overrides: [], keepsSeries }, spec.arriveOverMs);
    this.#known.set(key, trial);
    return trial;
  }

  async #run(job: VirtualJob, arriveOverMs: number): Promise<Trial> {
    const outcome = await this.#runner.run(job);
    switch (outcome.kind) {
      case 'ran': {
        this.runCount += 1;
        this.#tell();
        const { run, verdict } = outcome;
        return { run, figures: figuresOf(run, { holds: verdict === 'pass', arriveOverMs }) };
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
