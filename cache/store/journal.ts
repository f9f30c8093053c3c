// The file of a drive's journal: blocks of lines (records.ts), appended only after the bytes that a line speaks of were
// written.
//
//   [ length u32 | crc32 u32 | lines … ] [ length | crc32 | lines … ] …
//
// A block that was cut off by a crash ends the reading, and is overwritten; what it said is only cache. From time to time
// everything is written anew beside it, and takes its place by a rename.

import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { errorCode } from '../../common/errors.ts';

const flushDelayMs = 20;
const retryDelayMs = 1000;
const headBytes = 8;
/** Lines of a snapshot are written in blocks of about this size. */
const snapshotBlockBytes = 256 * 1024;
const sliceBytes = 4 * 2 ** 20;
/** A longer block is a damaged one: no line is as long. */
const blockBytesMax = 2 ** 28;

/** Lines as they lie in memory: copied out of `chunks`, and those that are text. */
export type Snapshot = {
  readonly cold: {
    readonly chunks: readonly Buffer[];
    readonly chunkOf: Uint32Array;
    readonly offsets: Uint32Array;
    readonly lengths: Uint32Array;
    readonly count: number;
  };
  readonly lines: readonly string[];
};

export interface JournalHost {
  /** Whether the drive is only full: then the block is written again a little later. */
  isFull(error: unknown): boolean;
  /** The drive is full, or failed: nothing more is written in the second case. */
  failed(error: unknown): void;
  /** Resolves once what was evicted is removed: the journal grows into its space. */
  removed(): Promise<void>;
}

export class Journal {
  readonly #path: string;
  readonly #host: JournalHost;
  #file: FileHandle;
  #pending: string[] = [];
  #pendingBytes = 0;
  #writingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isCompacting = false;
  #isOver = false;
  /** Blocks that are good: the next one is written here. */
  #fileBytes: number;

  private constructor(path: string, file: FileHandle, fileBytes: number, host: JournalHost) {
    this.#path = path;
    this.#file = file;
    this.#fileBytes = fileBytes;
    this.#host = host;
  }

  /** Opens a journal for appending behind its first `goodBytes` bytes; what follows them is cut off. */
  static async open(path: string, goodBytes: number, host: JournalHost): Promise<Journal> {
    await rm(newPath(path), { force: true });
    const file = await open(path, goodBytes === 0 ? 'w' : 'r+');
    await file.truncate(goodBytes);
    return new Journal(path, file, goodBytes, host);
  }

  /** Size of the file in bytes, with what is still to be appended. */
  get bytes(): number {
    return this.#fileBytes + this.#writingBytes + this.#pendingBytes + headBytes;
  }

  get isCompacting(): boolean {
    return this.#isCompacting;
  }

