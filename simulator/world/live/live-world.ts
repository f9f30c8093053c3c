// The live world: the real node, real connections, the clock on the wall. From a scenario to what was measured.
//
//   check the machine ─▶ start CDN and nodes ─▶ start device processes (a window: connect all) ─▶ run, with events
//     ─▶ stop ─▶ ask everybody for their books ─▶ measure ─▶ leave nothing behind

import { availableParallelism } from 'node:os';
import { exitCodes, OperatorError } from '../../../common/errors.ts';
import { formatBytes, formatCount } from '../../../common/units.ts';
import type { DeviceRow } from '../../result/device-row.ts';
import type { Run } from '../../result/result.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { assumptionNotes } from '../assumption-notes.ts';
import { completionHistograms, type DeviceCourse, deviceStates, hitRatios } from '../course.ts';
import { deviceCount } from '../fleet-plan.ts';
import { encodeHistogram, joinHistograms } from '../histogram.ts';
import { steadyBounds } from '../rates.ts';
import { Children } from './children.ts';
import { CounterSamples } from './counter-samples.ts';
import type { DeviceProgress } from './device-protocol.ts';
import { type CdnBooks, Environment, type NodeBooks } from './environment.ts';
import { FleetProcesses } from './fleet-processes.ts';
import { type Measured, measure, type NodeOutcome, type Outcome } from './live-metrics.ts';
import { planResources } from './machine-limits.ts';
import { type MergedReport, mergeReports, sumProgress } from './merge.ts';
import { refuseImpossible, scheduleEvents, type TimelineEntry } from './run-events.ts';

/** What the run is doing, once a second, for whoever watches. */
export type LiveProgress = {
  readonly phase: 'starting' | 'connecting' | 'running' | 'finishing';
  readonly elapsedMs: number;
  readonly devices: DeviceProgress;
  /** Over the last second. */
  readonly egressBitsPerSecond: number;
  /** Since the start, over all nodes; undefined before the first byte. */
  readonly hitRatioBytes: number | undefined;
};

export type LiveOptions = {
  /** Aborted by Ctrl-C: stop at once, keep what was measured. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: LiveProgress) => void;
  readonly deviceRows: boolean;
};

export type LiveRun = {
  readonly run: Omit<Run, 'expectations'>;
  readonly generatorSaturated: boolean;
  readonly rows: readonly DeviceRow[];
  readonly interrupted: boolean;
  /** Why the run could not be carried to its end. */
  readonly broken: string | undefined;
};

const pollMs = 1000;
/** How long ranges under way at the end of a window may take to come. */
const windowGraceMs = 5000;
/** Books may lag behind the last byte by the length of a write. */
const settleAttempts = 10;
const settleMs = 100;

/** Runs a scenario in the live world. Throws an OperatorError when nothing could be run. */
export async function runLive(scenario: Scenario, options: LiveOptions): Promise<LiveRun> {
  refuseImpossible(scenario);
  const resources = await planResources(scenario, availableParallelism());
  // A signal of this run alone: what listens to it goes with the run, when one command makes many.
  const live = new LiveRunner(scenario, { ...options, signal: AbortSignal.any([options.signal]) });
  try {
    return await live.run(resources);
  } finally {
    await live.end();
  }
}

class LiveRunner {
  readonly #scenario: Scenario;
  readonly #options: LiveOptions;
  readonly #children: Children;
  readonly #environment: Environment;
  readonly #timeline: TimelineEntry[] = [];
  readonly #fleet: FleetProcesses;
  /** Resolves when the run is to end before its time. */
  readonly #ended: Promise<void>;
  #end: () => void = () => undefined;
  #broken: string | undefined;
  #startEpochMs = 0;
  #phase: LiveProgress['phase'] = 'starting';
  readonly #cdnSamples: CounterSamples<CdnBooks>;
  readonly #nodeSamples = new Map<string, CounterSamples<NodeBooks>>();
  #lastBytes = 0;
  #lastAtMs = performance.now();

