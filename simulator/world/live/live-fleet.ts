// A part of the fleet in one process, and the live world its downloads run in: real sockets, the clock on the wall.

import type { Address } from '../../../common/address.ts';
import { ContentFunction, describeDifference } from '../../../common/content.ts';
import { assert } from '../../../common/errors.ts';
import { type Failure, HttpConnection } from '../../../common/http-connection.ts';
import type { LedgerEntry } from '../../../common/ledger.ts';
import { processorTimeMs } from '../../../common/processor-time.ts';
import type { Source } from '../../device/download-policy.ts';
import { windowsPolicy } from '../../device/windows-policy.ts';
import type { ContentSpec, FleetGroup } from '../../scenario/scenario.ts';
import { deviceCount, meanRangeBytes, plannedDevices } from '../fleet-plan.ts';
import { policySettingsOf } from '../policy-settings.ts';
import { type Cancel, DownloadRunner, type Observation, type World } from '../world.ts';
import type { DeviceOrder, DeviceProgress, DeviceReport, DeviceTimeouts } from './device-protocol.ts';
import { groupReport } from './group-report.ts';
import { LiveDevice } from './live-device.ts';
import type { LiveDownload } from './live-download.ts';
import { Meter } from './meter.ts';
import type { Endpoint, RangeTransfer } from './range-transfer.ts';

/** Read buffer that all connections of the process share. */
const readBufferBytes = 256 * 1024;
/** How fast the whole fleet connects before a window, and how often it tries again for devices that lost theirs. */
const connectsPerSecond = 5000;
const connectTickMs = 10;
const connectRoundsMax = 4;
const devicesPerSourceAddress = 1000;
const sweepMs = 250;
const corruptionExamplesMax = 10;
const timeoutMsMax = 2 ** 31 - 1;

/** Windows closes a connection 27 to 30 s after its last answer (facts, 2.1). */
const windowsIdleCloseMs = 28_500;

export class LiveFleet implements World<LiveDownload> {
  readonly meter: Meter;
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
  readonly #connections = new Map<HttpConnection, string>();
  readonly #ledgers: Record<string, LedgerEntry[]> = {};
  readonly #corruption: string[] = [];
  readonly #readBuffer = Buffer.allocUnsafeSlow(readBufferBytes);
  #whenOpened: (() => void) | undefined;
  readonly #finished: { readonly download: LiveDownload; readonly atMs: number }[] = [];
  readonly #onIdle: () => void;
  #cpuMsAtStart = 0;
  #startedAtMs = 0;
  #connecting = 0;
  #endedDevices = 0;
  #sweeper: NodeJS.Timeout | undefined;
  #connectProblem: string | undefined;

