// One file on its way to one device: which pieces are left, over which connections they come, and what the policy says
// when a source fails. The policy and the order of pieces are `simulator/device`; here is what moves the bytes.

import type { Buffer } from 'node:buffer';
import type { ByteRange } from '../../../common/byte-range.ts';
import { type ContentFunction, versionOfEtag } from '../../../common/content.ts';
import type { Source, SourceFailureCause } from '../../device/download-policy.ts';
import { RangePlan, windowsConnectionsPerFile } from '../../device/range-plan.ts';
import type { ContentSpec } from '../../scenario/scenario.ts';
import type { LiveDevice } from './live-device.ts';
import { LiveDownload } from './live-download.ts';
import type { RefetchCause } from './meter.ts';
import { type Endpoint, type RangeOwner, RangeTransfer } from './range-transfer.ts';
import { windowsRequestHead } from './request-head.ts';

export class PiecesDownload extends LiveDownload implements RangeOwner {
  readonly plan: RangePlan;
  readonly #fileNumber: number;
  #transfers: RangeTransfer[] = [];
  #content: ContentFunction | undefined;
  #pieces = 0;
  #progressed = false;
  #requestCount = 0;

  constructor(device: LiveDevice, content: ContentSpec, fileNumber: number, seed: number) {
    super(device, content);
    this.#fileNumber = fileNumber;
    this.plan = new RangePlan(content.sizeBytes, seed);
  }

  override get isComplete(): boolean {
    return this.#pieces === this.plan.pieceCount;
  }

  // ---- What the world is told to do

  override transfer(source: Source): void {
    this.#dropTransfers('reset');
    const endpoint = this.device.fleet.endpointOf(source, this.device);
    const wanted = this.device.plan.group.connectionsPerFile ?? windowsConnectionsPerFile(this.plan.pieceCount);
    this.#transfers = Array.from({ length: wanted }, () => new RangeTransfer(this, endpoint));
    this.#progressed = false;
    if (this.paced) {
      for (const transfer of this.#transfers) transfer.connect();
      for (const _ of this.#transfers) this.device.connectionFree();
    } else for (const transfer of [...this.#transfers]) this.#askNext(transfer, performance.now());
  }

  override connectAgain(): void {
    for (const transfer of this.#transfers) transfer.connect();
  }

  /** From now on the next piece is asked for when the last one has come. */
  override release(): void {
    this.paced = false;
    for (const transfer of [...this.#transfers]) if (!transfer.isBusy) this.#askNext(transfer, performance.now());
  }

  /** A piece is due (open model): asks for one, if a connection is free and a piece is left. */
  override due(intendedMs: number): boolean {
    const free = this.#transfers.find((transfer) => !transfer.isBusy);
    return free !== undefined && this.#askNext(free, intendedMs);
  }

  override stop(): void {
    this.runner?.stop();
    for (const transfer of this.#transfers.splice(0)) this.usefulBytes += transfer.stop()?.receivedBytes ?? 0;
  }

  override closeIdle(): void {
    for (const transfer of this.#transfers) if (!transfer.isBusy) transfer.stop();
  }

  // ---- What its transfers report

  requestHead(range: ByteRange, endpoint: Endpoint): string {
    const { device, content } = this;
    const isCdn = endpoint.server === device.fleet.cdnServer;
    this.#requestCount += 1;
    const correlationVector = `${device.correlationVector}.${this.#fileNumber}.${this.#requestCount}`;
    return windowsRequestHead({ content, range, endpoint, isCdn, correlationVector });
  }

  /** Whether an answer's version is the one that this download has; a newer one makes it begin again. */
  acceptsVersion(etag: string | undefined, transfer: RangeTransfer, piece: number | undefined): boolean {
    const named = etag === undefined ? undefined : versionOfEtag(etag, this.content.id);
    const version = named ?? this.#content?.version ?? 1;
    if (this.#content === undefined) this.#content = this.device.fleet.contentFunction(this.content.id, version);
    if (version === this.#content.version) return true;
    if (version < this.#content.version) return false;
    this.#begin(version, transfer, piece);
    return true;
  }

  firstDifference(buffer: Buffer, start: number, offset: number, length: number): number {
    return this.#content?.firstDifference(buffer, start, offset, length) ?? 0;
  }

  override get version(): number {
    return this.#content?.version ?? 1;
  }

  pieceCame(transfer: RangeTransfer, bytes: number, nowMs: number): void {
    this.usefulBytes += bytes;
    this.#pieces += 1;
    this.#progressed = true;
    this.device.rangeCount += 1;
    if (this.isComplete) this.runner?.sourceFinished();
    else if (!this.paced) this.#askNext(transfer, nowMs);
    else this.device.connectionFree();
  }

  transferFailed(
    failed: RangeTransfer,
    piece: number | undefined,
    cause: SourceFailureCause,
    discardedBytes: number,
    detail: string,
  ): void {
    if (piece !== undefined) {
      this.plan.giveBack(piece);
      if (this.paced) this.device.isOverdue(failed.intendedMs);
      this.discard(discardedBytes, cause);
    }
    this.device.fleet.meter.rangeFailed(cause, detail);
    const progressed = this.#progressed;
    this.#transfers = this.#transfers.filter((transfer) => transfer !== failed);
    this.#dropTransfers(cause);
    this.runner?.sourceFailed(cause, progressed);
  }

  /** Whether there was a piece to ask for. */
  #askNext(transfer: RangeTransfer, intendedMs: number): boolean {
    const piece = this.device.fleet.isEnding ? undefined : this.plan.next();
    if (piece === undefined) return false;
    transfer.ask(piece, intendedMs);
    return true;
  }

  /** Leaves all connections; the pieces under way are asked for again, what came of them was for nothing. */
  #dropTransfers(because: RefetchCause): void {
    for (const transfer of this.#transfers.splice(0)) this.#giveBack(transfer, because);
  }

  #giveBack(transfer: RangeTransfer, because: RefetchCause): void {
    const given = transfer.stop();
    if (given === undefined) return;
    this.plan.giveBack(given.piece);
    if (this.paced) this.device.isOverdue(given.intendedMs);
    this.discard(given.receivedBytes, because);
  }

  /** The object changed at its origin: what came of the old version is of no use. */
  #begin(version: number, first: RangeTransfer, piece: number | undefined): void {
    const others = this.#transfers.filter((transfer) => transfer !== first);
    for (const other of others) this.#giveBack(other, 'version');
    this.discard(this.usefulBytes, 'version');
    this.usefulBytes = 0;
    this.#pieces = 0;
    this.#content = this.device.fleet.contentFunction(this.content.id, version);
    this.plan.restart(piece);
    for (const other of others) {
      other.revive();
      if (this.paced) this.device.connectionFree();
      else this.#askNext(other, performance.now());
    }
  }
}
