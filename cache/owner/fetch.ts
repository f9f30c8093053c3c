// One request to upstream for bytes of one generation, or for an object not known yet: checks that the answer is what
// was asked for, writes the body to its extents while it arrives, and says at every step what came of it. Nothing is
// stored that was not asked, answered and validated; what was stored before a failure stays good.

import { type ByteRange, parseContentRange, rangeHeader } from '../../common/byte-range.ts';
import { errorCode } from '../../common/errors.ts';
import type { Failure, ResponseSink } from '../../common/http-connection.ts';
import type { ResponseHead } from '../../common/http-response-parser.ts';
import type { AnswerTimes } from '../http/freshness.ts';
import { parseHttpDate } from '../http/http-date.ts';
import { isStrongDate } from '../http/preconditions.ts';
import { extentBytes } from '../protocol.ts';
import type { UpstreamExchange } from '../upstream.ts';
import { WriteQueue } from './write-queue.ts';

/** What upstream answered, before any body: the fetch's user decides what to make of it. */
export type Answer =
  | {
      readonly kind: 'bytes';
      readonly range: ByteRange;
      readonly sizeBytes: number;
      readonly validator: Validator | undefined;
      readonly head: ResponseHead;
      readonly times: AnswerTimes;
    }
  | { readonly kind: 'notModified'; readonly head: ResponseHead; readonly times: AnswerTimes }
  | { readonly kind: 'status'; readonly status: number; readonly head: ResponseHead }
  | { readonly kind: 'invalid'; readonly reason: string };

/**
 * What tells generations apart: a strong ETag, else the date of the last change with the size, and with the weak ETag where
 * there is one. A weak ETag alone promises no equal bytes: it is no validator here.
 */
export type Validator = {
  readonly etag: string | undefined;
  readonly weakEtag: string | undefined;
  readonly lastModified: string | undefined;
};

/** Where the body goes. Called in order; `write` resolves when the bytes are on the drive. */
export interface FetchUser {
  /** Says whether the body is wanted. Called once, unless the request failed before an answer. */
  answered(answer: Answer): 'store' | 'discard' | 'collect';
  write(start: number, buffers: readonly Buffer[]): Promise<void>;
  /** Called once, after the last write; `undefined` is success: all bytes of the answer are stored. */
  ended(failure: FetchFailure | undefined): void;
}

export type FetchFailure = {
  /**
   * `denied`: a 3xx or 4xx, which is the asking client's own (its signature has expired …). `loop`: a node upstream found
   * itself in the request's Via.
   */
  readonly cause: Failure['cause'] | 'short' | 'drive' | 'changed' | 'denied' | 'unavailable' | 'abandoned' | 'loop';
  readonly detail: string;
  /** The origin's own 5xx, where that is what failed. */
  readonly status?: number;
};

/** Unwritten bytes of one fetch at which reading pauses, and at which it goes on. */
const pauseAtBytes = 4 * 2 ** 20;
const resumeAtBytes = 2 ** 20;
/** Bytes of all fetches in memory from which on a fetch reads no more while it writes. */
const heldBytesMax = 128 * 2 ** 20;
/** Bytes in memory, of all fetches: those that wait and those that are being written. */
let heldBytes = 0;
/** A body that is collected is at most this long; a longer one fails its fetch. */
export const collectedBytesMax = 64 * 1024;

export class Fetch implements ResponseSink {
  readonly #user: FetchUser;
  readonly #asked: ByteRange | undefined;
  exchange: UpstreamExchange | undefined;
  readonly #requestedAtMs = Date.now();
  #state: 'waiting' | 'storing' | 'discarding' | 'collecting' = 'waiting';
  /** Where the next byte from upstream belongs, and where the answer ends. */
  #position = 0;
  #end = 0;
  /** Bytes that came and are not written yet; where the first of them belongs. */
  readonly #unwritten = new WriteQueue();
  #writePosition = 0;
  readonly #collected: Buffer[] = [];
  #writing = false;
  #settled = false;
  #paused = false;
  #outcome: { readonly failure: FetchFailure | undefined } | undefined;

  /** `asked`: the range in the request; undefined when none, or a suffix, was asked for. */
  constructor(user: FetchUser, asked: ByteRange | undefined) {
    this.#user = user;
    this.#asked = asked;
  }

  onHead(head: ResponseHead): void {
    const answer = this.#read(head);
    const wanted = this.#user.answered(answer);
    if (wanted === 'collect') {
      this.#state = 'collecting';
      return;
    }
    if (wanted === 'discard' || answer.kind !== 'bytes') {
      this.#state = 'discarding';
      return;
    }
    this.#state = 'storing';
    this.#position = answer.range.start;
    this.#writePosition = this.#position;
    this.#end = answer.range.end;
  }