  constructor(order: DeviceOrder, onIdle: () => void) {
    this.#order = order;
    this.#onIdle = onIdle;
    this.isWindow = order.scenario.live !== undefined;
    this.#contents = new Map(order.scenario.content.map((content) => [content.id, content]));
    this.#servers = [...order.scenario.nodes.map((node) => node.id), 'cdn'];
    this.cdnServer = this.#servers.length - 1;
    this.meter = new Meter(this.#servers);
    this.devices = [...plannedDevices(order.scenario, order.part)].map((plan) => new LiveDevice(this, plan));
  }

  // ---- The course of a run

  /** Live window: every device opens its connections; resolves when all are open, or with the first problem. */
  async connectAll(): Promise<string | undefined> {
    this.#startSweeping();
    for (let round = 0; round < connectRoundsMax; round += 1) {
      const unconnected = this.devices.filter((device) => device.openConnections === 0);
      if (unconnected.length === 0 || this.#connectProblem !== undefined) break;
      await this.#connectSlowly(unconnected);
    }
    const lostCount = this.devices.filter((device) => device.openConnections === 0).length;
    return this.#connectProblem ?? (lostCount === 0 ? undefined : `${lostCount} connections were lost again and again`);
  }

  /** At a rate that a listener can accept: connections that overflow its queue are lost without a word. */
  async #connectSlowly(devices: readonly LiveDevice[]): Promise<void> {
    const perTick = Math.max(1, Math.round((connectsPerSecond * connectTickMs) / 1000 / this.#order.part.count));
    for (let first = 0; first < devices.length; first += perTick) {
      for (const device of devices.slice(first, first + perTick)) device.connect();
      await new Promise((resolve) => setTimeout(resolve, connectTickMs));
    }
    while (this.#connecting > 0) await this.#oneOpened();
  }

  /** The run starts at this time: devices arrive, or ranges of the window become due. */
  start(atEpochMs: number): void {
    this.#startSweeping();
    this.#startedAtMs = performance.now() + atEpochMs - Date.now();
    this.#cpuMsAtStart = processorTimeMs();
    const { live } = this.#order.scenario;
    if (live === undefined) this.#scheduleArrivals();
    else if (live.demandBytesPerMs === 'max') this.#at(0, () => this.#releaseAll());
    else this.#scheduleRanges(live.demandBytesPerMs, live.windowMs);
  }

  /** Asks for nothing more; what is under way may finish for `graceMs`. */
  async stop(graceMs: number): Promise<DeviceReport> {
    this.isEnding = true;
    const until = performance.now() + graceMs;
    while (this.waiting.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    clearInterval(this.#sweeper);
    this.meter.tick();
    const wallMs = performance.now() - this.#startedAtMs;
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

  begin(download: LiveDownload): void {
    const { policy } = this;
    const { agent, plan } = download.device;
    const terms = { policy, settings: policySettingsOf(plan.group), agent, origin: download.content.host };
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

  /** Opens a connection, or queues it while many others are being opened. */
  connect(endpoint: Endpoint, device: LiveDevice, onConnect: (failure: Failure | undefined) => void): HttpConnection {
    this.#connecting += 1;
    let opened = false;
    const server = this.#servers[endpoint.server] ?? '';
    const connection: HttpConnection = new HttpConnection(
      {
        host: endpoint.host,
        port: endpoint.port,
        localAddress: this.#sourceAddress(device),
        readBuffer: this.#readBuffer,
        onClose: (closed) => {
          this.#connections.delete(closed);
          if (!opened) this.#connected();
          else device.connectionClosed();
          if (closed.peer !== '') this.#note(server, closed);
        },
      },
      (failure) => {
        if (failure === undefined) {
          opened = true;
          this.#connections.set(connection, server);
          device.connectionOpened();
          this.#connected();
        } else this.#connectProblem ??= `${server}: ${failure.detail}`;
        onConnect(failure);
      },
    );
    return connection;
  }

  /** Counts wrong bytes, and describes the first few. */
  corrupt(download: LiveDownload, buffer: Buffer, start: number, offset: number, length: number): void {
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

  // ---- Arrivals and due ranges

  /** Since the start of the run. */
  elapsedMs(): number {
    return performance.now() - this.#startedAtMs;
  }

  #at(elapsedMs: number, run: () => void): void {
    this.schedule(this.#startedAtMs + elapsedMs, run);
  }

  #scheduleArrivals(): void {
    const byArrival = [...this.devices].sort((a, b) => a.arriveAtMs - b.arriveAtMs);
    let next = 0;
    const arriveDue = (): void => {
      for (; next < byArrival.length; next += 1) {
        const device = byArrival[next];
        if (device === undefined || this.isEnding) return;
        const lateMs = this.elapsedMs() - device.arriveAtMs;
        if (lateMs < 0) {
          this.#at(device.arriveAtMs, arriveDue);
          return;
        }
        this.meter.lateness(lateMs);
        device.arrive();
      }
    };
    this.#at(byArrival[0]?.arriveAtMs ?? 0, arriveDue);
  }

  /** Range k of device d is due at phase(d) × interval + k × interval: evenly spread, so that the fleet asks for `demand`. */
  #scheduleRanges(demandBytesPerMs: number, windowMs: number): void {
    const { scenario, part } = this.#order;
    const total = deviceCount(scenario);
    const intervalMs = (total * meanRangeBytes(scenario)) / demandBytesPerMs;
    const byPhase = [...this.devices].sort((a, b) => a.plan.phase - b.plan.phase);
    assert(part.count > 0 && intervalMs > 0, 'a window has devices and demand');
    let next = 0;
    const sendDue = (): void => {
      while (!this.isEnding && byPhase.length > 0) {
        const device = byPhase[next % byPhase.length];
        if (device === undefined) return;
        const dueMs = (device.plan.phase + Math.floor(next / byPhase.length)) * intervalMs;
        if (dueMs >= windowMs) return;
        const lateMs = this.elapsedMs() - dueMs;
        if (lateMs < 0) {
          this.#at(dueMs, sendDue);
          return;
        }
        this.meter.lateness(lateMs);
        device.due(this.#startedAtMs + dueMs);
        next += 1;
      }
    };
    this.#at(0, sendDue);
  }

  #releaseAll(): void {
    for (const device of this.devices) device.release();
  }

  // ---- Connections

  #sourceAddress(device: LiveDevice): string | undefined {
    const { sourceNetwork } = this.#order;
    if (sourceNetwork === undefined) return undefined;
    const number = Math.floor(device.plan.index / devicesPerSourceAddress);
    return `${sourceNetwork}.${number >> 8}.${1 + (number & 0xff)}`;
  }

  #connected(): void {
    this.#connecting -= 1;
    this.#whenOpened?.();
  }

  #oneOpened(): Promise<void> {
    return new Promise((resolve) => {
      this.#whenOpened = resolve;
    });
  }

  #note(server: string, connection: HttpConnection): void {
    const { peer, bodyBytes, answerCount, cut } = connection;
    const entries = this.#ledgers[server] ?? [];
    this.#ledgers[server] = entries;
    entries.push({ peer, bodyBytes, answerCount, cut });
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
    for (const [connection, server] of this.#connections) this.#note(server, connection);
    return {
      reading: this.meter.read(),
      groups: this.#order.scenario.fleet.map((group, index) =>
        groupReport(
          group.id,
          this.devices.filter((device) => device.plan.groupIndex === index),
        ),
      ),
      ledgers: this.#ledgers,
      rows: this.#order.deviceRows ? this.devices.map((device) => device.row()) : [],
      corruption: this.#corruption,
      cpuMs: processorTimeMs() - this.#cpuMsAtStart,
      wallMs,
    };
  }
}
