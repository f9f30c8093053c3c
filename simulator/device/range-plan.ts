// Which range of a file a device asks for next: pieces of 1 MiB at multiples of 1 MiB, the last one short, in an order
// shuffled by seed, as captured from Windows 11 (facts on Delivery Optimization, 2.1). Pieces whose transfer failed are
// asked for again, first.

import type { ByteRange } from '../../common/byte-range.ts';
import { assert } from '../../common/errors.ts';
import { permute } from './permutation.ts';

/** Size of a piece, and what pieces are aligned to (captured in four independent traces). */
export const pieceBytes = 2 ** 20;

export class RangePlan {
  readonly sizeBytes: number;
  readonly #seed: number;
  readonly #pieceCount: number;
  /** Pieces handed out in order so far; the rest is computed. */
  #cursor = 0;
  #returned: number[] = [];
  /** A piece that is under way already and is passed over when its turn comes. */
  #underWay: number | undefined;

  constructor(sizeBytes: number, seed: number) {
    assert(sizeBytes > 0, 'a file has at least one byte');
    this.sizeBytes = sizeBytes;
    this.#seed = seed;
    this.#pieceCount = Math.ceil(sizeBytes / pieceBytes);
  }

  get pieceCount(): number {
    return this.#pieceCount;
  }

  /** Takes the next piece; `undefined` when none is left to ask for. */
  next(): number | undefined {
    const returned = this.#returned.pop();
    if (returned !== undefined) return returned;
    while (this.#cursor < this.#pieceCount) {
      const piece = permute(this.#cursor, this.#pieceCount, this.#seed);
      this.#cursor += 1;
      if (piece !== this.#underWay) return piece;
    }
    return undefined;
  }

  /** A piece that was taken and did not come: it is asked for again. */
  giveBack(piece: number): void {
    this.#returned.push(piece);
  }

  /** Starts again from nothing (the object changed), but for one piece of the new version that is under way. */
  restart(underWay: number | undefined): void {
    this.#cursor = 0;
    this.#returned = [];
    this.#underWay = underWay;
  }

  rangeOf(piece: number): ByteRange {
    return { start: piece * pieceBytes, end: Math.min((piece + 1) * pieceBytes, this.sizeBytes) };
  }
}

/**
 * Connections that Windows opens for a file, by how many ranges it has: 1 for 1 and for 7 ranges, 2 for 12, 3 for 196
 * were captured; the bounds between are assumed.
 */
export function windowsConnectionsPerFile(pieceCount: number): number {
  return pieceCount <= 7 ? 1 : pieceCount <= 100 ? 2 : 3;
}
