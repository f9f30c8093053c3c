// One connection of a download, or of a replayed client: asks for piece after piece on it, checks every byte of each
// answer, and tells its owner what came of it. The object is made once a connection and used for all its ranges; nothing
// is allocated per read.

import { type ByteRange, contentRangeHeader, parseContentRange } from '../../../common/byte-range.ts';
import type { Failure, HttpConnection, ResponseSink } from '../../../common/http-connection.ts';
import type { ResponseHead } from '../../../common/http-response-parser.ts';
import { formatDuration } from '../../../common/units.ts';
import type { SourceFailureCause } from '../../device/download-policy.ts';
import type { ContentSpec } from '../../scenario/scenario.ts';
import type { LiveDevice } from './live-device.ts';
import { nothingAsked, type RangeOutcome } from './raw/range-row.ts';

/** Where a transfer's connection goes. */
export type Endpoint = {
  readonly host: string;
  readonly port: number;
  /** The server's place in the meter and the ledgers. */
  readonly server: number;
};

/** Whose ranges a transfer moves: it says what a piece is, how it is asked for, and hears how that went. */
export interface RangeOwner {
  readonly device: LiveDevice;
  /** The object that the piece under way belongs to. */
  readonly content: ContentSpec;
  /** Of the content, as far as the owner knows it. */
  readonly version: number;
  /** How big the object is, and which of its bytes a piece is. */
  readonly plan: { readonly sizeBytes: number; rangeOf(piece: number): ByteRange };
  /** The head of the request for a range, with its empty line. */
  requestHead(range: ByteRange, endpoint: Endpoint): string;
  /** Whether the answer's version is one that the owner takes; asked before the first byte of a piece. */
  acceptsVersion(etag: string | undefined, transfer: RangeTransfer, piece: number | undefined): boolean;
  /** Where in the span the first wrong byte is, relative to `start`; -1 when all are right. */
  firstDifference(buffer: Buffer, start: number, offset: number, length: number): number;
  received(bytes: number, endpoint: Endpoint, nowMs: number): void;
  /** The piece under way came whole and right; the transfer is free. */
  pieceCame(transfer: RangeTransfer, bytes: number, nowMs: number): void;
  /** The connection is lost; `piece`: what was under way, of which so many bytes had come for nothing. */
  transferFailed(
    failed: RangeTransfer,
    piece: number | undefined,
    cause: SourceFailureCause,
    discardedBytes: number,
    detail: string,
  ): void;
}

/** Whether a Content-Range names just this range; the usual way to write it is known without parsing. */
function isRangeOf(contentRange: string | undefined, range: ByteRange, sizeBytes: number): boolean {
  if (contentRange === undefined) return false;
  if (contentRange === contentRangeHeader(range, sizeBytes)) return true;
  const named = parseContentRange(contentRange);
  return named?.range?.start === range.start && named.range.end === range.end && named.sizeBytes === sizeBytes;
}

/** How long bytes may lie in the kernel until there are enough of them to be worth a read. */
export const gatherMsMax = 100;

export class RangeTransfer implements ResponseSink {
  readonly #download: RangeOwner;
  readonly endpoint: Endpoint;
  #connection: HttpConnection | undefined;
  /** The piece under way. */
  #piece: number | undefined;
  #range: ByteRange = { start: 0, end: 0 };
  #position = 0;
  /** When the piece under way (or the last one) was due. */
  intendedMs = 0;
  #sentMs = 0;
  #firstByteMs = 0;
  /** When the last body byte came, or the request left: what else a server sends is no progress. */
  #progressMs = 0;
  /** Whether the connection had carried an answer before this request. */
  #reused = false;
  #answered = false;
  /** Of the answer to this request; 0: it has not come. */
  #status = 0;
  #stopped = false;

  constructor(download: RangeOwner, endpoint: Endpoint) {
    this.#download = download;
    this.endpoint = endpoint;
  }

  get isBusy(): boolean {
    return this.#piece !== undefined;
  }

