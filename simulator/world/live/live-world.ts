// The live world: the real node, real connections, the clock on the wall. From a scenario to what was measured.
//
//   check the machine ─▶ start CDN and nodes ─▶ start device processes (a window: connect all) ─▶ run, with events
//     ─▶ stop ─▶ ask everybody for their books ─▶ measure ─▶ leave nothing behind

import type { ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { exitCodes, OperatorError } from '../../../common/errors.ts';
import { formatCount } from '../../../common/units.ts';
import { windowsAssumptionList } from '../../device/windows-policy.ts';
import type { DeviceRow } from '../../result/device-row.ts';
import type { Run } from '../../result/result.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { deviceCount } from '../fleet-plan.ts';
import { Children } from './children.ts';
import type { DeviceProgress, DeviceReport, FromDeviceProcess, ToDeviceProcess } from './device-protocol.ts';
import { Environment, type NodeBooks } from './environment.ts';
import { encodeHistogram } from './histogram.ts';
import { measure, type NodeOutcome, type Outcome } from './live-metrics.ts';
import { planResources } from './machine-limits.ts';
import { type MergedReport, mergeReports, sumProgress } from './merge.ts';
import type { Bounds } from './rates.ts';
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
const reportTimeoutMs = 30_000;
/** Books may lag behind the last byte by the length of a write. */
const settleAttempts = 10;
const settleMs = 100;

/** Runs a scenario in the live world. Throws an OperatorError when nothing could be run. */
export async function runLive(scenario: Scenario, options: LiveOptions): Promise<LiveRun> {
  refuseImpossible(scenario);
  const resources = await planResources(scenario, availableParallelism());
  const live = new LiveRunner(scenario, options);
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
  readonly #cdnPerSecond: { readonly second: number; readonly bytes: number }[] = [];
  readonly #nodePerSecond = new Map<string, { readonly second: number; readonly books: NodeBooks }[]>();
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
    this.#fleet = new FleetProcesses(this.#children);
    options.signal.addEventListener('abort', () => this.#end());
  }

  async run(resources: Awaited<ReturnType<typeof planResources>>): Promise<LiveRun> {
    const { signal } = this.#options;
    const started = this.#environment.start(resources.cdnProcesses, resources.connections);
    await Promise.race([started, this.#ended]);
    started.catch(() => undefined); // interrupted while starting: the race has told what counts
    if (signal.aborted) throw interruptedBeforeStart();
    this.#phase = 'connecting';
    const poll = setInterval(() => void this.#poll(), pollMs);
    try {
      const connected = this.#fleet.start(resources.deviceProcesses, {
        scenario: this.#scenario,
        nodes: Object.fromEntries([...this.#environment.nodes].map(([id, node]) => [id, node.address])),
        cdns: this.#environment.cdns.map((cdn) => cdn.listen),
        sourceNetwork: resources.sourceNetwork,
        deviceRows: this.#options.deviceRows,
      });
      const problem = await Promise.race([connected, this.#ended]);
      if (signal.aborted) throw interruptedBeforeStart();
      if (problem !== undefined) this.#break(`not every device could connect: ${problem}`);
      if (this.#broken === undefined) await this.#window();
      return await this.#finish();
    } finally {
      clearInterval(poll);
    }
  }

  async end(): Promise<void> {
    await this.#children.stopAll();
  }

  /** From the start to the end of the run's time, or of its work. */
  async #window(): Promise<void> {
    const { live } = this.#scenario;
    // Whole seconds of the epoch, so that the first second of the series is a whole one.
    this.#startEpochMs = Math.ceil((Date.now() + 250) / 1000) * 1000;
    this.#fleet.tell({ kind: 'start', atEpochMs: this.#startEpochMs });
    this.#phase = 'running';
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
    events.cancel();
  }

  async #finish(): Promise<LiveRun> {
    this.#phase = 'finishing';
    const durationMs = this.#startEpochMs === 0 ? 0 : this.#elapsedMs();
    const early = this.#options.signal.aborted || this.#broken !== undefined;
    const graceMs = early || this.#scenario.live === undefined ? 0 : windowGraceMs;
    const reports = await this.#fleet.report(graceMs);
    if (reports.length === 0) throw new OperatorError('NO_DEVICES', `The run broke off: ${this.#broken}.`, 3);
    const devices = mergeReports(reports);
    for (const { spec, program } of this.#environment.nodes.values()) {
      if (program !== undefined) this.#environment.thaw(spec.id);
    }
    const outcome = await this.#settledOutcome(devices, reports.length < this.#fleet.count);
    const measured = measure(outcome);
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
        },
        timeline: this.#timeline,
        notes: this.#notes(),
        problems: [
          ...measured.problems,
          ...failureLines(devices),
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
  async #settledOutcome(devices: MergedReport, devicesLost: boolean): Promise<Outcome> {
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#outcome(devices, devicesLost);
      const { metrics } = measure(outcome);
      if (metrics['accounting.imbalanceBytes'] === 0 || attempt === settleAttempts) return outcome;
      await new Promise((resolve) => setTimeout(resolve, settleMs));
    }
  }

  async #outcome(devices: MergedReport, devicesLost: boolean): Promise<Outcome> {
    const nodes = await Promise.all(
      [...this.#environment.nodes.values()].map(async (node): Promise<NodeOutcome> => {
        const ledger = await this.#environment.nodeLedger(node);
        const books = await this.#environment.nodeBooks(node);
        const external = node.spec.url !== undefined;
        const lost = !external && (node.lostLives > 0 || books === undefined || ledger === undefined);
        return { id: node.spec.id, books, ledger, external, lost, parent: node.spec.parent };
      }),
    );
    const cdnPerSecond = this.#cdnPerSecond.map(({ bytes }, i) => bytes - (this.#cdnPerSecond[i - 1]?.bytes ?? 0));
    return {
      scenario: this.#scenario,
      devices,
      nodes,
      cdn: await this.#environment.cdnBooks(),
      cdnLedger: await this.#environment.cdnLedger(),
      cdnPerSecond,
      devicesLost,
      bounds: this.#bounds(devices),
      finished: !this.#options.signal.aborted && this.#broken === undefined,
    };
  }

  /** The seconds in which at least 90 % of the fleet has started and at most 10 % has finished, within the window. */
  #bounds(devices: MergedReport): Bounds {
    const startSecond = this.#startEpochMs / 1000 - devices.startSecond;
    const { live } = this.#scenario;
    if (live !== undefined) return { from: startSecond, to: startSecond + Math.floor(live.windowMs / 1000) };
    const total = deviceCount(this.#scenario);
    const from = secondOfTotal(devices.startedPerSecond, 0.9 * total) + 1;
    return { from, to: Math.max(from, secondOfTotal(devices.completedPerSecond, 0.1 * total)) };
  }

  async #poll(): Promise<void> {
    const devices = sumProgress(this.#fleet.progress());
    const nowMs = performance.now();
    const bytes = devices.bytesFromCacheServer + devices.bytesFromCdn;
    const egressBitsPerSecond = ((bytes - this.#lastBytes) * 8000) / Math.max(1, nowMs - this.#lastAtMs);
    this.#lastBytes = bytes;
    this.#lastAtMs = nowMs;
    const second = Math.floor(Date.now() / 1000);
    let hit = 0;
    let egress = 0;
    for (const node of this.#environment.nodes.values()) {
      const books = await this.#environment.nodeBooks(node);
      if (books === undefined) continue;
      hit += books.hitBytes;
      egress += books.egressBytes;
      const all = this.#nodePerSecond.get(node.spec.id) ?? [];
      this.#nodePerSecond.set(node.spec.id, all);
      all.push({ second, books });
    }
    const cdn = await this.#environment.cdnBooks();
    this.#cdnPerSecond.push({ second, bytes: cdn.bodyBytes });
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
    };
    for (const [server, bytes] of Object.entries(devices.bytesPerSecond)) {
      const name = server === 'cdn' ? 'fleet.fromCdnBitsPerSecond' : `node.${server}.egressBitsPerSecond`;
      columns[name] = bytes.map((value) => value * 8);
    }
    const length = devices.rangesPerSecond.length;
    const spread = (samples: readonly { second: number; value: number }[]): number[] => {
      const values = new Array<number>(length).fill(0);
      for (const [i, { second, value }] of samples.entries()) {
        const before = samples[i - 1];
        if (before === undefined || second === before.second) continue;
        for (let at = before.second; at < second; at += 1) {
          const place = at - devices.startSecond;
          if (place >= 0 && place < length) values[place] = (value - before.value) / (second - before.second);
        }
      }
      return values;
    };
    columns['cdn.egressBitsPerSecond'] = spread(
      this.#cdnPerSecond.map(({ second, bytes }) => ({ second, value: bytes * 8 })),
    );
    for (const [id, samples] of this.#nodePerSecond) {
      const of = (pick: (books: NodeBooks) => number): number[] =>
        spread(samples.map(({ second, books }) => ({ second, value: pick(books) * 8 }))).map((value) =>
          Math.max(0, value),
        );
      columns[`node.${id}.hitBitsPerSecond`] = of((books) => books.hitBytes);
      columns[`node.${id}.missBitsPerSecond`] = of((books) => books.missBytes);
      columns[`node.${id}.upstreamBitsPerSecond`] = of((books) => books.upstreamBytes);
    }
    return { startSecond: devices.startSecond, columns };
  }

  #notes(): string[] {
    const { fleet, nodes, live } = this.#scenario;
    const notes: string[] = [];
    if (fleet.some((group) => group.downlinkBytesPerMs !== undefined)) {
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
    const assumed = windowsAssumptionList.map(({ name, value, unit }) => `${name} = ${formatCount(value)} ${unit}`);
    notes.push(`assumed, since Microsoft publishes no constants of the Windows client: ${assumed.join(', ')}`);
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

/** The device processes, as one fleet. */
class FleetProcesses {
  readonly #children: Children;
  readonly #processes: ChildProcess[] = [];
  readonly #progress = new Map<ChildProcess, DeviceProgress>();
  readonly #reports = new Map<ChildProcess, DeviceReport>();
  #idleCount = 0;
  #whenIdle: () => void = () => undefined;
  /** Resolves when every device has completed or failed. */
  readonly idle: Promise<void>;

  constructor(children: Children) {
    this.#children = children;
    this.idle = new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  get count(): number {
    return this.#processes.length;
  }

  progress(): readonly DeviceProgress[] {
    return [...this.#progress.values()];
  }

  /** Starts the processes; resolves when all are ready, with the first problem that a device had in connecting. */
  async start(
    count: number,
    order: Omit<Extract<ToDeviceProcess, { kind: 'order' }>['order'], 'part'>,
  ): Promise<string | undefined> {
    const problems = await Promise.all(
      Array.from({ length: count }, (_, index) => {
        const child = this.#children.fork(`device process ${index}`, 'simulator/world/live/device-process');
        this.#processes.push(child);
        child.send({ kind: 'order', order: { ...order, part: { index, count } } } satisfies ToDeviceProcess);
        return new Promise<string | undefined>((resolve) => {
          child.on('message', (message: FromDeviceProcess) => {
            if (message.kind === 'connected') resolve(message.problem);
            else this.#hear(child, message);
          });
        });
      }),
    );
    return problems.find((problem) => problem !== undefined);
  }

  tell(message: ToDeviceProcess): void {
    for (const child of this.#processes) if (child.connected) child.send(message);
  }

  /** Stops all; resolves to the reports of those that could still make one. */
  async report(graceMs: number): Promise<readonly DeviceReport[]> {
    for (const child of this.#processes) this.#children.expectEnd(child);
    const living = this.#processes.filter((child) => child.connected);
    const exits = living.map((child) => new Promise((resolve) => child.once('exit', resolve)));
    this.tell({ kind: 'stop', graceMs });
    const timeout = new Promise((resolve) => setTimeout(resolve, graceMs + reportTimeoutMs).unref());
    await Promise.race([Promise.all(exits), timeout]);
    return [...this.#reports.values()];
  }

  #hear(child: ChildProcess, message: FromDeviceProcess): void {
    if (message.kind === 'progress') this.#progress.set(child, message.progress);
    else if (message.kind === 'report') this.#reports.set(child, message.report);
    else if (message.kind === 'idle') {
      this.#idleCount += 1;
      if (this.#idleCount === this.#processes.length) this.#whenIdle();
    }
  }
}

/** The second in which a running total reaches a number; the length of the series when it never does. */
function secondOfTotal(perSecond: readonly number[], number: number): number {
  let total = 0;
  const second = perSecond.findIndex((value) => {
    total += value;
    return total >= number;
  });
  return second < 0 ? perSecond.length : second;
}

function failureLines(devices: MergedReport): string[] {
  return Object.entries(devices.failureDetails).map(([kind, count]) => `${formatCount(count)} × ${kind}`);
}

function interruptedBeforeStart(): OperatorError {
  return new OperatorError(
    'INTERRUPTED',
    'Interrupted before the run had started: nothing was measured.',
    exitCodes.interrupted,
  );
}
