// One connection of a replayed client: carries one request of the log after the other, each checked byte by byte.

import { type ByteRange, rangeHeader } from '../../../common/byte-range.ts';
import { type ContentFunction, versionOfEtag } from '../../../common/content.ts';
import { assert } from '../../../common/errors.ts';
import type { SourceFailureCause } from '../../device/download-policy.ts';
import type { ContentSpec } from '../../scenario/scenario.ts';
import type { LiveDevice } from './live-device.ts';
import { type Endpoint, type RangeOwner, RangeTransfer } from './range-transfer.ts';
import type { ReplayClient } from './replay-client.ts';
import type { ReplayedRequest } from './replayed-request.ts';
import { cacheHostTarget, linuxRequestHead, windowsRequestHead } from './request-head.ts';

/** The one piece of a request. */
const piece = 0;

export class ReplayLane implements RangeOwner {
  readonly device: LiveDevice;
  readonly plan: RangeOwner['plan'];
  readonly #client: ReplayClient;
  readonly #transfer: RangeTransfer;
  #request: ReplayedRequest | undefined;
  #function: ContentFunction | undefined;
  /** When its last request ended. */
  idleSinceMs = 0;

  constructor(client: ReplayClient, endpoint: Endpoint) {
    this.#client = client;
    this.device = client.device;
    this.#transfer = new RangeTransfer(this, endpoint);
    const current = (): ReplayedRequest => this.#current;
    this.plan = {
      get sizeBytes() {
        return current().content.sizeBytes;
      },
      rangeOf: () => current().range,
    };
  }

  get endpoint(): Endpoint {
    return this.#transfer.endpoint;
  }

  get isBusy(): boolean {
    return this.#request !== undefined;
  }

  get content(): ContentSpec {
    return this.#current.content;
  }

  get version(): number {
    return this.#function?.version ?? 1;
  }

  /** Asks for a request's range; the lane must not be busy. */
  ask(request: ReplayedRequest): void {
    assert(this.#request === undefined, 'one request at a time on a connection');
    this.#request = request;
    this.#function = undefined;
    this.#transfer.ask(piece, request.dueMs);
  }

  /** Gives up what is under way, which stays as far as it came, and the connection. */
  stop(): void {
    this.device.replayedUsefulBytes += this.#transfer.stop()?.receivedBytes ?? 0;
    this.#request = undefined;
  }

  requestHead(range: ByteRange, endpoint: Endpoint): string {
    const { content, isWhole } = this.#current;
    const isCdn = endpoint.server === this.device.fleet.cdnServer;
    if (this.device.plan.group.client === 'linux') {
      const { host, target } = isCdn
        ? { host: content.host, target: content.path }
        : cacheHostTarget(content, endpoint);
      return linuxRequestHead({ endpoint, host, target }, isWhole ? '' : `Range: ${rangeHeader(range)}\r\n`);
    }
    const correlationVector = this.#client.nextCorrelationVector();
    return windowsRequestHead({ content, range: isWhole ? undefined : range, endpoint, isCdn, correlationVector });
  }

  acceptsVersion(etag: string | undefined): boolean {
    const { id } = this.content;
    const named = etag === undefined ? undefined : versionOfEtag(etag, id);
    this.#function = this.device.fleet.contentFunction(id, named ?? 1);
    return true;
  }

  firstDifference(buffer: Buffer, start: number, offset: number, length: number): number {
    return this.#function?.firstDifference(buffer, start, offset, length) ?? 0;
  }

  received(bytes: number, endpoint: Endpoint, nowMs: number): void {
    const isFromCdn = endpoint.server === this.device.fleet.cdnServer;
    this.device.received(bytes, isFromCdn);
    const request = this.#current;
    request.lastByteMs = nowMs;
    if (!isFromCdn || request.leftCacheHostAtMs === undefined) return;
    this.device.fleet.meter.fallbackTime(nowMs - request.leftCacheHostAtMs);
    request.leftCacheHostAtMs = undefined;
  }

  pieceCame(_transfer: RangeTransfer, bytes: number, nowMs: number): void {
    const request = this.#release(nowMs);
    this.device.replayedUsefulBytes += bytes;
    this.device.rangeCount += 1;
    request.runner?.sourceFinished();
    this.#client.laneIsFree();
  }

  transferFailed(
    _failed: RangeTransfer,
    _piece: number | undefined,
    cause: SourceFailureCause,
    discardedBytes: number,
    detail: string,
  ): void {
    const request = this.#release(performance.now());
    const { meter } = this.device.fleet;
    this.device.refetchedBytes += discardedBytes;
    meter.discarded(cause, discardedBytes);
    meter.rangeFailed(cause, detail);
    // No part of a range is kept: it has no pieces.
    request.runner?.sourceFailed(cause, false);
    this.#client.laneIsFree();
  }

  get #current(): ReplayedRequest {
    assert(this.#request !== undefined, 'a request is under way');
    return this.#request;
  }

  #release(nowMs: number): ReplayedRequest {
    const request = this.#current;
    this.#request = undefined;
    this.idleSinceMs = nowMs;
    return request;
  }
}
