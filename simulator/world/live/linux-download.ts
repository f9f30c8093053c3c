// One file on its way to a Linux device, as the open-source agent and its libcurl do it (do-client 8362e36: download.cpp,
// http_agent.cpp; measured: facts on the Linux client). One request for all that is left:
//
//   ask ─▶ connect ─▶ head ─▶ body, appended as it comes ─▶ end: the client takes the file for whole
//    ▲                 │ 3xx with a target: ask there         │ failure: the policy says where it goes on
//    └─────────────────┘                                      ▼
//
// The client checks nothing: neither where a 206 begins, nor whether a resume was answered with 200, nor the bytes. What is
// wrong in its file is counted here as wrong, and a file that it takes for whole and is not counts as a failed download.

import { type ContentFunction, versionOfEtag } from '../../../common/content.ts';
import { assert } from '../../../common/errors.ts';
import type { Failure, HttpConnection, ResponseSink } from '../../../common/http-connection.ts';
import type { ResponseHead } from '../../../common/http-response-parser.ts';
import { formatDuration } from '../../../common/units.ts';
import type { Source, SourceFailureCause } from '../../device/download-policy.ts';
import { contentTotalOf, statusKind } from './linux-http.ts';
import { LiveDownload } from './live-download.ts';
import { LowSpeed } from './low-speed.ts';
import { gatherMsMax } from './range-transfer.ts';
import { nothingAsked, type RangeOutcome } from './raw/range-row.ts';
import { cacheHostTarget, linuxRequestHead, type Target } from './request-head.ts';

/** CURLOPT_MAXREDIRS of the agent. */
const redirectCountMax = 10;

export class LinuxDownload extends LiveDownload implements ResponseSink {
  #connection: HttpConnection | undefined;
  #target: Target | undefined;
  /** Range lines pile up: one a request for a rest, the newest last; a request for the whole forgets them. */
  #rangeLines = '';
  #redirectCount = 0;
  /** What the client has appended to its file, and what it believes the file's size to be (0: it cannot tell). */
  #appendedBytes = 0;
  #totalBytes = 0;
  #appendedBefore = 0;
  /** Of the file: what the request is for. */
  #askedBytes = 0;
  #content: ContentFunction | undefined;
  #head: ResponseHead | undefined;
  #totalIsKnown = false;
  /** Whether a request is on its way: asked for, and neither ended nor failed. */
  #isBusy = false;
  /** In a live window it asks when its range is due, and after a failure without waiting. */
  #wasDue = false;
  #reused = false;
  /** Our end of the connection that the request went out on. */
  #peer = '';
  #connectingSinceMs = 0;
  #intendedMs = 0;
  #sentMs = 0;
  #firstByteMs = 0;
  #lowSpeed: LowSpeed | undefined;

  override get isComplete(): boolean {
    return this.usefulBytes === this.content.sizeBytes && this.#appendedBytes === this.content.sizeBytes;
  }

  override get version(): number {
    return this.#content?.version ?? 1;
  }

  // ---- What the world is told to do

  override transfer(source: Source): void {
    const endpoint = this.device.fleet.endpointOf(source, this.device);
    const { content } = this;
    const own = { host: content.host, target: content.path };
    this.#target = { endpoint, ...(source.kind === 'cdn' ? own : cacheHostTarget(content, endpoint)) };
    this.#redirectCount = 0;
    this.#appendedBefore = this.#appendedBytes;
    if (this.#appendedBytes > 0 && this.#appendedBytes >= this.#totalBytes) {
      // An assertion of the agent: its process aborts.
      this.device.abortAgent('the agent aborts: it goes on with a file whose size it was not told');
      return;
    }
    this.#rangeLines =
      this.#appendedBytes === 0
        ? ''
        : `${this.#rangeLines}Range: bytes=${this.#appendedBytes}-${this.#totalBytes - 1}\r\n`;
    this.#askedBytes = (this.#appendedBytes === 0 ? this.content.sizeBytes : this.#totalBytes) - this.#appendedBytes;
    if (this.paced && !this.#wasDue) {
      this.#connect();
      this.device.connectionFree();
    } else this.#ask(this.#wasDue ? this.#intendedMs : this.device.fleet.now());
  }

