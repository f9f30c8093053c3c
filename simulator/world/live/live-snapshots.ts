// What is known of a live run while it goes on, concluded as at its end (conclusion.ts), for whoever watches.

import type { Scenario } from '../../scenario/scenario.ts';
import { concludeLive, type LiveRun } from './conclusion.ts';
import type { EnvironmentRecords } from './environment-records.ts';
import type { Fleet } from './fleet.ts';
import { commonSeconds } from './series-so-far.ts';

export type Snapshot = LiveRun['run'];

/** Concluding takes this process at most so much of its time: then there are fewer snapshots. */
const timeRatioMax = 0.05;

export class LiveSnapshots {
  readonly #scenario: Scenario;
  readonly #records: EnvironmentRecords;
  readonly #fleet: Fleet;
  readonly #show: (snapshot: Snapshot) => void;
  #startEpochMs: number | undefined;
  #notBeforeMs = 0;

  constructor(scenario: Scenario, records: EnvironmentRecords, fleet: Fleet, show: (snapshot: Snapshot) => void) {
    this.#scenario = scenario;
    this.#records = records;
    this.#fleet = fleet;
    this.#show = show;
  }

  /** The clock of the run begins at this time: from then on there is something to show. */
  begin(startEpochMs: number): void {
    this.#startEpochMs = startEpochMs;
  }

  /** Shows what everybody has said, if it is time to. */
  take(): void {
    const beganMs = performance.now();
    const startEpochMs = this.#startEpochMs;
    if (startEpochMs === undefined || beganMs < this.#notBeforeMs) return;
    const said = this.#fleet.snapshot();
    if (said === undefined) return;
    const { parts, endSecond } = commonSeconds(said);
    const live = concludeLive(this.#scenario, {
      startEpochMs,
      durationMs: Math.max(0, Date.now() - startEpochMs),
      environment: this.#records.soFar(endSecond * 1000),
      devices: parts,
      interrupted: false,
      isUnderWay: true,
    });
    this.#show(live.run);
    this.#notBeforeMs = beganMs + (performance.now() - beganMs) / timeRatioMax;
  }

  /** The run has ended: this is what it measured. */
  end(run: Snapshot): void {
    this.#startEpochMs = undefined;
    this.#show(run);
  }
}