  onBody(buffer: Buffer, start: number, end: number): void {
    if (this.#state === 'collecting') this.#collect(buffer, start, end);
    if (this.#state !== 'storing') return;
    const last = Math.min(end, start + this.#end - this.#position);
    this.#unwritten.push(buffer, start, last);
    this.#position += last - start;
    heldBytes += last - start;
    const isCrowded = this.#writing && heldBytes > heldBytesMax;
    if ((this.#unwritten.bytes > pauseAtBytes || isCrowded) && !this.#paused) {
      this.#paused = true;
      this.exchange?.pause();
    }
    this.#write();
  }

  /** The body, when it was to be collected. */
  get collected(): Buffer {
    return Buffer.concat(this.#collected);
  }

  #collect(buffer: Buffer, start: number, end: number): void {
    this.#position += end - start;
    if (this.#position <= collectedBytesMax) this.#collected.push(Buffer.from(buffer.subarray(start, end)));
    else this.giveUp({ cause: 'abandoned', detail: `a body of more than ${collectedBytesMax} bytes` });
  }

  onEnd(): void {
    const short = this.#state === 'storing' && this.#position < this.#end;
    this.#finish(
      short ? { cause: 'short', detail: `the body ended ${this.#end - this.#position} bytes early` } : undefined,
    );
  }

  onFailure(failure: Failure): void {
    this.#finish(failure);
  }

  /** Stops asking: what has come is still written, then the fetch ends as failed. */
  giveUp(failure: FetchFailure): void {
    if (this.#outcome !== undefined) return;
    this.#state = 'discarding';
    this.exchange?.abort();
    this.#finish(failure);
  }

  #finish(failure: FetchFailure | undefined): void {
    this.#outcome ??= { failure };
    this.#settle();
  }

  /** Tells the outcome once nothing is left to write. */
  #settle(): void {
    if (this.#outcome === undefined || this.#writing || this.#unwritten.bytes > 0 || this.#settled) return;
    this.#settled = true;
    this.#user.ended(this.#outcome.failure);
  }

  /** Writes what has come, one write at a time, each within one extent. */
  #write(): void {
    if (this.#writing || this.#unwritten.bytes === 0) return;
    const start = this.#writePosition;
    const { buffers, bytes, release } = this.#unwritten.take(extentBytes - (start % extentBytes));
    this.#writing = true;
    this.#user.write(start, buffers).then(
      () => {
        release();
        heldBytes -= bytes;
        this.#writing = false;
        this.#writePosition += bytes;
        if (this.#paused && this.#unwritten.bytes < resumeAtBytes) {
          this.#paused = false;
          this.exchange?.resume();
        }
        this.#write();
        this.#settle();
      },
      (error: unknown) => {
        this.#writing = false;
        heldBytes -= bytes + this.#unwritten.bytes;
        this.#unwritten.clear();
        this.#state = 'discarding';
        this.exchange?.abort();
        this.#outcome = { failure: { cause: 'drive', detail: errorCode(error) } };
        this.#settle();
      },
    );
  }

  #read(head: ResponseHead): Answer {
    const status = head.statusCode;
    const times = { requestedAtMs: this.#requestedAtMs, receivedAtMs: Date.now() };
    if (status === 304) return { kind: 'notModified', head, times };
    if (status !== 200 && status !== 206) return { kind: 'status', status, head };
    const validator = readValidator(head);
    if (status === 200) {
      const sizeBytes = head.contentLength;
      if (sizeBytes === undefined) return { kind: 'status', status, head };
      return { kind: 'bytes', range: { start: 0, end: sizeBytes }, sizeBytes, validator, head, times };
    }
    const contentRange = head.contentRange === undefined ? undefined : parseContentRange(head.contentRange);
    const range = contentRange?.range;
    const sizeBytes = contentRange?.sizeBytes;
    if (range === undefined || sizeBytes === undefined)
      return { kind: 'invalid', reason: '206 without a usable Content-Range' };
    if (head.contentLength !== undefined && head.contentLength !== range.end - range.start) {
      return {
        kind: 'invalid',
        reason: `Content-Range ${head.contentRange} with Content-Length ${head.contentLength}`,
      };
    }
    const asked = this.#asked;
    if (asked !== undefined && (range.start !== asked.start || range.end !== Math.min(asked.end, sizeBytes))) {
      return { kind: 'invalid', reason: `asked for ${rangeHeader(asked)}, answered ${head.contentRange}` };
    }
    return { kind: 'bytes', range, sizeBytes, validator, head, times };
  }
}

/** `undefined`: nothing in the answer tells its version from another one. */
function readValidator(head: ResponseHead): Validator | undefined {
  const isStrong = head.etag !== undefined && /^"[^"]*"$/.test(head.etag);
  const etag = isStrong ? head.etag : undefined;
  const weakEtag = head.etag !== undefined && /^W\/"[^"]*"$/.test(head.etag) ? head.etag : undefined;
  const lastModified = head.header('last-modified');
  const isDated = parseHttpDate(lastModified) !== undefined && isStrongDate(lastModified, head.header('date'));
  return etag === undefined && !isDated ? undefined : { etag, weakEtag, lastModified };
}
