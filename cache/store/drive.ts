// One drive: a folder of sparse extent files and its journal, under a quota counted in blocks.
//
//   <path>/do-cache/lock            who uses the drive
//   <path>/do-cache/journal         what the extents hold
//   <path>/do-cache/extents/1f/…    one file an extent, named by its number; a number is never used twice

import {
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, OperatorError } from '../../common/errors.ts';
import type { DriveSetting } from '../settings.ts';
import { bootTime } from './boot-time.ts';

/** Space is reserved in blocks of this many bytes: what file systems hand out. */
export const blockBytes = 4096;

/** Extents of one drive that are open for writing at once, beside those that are being written. */
const openWritersMax = 64;

type Writer = { readonly file: Promise<FileHandle>; users: number };

/** Folders that this process uses: a drive that is named twice would overwrite its own journal. */
const used = new Set<string>();

export class Drive {
  readonly index: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly #folder: string;
  /** Open extents by last use, the oldest first. */
  readonly #writers = new Map<number, Writer>();
  readonly #folders = new Set<number>();
  /** Extents on their way out: their blocks are not free before. */
  readonly #removals = new Set<Promise<void>>();
  /** Blocks reserved for content, in bytes. */
  reservedBytes = 0;
  /** Set once the drive failed: it is read no more and written no more. */
  failure: string | undefined;

  constructor(setting: DriveSetting, index: number) {
    this.index = index;
    this.path = setting.path;
    this.sizeBytes = setting.sizeBytes;
    this.#folder = join(setting.path, 'do-cache');
    try {
      mkdirSync(join(this.#folder, 'extents'), { recursive: true });
      this.#lock();
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw unusable(setting.path, error);
    }
  }

  /** What the folders take, and the lock. */
  get folderBytes(): number {
    return (this.#folders.size + 3) * blockBytes;
  }

  /** Counts the folder that an extent is in. */
  noteFolder(extent: number): void {
    this.#folders.add(extent & 0xff);
  }

  get journalPath(): string {
    return join(this.#folder, 'journal');
  }

  extentPath(extent: number): string {
    return join(this.#folder, 'extents', (extent & 0xff).toString(16).padStart(2, '0'), String(extent));
  }

  /** Writes at a position of an extent, whose file is created on first use. Throws what the drive says. */
  async write(extent: number, position: number, buffers: readonly Buffer[]): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals);
    const writer = this.#writer(extent);
    writer.users += 1;
    try {
      const file = await writer.file;
      let at = position;
      for (const buffer of buffers) {
        let written = 0;
        while (written < buffer.length) {
          const { bytesWritten } = await file.write(buffer, written, buffer.length - written, at + written);
          written += bytesWritten;
        }
        at += buffer.length;
      }
    } finally {
      writer.users -= 1;
      this.#closeIdleWriters();
    }
  }

  /** Removes an extent's file, once nobody writes to it any more. */
  removeExtent(extent: number): Promise<void> {
    const writer = this.#writers.get(extent);
    this.#writers.delete(extent);
    const removal = this.#remove(extent, writer).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
    return removal;
  }

  async #remove(extent: number, writer: Writer | undefined): Promise<void> {
    try {
      await (await writer?.file)?.close(); // waits for the write under way
    } catch (error) {
      this.#note(`close ${errorCode(error)}`);
    }
    await unlink(this.extentPath(extent)).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') this.#note(`unlink ${errorCode(error)}`);
    });
  }

  #writer(extent: number): Writer {
    const known = this.#writers.get(extent);
    if (known !== undefined) this.#writers.delete(extent);
    const writer = known ?? { file: openExtent(this.extentPath(extent)), users: 0 };
    this.#writers.set(extent, writer);
    return writer;
  }

  #closeIdleWriters(): void {
    for (const [extent, writer] of this.#writers) {
      if (this.#writers.size <= openWritersMax) return;
      if (writer.users > 0) continue;
      this.#writers.delete(extent);
      writer.file.then((file) => file.close()).catch((error: unknown) => this.#note(`close ${errorCode(error)}`));
    }
  }

  /** Removes the files of extents that the journal does not know. */
  removeOrphans(known: ReadonlySet<number>): number {
    let removed = 0;
    for (const folder of readdirSync(join(this.#folder, 'extents'))) {
      for (const name of readdirSync(join(this.#folder, 'extents', folder))) {
        if (known.has(Number(name))) continue;
        rmSync(join(this.#folder, 'extents', folder, name), { force: true });
        removed += 1;
      }
    }
    return removed;
  }

  unlock(): void {
    try {
      unlinkSync(join(this.#folder, 'lock'));
    } catch (error) {
      this.#note(`unlock ${errorCode(error)}`);
    }
  }

  #note(what: string): void {
    process.stderr.write(`cache node: drive ${this.path}: ${what}\n`);
  }

  /** Two nodes on one drive would overwrite each other's journal. */
  #lock(): void {
    const path = join(this.#folder, 'lock');
    const real = realpathSync(this.#folder);
    if (used.has(real)) {
      throw new OperatorError('DRIVE_TWICE', `--drive ${this.path}: expected each drive once, found it named twice.`);
    }
    used.add(real);
    const mine = `${process.pid} ${bootTime()}`;
    try {
      writeFileSync(path, mine, { flag: 'wx' });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      const [pid, boot] = readFileSync(path, 'utf8').split(' ');
      if (boot === bootTime() && isAlive(Number(pid)) && Number(pid) !== process.pid) {
        throw new OperatorError(
          'DRIVE_IN_USE',
          `--drive ${this.path}: expected a drive of its own, found one that process ${pid} uses. ` +
            `Stop that node first (or remove ${path} if it is none).`,
          3,
        );
      }
      writeFileSync(path, mine);
    }
  }
}

async function openExtent(path: string): Promise<FileHandle> {
  await mkdir(join(path, '..'), { recursive: true });
  return await open(path, constants.O_RDWR | constants.O_CREAT);
}

/** What an operator reads when a drive cannot be used. */
export function unusable(path: string, error: unknown): OperatorError {
  return new OperatorError(
    'DRIVE_UNUSABLE',
    `--drive ${path}: expected a folder that can be written, found ${errorCode(error)}. ` +
      'Create it, or give the node the right to write there.',
    3,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}
