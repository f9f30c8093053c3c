// A file that grows by whole pieces: a piece that could not be written whole is taken back, so that what is there is always
// what was said to be there.

import { ftruncateSync, statfsSync, writeSync } from 'node:fs';

/** That a piece could not be written; the file is as it was before. */
export class NoRoom extends Error {
  override readonly name = 'NoRoom';
}

export class RowFile {
  readonly #fd: number;
  readonly #folder: string;
  readonly #roomBytesMin: number;
  sizeBytes = 0;

  /** `roomBytesMin`: what is to stay free on the disk of `folder`, for others. */
  constructor(fd: number, folder: string, roomBytesMin: number) {
    this.#fd = fd;
    this.#folder = folder;
    this.#roomBytesMin = roomBytesMin;
  }

  /** Throws NoRoom when little is left for others, and what the system says when the piece could not be written. */
  append(piece: Uint8Array): void {
    const { bavail, bsize } = statfsSync(this.#folder);
    if (bavail * bsize < piece.length + this.#roomBytesMin) throw new NoRoom();
    this.appendAnyway(piece);
  }

  /** As `append`, wherever room is left. */
  appendAnyway(piece: Uint8Array): void {
    try {
      for (let done = 0; done < piece.length; ) {
        done += writeSync(this.#fd, piece, done, piece.length - done, this.sizeBytes + done);
      }
    } catch (error) {
      ftruncateSync(this.#fd, this.sizeBytes);
      throw error;
    }
    this.sizeBytes += piece.length;
  }
}
