// What a device process measures: times of ranges, and second by second what came from where. Series are on whole
// seconds of the epoch, so that those of several processes add up.

import { processorTimeMs } from '../../../common/processor-time.ts';
import type { SourceFailureCause } from '../../device/download-policy.ts';
import { encodeHistogram, type Histogram, newHistogram, recordMs } from '../histogram.ts';

/** Why received bytes were thrown away. */
export type RefetchCause = SourceFailureCause | 'version';

/** A meter's content, as it is sent and merged. */
export type MeterReading = {
  /** Second of the epoch of the series' first value. */
  readonly startSecond: number;
  /** Bytes received in each second, by server (a node's id, or `cdn`). */
  readonly bytesPerSecond: Readonly<Record<string, readonly number[]>>;
  readonly rangesPerSecond: readonly number[];
  readonly failuresPerSecond: readonly number[];
  /** Devices that arrived, and that completed, in each second. */
  readonly startedPerSecond: readonly number[];
  readonly completedPerSecond: readonly number[];
  /** Devices with an open connection, at the end of each second. */
  readonly connectedPerSecond: readonly number[];
  /** Processor time of the process in each second, ms of one core. */
  readonly cpuMsPerSecond: readonly number[];
  /** Encoded histograms in µs. */
  readonly histograms: Readonly<Record<HistogramName, string>>;
  readonly refetchedBytes: Readonly<Record<string, number>>;
  /** Failures by cause, and by cause with its detail. */
  readonly failedRanges: Readonly<Record<string, number>>;
  readonly failureDetails: Readonly<Record<string, number>>;
  readonly fallbackDevices: Readonly<Record<string, number>>;
  readonly verifiedBytes: number;
  readonly uncheckedBytes: number;
  /** Of the unchecked ones: never copied to this process, but dropped in the kernel. */
  readonly droppedBytes: number;
  readonly corruptBytes: number;
};

export type HistogramName = 'latency' | 'service' | 'firstByte' | 'lateness' | 'loopDelay' | 'fallback';

const detailsMax = 50;