  constructor(scenario: Scenario, options: LiveOptions) {
    this.#scenario = scenario;
    this.#options = options;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#children = new Children((what) => this.#break(what));
    this.#environment = new Environment(this.#children, scenario);
    this.#cdnSamples = new CounterSamples(() => this.#environment.cdnBooks());
    this.#fleet = new FleetProcesses(this.#children);
    options.signal.addEventListener('abort', () => this.#end());
  }

  async run(resources: Awaited<ReturnType<typeof planResources>>): Promise<LiveRun> {
    this.#enter('starting');
    const started = this.#environment.start(resources.cdnProcesses, resources.connections);
    await Promise.race([started, this.#ended]);
    started.catch(() => undefined); // ended while starting: the race has told what counts
    this.#refuseEnded();
    for (const node of this.#environment.nodes.values()) {
      if (node.program === undefined) continue;
      this.#nodeSamples.set(node.spec.id, new CounterSamples(() => this.#environment.nodeBooks(node)));
    }
    await this.#sample();
    this.#enter('connecting');
    const poll = setInterval(() => {
      void this.#sample();
      this.#showProgress();
    }, pollMs);
    try {
      const connected = this.#fleet.start(resources.deviceProcesses, {
        scenario: this.#scenario,
        nodes: Object.fromEntries([...this.#environment.nodes].map(([id, node]) => [id, node.address])),
        cdns: this.#environment.cdns.map((cdn) => cdn.listen),
        sourceNetwork: resources.sourceNetwork,
        deviceRows: this.#options.deviceRows,
      });
      const problem = await Promise.race([connected, this.#ended]);
      this.#refuseEnded();
      if (problem !== undefined) this.#break(`not every device could connect: ${problem}`);
      else await this.#window();
      return await this.#finish();
    } finally {
      clearInterval(poll);
    }
  }

  async end(): Promise<void> {
    await this.#children.stopAll();
  }

  /** Throws when the run is to end before it has begun. */
  #refuseEnded(): void {
    if (this.#options.signal.aborted) throw interruptedBeforeStart();
    if (this.#broken !== undefined) {
      throw new OperatorError('BROKE_OFF', `The run could not start: ${this.#broken}. Nothing was measured.`, 3);
    }
  }

  #enter(phase: LiveProgress['phase']): void {
    this.#phase = phase;
    this.#showProgress();
  }

  /** From the start to the end of the run's time, or of its work. */
  async #window(): Promise<void> {
    const { live } = this.#scenario;
    // What connecting cost is not the run's.
    await this.#sample();
    // Whole seconds of the epoch, so that the first second of the series is a whole one.
    this.#startEpochMs = Math.ceil((Date.now() + 250) / 1000) * 1000;
    this.#fleet.tell({ kind: 'start', atEpochMs: this.#startEpochMs });
    this.#enter('running');
    const events = scheduleEvents(
      this.#scenario,
      this.#environment,
      this.#startEpochMs,
      (entry) => this.#timeline.push(entry),
      (error) => this.#break(error instanceof Error ? error.message : String(error)),
    );
    const timeUp =
      live === undefined
        ? new Promise<void>(() => undefined)
        : new Promise<void>((resolve) => setTimeout(resolve, this.#startEpochMs + live.windowMs - Date.now()).unref());
    await Promise.race([this.#ended, timeUp, this.#fleet.idle]);
    if (events.pending() > 0)
      this.#timeline.push({ atMs: this.#elapsedMs(), what: 'the run ended before its last events' });
    await Promise.race([events.cancel(), this.#ended]);
  }

  async #finish(): Promise<LiveRun> {
    this.#enter('finishing');
    const durationMs = this.#startEpochMs === 0 ? 0 : this.#elapsedMs();
    const early = this.#options.signal.aborted || this.#broken !== undefined;
    const graceMs = early || this.#scenario.live === undefined ? 0 : windowGraceMs;
    const reports = await this.#fleet.report(graceMs, this.#options.signal);
    if (reports.length === 0) {
      const why = this.#broken ?? 'no device process made its report in time';
      throw new OperatorError('NO_REPORTS', `The run broke off: ${why}. Nothing was measured.`, 3);
    }
    const devices = mergeReports(reports);
    for (const { spec, program } of this.#environment.nodes.values()) {
      if (program !== undefined) this.#environment.thaw(spec.id);
    }
    await this.#sample();
    const measured = await this.#settled(devices, reports.length < this.#fleet.count);
    const { histograms } = devices;
    return {
      run: {
        world: 'live',
        purpose: 'measurement',
        metrics: measured.metrics,
        unavailable: measured.unavailable,
        series: this.#series(devices),
        histograms: {
          'range.latencyMs': encodeHistogram(histograms.latency),
          'range.serviceMs': encodeHistogram(histograms.service),
          'range.firstByteMs': encodeHistogram(histograms.firstByte),
          'generator.latenessMs': encodeHistogram(histograms.lateness),
          'fallback.timeMs': encodeHistogram(histograms.fallback),
          ...completionHistograms(joinHistograms(devices.groups.map((group) => group.completion)), devices.groups),
        },
        timeline: this.#timeline,
        notes: this.#notes(),
        problems: [
          ...measured.problems,
          ...failureLines(devices),
          ...refetchLines(devices),
          ...(this.#broken === undefined ? [] : [this.#broken]),
        ],
        durationMs,
      },
      generatorSaturated: measured.generatorSaturated,
      rows: reports.flatMap((report) => report.rows).sort((a, b) => a.Device - b.Device),
      interrupted: this.#options.signal.aborted,
      broken: this.#broken,
    };
  }

  /** Asks for all books, again while the last writes are still being counted. */
  async #settled(devices: MergedReport, devicesLost: boolean): Promise<Measured> {
    for (let attempt = 1; ; attempt += 1) {
      const measured = measure(await this.#outcome(devices, devicesLost));
      if (measured.metrics['accounting.imbalanceBytes'] === 0 || attempt === settleAttempts) return measured;
      await new Promise((resolve) => setTimeout(resolve, settleMs));
    }
  }

  async #outcome(devices: MergedReport, devicesLost: boolean): Promise<Outcome> {
    const nodes = await Promise.all(
      [...this.#environment.nodes.values()].map(async (node): Promise<NodeOutcome> => {
        const ledger = await this.#environment.nodeLedger(node);
        const books = await this.#environment.nodeBooks(node);
        const external = node.spec.url !== undefined;
        const isWhole = node.lostLives === 0 && books?.lostWorkerCount === 0 && ledger !== undefined;
        const lost = !external && !isWhole;
        const samples = this.#nodeSamples.get(node.spec.id);
        const cpuMs = samples?.growthSince(this.#startEpochMs, (counters) => counters.cpuMs);
        return { id: node.spec.id, books, ledger, external, lost, parent: node.spec.parent, cpuMs };
      }),
    );
    return {
      scenario: this.#scenario,
      devices,
      nodes,
      cdn: await this.#environment.cdnBooks(),
      cdnLedger: await this.#environment.cdnLedger(),
      cdnPerSecond: this.#cdnSamples.perSecond(
        devices.startSecond,
        devices.rangesPerSecond.length,
        (books) => books.bodyBytes,
      ),
      cdnCpuMs: this.#cdnSamples.growthSince(this.#startEpochMs, (books) => books.cpuMs),
      devicesLost,
      bounds: steadyBounds(devices, this.#scenario, this.#startEpochMs / 1000 - devices.startSecond),
      finished: !this.#options.signal.aborted && this.#broken === undefined,
    };
  }

  async #sample(): Promise<void> {
    await Promise.all([this.#cdnSamples, ...this.#nodeSamples.values()].map((samples) => samples.take()));
  }

  #showProgress(): void {
    const devices = sumProgress(this.#fleet.progress());
    const nowMs = performance.now();
    const bytes = devices.bytesFromCacheServer + devices.bytesFromCdn;
    const egressBitsPerSecond = ((bytes - this.#lastBytes) * 8000) / Math.max(1, nowMs - this.#lastAtMs);
    this.#lastBytes = bytes;
    this.#lastAtMs = nowMs;
    let hit = 0;
    let egress = 0;
    for (const { last } of this.#nodeSamples.values()) {
      hit += last?.hitBytes ?? 0;
      egress += last?.egressBytes ?? 0;
    }
    this.#options.onProgress({
      phase: this.#phase,
      elapsedMs: this.#startEpochMs === 0 ? 0 : this.#elapsedMs(),
      devices,
      egressBitsPerSecond: Math.max(0, egressBitsPerSecond),
      hitRatioBytes: egress === 0 ? undefined : hit / egress,
    });
  }

  /** As received by devices, second by second; the CDN's and the nodes' own numbers beside them where they were polled. */
  #series(devices: MergedReport): Run['series'] {
    const columns: Record<string, readonly number[]> = {
      'range.rangesPerSecond': devices.rangesPerSecond,
      'range.failuresPerSecond': devices.failuresPerSecond,
      'devices.connectedCount': devices.connectedPerSecond,
      ...deviceStates(deviceCount(this.#scenario), this.#deviceCourse(devices)),
      'generator.coresInUse': devices.cpuMsPerSecond.map((ms) => ms / 1000),
    };
    for (const [server, bytes] of Object.entries(devices.bytesPerSecond)) {
      const name = server === 'cdn' ? 'fleet.fromCdnBitsPerSecond' : `node.${server}.egressBitsPerSecond`;
      columns[name] = bytes.map((value) => value * 8);
    }
    const { startSecond, rangesPerSecond } = devices;
    const scaled = <Counters>(
      samples: CounterSamples<Counters>,
      factor: number,
      pick: (counters: Counters) => number,
    ): readonly number[] =>
      samples.perSecond(startSecond, rangesPerSecond.length, pick).map((growth) => growth * factor);
    columns['cdn.egressBitsPerSecond'] = scaled(this.#cdnSamples, 8, (books) => books.bodyBytes);
    columns['cdn.coresInUse'] = scaled(this.#cdnSamples, 1 / 1000, (books) => books.cpuMs);
    for (const [id, samples] of this.#nodeSamples) {
      columns[`node.${id}.hitBitsPerSecond`] = scaled(samples, 8, (books) => books.hitBytes);
      columns[`node.${id}.missBitsPerSecond`] = scaled(samples, 8, (books) => books.missBytes);
      columns[`node.${id}.upstreamBitsPerSecond`] = scaled(samples, 8, (books) => books.upstreamBytes);
      columns[`node.${id}.hitRatioBytes`] = hitRatios(
        scaled(samples, 1, (books) => books.egressBytes),
        scaled(samples, 1, (books) => books.missBytes),
      );
      columns[`node.${id}.hitRatioRequests`] = hitRatios(
        scaled(samples, 1, (books) => books.hitRequestCount + books.missRequestCount),
        scaled(samples, 1, (books) => books.missRequestCount),
      );
      columns[`node.${id}.coresInUse`] = scaled(samples, 1 / 1000, (books) => books.cpuMs);
    }
    const isStarted = this.#startEpochMs > 0;
    return { startSecond, ...(isStarted ? { runStartSecond: this.#startEpochMs / 1000 } : {}), columns };
  }

  /** In a window everybody is there from its start. */
  #deviceCourse({ startSecond, startedPerSecond, completedPerSecond: completed }: MergedReport): DeviceCourse {
    if (this.#scenario.live === undefined) return { started: startedPerSecond, completed };
    const place = this.#startEpochMs / 1000 - startSecond;
    return { started: completed.map((_, i) => (i === place ? deviceCount(this.#scenario) : 0)), completed };
  }

  #notes(): string[] {
    const { fleet, nodes, live } = this.#scenario;
    const notes: string[] = [];
    if (fleet.some((group) => group.downlink !== undefined)) {
      notes.push('downlink is not enforced in the live world yet: devices take what the machine gives');
    }
    const throttled = fleet.some(
      ({ policy }) => policy.maxBackgroundDownloadBytesPerMs ?? policy.maxForegroundDownloadBytesPerMs,
    );
    if (throttled) notes.push('download throttles of the policy are not enforced in the live world yet');
    const modelled = nodes.filter(
      (node) => node.profile ?? node.egressBytesPerMs ?? node.wanBytesPerMs ?? node.drivesBytes ?? node.cores,
    );
    if (modelled.length > 0) {
      const names = modelled.map((node) => node.id).join(', ');
      notes.push(
        `profile, egress, wan, drives and cores of ${names} describe the modelled machine; here this machine binds`,
      );
    }
    if (live !== undefined) {
      notes.push('live window: every device connects first, arrivals are ignored, idle connections stay open');
    }
    notes.push(...assumptionNotes(this.#scenario));
    return notes;
  }

  #break(what: string): void {
    this.#broken ??= what;
    this.#end();
  }

  #elapsedMs(): number {
    return Math.max(0, Date.now() - this.#startEpochMs);
  }
}

function failureLines(devices: MergedReport): string[] {
  return Object.entries(devices.failureDetails).map(([kind, count]) => `${formatCount(count)} × ${kind}`);
}

function refetchLines({ refetchedBytes }: MergedReport): string[] {
  return Object.entries(refetchedBytes).flatMap(([cause, bytes]) =>
    bytes === 0 ? [] : [`${formatBytes(bytes)} received for nothing (${cause}): fetched again`],
  );
}

function interruptedBeforeStart(): OperatorError {
  return new OperatorError(
    'INTERRUPTED',
    'Interrupted before the run had started: nothing was measured.',
    exitCodes.interrupted,
  );
}
