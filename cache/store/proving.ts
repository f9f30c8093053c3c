// Bytes that were written in another boot of the machine may be holes now: what was only in the page cache when the power
// went is lost, whatever the journal says. They are compared with their checksums before the first of them is sent; when
// their generation is first asked for, run by run, what somebody waits for first. Until then they count as being on their way.

import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { ByteRange } from '../../common/byte-range.ts';
import { errorCode } from '../../common/errors.ts';
import { extentBytes } from '../protocol.ts';
import type { Generation, Unproven } from './generation.ts';

/** Runs that are read at the same time. */
const readersMax = 2;
const bufferBytes = 2 ** 20;

export type Verdict = 'right' | 'wrong';

/** Is told what came of each run, and when a generation has none left. */
export interface ProvingListener {
  judged(generation: Generation, unproven: Unproven, verdict: Verdict): void;
  finished(generation: Generation): void;
}

export class Proving {
  readonly #listener: ProvingListener;
  /** What is waited for, of the generations that are being proven. */
  readonly #wanted = new Map<Generation, ByteRange[]>();
  /** Generations whose turn comes; one that a reader is at is not among them. */
  readonly #turns: Generation[] = [];
  #readerCount = 0;

  constructor(listener: ProvingListener) {
    this.#listener = listener;
  }

  /** Somebody waits for bytes of this range. */
  want(generation: Generation, range: ByteRange): void {
    if (generation.unproven.length === 0) return;
    const wanted = this.#wanted.get(generation);
    if (wanted !== undefined) {
      wanted.push(range);
      return;
    }
    this.#wanted.set(generation, [range]);
    generation.isProving = true;
    this.#turns.push(generation);
    if (this.#readerCount < readersMax) void this.#read();
  }

  async #read(): Promise<void> {
    this.#readerCount += 1;
    const buffer = Buffer.allocUnsafeSlow(bufferBytes);
    for (let generation = this.#turns.shift(); generation !== undefined; generation = this.#turns.shift()) {
      const next = firstWanted(generation, this.#wanted.get(generation) ?? []);
      if (next !== undefined) {
        const verdict = await judge(next, buffer);
        // It may have been evicted, or its drive failed, while it was read.
        if (generation.unproven.includes(next)) this.#listener.judged(generation, next, verdict);
      }
      if (generation.unproven.length > 0) this.#turns.push(generation);
      else {
        this.#wanted.delete(generation);
        generation.isProving = false;
        this.#listener.finished(generation);
      }
    }
    this.#readerCount -= 1;
  }
}

/** The run that is waited for first, or any. */
function firstWanted({ unproven }: Generation, wanted: ByteRange[]): Unproven | undefined {
  for (let range = wanted[0]; range !== undefined; range = wanted[0]) {
    const { start, end } = range;
    const found = unproven.find(({ run }) => run.start < end && run.end > start);
    if (found !== undefined) return found;
    wanted.shift();
  }
  return unproven[0];
}

async function judge({ extent, run }: Unproven, buffer: Buffer): Promise<Verdict> {
  try {
    const file = await open(extent.drive.extentPath(extent.id), 'r');
    try {
      let crc = 0;
      const base = extent.index * extentBytes;
      for (let at = run.start; at < run.end; ) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, run.end - at), at - base);
        if (bytesRead === 0) return 'wrong';
        crc = crc32(buffer.subarray(0, bytesRead), crc);
        at += bytesRead;
      }
      return crc === run.crc ? 'right' : 'wrong';
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') extent.drive.files.note(`read ${errorCode(error)}`);
    return 'wrong';
  }
}
