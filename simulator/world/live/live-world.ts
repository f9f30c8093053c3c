// The live world: the real node, real connections, the clock on the wall. From a scenario to what was measured.
//
//   check the machine ─▶ lines by the kernel ─▶ start CDN and nodes ─▶ start device processes (a window: connect all) ─▶ run, with events
//     ─▶ stop ─▶ ask everybody for their books ─▶ measure ─▶ leave nothing behind

import { availableParallelism } from 'node:os';
import type { Address } from '../../../common/address.ts';
import { exitCodes, OperatorError } from '../../../common/errors.ts';
import { surveyLog } from '../../replay/survey.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { wholeFleet } from '../fleet-plan.ts';
import { Children } from './children.ts';
import { concludeLive, type LiveRun } from './conclusion.ts';
import { Environment } from './environment.ts';
import { EnvironmentRecords } from './environment-records.ts';
import { type Fleet, windowGraceMs } from './fleet.ts';
import { FleetProcesses } from './fleet-processes.ts';
import { KernelLines } from './kernel-lines.ts';
import { type LiveProgress, ProgressMeter } from './live-progress.ts';
import { LiveSnapshots, type Snapshot } from './live-snapshots.ts';
import { type LiveResources, planResources } from './machine-limits.ts';
import { sumProgress } from './merge.ts';
import type { DevicesPart, LiveParts } from './parts.ts';
import type { RowBatch } from './raw/row-batch.ts';
import { refuseImpossible, scheduleEvents } from './run-events.ts';

export type LiveOptions = {
  /** Aborted by Ctrl-C: stop at once, keep what was measured. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LiveProgress) => void;
  readonly deviceRows: boolean;
  /** Takes rows of range requests in the course of the run; absent: none are made. Not of a fleet that is elsewhere. */
  readonly onRangeRows?: ((batch: RowBatch) => void) | undefined;
  /**
   * Given what is known so far, about once a second from the run's start on (more rarely where that would take too much time),
   * and at last the finished run. Absent: nobody makes any of it.
   */
  readonly onSnapshot?: ((snapshot: Snapshot) => void) | undefined;
  /** Given, once the nodes have started, what says where the admin interface of a node is now: undefined when it is not there. */
  readonly onNodes?: ((adminOf: (id: string) => Address | undefined) => void) | undefined;
  /** When the run's clock begins, a whole second of the epoch; absent: as soon as everybody is ready. */
  readonly startAtEpochMs?: number | undefined;
  /** Where the fleet is when it is not in processes of this run. */
  readonly elsewhere?: FleetElsewhere | undefined;
};

/** A fleet that others run: this run has the environment alone. */
export type FleetElsewhere = {
  /** The address on which nodes and CDN listen, so that the devices can reach them. */
  readonly listenHost: string;
  /** `onBroken` is told why the run cannot go on. */
  readonly fleet: (onBroken: (what: string) => void) => Fleet;
};

/** Before anything is started. */
const nothingYet = { elapsedMs: 0, devices: sumProgress([]), egressBitsPerSecond: 0, hitRatioBytes: undefined };

const pollMs = 1000;
/** Books may lag behind the last byte by the length of a write. */
const settleAttempts = 10;
const settleMs = 100;

/** Runs a scenario in the live world. Throws an OperatorError when nothing could be run. */
export async function runLive(given: Scenario, options: LiveOptions): Promise<LiveRun> {
  refuseImpossible(given);
  const scenario = await surveyLog(given, options.signal, (reading) =>
    options.onProgress({ ...nothingYet, phase: 'reading', reading }),
  );
  const isWhole = options.elsewhere === undefined;
  const load = { part: isWhole ? wholeFleet : undefined, environment: true };
  const resources = await planResources(scenario, availableParallelism(), load);
  // A signal of this run alone: what listens to it goes with the run, when one command makes many.
  const live = new LiveRunner(scenario, { ...options, signal: AbortSignal.any([options.signal]) }, resources);
  try {
    return await live.run();
  } finally {
    await live.end();
  }
}

