// The course of a shard: its part of the fleet in processes of this machine, against nodes and a CDN that are elsewhere.
//
//   join the environment ─▶ start device processes (a window: connect all) ─▶ ready ─▶ begin when it says so
//     ─▶ the end of the window, or its word ─▶ reports ─▶ hand in

import { availableParallelism } from 'node:os';
import { exitCodes, OperatorError } from '../../../../common/errors.ts';
import type { Scenario } from '../../../scenario/scenario.ts';
import { Children } from '../children.ts';
import { windowGraceMs } from '../fleet.ts';
import { FleetProcesses } from '../fleet-processes.ts';
import { type LiveProgress, ProgressMeter } from '../live-progress.ts';
import { planResources } from '../machine-limits.ts';
import { sumProgress } from '../merge.ts';
import { type DevicesPart, shardName } from '../parts.ts';
import type { RowBatch } from '../raw/row-batch.ts';
import { refuseImpossible } from '../run-events.ts';
import { type End, EnvironmentLink, type LinkOptions } from './environment-link.ts';

export type ShardOptions = LinkOptions & {
  readonly onProgress: (progress: LiveProgress) => void;
  /** Takes rows of range requests in the course of the run; absent: none are made. */
  readonly onRangeRows?: ((batch: RowBatch) => void) | undefined;
};

export type ShardRun = {
  readonly devices: DevicesPart;
  readonly startEpochMs: number;
  /** Why the environment ended the run before its time. */
  readonly endedBecause: string | undefined;
  readonly interrupted: boolean;
};

/**
 * Runs one shard of the fleet. `keep` is given what it measured before it is handed in, and returns it as text. Throws an
 * OperatorError when nothing was measured.
 */
export async function runShard(
  scenario: Scenario,
  options: ShardOptions,
  keep: (run: ShardRun) => string,
): Promise<ShardRun> {
  refuseImpossible(scenario);
  const link = await EnvironmentLink.join(options);
  try {
    const addresses = [...Object.values(link.place.nodes), ...link.place.cdns];
    const load = { part: options.shard, environment: false, addresses };
    const resources = await planResources(scenario, availableParallelism(), load);
    const run = await new ShardRunner(scenario, options, link).run(
      (children) => new FleetProcesses(children, resources, options.shard, { onRangeRows: options.onRangeRows }),
    );
    await link.handIn(keep(run));
    return run;
  } catch (error) {
    await link.say('gone', `${shardName(options.shard)}: ${error instanceof Error ? error.message : String(error)}`);
    throw error;
  } finally {
    link.close();
  }
}

class ShardRunner {
  readonly #scenario: Scenario;
  readonly #options: ShardOptions;
  readonly #link: EnvironmentLink;
  readonly #children: Children;
  /** Resolves when the shard is to end before its time. */
  readonly #ended: Promise<void>;
  #toEnd: () => void = () => undefined;
  #broken: string | undefined;
  #isReady = false;
  #end: End | undefined;

  constructor(scenario: Scenario, options: ShardOptions, link: EnvironmentLink) {
    this.#scenario = scenario;
    this.#options = options;
    this.#link = link;
    this.#ended = new Promise((resolve) => {
      this.#toEnd = resolve;
    });
    this.#children = new Children((what) => this.#break(what));
    options.signal.addEventListener('abort', () => this.#toEnd());
    void link.end.then((end) => {
      this.#end = end;
      this.#toEnd();
    });
  }

  async run(fleetOf: (children: Children) => FleetProcesses): Promise<ShardRun> {
    const fleet = fleetOf(this.#children);
    const meter = new ProgressMeter(
      () => fleet.progress(),
      this.#options.onProgress,
      () => ({ waitsFor: this.#isReady ? 'the other shards' : undefined }),
    );
    try {
      return await this.#course(fleet, meter);
    } finally {
      meter.stop();
      await this.#children.stopAll();
    }
  }

  async #course(fleet: FleetProcesses, meter: ProgressMeter): Promise<ShardRun> {
    const { signal, shard } = this.#options;
    this.#link.watch(
      () => sumProgress(fleet.progress()),
      () => fleet.snapshot()?.[0].reports ?? [],
    );
    meter.enter('connecting');
    const connected = fleet.start({ scenario: this.#scenario, ...this.#link.place });
    const problem = await Promise.race([connected, this.#ended]);
    this.#refuseEnded();
    if (problem !== undefined) throw new OperatorError('BROKE_OFF', `The run could not start: ${problem}.`, 3);
    this.#isReady = true;
    await this.#link.say('ready');
    const startEpochMs = await Promise.race([this.#link.begin, this.#ended]);
    if (startEpochMs === undefined) {
      this.#refuseEnded();
      throw new OperatorError('BROKE_OFF', 'The run ended before it had begun. Nothing was measured.', 3);
    }
    fleet.begin(startEpochMs);
    meter.begin(startEpochMs);
    await this.#untilEnd(fleet, startEpochMs);
    meter.enter('finishing');
    const isEarly = signal.aborted || this.#broken !== undefined;
    const [part] = await fleet.report(isEarly ? 0 : (this.#end?.graceMs ?? windowGraceMs), signal);
    const interrupted = signal.aborted;
    const lost = this.#end?.isLost === true ? this.#end.because : undefined;
    const broken = interrupted ? 'it was interrupted' : (this.#broken ?? lost);
    return {
      devices: { ...part, shard, clock: this.#link.clock, ...(broken === undefined ? {} : { broken }) },
      startEpochMs,
      endedBecause: this.#end?.because,
      interrupted,
    };
  }

  /** A window ends by the clock; without one the environment says when all shards are through. */
  async #untilEnd(fleet: FleetProcesses, startEpochMs: number): Promise<void> {
    const { live } = this.#scenario;
    void fleet.idle.then(() => this.#link.say('idle'));
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<void>((resolve) => {
      if (live !== undefined) timer = setTimeout(resolve, startEpochMs + live.windowMs - Date.now());
    });
    await Promise.race([this.#ended, timeUp]);
    clearTimeout(timer);
  }

  #refuseEnded(): void {
    if (this.#options.signal.aborted) {
      const message = 'Interrupted before the run had started: nothing was measured.';
      throw new OperatorError('INTERRUPTED', message, exitCodes.interrupted);
    }
    const why = this.#broken ?? this.#end?.because;
    if (why !== undefined || this.#end !== undefined) {
      const message = `The run could not start: ${why ?? 'the environment has ended'}. Nothing was measured.`;
      throw new OperatorError('BROKE_OFF', message, 3);
    }
  }

  #break(what: string): void {
    this.#broken ??= what;
    this.#toEnd();
  }
}
