// A part of the fleet in one process, and the live world its downloads run in: real sockets, the clock on the wall.

import type { Address } from '../../../common/address.ts';
import { ContentFunction, describeDifference } from '../../../common/content.ts';
import { assert } from '../../../common/errors.ts';
import { processorTimeMs, processorWaitMs } from '../../../common/processor-time.ts';
import type { Source } from '../../device/download-policy.ts';
import { policyOf } from '../../device/policies.ts';
import type { ContentSpec } from '../../scenario/scenario.ts';
import { type PlannedDevice, plannedDevices } from '../fleet-plan.ts';
import { type Cancel, DownloadRunner, type Observation, type World } from '../world.ts';
import type { DeviceOrder, DeviceProgress, DeviceReport, DeviceTimeouts } from './device-protocol.ts';
import { scheduleArrivals, scheduleRanges } from './due-times.ts';
import { FleetConnections } from './fleet-connections.ts';
import { FleetLimits } from './fleet-limits.ts';
import { groupReports } from './group-report.ts';
import { LiveDevice } from './live-device.ts';
import type { LiveDownload } from './live-download.ts';
import { LoopDelay } from './loop-delay.ts';
import { Meter, type MeterReading } from './meter.ts';
import type { Endpoint, RangeOwner } from './range-transfer.ts';
import { RangeRows, type SendRows } from './raw/range-rows.ts';
import { Replay } from './replay.ts';
import type { Target } from './request-head.ts';

const sweepMs = 100;
const corruptionExamplesMax = 10;
const timeoutMsMax = 2 ** 31 - 1;

/** Windows closes a connection 27 to 30 s after its last answer (facts, 2.1). */
const windowsIdleCloseMsMin = 27_000;
const windowsIdleCloseMsMax = 30_000;

/** Something that waits for a connection, or for bytes. */
export interface Waiting {
  /** Looks whether it has waited for too long. */
  checkSilence(nowMs: number): void;
}

export class LiveFleet implements World<LiveDownload> {
  readonly meter: Meter;
  readonly connections: FleetConnections;
  readonly limits: FleetLimits;
  /** Of a replay: those that have asked for something so far. */
  readonly devices: LiveDevice[];
  /** The log whose requests they make, in place of downloads. */
  readonly replay: Replay | undefined;
  /** Takes a row for each range request; undefined: nobody wants them. */
  readonly rows: RangeRows | undefined;
  /** The CDN's place in the meter's servers; the nodes come before it, in the scenario's order. */
  readonly cdnServer: number;
  /** Transfers that wait for a connection, or for bytes. */
  readonly waiting = new Set<Waiting>();
  /** Whether the devices connect first, and ask when a range is due. */
  readonly isWindow: boolean;
  /** Whether bodies are dropped unseen. */
  readonly discardsBodies: boolean;
  isEnding = false;
  readonly #order: DeviceOrder;
  readonly #contents: ReadonlyMap<string, ContentSpec>;
  readonly #functions = new Map<string, ContentFunction>();
  readonly #servers: readonly string[];
  readonly #corruption: string[] = [];
  #finished: { readonly download: LiveDownload; readonly atMs: number }[] = [];
  readonly #onIdle: () => void;
  readonly #loopDelay: LoopDelay;
  #cpuMsAtStart = 0;
  #cpuWaitMsAtStart: number | undefined;
  /** The start of the run, on the clock of `now`. */
  startedAtMs = 0;
  #endedDevices = 0;
  #isSweeping = false;
  #cancelSweep: Cancel = () => undefined;

