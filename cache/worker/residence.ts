// Which parts of an open file are in memory. The loop must not wait for a disk, so that this is asked before sendfile;
// content that is asked for by thousands is asked about once a second and MiB, not once a request.

import { performance } from 'node:perf_hooks';
import type { SendFile } from './send-file.ts';

const pieceBytes = 2 ** 20;
/** Pages that were read within this time are among the last that a kernel gives up. */
const trustedMs = 1000;

export class Residence {
  readonly #fd: number;
  /** When each MiB was last seen in memory as a whole. */
  readonly #seenMs: number[] = [];

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Whether [offset, offset + bytes) of the file is in memory, as far as a sample tells. */
  isResident(sendFile: SendFile, offset: number, bytes: number): boolean {
    const end = offset + bytes;
    for (let start = offset; start < end; ) {
      const piece = Math.floor(start / pieceBytes);
      const pieceEnd = Math.min(end, (piece + 1) * pieceBytes);
      const nowMs = performance.now();
      if (nowMs - (this.#seenMs[piece] ?? Number.NEGATIVE_INFINITY) > trustedMs) {
        if (!sendFile.isCached(this.#fd, start, pieceEnd - start)) return false;
        if (pieceEnd - start === pieceBytes) this.#seenMs[piece] = nowMs;
      }
      start = pieceEnd;
    }
    return true;
  }
}
