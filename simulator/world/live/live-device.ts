// One device of the fleet: its downloads, its arrival, and what it got from where.

import { hashText } from '../../../common/random.ts';
import type { SourceFailureCause } from '../../device/download-policy.ts';
import { policyOf } from '../../device/policies.ts';
import type { DeviceRow } from '../../result/device-row.ts';
import type { PlannedDevice } from '../fleet-plan.ts';
import type { DeviceLine } from './device-line.ts';
import type { DeviceTimeouts } from './device-protocol.ts';
import { IdleConnections } from './idle-connections.ts';
import { LinuxDownload } from './linux-download.ts';
import type { LiveDownload } from './live-download.ts';
import type { LiveFleet } from './live-fleet.ts';
import { PiecesDownload } from './pieces-download.ts';
import { nothingAsked } from './raw/range-row.ts';

export type DeviceState = 'waiting' | 'connected' | 'downloading' | 'completed' | 'failed';

export class LiveDevice {
  readonly fleet: LiveFleet;
  readonly plan: PlannedDevice;
  /** Since the start of the run; in a live window everybody is there from the start. */
  readonly arriveAtMs: number;
  readonly downloads: readonly LiveDownload[];
  /** What the policy keeps for all of them. */
  readonly agent: unknown;
  readonly timeouts: DeviceTimeouts;
  /** What lies between it and its servers; undefined: nothing but this machine. */
  readonly line: DeviceLine | undefined;
  /** Of the MS-CV header: shared by all requests of a device. */
  readonly correlationVector: string;
  state: DeviceState = 'waiting';
  onCdn = false;
  openConnections = 0;
  connectionCount = 0;
  hasConnected = false;
  bytesFromCacheServer = 0;
  bytesFromCdn = 0;
  refetchedBytes = 0;
  rangeCount = 0;
  /** Of requests of a log, which belong to no download. */
  replayedWantedBytes = 0;
  replayedUsefulBytes = 0;
  completedAtMs: number | undefined;
  fallbackCause: SourceFailureCause | undefined;
  /** Those that its downloads share (Linux). */
  readonly idleConnections = new IdleConnections();
  /** Ranges that became due while every connection was busy: when they were due. */
  readonly #overdue: number[] = [];

  constructor(fleet: LiveFleet, plan: PlannedDevice) {
    this.fleet = fleet;
    this.plan = plan;
    this.arriveAtMs = fleet.isWindow ? 0 : plan.arriveAtMs;
    this.agent = policyOf(plan.group.client).newAgent();
    this.timeouts = fleet.timeoutsOf(plan);
    this.line = fleet.limits.lineOf(plan);
    this.correlationVector = hashText(`${plan.seed}/${plan.index}`).toString(36).padStart(16, 'A').slice(0, 16);
    this.downloads = plan.group.wants.map((id, number): LiveDownload => {
      const content = fleet.content(id);
      if (plan.group.client === 'linux') return new LinuxDownload(this, content);
      // File numbers 2, 5, 8, 11 as captured.
      return new PiecesDownload(this, content, 2 + 3 * number, plan.seed + number);
    });
  }

  get wantedBytes(): number {
    return this.downloads.reduce((sum, download) => sum + download.content.sizeBytes, this.replayedWantedBytes);
  }

  get usefulBytes(): number {
    return this.downloads.reduce((sum, download) => sum + download.usefulBytes, this.replayedUsefulBytes);
  }

  /** Opens the connections (again, if they were lost), and asks for nothing until ranges are due (live window). */
  connect(): void {
    this.state = 'connected';
    const first = this.downloads[0];
    if (first === undefined) return;
    first.paced = true;
    if (first.runner === undefined) this.fleet.begin(first);
    else first.connectAgain();
  }

  /** Arrives: all files at once, as fast as they come. */
  arrive(): void {
    this.state = 'downloading';
    this.fleet.meter.started();
    for (const download of this.downloads) if (download.runner === undefined) this.fleet.begin(download);
  }

  /** In a live window with `demand: max`: go on without waiting for a due time. */
  release(): void {
    if (this.state === 'completed' || this.state === 'failed') return;
    this.state = 'downloading';
    for (const download of this.downloads) download.release();
  }