  override connectAgain(): void {
    if (!this.#isBusy) this.#connect();
  }

  override release(): void {
    this.paced = false;
    if (!this.#isBusy && this.#target !== undefined) this.#ask(this.device.fleet.now());
  }

  /** The file is one range. */
  override due(intendedMs: number): boolean {
    if (this.#wasDue || this.#target === undefined) return false;
    this.#wasDue = true;
    this.#ask(intendedMs);
    return true;
  }

  override stop(): void {
    this.runner?.stop();
    const connection = this.#connection;
    if (this.#isBusy) this.#note('aborted');
    this.#release();
    if (this.#isBusy || connection?.isOpen === false) connection?.reset();
    else connection?.close();
    this.#isBusy = false;
  }

  override closeIdle(): void {
    // Its connections are the device's, which keeps them.
  }

  // ---- Asking

  #ask(intendedMs: number): void {
    this.#isBusy = true;
    this.#intendedMs = intendedMs;
    this.#startRequest();
  }

  #startRequest(): void {
    const { fleet } = this.device;
    fleet.waiting.add(this);
    this.#lowSpeed = undefined;
    this.#sentMs = Number.NaN;
    this.#head = undefined;
    this.#peer = '';
    if (this.#connection === undefined || this.#connection.isClosed) this.#connect();
    if (this.#connection?.isOpen === true) this.#send();
  }

  #connect(): void {
    const { device } = this;
    if (this.#target === undefined || this.#connection?.isClosed === false) return;
    const { endpoint } = this.#target;
    this.#connection = device.idleConnections.take(endpoint, device.fleet.now());
    this.#reused = this.#connection !== undefined;
    if (this.#reused) return;
    this.#connectingSinceMs = device.fleet.now();
    device.fleet.waiting.add(this);
    const connection = device.fleet.connections.open(endpoint, device, (failure) => {
      if (this.#connection !== connection) return;
      if (!this.#isBusy) device.fleet.waiting.delete(this);
      if (failure !== undefined) this.#failed(failure.cause === 'timeout' ? 'timeout' : 'refused', failure.detail);
      else if (this.#isBusy) this.#send();
    });
    this.#connection = connection;
  }

  #send(): void {
    const { fleet, timeouts } = this.device;
    const nowMs = fleet.now();
    this.#sentMs = nowMs;
    this.#firstByteMs = nowMs;
    this.#head = undefined;
    this.#totalIsKnown = false;
    this.#lowSpeed = new LowSpeed(timeouts.stallBytesPerMs, timeouts.stallMs, nowMs);
    this.#peer = this.#connection?.peer ?? '';
    if (this.#target !== undefined) {
      this.#connection?.send(linuxRequestHead(this.#target, this.#rangeLines), this);
    }
  }

  /** Looks whether no connection comes, or too few bytes. */
  checkSilence(nowMs: number): void {
    const { connectMs, stallMs } = this.device.timeouts;
    const connection = this.#connection;
    if (connection === undefined || connection.isClosed) return;
    if (performance.now() - connection.lastProgressMs > gatherMsMax) connection.readAtOnce();
    if (!connection.isOpen) {
      if (nowMs - this.#connectingSinceMs <= connectMs) return;
      connection.fail({ cause: 'timeout', detail: `no connection within ${formatDuration(connectMs)}` });
    } else if (this.#lowSpeed?.isTooSlow(nowMs, this.#appendedBytes - this.#appendedBefore) === true) {
      connection.fail({ cause: 'timeout', detail: `less than 4,000 B/s for ${formatDuration(stallMs)}` });
    }
  }

  // ---- Answers

  onHead(head: ResponseHead): void {
    this.#head = head;
    const kind = statusKind(head);
    if (kind === 'badResponse' && head.statusCode < 300) this.#failed(kind, `status ${head.statusCode}`);
    else if (kind === 'success' && contentTotalOf(head) === undefined) {
      this.#failed('badResponse', 'a 206 without a size in Content-Range: the client gives the download up', true);
    }
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    const head = this.#head;
    if (!this.#isBusy || head === undefined) return;
    const kind = statusKind(head);
    if (kind === 'redirect') return;
    // The body of an error is not read: libcurl closes the connection.
    if (kind !== 'success') this.#failed(kind, `status ${head.statusCode}`);
    else {
      this.#takeTotal(head);
      this.#append(buffer, start, end);
    }
  }

  onEnd(): void {
    const head = this.#head;
    const connection = this.#connection;
    if (!this.#isBusy || head === undefined || connection === undefined) return;
    const kind = statusKind(head);
    if (kind === 'success') this.#takeTotal(head);
    const { device } = this;
    const nowMs = device.fleet.now();
    if (!connection.isClosed && this.#target !== undefined) {
      device.idleConnections.keep(connection, this.#target.endpoint, nowMs);
    }
    this.#connection = undefined;
    if (kind === 'redirect') this.#follow(head);
    else if (kind !== 'success') this.#failed(kind, `status ${head.statusCode}`);
    else this.#finished(nowMs);
  }

  onFailure(failure: Failure): void {
    if (!this.#isBusy) return;
    // A server may close an idle connection just as it is used: libcurl asks again on another one.
    if (failure.cause === 'reset' && this.#reused && this.#head === undefined) {
      this.#note('resent');
      this.#connection = undefined;
      this.#startRequest();
      return;
    }
    const hasBytes = this.#appendedBytes > this.#appendedBefore;
    this.#failed(failure.cause === 'timeout' && hasBytes ? 'stall' : failure.cause, failure.detail);
  }

  /** At the first byte, or at an end without one: what the client takes for the file's size. */
  #takeTotal(head: ResponseHead): void {
    if (this.#totalIsKnown) return;
    this.#totalIsKnown = true;
    this.#totalBytes = contentTotalOf(head) ?? 0;
    const named = head.etag === undefined ? undefined : versionOfEtag(head.etag, this.content.id);
    this.#content ??= this.device.fleet.contentFunction(this.content.id, named ?? 1);
  }

  #append(buffer: Buffer, start: number, end: number): void {
    const { fleet } = this.device;
    const offset = this.#appendedBytes;
    const inside = this.#arrived(end - start);
    if (fleet.discardsBodies) {
      fleet.meter.uncheckedBytes += inside;
      this.usefulBytes += inside;
      return;
    }
    fleet.meter.verifiedBytes += inside;
    const isRight = inside === 0 || this.#content?.firstDifference(buffer, start, offset, inside) === -1;
    const wrong = isRight ? 0 : fleet.corrupt(this, buffer, start, offset, inside);
    this.usefulBytes += inside - wrong;
    this.discard(wrong, 'corrupt');
  }

  onDropped(bytes: number): void {
    if (!this.#isBusy || this.#head === undefined) return;
    this.#takeTotal(this.#head);
    const inside = this.#arrived(bytes);
    const { meter } = this.device.fleet;
    meter.uncheckedBytes += inside;
    meter.droppedBytes += bytes;
    this.usefulBytes += inside;
  }

  /** Counts bytes that the client appends; how many of them are within the file. What is past its end is of no use. */
  #arrived(bytes: number): number {
    const { fleet } = this.device;
    const endpoint = this.#target?.endpoint;
    assert(endpoint !== undefined, 'bytes come from where they were asked for');
    if (this.#appendedBytes === this.#appendedBefore) this.#firstByteMs = fleet.now();
    fleet.meter.received(endpoint.server, bytes, this.#connection?.lastProgressMs ?? 0);
    this.received(bytes, endpoint, fleet.now());
    const inside = Math.max(0, Math.min(bytes, this.content.sizeBytes - this.#appendedBytes));
    this.#appendedBytes += bytes;
    fleet.meter.uncheckedBytes += bytes - inside;
    this.discard(bytes - inside, 'badResponse');
    return inside;
  }

  #follow(head: ResponseHead): void {
    this.#redirectCount += 1;
    const from = this.#target;
    if (this.#redirectCount > redirectCountMax || from === undefined) {
      this.#failed('badResponse', `more than ${redirectCountMax} redirects`);
      return;
    }
    const next = this.device.fleet.redirectTarget(
      `http://${from.host}${from.target}`,
      head.location ?? '',
      this.device,
    );
    if (next === undefined) this.#failed('refused', `redirected to ${head.location}, where nobody is`);
    else {
      this.#note('redirected');
      this.#target = next;
      this.#startRequest();
    }
  }

  #finished(nowMs: number): void {
    const { meter } = this.device.fleet;
    const isShort = this.#appendedBytes < this.content.sizeBytes;
    const cause = this.isComplete ? undefined : isShort ? 'badResponse' : 'corrupt';
    this.#note(cause ?? 'ok', nowMs);
    this.#release();
    this.#isBusy = false;
    meter.range(performance.now(), nowMs - this.#intendedMs, nowMs - this.#sentMs, this.#firstByteMs - this.#sentMs);
    this.device.rangeCount += 1;
    if (cause !== undefined) {
      const what = isShort ? 'fewer bytes than the file has' : 'wrong bytes';
      meter.rangeFailed(cause, `${what}, which the client takes for the whole file`);
    }
    this.runner?.sourceFinished();
  }

  #failed(cause: SourceFailureCause, detail: string, isFatal = false): void {
    const connection = this.#connection;
    this.#note(cause);
    this.#release();
    this.#isBusy = false;
    if (connection?.isClosed === false) connection.reset();
    this.device.fleet.meter.rangeFailed(cause, detail);
    this.runner?.sourceFailed(cause, this.#appendedBytes > this.#appendedBefore, isFatal);
  }

  /** A row of what became of the request, or of the connection alone; only where rows are wanted. `endMs`: it ended in order. */
  #note(outcome: RangeOutcome, endMs?: number): void {
    const { fleet, plan } = this.device;
    if (fleet.rows === undefined) return;
    const { index: device, groupIndex: group } = plan;
    const server = this.#target?.endpoint.server;
    if (!this.#isBusy) {
      fleet.rows.add({ ...nothingAsked, device, group, server, peer: '', endMs: endMs ?? fleet.now(), outcome });
      return;
    }
    const receivedBytes = this.#appendedBytes - this.#appendedBefore;
    fleet.rows.add({
      device,
      group,
      server,
      object: this.content.id,
      offsetBytes: this.#appendedBefore,
      askedBytes: this.#askedBytes,
      receivedBytes,
      status: this.#head?.statusCode ?? 0,
      peer: this.#peer,
      intendedMs: this.#intendedMs,
      sentMs: this.#sentMs,
      firstByteMs: receivedBytes > 0 ? this.#firstByteMs : undefined,
      endMs: endMs ?? fleet.now(),
      isComplete: endMs !== undefined,
      outcome,
    });
  }

  #release(): void {
    this.device.fleet.waiting.delete(this);
    this.#connection = undefined;
    this.#lowSpeed = undefined;
  }
}