export class Meter {
  readonly #servers: readonly string[];
  readonly #startSecond: number;
  readonly #bytes: number[][];
  readonly #ranges: number[] = [];
  readonly #failures: number[] = [];
  readonly #started: number[] = [];
  readonly #completed: number[] = [];
  readonly #connected: number[] = [];
  readonly #cpuMs: number[] = [];
  readonly #histograms: Readonly<Record<HistogramName, Histogram>> = {
    latency: newHistogram(),
    service: newHistogram(),
    firstByte: newHistogram(),
    lateness: newHistogram(),
    loopDelay: newHistogram(),
    fallback: newHistogram(),
  };
  readonly #refetched: Record<string, number> = {};
  readonly #failed: Record<string, number> = {};
  readonly #details: Record<string, number> = {};
  readonly #fallback: Record<string, number> = {};
  #second = 0;
  /** At the start of the second in use. */
  #cpuMsBefore = processorTimeMs();
  /** By `performance.now()`: when the second in use ends. */
  #secondEndsAt: number;
  /** By `performance.now()`: times and lateness of what was due before are left out (the warm-up of a window). */
  timesFromMs = Number.NEGATIVE_INFINITY;
  /** Devices with an open connection now. */
  connectedDevices = 0;
  verifiedBytes = 0;
  uncheckedBytes = 0;
  droppedBytes = 0;
  corruptBytes = 0;
  failedRangeCount = 0;

  constructor(servers: readonly string[]) {
    this.#servers = servers;
    const epochMs = Date.now();
    this.#startSecond = Math.floor(epochMs / 1000);
    this.#secondEndsAt = performance.now() + 1000 - (epochMs % 1000);
    this.#bytes = servers.map(() => []);
    this.#open();
  }

  /** Counts bytes from a server (its place in the list), received at `nowMs` of `performance.now()`. */
  received(server: number, bytes: number, nowMs: number): void {
    if (nowMs >= this.#secondEndsAt) this.#advance(nowMs);
    const series = this.#bytes[server];
    if (series !== undefined) series[this.#second] = (series[this.#second] ?? 0) + bytes;
  }

  range(nowMs: number, latencyMs: number, serviceMs: number, firstByteMs: number): void {
    if (nowMs >= this.#secondEndsAt) this.#advance(nowMs);
    this.#ranges[this.#second] = (this.#ranges[this.#second] ?? 0) + 1;
    if (nowMs - latencyMs < this.timesFromMs) return;
    recordMs(this.#histograms.latency, latencyMs);
    recordMs(this.#histograms.service, serviceMs);
    recordMs(this.#histograms.firstByte, firstByteMs);
  }

  /** A range, or the connection for it, failed. `detail` is counted too, as far as there are not too many kinds. */
  rangeFailed(cause: SourceFailureCause, detail: string): void {
    this.tick();
    this.#failures[this.#second] = (this.#failures[this.#second] ?? 0) + 1;
    this.failedRangeCount += 1;
    this.#failed[cause] = (this.#failed[cause] ?? 0) + 1;
    const kind = `${cause}: ${detail}`;
    if (kind in this.#details || Object.keys(this.#details).length < detailsMax) {
      this.#details[kind] = (this.#details[kind] ?? 0) + 1;
    }
  }

  discarded(cause: RefetchCause, bytes: number): void {
    if (bytes > 0) this.#refetched[cause] = (this.#refetched[cause] ?? 0) + bytes;
  }

  /** A device arrived, and asks. */
  started(): void {
    this.tick();
    this.#started[this.#second] = (this.#started[this.#second] ?? 0) + 1;
  }

  completed(): void {
    this.tick();
    this.#completed[this.#second] = (this.#completed[this.#second] ?? 0) + 1;
  }

  /** Something that was due `ms` ago is done now. */
  lateness(ms: number): void {
    if (performance.now() - ms < this.timesFromMs) return;
    recordMs(this.#histograms.lateness, ms);
  }

  /** How long a moment waited for the event loop. */
  loopDelay(ms: number): void {
    recordMs(this.#histograms.loopDelay, ms);
  }

  /** A device that left its cache host for the CDN, for the first time. */
  fellBack(cause: SourceFailureCause): void {
    this.#fallback[cause] = (this.#fallback[cause] ?? 0) + 1;
  }

  fallbackTime(ms: number): void {
    recordMs(this.#histograms.fallback, ms);
  }

  /** Moves on to the present second; called at least once a second, so that the count of devices is right. */
  tick(): void {
    const nowMs = performance.now();
    if (nowMs >= this.#secondEndsAt) this.#advance(nowMs);
  }

  read(): MeterReading {
    this.tick();
    this.#cpuMs[this.#second] = processorTimeMs() - this.#cpuMsBefore;
    return this.#reading(this.#startSecond, (series) => series);
  }

  /** As {@link read}, but of the series only the seconds from one of the epoch on that are over. */
  readSince(second: number): MeterReading {
    this.tick();
    const from = Math.max(0, second - this.#startSecond);
    return this.#reading(this.#startSecond + from, (series) => series.slice(from, this.#second));
  }

  #reading(startSecond: number, of: (series: readonly number[]) => readonly number[]): MeterReading {
    const { latency, service, firstByte, lateness, loopDelay, fallback } = this.#histograms;
    return {
      startSecond,
      bytesPerSecond: Object.fromEntries(this.#servers.map((server, index) => [server, of(this.#bytes[index] ?? [])])),
      rangesPerSecond: of(this.#ranges),
      failuresPerSecond: of(this.#failures),
      startedPerSecond: of(this.#started),
      completedPerSecond: of(this.#completed),
      connectedPerSecond: of(this.#connected),
      cpuMsPerSecond: of(this.#cpuMs),
      histograms: {
        latency: encodeHistogram(latency),
        service: encodeHistogram(service),
        firstByte: encodeHistogram(firstByte),
        lateness: encodeHistogram(lateness),
        loopDelay: encodeHistogram(loopDelay),
        fallback: encodeHistogram(fallback),
      },
      refetchedBytes: this.#refetched,
      failedRanges: this.#failed,
      failureDetails: this.#details,
      fallbackDevices: this.#fallback,
      verifiedBytes: this.verifiedBytes,
      uncheckedBytes: this.uncheckedBytes,
      droppedBytes: this.droppedBytes,
      corruptBytes: this.corruptBytes,
    };
  }

  #advance(nowMs: number): void {
    const cpuMs = processorTimeMs();
    this.#cpuMs[this.#second] = cpuMs - this.#cpuMsBefore;
    this.#cpuMsBefore = cpuMs;
    while (nowMs >= this.#secondEndsAt) {
      this.#connected[this.#second] = this.connectedDevices;
      this.#second += 1;
      this.#secondEndsAt += 1000;
      this.#open();
    }
  }

  #open(): void {
    for (const series of this.#bytes) series[this.#second] = 0;
    this.#ranges[this.#second] = 0;
    this.#failures[this.#second] = 0;
    this.#started[this.#second] = 0;
    this.#completed[this.#second] = 0;
    this.#cpuMs[this.#second] = 0;
    this.#connected[this.#second] = this.connectedDevices;
  }
}