  /** Opens the connection without asking for anything yet. */
  connect(): void {
    if (this.#connection !== undefined && !this.#connection.isClosed) return;
    const { device } = this.#download;
    this.#reused = false;
    device.fleet.waiting.add(this);
    this.#connection = device.fleet.connections.open(this.endpoint, device, (failure) => {
      if (this.#stopped) return;
      if (this.#piece === undefined) device.fleet.waiting.delete(this);
      if (failure !== undefined) this.#failed(failure.cause === 'timeout' ? 'timeout' : 'refused', failure.detail);
      else if (this.#piece !== undefined) this.#send();
    });
  }

  /** Asks for a piece that was due at `intendedMs`; connects first where needed. */
  ask(piece: number, intendedMs: number): void {
    this.#piece = piece;
    this.#range = this.#download.plan.rangeOf(piece);
    this.#position = this.#range.start;
    this.intendedMs = intendedMs;
    this.#sentMs = Number.NaN;
    this.#status = 0;
    this.#download.device.fleet.waiting.add(this);
    this.connect();
    if (this.#connection?.isOpen === true) this.#send();
  }

  /**
   * Gives up what is under way, and the connection: by a reset when in the middle of something, else in order. Returns
   * the piece that was under way, and how much of it had come.
   */
  stop(): { readonly piece: number; readonly receivedBytes: number; readonly intendedMs: number } | undefined {
    this.#stopped = true;
    const given =
      this.#piece === undefined
        ? undefined
        : { piece: this.#piece, receivedBytes: this.#received, intendedMs: this.intendedMs };
    if (given !== undefined) this.#note('aborted');
    this.#end();
    if (this.#connection?.isBusy === true || this.#connection?.isOpen === false) this.#connection.reset();
    else this.#connection?.close();
    return given;
  }

  /** After `stop`, as if new. */
  revive(): void {
    this.#stopped = false;
    this.#connection = undefined;
  }

  /** Looks whether the server has gone quiet. */
  checkSilence(nowMs: number): void {
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed) return;
    const { connectMs, stallMs } = this.#download.device.timeouts;
    const lastMs = connection.isOpen ? Math.max(this.#progressMs, connection.heldUntilMs) : connection.lastProgressMs;
    const silentMs = nowMs - lastMs;
    // What lies in the kernel comes first.
    if (silentMs > gatherMsMax && connection.readAtOnce()) return;
    if (silentMs <= (connection.isOpen ? stallMs : connectMs)) return;
    const detail = connection.isOpen
      ? `no body byte for ${formatDuration(stallMs)}`
      : `no connection within ${formatDuration(connectMs)}`;
    connection.fail({ cause: 'timeout', detail });
  }

  onHead(head: ResponseHead): void {
    this.#answered = true;
    this.#status = head.statusCode;
    const problem = this.#problemOf(head);
    if (problem !== undefined) this.#failed(problem.cause, `status ${head.statusCode}${problem.what}`);
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    const { fleet } = this.#download.device;
    const offset = this.#position;
    if (!this.#arrived(end - start)) return;
    if (fleet.discardsBodies) {
      fleet.meter.uncheckedBytes += end - start;
      return;
    }
    const wrongAt = this.#download.firstDifference(buffer, start, offset, end - start);
    fleet.meter.verifiedBytes += end - start;
    if (wrongAt < 0) return;
    fleet.corrupt(this.#download, buffer, start, offset, end - start);
    this.#failed('corrupt', `wrong byte at ${offset + wrongAt} of ${this.#download.content.id}`);
  }

  onDropped(bytes: number): void {
    if (!this.#arrived(bytes)) return;
    const { meter } = this.#download.device.fleet;
    meter.uncheckedBytes += bytes;
    meter.droppedBytes += bytes;
  }

  /** Counts bytes; false when they belong to no piece, or are more than it has: then nobody looks at them. */
  #arrived(bytes: number): boolean {
    if (this.#piece === undefined) return false;
    const nowMs = this.#connection?.lastProgressMs ?? 0;
    this.#progressMs = nowMs;
    if (this.#position === this.#range.start) this.#firstByteMs = nowMs;
    const { meter } = this.#download.device.fleet;
    meter.received(this.endpoint.server, bytes, nowMs);
    this.#download.received(bytes, this.endpoint, nowMs);
    this.#position += bytes;
    if (this.#position <= this.#range.end) return true;
    meter.uncheckedBytes += bytes;
    this.#failed('badResponse', 'more bytes than were asked for');
    return false;
  }

  onEnd(): void {
    if (this.#piece === undefined) return;
    // Without a Content-Length a body may end anywhere.
    if (this.#position < this.#range.end) {
      this.#failed('badResponse', 'fewer bytes than were asked for');
      return;
    }
    const nowMs = performance.now();
    const { meter } = this.#download.device.fleet;
    meter.range(nowMs, nowMs - this.intendedMs, nowMs - this.#sentMs, this.#firstByteMs - this.#sentMs);
    this.#note('ok', nowMs);
    this.#reused = true;
    const bytes = this.#range.end - this.#range.start;
    this.#end();
    this.#download.pieceCame(this, bytes, nowMs);
  }

  onFailure(failure: Failure): void {
    if (this.#piece === undefined) return;
    // A server may close an idle connection just as it is used: that is no failure of the source.
    if (failure.cause === 'reset' && this.#reused && !this.#answered) {
      this.#note('resent');
      this.#sentMs = Number.NaN;
      this.#connection = undefined;
      this.connect();
      return;
    }
    const cause = failure.cause === 'timeout' && this.#received > 0 ? 'stall' : failure.cause;
    this.#failed(cause, failure.detail);
  }

  get #received(): number {
    return this.#position - this.#range.start;
  }

  #send(): void {
    if (this.#piece === undefined || this.#connection === undefined) return;
    const nowMs = performance.now();
    this.#position = this.#range.start;
    this.#answered = false;
    this.#status = 0;
    this.#sentMs = nowMs;
    this.#progressMs = nowMs;
    this.#firstByteMs = nowMs;
    this.#connection.send(this.#download.requestHead(this.#range, this.endpoint), this);
  }

  /** Why an answer is not the one that was asked for, in words that follow its status. */
  #problemOf(head: ResponseHead): { readonly cause: SourceFailureCause; readonly what: string } | undefined {
    const status = head.statusCode;
    if (status >= 500) return { cause: 'status5xx', what: '' };
    if (status >= 400) return { cause: 'status4xx', what: '' };
    const bad = (what: string) => ({ cause: 'badResponse', what }) as const;
    const { sizeBytes } = this.#download.plan;
    const { start, end } = this.#range;
    if (status !== 200 && status !== 206) return bad('');
    if (status === 200 && (start !== 0 || end !== sizeBytes)) return bad(' to a range');
    if (status === 206 && !isRangeOf(head.contentRange, this.#range, sizeBytes)) {
      return bad(head.contentRange === undefined ? ' without Content-Range' : ' with another Content-Range');
    }
    if (head.contentLength !== undefined && head.contentLength !== end - start)
      return bad(' with another Content-Length');
    return this.#download.acceptsVersion(head.etag, this, this.#piece) ? undefined : bad(' of an older version');
  }

  #failed(cause: SourceFailureCause, detail: string): void {
    const piece = this.#piece;
    const discarded = piece === undefined ? 0 : this.#received;
    this.#note(cause);
    this.#end();
    if (this.#connection?.isClosed === false) this.#connection.reset();
    this.#download.transferFailed(this, piece, cause, discarded, detail);
  }

  /** A row of what became of the piece under way, or of the connection alone; only where rows are wanted. */
  #note(outcome: RangeOutcome, endedMs?: number): void {
    const { fleet, plan } = this.#download.device;
    if (fleet.rows === undefined) return;
    const { index: device, groupIndex: group } = plan;
    const { server } = this.endpoint;
    const peer = this.#connection?.peer ?? '';
    const endMs = endedMs ?? performance.now();
    if (this.#piece === undefined) {
      fleet.rows.add({ ...nothingAsked, device, group, server, peer, endMs, outcome });
      return;
    }
    // Written out: objects that are spread together take fifty times as long.
    fleet.rows.add({
      device,
      group,
      server,
      object: this.#download.content.id,
      offsetBytes: this.#range.start,
      askedBytes: this.#range.end - this.#range.start,
      receivedBytes: this.#received,
      status: this.#status,
      peer,
      intendedMs: this.intendedMs,
      sentMs: this.#sentMs,
      firstByteMs: this.#received > 0 ? this.#firstByteMs : undefined,
      endMs,
      isComplete: outcome === 'ok',
      outcome,
    });
  }

  #end(): void {
    this.#piece = undefined;
    this.#position = this.#range.start;
    this.#download.device.fleet.waiting.delete(this);
  }
}