  constructor(order: DeviceOrder, onIdle: () => void, sendRows?: SendRows) {
    this.#order = order;
    this.#onIdle = onIdle;
    this.rows = sendRows === undefined ? undefined : new RangeRows(sendRows);
    this.isWindow = order.scenario.live !== undefined;
    this.discardsBodies = order.scenario.bodies === 'discard';
    this.#contents = new Map(order.scenario.content.map((content) => [content.id, content]));
    this.#servers = [...order.scenario.nodes.map((node) => node.id), 'cdn'];
    this.cdnServer = this.#servers.length - 1;
    this.meter = new Meter(this.#servers);
    this.#loopDelay = new LoopDelay((ms) => this.meter.loopDelay(ms));
    this.connections = new FleetConnections(this.#servers, order.sourceNetwork, this.discardsBodies);
    this.limits = new FleetLimits(order.scenario, (elapsedMs, run) => this.at(elapsedMs, run));
    const { replay, fleet } = order.scenario;
    const [group] = fleet;
    this.replay =
      replay === undefined || group === undefined ? undefined : new Replay(this, order, replay, group, onIdle);
    const planned = replay === undefined ? [...plannedDevices(order.scenario, order.part)] : [];
    this.devices = planned
      .filter(({ group: { id } }) => order.groups?.includes(id) ?? true)
      .map((plan) => new LiveDevice(this, plan));
  }

  // ---- The course of a run

  /** Live window: every device opens its connections; resolves when all are open, or with the first problem. */
  async connectAll(): Promise<string | undefined> {
    this.#startSweeping();
    return await this.connections.openAll(this.devices, this.#order.part.count);
  }

  /** The run starts at this time: devices arrive, or ranges of the window become due. */
  start(atEpochMs: number): void {
    this.#startSweeping();
    this.startedAtMs = this.now() + atEpochMs - Date.now();
    this.rows?.begin(this.startedAtMs);
    this.#cpuMsAtStart = processorTimeMs();
    this.#cpuWaitMsAtStart = processorWaitMs();
    this.limits.start();
    if (this.devices.length === 0 && this.replay === undefined) this.#onIdle();
    const { live } = this.#order.scenario;
    this.meter.timesFromMs = this.startedAtMs + (live?.warmUpMs ?? 0);
    this.#loopDelay.start(this.meter.timesFromMs);
    if (this.replay !== undefined) this.replay.start();
    else if (live === undefined) scheduleArrivals(this);
    else if (live.demandBytesPerMs !== 'max')
      scheduleRanges(this, this.#order.scenario, live.demandBytesPerMs, live.windowMs);
    else
      this.at(0, () => {
        for (const device of this.devices) device.release();
      });
  }

  /** Asks for nothing more; what is under way may finish for `graceMs`. */
  async stop(graceMs: number): Promise<DeviceReport> {
    this.isEnding = true;
    const until = performance.now() + graceMs;
    while (this.waiting.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    this.#cancelSweep();
    this.#loopDelay.stop();
    this.meter.tick();
    const wallMs = this.now() - this.startedAtMs;
    for (const device of this.devices) device.stop();
    this.connections.buryHalfOpen();
    this.replay?.stop();
    this.rows?.end();
    return this.#report(wallMs);
  }

  progress(): DeviceProgress {
    this.meter.tick();
    const counts = { waiting: 0, connected: 0, downloading: 0, completed: 0, failed: 0 };
    let onCdn = 0;
    let bytesFromCacheServer = 0;
    let bytesFromCdn = 0;
    for (const device of this.devices) {
      counts[device.state] += 1;
      if (device.onCdn && device.state === 'downloading') onCdn += 1;
      bytesFromCacheServer += device.bytesFromCacheServer;
      bytesFromCdn += device.bytesFromCdn;
    }
    return { ...counts, onCdn, bytesFromCacheServer, bytesFromCdn, failedRanges: this.meter.failedRangeCount };
  }

  /** What was measured so far; of series, the whole seconds from one of the epoch on. */
  snapshot(sinceSecond: number): DeviceReport {
    return { ...this.#counts(Math.max(0, this.elapsedMs()), this.meter.readSince(sinceSecond)), ledgers: {}, rows: [] };
  }

  begin(download: LiveDownload): void {
    const { agent, plan } = download.device;
    const policy = policyOf(plan.group.client);
    const settings = this.limits.settingsOf(plan.groupIndex);
    const terms = { policy, settings, agent, origin: download.content.host };
    download.begin(new DownloadRunner<LiveDownload>(this, download, terms));
  }

  ended(device: LiveDevice, how: 'completed' | 'failed'): void {
    if (device.state === 'completed' || device.state === 'failed') return;
    device.state = how;
    if (how === 'completed') this.meter.completed();
    this.#endedDevices += 1;
    if (this.#endedDevices === this.devices.length) this.#onIdle();
  }

  // ---- World

  now(): number {
    return performance.now();
  }

  schedule(atMs: number, run: () => void): Cancel {
    let timer: NodeJS.Timeout | undefined;
    // Node cuts fractions off, measures from the start of the loop's turn, and takes no more than 24 days.
    const arm = (): void => {
      const leftMs = Math.min(timeoutMsMax, Math.max(0, Math.ceil(atMs - this.now())));
      timer = setTimeout(() => (this.now() < atMs ? arm() : run()), leftMs);
    };
    arm();
    return () => clearTimeout(timer);
  }

  transfer(download: LiveDownload, source: Source): void {
    download.transfer(source);
  }

  observe(download: LiveDownload, what: Observation): void {
    if (what.kind !== 'source') {
      this.#finished.push({ download, atMs: this.now() });
      // A Linux client may take a file for whole that is not.
      download.device.downloadEnded(what.kind === 'failed' || !download.isComplete);
    } else if (
      what.source.kind === 'cdn' &&
      what.because !== undefined &&
      download.device.plan.group.cacheHosts.length > 0
    ) {
      download.fellBack(what.because);
    }
  }

  // ---- What downloads need

  timeoutsOf({ group, groupIndex, phase }: PlannedDevice): DeviceTimeouts {
    const { connectTimeoutMs, stallTimeMs, stallBytesPerMs } = policyOf(group.client).transport;
    const connectMs = connectTimeoutMs(this.limits.settingsOf(groupIndex));
    // Phases are spread evenly over the fleet.
    const idleCloseMs = windowsIdleCloseMsMin + phase * (windowsIdleCloseMsMax - windowsIdleCloseMsMin);
    return { connectMs, stallMs: stallTimeMs, stallBytesPerMs, idleCloseMs, ...this.#order.timeouts };
  }

  content(id: string): ContentSpec {
    const content = this.#contents.get(id);
    assert(content !== undefined, `content ${id} is in the scenario`);
    return content;
  }

  contentFunction(id: string, version: number): ContentFunction {
    const key = `${id} ${version}`;
    let found = this.#functions.get(key);
    if (found === undefined) {
      found = new ContentFunction(id, version);
      this.#functions.set(key, found);
    }
    return found;
  }

  endpointOf(source: Source, device: LiveDevice): Endpoint {
    if (source.kind === 'cdn') {
      const cdn = this.#order.cdns[device.plan.index % this.#order.cdns.length];
      assert(cdn !== undefined, 'there is a CDN');
      return { ...cdn, server: this.cdnServer };
    }
    const id = device.plan.group.cacheHosts[source.index] ?? '';
    const node: Address | undefined = this.#order.nodes[id];
    assert(node !== undefined, `node ${id} is there`);
    return { ...node, server: this.#servers.indexOf(id) };
  }

  /** Where a redirect leads to: the CDN under any host name of the content, or a server of the run by its address. */
  redirectTarget(from: string, location: string, device: LiveDevice): Target | undefined {
    if (!URL.canParse(location, from)) return undefined;
    const url = new URL(location, from);
    if (url.protocol !== 'http:') return undefined;
    const target = { host: url.host, target: `${url.pathname}${url.search}` };
    if ([...this.#contents.values()].some(({ host }) => host === url.hostname)) {
      return { endpoint: this.endpointOf({ kind: 'cdn' }, device), ...target };
    }
    const isHere = ({ host, port }: Address): boolean => host === url.hostname && port === Number(url.port || 80);
    const cdn = this.#order.cdns.find(isHere);
    if (cdn !== undefined) return { endpoint: { ...cdn, server: this.cdnServer }, ...target };
    const server = this.#servers.findIndex((id) => isHere(this.#order.nodes[id] ?? { host: '', port: 0 }));
    const node = this.#order.nodes[this.#servers[server] ?? ''];
    return node === undefined ? undefined : { endpoint: { ...node, server }, ...target };
  }

  /** Counts wrong bytes, and describes the first few; how many there are. */
  corrupt(
    download: Pick<RangeOwner, 'content' | 'version' | 'device'>,
    buffer: Buffer,
    start: number,
    offset: number,
    length: number,
  ): number {
    const { content, version } = download;
    const truth = Buffer.allocUnsafe(length);
    this.contentFunction(content.id, version).fill(truth, 0, offset, length);
    let wrongBytes = 0;
    for (let i = 0; i < length; i += 1) if (buffer[start + i] !== truth[i]) wrongBytes += 1;
    this.meter.corruptBytes += wrongBytes;
    if (this.#corruption.length >= corruptionExamplesMax) return wrongBytes;
    this.#corruption.push(
      `device ${download.device.plan.index}, ${content.id} version ${version}: ` +
        describeDifference(this.contentFunction(content.id, version), buffer, start, offset, length),
    );
    return wrongBytes;
  }

  /** Since the start of the run. */
  elapsedMs(): number {
    return this.now() - this.startedAtMs;
  }

  /** Calls back so long after the start of the run. */
  at(elapsedMs: number, run: () => void): void {
    this.schedule(this.startedAtMs + elapsedMs, run);
  }

  #startSweeping(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#sweep();
  }

  /** Looks for those who have waited too long, again and again. */
  #sweep(): void {
    const nowMs = this.now();
    this.#cancelSweep = this.schedule(nowMs + sweepMs, () => this.#sweep());
    this.meter.tick();
    // After what has come is read: when this process stood still, that is not the servers' silence.
    setImmediate(() => {
      for (const waiting of [...this.waiting]) waiting.checkSilence(nowMs);
    });
    if (!this.isWindow) this.#closeIdle(nowMs); // in a window idle close is suspended
  }

  #closeIdle(nowMs: number): void {
    this.replay?.closeIdle(nowMs);
    this.#finished = this.#finished.filter(({ download, atMs }) => {
      const isDue = nowMs - atMs >= download.device.timeouts.idleCloseMs;
      if (isDue) download.closeIdle();
      return !isDue;
    });
  }

  // ---- Report

  #report(wallMs: number): DeviceReport {
    return {
      ...this.#counts(wallMs, this.meter.read()),
      ledgers: this.connections.ledgers(),
      rows: this.#order.deviceRows ? this.devices.map((device) => device.row()) : [],
    };
  }

  #counts(wallMs: number, reading: MeterReading): Omit<DeviceReport, 'ledgers' | 'rows'> {
    const cpuWaitMs = processorWaitMs();
    return {
      part: this.#order.number,
      reading,
      groups: groupReports(
        this.#order.scenario.fleet.map((group) => group.id),
        this.devices,
      ),
      corruption: this.#corruption,
      cpuMs: processorTimeMs() - this.#cpuMsAtStart,
      cpuWaitMs: cpuWaitMs === undefined ? undefined : cpuWaitMs - (this.#cpuWaitMsAtStart ?? cpuWaitMs),
      wallMs,
      replay: this.replay?.report(),
    };
  }
}