  /** Appends soon (within 20 ms): a crash before that loses the line, and so the bytes it would have kept. */
  append(line: string): void {
    if (this.#isOver) return;
    this.#pending.push(line);
    this.#pendingBytes += Buffer.byteLength(line);
    this.#timer ??= setTimeout(() => void this.flush(), flushDelayMs);
  }

  /** Writes what is pending. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (this.#pending.length === 0 || this.#isOver) return;
    await this.#host.removed();
    const lines = this.#takePending();
    const block = encodeBlock(Buffer.from(lines.join('')));
    this.#writingBytes = block.length;
    try {
      await writeAll(this.#file, block, this.#fileBytes);
      this.#fileBytes += block.length;
    } catch (error) {
      if (this.#host.isFull(error)) {
        this.#putBack(lines);
        this.#timer ??= setTimeout(() => void this.flush(), retryDelayMs).unref();
      } else this.#isOver = true;
      this.#host.failed(error);
    } finally {
      this.#writingBytes = 0;
    }
  }

  #takePending(): readonly string[] {
    const lines = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    return lines;
  }

  #putBack(lines: readonly string[]): void {
    this.#pending = [...lines, ...this.#pending];
    for (const line of lines) this.#pendingBytes += Buffer.byteLength(line);
  }

  /** Replaces all up to now by a snapshot of now, atomically; what is appended from now on follows it. */
  compact(snapshot: Snapshot): Promise<void> {
    if (this.#isCompacting || this.#isOver) return this.#writing;
    this.#isCompacting = true;
    const covered = this.#takePending(); // they are in the snapshot
    this.#writing = this.#writing.then(async () => {
      try {
        await this.#host.removed();
        const { file, bytes } = await writeSnapshot(newPath(this.#path), snapshot);
        await rename(newPath(this.#path), this.#path);
        await this.#file.close();
        this.#file = file;
        this.#fileBytes = bytes;
      } catch (error) {
        await rm(newPath(this.#path), { force: true }).catch(() => undefined); // the error before is what matters
        if (this.#host.isFull(error)) this.#putBack(covered);
        else this.#isOver = true;
        this.#host.failed(error);
      } finally {
        this.#isCompacting = false;
      }
    });
    return this.#writing;
  }

  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
    this.#isOver = true;
    await this.#file.close();
  }
}

const newPath = (path: string): string => `${path}.new`;

/**
 * Reads a journal's blocks in order, up to the first damaged one; nothing when there is no journal. Resolves to how many
 * bytes are good. The event loop turns between slices of 4 MiB. What `onLines` is given stays as it is.
 */
export async function readJournal(path: string, onLines: (lines: Buffer) => void): Promise<number> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return 0;
    throw error;
  }
  try {
    const { size } = await file.stat();
    let goodBytes = 0;
    let wanted = sliceBytes;
    for (;;) {
      const slice = Buffer.allocUnsafeSlow(Math.min(wanted, size - goodBytes));
      if (slice.length < headBytes || (await readAll(file, slice, goodBytes)) < slice.length) return goodBytes;
      const { consumed, needed } = readBlocks(slice, onLines);
      goodBytes += consumed;
      if (consumed === 0 && (needed === undefined || goodBytes + needed > size)) return goodBytes;
      wanted = Math.max(sliceBytes, consumed === 0 ? (needed ?? 0) : 0);
    }
  } finally {
    await file.close();
  }
}

/** Hands the whole blocks of a slice on; `needed`: how long the block is that did not fit, unless it is damaged. */
function readBlocks(slice: Buffer, onLines: (lines: Buffer) => void): { consumed: number; needed: number | undefined } {
  let at = 0;
  while (at + headBytes <= slice.length) {
    const length = slice.readUInt32LE(at);
    if (length === 0 || length > blockBytesMax) return { consumed: at, needed: undefined };
    const end = at + headBytes + length;
    if (end > slice.length) return { consumed: at, needed: headBytes + length };
    const lines = slice.subarray(at + headBytes, end);
    if (crc32(lines) !== slice.readUInt32LE(at + 4)) return { consumed: at, needed: undefined };
    onLines(lines);
    at = end;
  }
  return { consumed: at, needed: headBytes };
}

function encodeBlock(lines: Buffer): Buffer {
  const block = Buffer.allocUnsafe(headBytes + lines.length);
  lines.copy(block, headBytes);
  return sealBlock(block, block.length);
}

/** Fills in the head of a block whose lines are in place; returns it, cut to its size. */
function sealBlock(block: Buffer, bytes: number): Buffer {
  block.writeUInt32LE(bytes - headBytes, 0);
  block.writeUInt32LE(crc32(block.subarray(headBytes, bytes)), 4);
  return block.subarray(0, bytes);
}

/** Writes a whole journal; the file stays open for appending. */
export async function writeSnapshot(path: string, snapshot: Snapshot): Promise<{ file: FileHandle; bytes: number }> {
  const file = await open(path, 'w');
  try {
    const { cold, lines } = snapshot;
    let block = Buffer.allocUnsafe(snapshotBlockBytes);
    let used = headBytes;
    let bytes = 0;
    const write = async (): Promise<void> => {
      if (used === headBytes) return;
      await writeAll(file, sealBlock(block, used), bytes);
      bytes += used;
      used = headBytes;
    };
    const room = async (lineBytes: number): Promise<void> => {
      if (used + lineBytes > block.length) await write();
      if (used + lineBytes > block.length) block = Buffer.allocUnsafe(headBytes + lineBytes);
    };
    const [first = '', ...warm] = lines;
    await room(Buffer.byteLength(first));
    used += block.write(first, used);
    for (let i = 0; i < cold.count; i += 1) {
      const offset = cold.offsets[i] as number;
      const length = cold.lengths[i] as number;
      if (used + length > block.length) await room(length);
      (cold.chunks[cold.chunkOf[i] as number] as Buffer).copy(block, used, offset, offset + length);
      used += length;
    }
    for (const text of warm) {
      const length = Buffer.byteLength(text);
      if (used + length > block.length) await room(length);
      used += block.write(text, used);
    }
    await write();
    await file.datasync();
    return { file, bytes };
  } catch (error) {
    await file.close().catch(() => undefined); // what matters is the error before
    throw error;
  }
}

async function writeAll(file: FileHandle, buffer: Buffer, position: number): Promise<void> {
  for (let written = 0; written < buffer.length; ) {
    const { bytesWritten } = await file.write(buffer, written, buffer.length - written, position + written);
    written += bytesWritten;
  }
}

async function readAll(file: FileHandle, buffer: Buffer, position: number): Promise<number> {
  let count = 0;
  while (count < buffer.length) {
    const { bytesRead } = await file.read(buffer, count, buffer.length - count, position + count);
    if (bytesRead === 0) break;
    count += bytesRead;
  }
  return count;
}