class LiveRunner {
  readonly #scenario: Scenario;
  readonly #options: LiveOptions;
  readonly #children: Children;
  readonly #lines: KernelLines;
  readonly #environment: Environment;
  readonly #records: EnvironmentRecords;
  readonly #fleet: Fleet;
  readonly #resources: LiveResources;
  /** Resolves when the run is to end before its time. */
  readonly #ended: Promise<void>;
  #end: () => void = () => undefined;
  #broken: string | undefined;
  #startEpochMs = 0;
  readonly #progress: ProgressMeter;
  readonly #snapshots: LiveSnapshots | undefined;

  constructor(scenario: Scenario, options: LiveOptions, resources: LiveResources) {
    this.#scenario = scenario;
    this.#options = options;
    this.#resources = resources;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    const onBroken = (what: string): void => this.#break(what);
    const { elsewhere } = options;
    this.#children = new Children(onBroken);
    this.#lines = new KernelLines(this.#children, scenario);
    this.#environment = new Environment(this.#children, scenario, elsewhere?.listenHost ?? this.#lines.listenHost);
    this.#records = new EnvironmentRecords(this.#environment);
    const { onRangeRows } = options;
    const ours = { lines: this.#lines, onRangeRows };
    this.#fleet = elsewhere?.fleet(onBroken) ?? new FleetProcesses(this.#children, resources, wholeFleet, ours);
    this.#progress = new ProgressMeter(
      () => this.#fleet.progress(),
      options.onProgress,
      () => ({ waitsFor: this.#fleet.waitsFor, hitRatioBytes: this.#records.hitRatioBytes }),
    );
    const { onSnapshot } = options;
    this.#snapshots = onSnapshot && new LiveSnapshots(scenario, this.#records, this.#fleet, onSnapshot);
    options.signal.addEventListener('abort', () => this.#end());
  }

  async run(): Promise<LiveRun> {
    this.#progress.enter('starting');
    this.#lines.setUp();
    const started = this.#environment.start(this.#resources);
    await Promise.race([started, this.#ended]);
    started.catch(() => undefined); // ended while starting: the race has told what counts
    this.#refuseEnded();
    this.#options.onNodes?.((id) => this.#environment.nodes.get(id)?.program?.admin);
    await this.#records.sample();
    this.#progress.enter('connecting');
    const poll = setInterval(() => void this.#poll(), pollMs);
    try {
      const connected = this.#fleet.start({
        scenario: this.#scenario,
        nodes: Object.fromEntries([...this.#environment.nodes].map(([id, node]) => [id, node.address])),
        cdns: this.#environment.cdns.map((cdn) => cdn.listen),
        deviceRows: this.#options.deviceRows,
        snapshots: this.#options.onSnapshot !== undefined,
      });
      connected.catch(() => undefined); // as above
      const problem = await Promise.race([connected, this.#startMissed(), this.#ended]);
      this.#refuseEnded();
      if (problem !== undefined) this.#break(problem);
      else await this.#window();
      const live = await this.#finish();
      this.#snapshots?.end(live.run);
      return live;
    } finally {
      clearInterval(poll);
    }
  }

  async #poll(): Promise<void> {
    await this.#records.sample();
    this.#snapshots?.take();
  }

  async end(): Promise<void> {
    this.#progress.stop();
    await this.#children.stopAll();
  }

  /** Throws when the run is to end before it has begun. */
  #refuseEnded(): void {
    if (this.#options.signal.aborted) throw interruptedBeforeStart();
    if (this.#broken !== undefined) {
      throw new OperatorError('BROKE_OFF', `The run could not start: ${this.#broken}. Nothing was measured.`, 3);
    }
  }

  /** Resolves when it is too late for a start at the time that was asked for, with what that means. */
  #startMissed(): Promise<string> {
    const { startAtEpochMs } = this.#options;
    if (startAtEpochMs === undefined) return new Promise(() => undefined);
    const what = `not everybody was ready for the start at ${new Date(startAtEpochMs).toISOString()}: choose a later --start-at`;
    const lastMs = startAtEpochMs - this.#fleet.beginLeadMs;
    return new Promise((resolve) => setTimeout(() => resolve(what), lastMs - Date.now()).unref());
  }

  /** From the start to the end of the run's time, or of its work. */
  async #window(): Promise<void> {
    const { live } = this.#scenario;
    // What connecting cost is not the run's.
    await this.#records.sample();
    // Whole seconds of the epoch, so that the first second of the series is a whole one.
    const soonest = Math.ceil((Date.now() + this.#fleet.beginLeadMs) / 1000) * 1000;
    this.#startEpochMs = this.#options.startAtEpochMs ?? soonest;
    this.#fleet.begin(this.#startEpochMs);
    this.#progress.begin(this.#startEpochMs);
    this.#snapshots?.begin(this.#startEpochMs);
    const events = scheduleEvents(
      this.#scenario,
      this.#environment,
      this.#startEpochMs,
      (entry) => this.#records.timeline.push(entry),
      (error) => this.#break(error instanceof Error ? error.message : String(error)),
    );
    const timeUp =
      live === undefined
        ? new Promise<void>(() => undefined)
        : new Promise<void>((resolve) => setTimeout(resolve, this.#startEpochMs + live.windowMs - Date.now()).unref());
    await Promise.race([this.#ended, timeUp, this.#fleet.idle]);
    if (events.pending() > 0)
      this.#records.timeline.push({ atMs: this.#elapsedMs(), what: 'the run ended before its last events' });
    await Promise.race([events.cancel(), this.#ended]);
  }

  async #finish(): Promise<LiveRun> {
    this.#progress.enter('finishing');
    const durationMs = this.#startEpochMs === 0 ? 0 : this.#elapsedMs();
    const early = this.#options.signal.aborted || this.#broken !== undefined;
    const graceMs = early || this.#scenario.live === undefined ? 0 : windowGraceMs;
    const because = this.#options.signal.aborted ? 'it was interrupted' : this.#broken;
    const devices = await this.#fleet.report(graceMs, this.#options.signal, because);
    if (devices.every((part) => part.reports.length === 0)) {
      const why = this.#broken ?? 'no device process made its report in time';
      throw new OperatorError('NO_REPORTS', `The run broke off: ${why}. Nothing was measured.`, 3);
    }
    const problem = devices.flatMap(({ reports }) => reports).find(({ replay }) => replay?.problem !== undefined);
    this.#broken ??= problem?.replay?.problem;
    for (const { spec, program } of this.#environment.nodes.values()) {
      if (program !== undefined) this.#environment.thaw(spec.id);
    }
    await this.#records.sample();
    return await this.#settled(devices, durationMs);
  }

  /** Asks for all books, again while the last writes are still being counted. */
  async #settled(devices: readonly DevicesPart[], durationMs: number): Promise<LiveRun> {
    for (let attempt = 1; ; attempt += 1) {
      const parts: LiveParts = {
        startEpochMs: this.#startEpochMs,
        durationMs,
        environment: await this.#records.close(),
        devices,
        interrupted: this.#options.signal.aborted,
        broken: this.#broken,
      };
      const live = concludeLive(this.#scenario, parts);
      if (live.run.metrics['accounting.imbalanceBytes'] === 0 || attempt === settleAttempts) return live;
      await new Promise((resolve) => setTimeout(resolve, settleMs));
    }
  }

  #break(what: string): void {
    this.#broken ??= what;
    this.#end();
  }

  #elapsedMs(): number {
    return Math.max(0, Date.now() - this.#startEpochMs);
  }
}

function interruptedBeforeStart(): OperatorError {
  return new OperatorError(
    'INTERRUPTED',
    'Interrupted before the run had started: nothing was measured.',
    exitCodes.interrupted,
  );
}