  /** A range is due. It belongs to the first file that is not complete. */
  due(intendedMs: number): void {
    if (this.state === 'completed' || this.state === 'failed') return;
    this.state = 'downloading';
    const download = this.#current();
    if (download === undefined || !download.due(intendedMs)) this.#overdue.push(intendedMs);
  }

  /** A connection has become free: ranges that wait go out on it. */
  connectionFree(): void {
    const intendedMs = this.#overdue.shift();
    if (intendedMs !== undefined) this.due(intendedMs);
  }

  /** A range that was under way has to be asked for again: it was due then, and is late. */
  isOverdue(intendedMs: number): void {
    this.#overdue.unshift(intendedMs);
  }

  received(bytes: number, isFromCdn: boolean): void {
    if (isFromCdn) this.bytesFromCdn += bytes;
    else this.bytesFromCacheServer += bytes;
  }

  /** A download goes on at the CDN because its cache host failed. */
  fellBack(cause: SourceFailureCause): void {
    this.onCdn = true;
    if (this.fallbackCause !== undefined) return;
    this.fallbackCause = cause;
    this.fleet.meter.fellBack(cause);
  }

  /** One of its downloads has ended; in a window the next one begins. */
  downloadEnded(failed: boolean): void {
    if (failed) {
      this.fleet.ended(this, 'failed');
      return;
    }
    const next = this.downloads.find((download) => download.runner === undefined);
    if (next !== undefined) {
      next.paced = this.downloads[0]?.paced ?? false;
      this.fleet.begin(next);
    } else if (this.downloads.every((download) => download.isComplete)) {
      this.completedAtMs = this.fleet.elapsedMs();
      this.fleet.ended(this, 'completed');
    }
  }

  /** The client's process died of an error of its own: all its downloads are lost (Linux). */
  abortAgent(why: string): void {
    this.failedUnasked(undefined, '', why);
    this.stop();
    this.fleet.ended(this, 'failed');
  }

  /** Something went wrong (a bad response, in words) that is no request's: counted, with a row of its own. */
  failedUnasked(server: number | undefined, peer: string, why: string): void {
    this.fleet.meter.rangeFailed('badResponse', why);
    const { index: device, groupIndex: group } = this.plan;
    const endMs = this.fleet.now();
    this.fleet.rows?.add({ ...nothingAsked, device, group, server, peer, endMs, outcome: 'badResponse' });
  }

  /** The run, or the device, is over: nothing more is asked for. */
  stop(): void {
    for (const download of this.downloads) download.stop();
    this.idleConnections.closeAll();
  }

  connectionOpened(): void {
    this.openConnections += 1;
    this.connectionCount += 1;
    if (this.openConnections > 1) return;
    this.hasConnected = true;
    this.fleet.meter.connectedDevices += 1;
  }

  connectionClosed(): void {
    this.openConnections -= 1;
    if (this.openConnections === 0) this.fleet.meter.connectedDevices -= 1;
  }

  row(): DeviceRow {
    const cacheHost = this.plan.group.cacheHosts[0] ?? '';
    const status = {
      waiting: 'Waiting',
      connected: 'Waiting',
      downloading: 'Downloading',
      completed: 'Complete',
      failed: 'Failed',
    } as const;
    return {
      Device: this.plan.index,
      Group: this.plan.group.id,
      FileSize: this.wantedBytes,
      TotalBytesDownloaded: this.bytesFromCacheServer + this.bytesFromCdn,
      BytesFromCacheServer: this.bytesFromCacheServer,
      BytesFromHttp: this.bytesFromCacheServer + this.bytesFromCdn,
      BytesFromCdn: this.bytesFromCdn,
      DownloadDuration: this.completedAtMs === undefined ? '' : (this.completedAtMs - this.arriveAtMs) / 1000,
      CacheHost: cacheHost,
      HttpConnectionCount: this.connectionCount,
      Status: status[this.state],
      FallbackCause: this.fallbackCause ?? '',
    };
  }

  #current(): LiveDownload | undefined {
    return this.downloads.find((download) => download.runner !== undefined && !download.isComplete);
  }
}
