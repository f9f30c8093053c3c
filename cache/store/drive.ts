// One drive: a folder of sparse extent files and its journal, under a quota counted in blocks.
//
//   <path>/do-cache/lock            who uses the drive
//   <path>/do-cache/journal         what the extents hold
//   <path>/do-cache/extents/1f/…    one file an extent, named by its number; a number is never used twice

import { mkdirSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, OperatorError } from '../../common/errors.ts';
import type { DriveSetting } from '../settings.ts';
import { bootTime } from './boot-time.ts';

/** Space is reserved in blocks of this many bytes: what file systems hand out. */
export const blockBytes = 4096;

export class Drive {
  readonly index: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly #folder: string;
  readonly #writers = new Map<number, Promise<FileHandle>>();
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
      throw new OperatorError(
        'DRIVE_UNUSABLE',
        `--drive ${setting.path}: expected a folder that can be written, found ${errorCode(error)}. ` +
          'Create it, or give the node the right to write there.',
        3,
      );
    }
  }

  get journalPath(): string {
    return join(this.#folder, 'journal');
  }

  extentPath(extent: number): string {
    return join(this.#folder, 'extents', (extent & 0xff).toString(16).padStart(2, '0'), String(extent));
  }

  /** A handle to write an extent by, created with its file on first use. */
  writer(extent: number): Promise<FileHandle> {
    let writer = this.#writers.get(extent);
    if (writer === undefined) {
      const path = this.extentPath(extent);
      mkdirSync(join(path, '..'), { recursive: true });
      writer = open(path, 'a').then(async (created) => {
        await created.close();
        return await open(path, 'r+');
      });
      this.#writers.set(extent, writer);
    }
    return writer;
  }

  /** Closes the handle of an extent nobody writes to at present. */
  closeWriter(extent: number): void {
    const writer = this.#writers.get(extent);
    this.#writers.delete(extent);
    writer?.then((file) => file.close()).catch(() => this.#note('close'));
  }

  async removeExtent(extent: number): Promise<void> {
    this.closeWriter(extent);
    await unlink(this.extentPath(extent)).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOENT') this.#note(`unlink ${errorCode(error)}`);
    });
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}
