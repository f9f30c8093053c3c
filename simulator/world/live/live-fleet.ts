// A part of the fleet in one process, and the live world its downloads run in: real sockets, the clock on the wall.

import type { Address } from '../../../common/address.ts';
import { ContentFunction, describeDifference } from '../../../common/content.ts';
import { assert } from '../../../common/errors.ts';
import { processorTimeMs } from '../../../common/processor-time.ts';
import type { Source } from '../../device/download-policy.ts';
import { windowsPolicy } from '../../device/windows-policy.ts';
import type { ContentSpec, FleetGroup } from '../../scenario/scenario.ts';
import { plannedDevices } from '../fleet-plan.ts';
import { policySettingsOf } from '../policy-settings.ts';
import { type Cancel, DownloadRunner, type Observation, type World } from '../world.ts';
import type { DeviceOrder, DeviceProgress, DeviceReport, DeviceTimeouts } from './device-protocol.ts';
import type { Download } from './download.ts';
import { scheduleArrivals, scheduleRanges } from './due-times.ts';
import { FleetConnections } from './fleet-connections.ts';
import { groupReport } from './group-report.ts';
import { LiveDevice } from './live-device.ts';
import { Meter } from './meter.ts';
import type { Endpoint, RangeTransfer } from './range-transfer.ts';

const sweepMs = 250;
const corruptionExamplesMax = 10;
const timeoutMsMax = 2 ** 31 - 1;

/** Windows closes a connection 27 to 30 s after its last answer (facts, 2.1). */
const windowsIdleCloseMs = 28_500;

export class LiveFleet implements World<Download> {
  readonly meter: Meter;
  readonly connections: FleetConnections;
  /** The live world has Windows clients only (refused before it starts: run-events.ts). */
  readonly policy = windowsPolicy;
  readonly devices: readonly LiveDevice[];
  /** The CDN's place in the meter's servers; the nodes come before it, in the scenario's order. */
  readonly cdnServer: number;
  /** Transfers that wait for a connection, or for bytes. */
  readonly waiting = new Set<RangeTransfer>();
  /** Whether the devices connect first, and ask when a range is due. */
  readonly isWindow: boolean;
  isEnding = false;
  readonly #order: DeviceOrder;
  readonly #contents: ReadonlyMap<string, ContentSpec>;
  readonly #functions = new Map<string, ContentFunction>();
  readonly #servers: readonly string[];
  readonly #corruption: string[] = [];
  readonly #finished: { readonly download: Download; readonly atMs: number }[] = [];
  readonly #onIdle: () => void;
  #cpuMsAtStart = 0;
  /** The start of the run, on the clock of `now`. */
  startedAtMs = 0;
  #endedDevices = 0;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(order: DeviceOrder, onIdle: () => void) {
    this.#order = order;
    this.#onIdle = onIdle;
    this.isWindow = order.scenario.live !== undefined;
    this.#contents = new Map(order.scenario.content.map((content) => [content.id, content]));
    this.#servers = [...order.scenario.nodes.map((node) => node.id), 'cdn'];
    this.cdnServer = this.#servers.length - 1;
    this.meter = new Meter(this.#servers);
    this.connections = new FleetConnections(this.#servers, order.sourceNetwork);
    this.devices = [...plannedDevices(order.scenario, order.part)].map((plan) => new LiveDevice(this, plan));
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
    this.startedAtMs = performance.now() + atEpochMs - Date.now();
    this.#cpuMsAtStart = processorTimeMs();
    const { live } = this.#order.scenario;
    this.meter.timesFromMs = this.startedAtMs + (live?.warmUpMs ?? 0);
    if (live === undefined) scheduleArrivals(this);
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
    clearInterval(this.#sweeper);
    this.meter.tick();
    const wallMs = performance.now() - this.startedAtMs;
    for (const device of this.devices) for (const download of device.downloads) download.stop();
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

  begin(download: Download): void {
    const { policy } = this;
    const { agent, plan } = download.device;
    const terms = { policy, settings: policySettingsOf(plan.group), agent, origin: download.content.host };
    download.begin(new DownloadRunner<Download>(this, download, terms));
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

  transfer(download: Download, source: Source): void {
    download.transfer(source);
  }

  observe(download: Download, what: Observation): void {
    if (what.kind !== 'source') {
      this.#finished.push({ download, atMs: performance.now() });
      download.device.downloadEnded(what.kind === 'failed');
    } else if (
      what.source.kind === 'cdn' &&
      what.because !== undefined &&
      download.device.plan.group.cacheHosts.length > 0
    ) {
      download.fellBack(what.because);
    }
  }

  // ---- What downloads need

  timeoutsOf(group: FleetGroup): DeviceTimeouts {
    const { transport } = this.policy;
    const connectMs = transport.connectTimeoutMs(policySettingsOf(group));
    return this.#order.timeouts ?? { connectMs, stallMs: transport.stallTimeMs, idleCloseMs: windowsIdleCloseMs };
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

  /** Counts wrong bytes, and describes the first few. */
  corrupt(download: Download, buffer: Buffer, start: number, offset: number, length: number): void {
    const { content, version } = download;
    const truth = Buffer.allocUnsafe(length);
    this.contentFunction(content.id, version).fill(truth, 0, offset, length);
    for (let i = 0; i < length; i += 1) if (buffer[start + i] !== truth[i]) this.meter.corruptBytes += 1;
    if (this.#corruption.length >= corruptionExamplesMax) return;
    this.#corruption.push(
      `device ${download.device.plan.index}, ${content.id} version ${version}: ` +
        describeDifference(this.contentFunction(content.id, version), buffer, start, offset, length),
    );
  }

  /** Since the start of the run. */
  elapsedMs(): number {
    return performance.now() - this.startedAtMs;
  }

  /** Calls back so long after the start of the run. */
  at(elapsedMs: number, run: () => void): void {
    this.schedule(this.startedAtMs + elapsedMs, run);
  }

  #startSweeping(): void {
    this.#sweeper ??= setInterval(() => {
      const nowMs = performance.now();
      this.meter.tick();
      for (const transfer of [...this.waiting]) transfer.checkSilence(nowMs);
      if (this.isWindow) return; // idle close is suspended
      const idleCloseMs = this.#order.timeouts?.idleCloseMs ?? windowsIdleCloseMs;
      while (this.#finished[0] !== undefined && this.#finished[0].atMs < nowMs - idleCloseMs) {
        this.#finished.shift()?.download.closeIdle();
      }
    }, sweepMs);
  }

  // ---- Report

  #report(wallMs: number): DeviceReport {
    return {
      reading: this.meter.read(),
      groups: this.#order.scenario.fleet.map((group, index) =>
        groupReport(
          group.id,
          this.devices.filter((device) => device.plan.groupIndex === index),
        ),
      ),
      ledgers: this.connections.ledgers(),
      rows: this.#order.deviceRows ? this.devices.map((device) => device.row()) : [],
      corruption: this.#corruption,
      cpuMs: processorTimeMs() - this.#cpuMsAtStart,
      wallMs,
    };
  }
}
