// What goes wrong on the line of one connection, and where: after how many bytes segments are lost, it breaks, or dies. All
// is drawn from a seed by positions in the stream, so that it is the same however the bytes are cut into reads.
//
//   position of the stream   0 ───── lost segment ───── lost segment ── resetAt ── halfOpenAt
//   next read at most             ▲ here                                              (whichever comes first)

import { mix32 } from '../../../common/random.ts';
import type { ProcessLine } from '../../scenario/scenario.ts';

/** Body of a TCP segment on Ethernet, with time stamps. */
export const segmentBytes = 1448;
/** A lost segment is sent again after so long, doubled each time that it is lost again (Linux' least time-out; RFC 6298, 5.5). */
export const retransmitMsFirst = 200;
/** The same for the first segment of a connection (RFC 6298, 2.1). */
export const connectRetransmitMsFirst = 1000;
/** No time-out is doubled further (RFC 6298, 2.5, allows 60 s and more). */
const retransmitMsMax = 60_000;
/** A connection that `resetRatio` chose breaks within so many bytes: a piece. */
const resetWithinBytes = 2 ** 20;

export class LineFaults {
  readonly #spec: ProcessLine;
  #seed: number;
  #positionBytes = 0;
  /** Where the next segment is lost. */
  #lossAtBytes = Number.POSITIVE_INFINITY;
  #resetAtBytes: number;
  readonly #halfOpenAtBytes: number;

  /** `seed`: of this connection alone. */
  constructor(spec: ProcessLine, seed: number) {
    this.#spec = spec;
    this.#seed = seed;
    this.#resetAtBytes = spec.resetAfterBytes ?? Number.POSITIVE_INFINITY;
    this.#halfOpenAtBytes = spec.halfOpenAfterBytes ?? Number.POSITIVE_INFINITY;
    if (spec.lossRatio > 0) this.#lossAtBytes = this.#segmentsToLoss() * segmentBytes;
  }

  get isBroken(): boolean {
    return this.#positionBytes >= this.#resetAtBytes;
  }

  get isDead(): boolean {
    return this.#positionBytes >= this.#halfOpenAtBytes;
  }

  /** Until the next thing goes wrong; Infinity: nothing will. */
  get untilNextBytes(): number {
    return Math.min(this.#lossAtBytes, this.#resetAtBytes, this.#halfOpenAtBytes) - this.#positionBytes;
  }

  /** What opening costs: a round trip, and its own lost segment. */
  openingMs(): number {
    return 2 * this.#spec.latencyMs + this.#lossMs(connectRetransmitMsFirst);
  }

  /** What a request costs before it leaves: the way there and the way back, its lost segment, and that of the answer's first. */
  askingMs(): number {
    if (this.#draw() < this.#spec.resetRatio) {
      const atBytes = this.#positionBytes + 1 + Math.floor(this.#draw() * resetWithinBytes);
      this.#resetAtBytes = Math.min(this.#resetAtBytes, atBytes);
    }
    return 2 * this.#spec.latencyMs + this.#lossMs(retransmitMsFirst) + this.#lossesHereMs();
  }

  /** Bytes came; returns how long the line is silent now. */
  advance(bytes: number): number {
    this.#positionBytes += bytes;
    return this.#lossesHereMs();
  }

  /** The silence of the segments that are lost here. */
  #lossesHereMs(): number {
    let silentMs = 0;
    while (this.#lossAtBytes <= this.#positionBytes) {
      silentMs += retransmissionMs(retransmitMsFirst, 1 + this.#lossesInARow());
      this.#lossAtBytes += (1 + this.#segmentsToLoss()) * segmentBytes;
    }
    return silentMs;
  }

  /** Of one segment, which may be lost. */
  #lossMs(firstMs: number): number {
    return this.#spec.lossRatio === 0 ? 0 : retransmissionMs(firstMs, this.#lossesInARow());
  }

  /** Segments that come before one is lost. */
  #segmentsToLoss(): number {
    return Math.floor(Math.log(1 - this.#draw()) / Math.log(1 - this.#spec.lossRatio));
  }

  #lossesInARow(): number {
    return Math.floor(Math.log(1 - this.#draw()) / Math.log(this.#spec.lossRatio));
  }

  /** 0 ≤ x < 1. */
  #draw(): number {
    this.#seed = (this.#seed + 0x9e3779b1) | 0;
    return mix32(this.#seed) / 2 ** 32;
  }
}

/** The silence of a segment that is lost so many times in a row. */
export function retransmissionMs(firstMs: number, lossCount: number): number {
  let silentMs = 0;
  for (let i = 0; i < lossCount; i += 1) silentMs += Math.min(retransmitMsMax, firstMs * 2 ** i);
  return silentMs;
}
