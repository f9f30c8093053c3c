// One file on its way to one device, whichever client that is: what came of it from where, and how long it went without
// bytes when it left its cache host. How it asks is its subclass's: in pieces (Windows), or for all that is left (Linux).

import type { Source, SourceFailureCause } from '../../device/download-policy.ts';
import type { ContentSpec } from '../../scenario/scenario.ts';
import type { DownloadRunner } from '../world.ts';
import type { LiveDevice } from './live-device.ts';
import type { RefetchCause } from './meter.ts';
import type { Endpoint } from './range-transfer.ts';

export abstract class LiveDownload {
  readonly device: LiveDevice;
  readonly content: ContentSpec;
  runner: DownloadRunner<LiveDownload> | undefined;
  /** Right bytes that are kept. */
  usefulBytes = 0;
  /** Whether it waits until a range is due (live window with a demand), or asks by itself. */
  paced = false;
  /** When the last byte came, or the download began. */
  #lastByteMs = 0;
  /** When the last byte came of the cache host that was left, until the first one of the CDN has. */
  #leftCacheHostAtMs: number | undefined;

  constructor(device: LiveDevice, content: ContentSpec) {
    this.device = device;
    this.content = content;
  }

  /** Whether every byte of the file has come, and is right. */
  abstract get isComplete(): boolean;
  /** Of the content, as far as the download knows it. */
  abstract get version(): number;

  begin(runner: DownloadRunner<LiveDownload>): void {
    this.runner = runner;
    this.#lastByteMs = this.device.fleet.now();
    runner.start();
  }

  /** Moves what remains from this source; what was under way with another is given up. */
  abstract transfer(source: Source): void;

  /** Opens connections that were lost while nothing was under way. */
  abstract connectAgain(): void;

  /** From now on it asks by itself. */
  abstract release(): void;

  /** A range is due (open model): whether it could be asked for. */
  abstract due(intendedMs: number): boolean;

  /** The run is over: what was under way stays as far as it came. */
  abstract stop(): void;

  /** Some time after its end: closes the connections that nobody else uses. */
  abstract closeIdle(): void;

  received(bytes: number, endpoint: Endpoint, nowMs: number): void {
    const isFromCdn = endpoint.server === this.device.fleet.cdnServer;
    this.device.received(bytes, isFromCdn);
    this.#lastByteMs = nowMs;
    if (!isFromCdn || this.#leftCacheHostAtMs === undefined) return;
    this.device.fleet.meter.fallbackTime(nowMs - this.#leftCacheHostAtMs);
    this.#leftCacheHostAtMs = undefined;
  }

  /** It goes on at the CDN because its cache host failed. */
  fellBack(cause: SourceFailureCause): void {
    this.#leftCacheHostAtMs = this.#lastByteMs;
    this.device.fellBack(cause);
  }

  /** Received bytes that are of no use. */
  protected discard(bytes: number, because: RefetchCause): void {
    this.device.refetchedBytes += bytes;
    this.device.fleet.meter.discarded(because, bytes);
  }
}
