// What a run tells at one moment, as text: the last that is known of it, with counters that never go back.

import { prometheusText } from '../../../common/prometheus-text.ts';
import { toolVersion } from '../../result/tool-version.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import type { Snapshot } from '../../world/live/live-snapshots.ts';
import { RisingCounters } from './rising-counters.ts';
import { type RunPhase, type RunTerms, runFamilies } from './run-metrics.ts';

export class RunExposition {
  phase: RunPhase = 'starting';
  readonly #terms: RunTerms;
  readonly #scenario: string;
  readonly #counters = new RisingCounters();
  #snapshot: Snapshot | undefined;

  /** `nodes`: those that the run starts. `startedAtMs`: epoch ms. */
  constructor(
    { name, seed, fleet }: Pick<Scenario, 'name' | 'seed' | 'fleet'>,
    nodes: readonly string[],
    startedAtMs: number,
  ) {
    this.#terms = { version: toolVersion, startedAtMs, seed, groups: fleet.map(({ id }) => id), nodes };
    this.#scenario = name;
  }

  /** This is what is known now. */
  take(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  /** The answer to a scrape. */
  text(): string {
    const state = { terms: this.#terms, phase: this.phase, snapshot: this.#snapshot };
    return prometheusText(this.#counters.rise(runFamilies(state, { scenario: this.#scenario })));
  }
}
