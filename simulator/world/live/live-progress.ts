// What a live run is doing, once a second, for whoever watches.

import type { SurveyProgress } from '../../replay/survey.ts';
import type { DeviceProgress } from './device-protocol.ts';
import { sumProgress } from './merge.ts';

export type LiveProgress = {
  readonly phase: 'reading' | 'starting' | 'connecting' | 'running' | 'finishing';
  readonly elapsedMs: number;
  readonly devices: DeviceProgress;
  /** While connecting: whom the run waits for, where it is not only its devices. */
  readonly waitsFor?: string | undefined;
  /** Over the last second. */
  readonly egressBitsPerSecond: number;
  /** Since the start, over all nodes; undefined before the first byte, and where it is not known. */
  readonly hitRatioBytes?: number | undefined;
  /** How far the first reading of a log has come. */
  readonly reading?: SurveyProgress;
};

const showMs = 1000;

export class ProgressMeter {
  readonly #devices: () => readonly DeviceProgress[];
  readonly #show: (progress: LiveProgress) => void;
  readonly #more: () => Pick<LiveProgress, 'waitsFor' | 'hitRatioBytes'>;
  readonly #timer: NodeJS.Timeout;
  #phase: LiveProgress['phase'] = 'starting';
  #startEpochMs = 0;
  #lastBytes = 0;
  #lastAtMs = performance.now();

  /** `more`: what is known beside the devices. */
  constructor(
    devices: () => readonly DeviceProgress[],
    show: (progress: LiveProgress) => void,
    more: () => Pick<LiveProgress, 'waitsFor' | 'hitRatioBytes'> = () => ({}),
  ) {
    this.#devices = devices;
    this.#show = show;
    this.#more = more;
    this.#timer = setInterval(() => this.#look(), showMs);
  }

  enter(phase: LiveProgress['phase']): void {
    this.#phase = phase;
    this.#look();
  }

  /** The clock of the run begins at this time. */
  begin(startEpochMs: number): void {
    this.#startEpochMs = startEpochMs;
    this.enter('running');
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const devices = sumProgress(this.#devices());
    const nowMs = performance.now();
    const bytes = devices.bytesFromCacheServer + devices.bytesFromCdn;
    const egressBitsPerSecond = ((bytes - this.#lastBytes) * 8000) / Math.max(1, nowMs - this.#lastAtMs);
    this.#lastBytes = bytes;
    this.#lastAtMs = nowMs;
    this.#show({
      phase: this.#phase,
      elapsedMs: this.#startEpochMs === 0 ? 0 : Math.max(0, Date.now() - this.#startEpochMs),
      devices,
      egressBitsPerSecond: Math.max(0, egressBitsPerSecond),
      ...this.#more(),
    });
  }
}
