// One drive: its files, its journal, its part of the index, and the count of its space.
//
//   loading ──▶ sweeping ──▶ open            failed: from anywhere, for good
//   (index is   (hits; what is not known     (hits and fills)
//    being read) is removed; no fills)
//
// Invariant: what `du` says of the drive's folder is never more than the drive's size. Everything that grows is counted
// before it does, in blocks: content as it is reserved, folders, and the journal twice, since its next version is written
// beside it. What is evicted is removed before anything grows into its place. Until orphans are gone (files of a fill that
// a crash cut off, which nobody has counted) nothing grows.

import { closeSync, fstatSync, openSync } from 'node:fs';
import { errorCode, OperatorError } from '../../common/errors.ts';
import type { DriveSetting } from '../settings.ts';
import { ColdIndex } from './cold-index.ts';
import { DriveFiles } from './drive-files.ts';
import { lockDrive, unlockDrive } from './drive-lock.ts';
import type { Generation } from './generation.ts';
import type { Journal } from './journal.ts';
import { blockBytes, blocksOf } from './records.ts';

/** A journal is written anew when it has doubled, and is no less than this (or a 32nd of the drive). */
const compactBytesMin = 4 * 2 ** 20;
/** How much of a full file system's free space the node takes when it grows again; the rest is for others. */
const growthShare = 0.9;
/** A drive that was full keeps so much less than it held. */
const fullMarginBytes = 2 ** 20;
/**
 * How long a smaller limit is given to take effect: blocks of what was evicted are free once its readers have closed the
 * file and the file system has committed it (ext4: every 5 s by default). That it is full until then says nothing new.
 */
const settlingMs = 5000;

export class Drive {
  readonly index: number;
  readonly path: string;
  readonly sizeBytes: number;
  readonly files: DriveFiles;
  /** Size of the journal at the start, in bytes. */
  readonly foundJournalBytes: number;
  readonly cold = new ColdIndex();
  /** Generations of which the drive holds extents and that are in memory as objects, least recently used first. */
  readonly warm = new Set<Generation>();
  journal: Journal | undefined;
  state: 'loading' | 'sweeping' | 'open' | 'failed' = 'loading';
  /** Why it failed. */
  failure: string | undefined;
  /** Numbers of generations within the drive's journal. */
  nextG = 1;
  /** Blocks reserved for content of warm generations, in bytes. */
  warmBytes = 0;
  /** What the node believes it may use: the drive's size, less when its file system turned out to be full. */
  limitBytes: number;
  #compactAtBytes = 0;
  #settledAtMs = Number.NEGATIVE_INFINITY;

  constructor(setting: DriveSetting, index: number) {
    this.index = index;
    this.path = setting.path;
    this.sizeBytes = setting.sizeBytes;
    this.limitBytes = setting.sizeBytes;
    this.files = new DriveFiles(setting.path);
    try {
      this.files.create();
      lockDrive(setting, this.files.folder);
      const journal = openSync(this.files.journalPath, 'a');
      this.foundJournalBytes = fstatSync(journal).size;
      closeSync(journal);
    } catch (error) {
      if (error instanceof OperatorError) throw error;
      throw unusable(setting, error);
    }
  }

  extentPath(extent: number): string {
    return this.files.extentPath(extent);
  }

  /** Bytes of the drive in use: content in blocks, what is reserved for fetches under way, folders, journals. */
  get usedBytes(): number {
    const lingering = this.files.lingeringCount * blockBytes;
    return this.warmBytes + this.cold.blockCount * blockBytes + this.#metadataBytes + lingering;
  }

  get #metadataBytes(): number {
    const journal = Math.ceil((this.journal?.bytes ?? 0) / blockBytes) + 1;
    const lockAndRoot = 2;
    return (this.files.folderCount + lockAndRoot + 2 * journal) * blockBytes;
  }

  /** Bytes that may still be reserved without evicting anything; negative when there are too many. */
  get roomBytes(): number {
    return this.limitBytes - this.usedBytes;
  }

  /** A line that nobody needs before the next start. */
  append(line: string): void {
    this.journal?.append(line);
  }

  get wantsCompaction(): boolean {
    const { journal } = this;
    return journal !== undefined && !journal.isCompacting && journal.bytes > this.#compactAtBytes;
  }

  /** Called when the journal was written or found, with the bytes of it that are no history. */
  noteJournalSize(liveBytes: number): void {
    const least = Math.min(compactBytesMin, this.sizeBytes / 32);
    this.#compactAtBytes = Math.max(least, 2 * liveBytes);
  }

  /** The file system has no room although the drive's size is not reached: the node makes do with what it holds. */
  noteFull(): void {
    const nowMs = performance.now();
    if (nowMs < this.#settledAtMs) return;
    this.#settledAtMs = nowMs + settlingMs;
    let heldBytes = this.usedBytes;
    for (const generation of this.warm) {
      for (const { drive, reserved, runs } of generation.extents.values()) {
        if (drive === this) heldBytes -= reserved.bytes - Math.min(reserved.bytes, blocksOf(runs) * blockBytes);
      }
    }
    const limitBytes = Math.max(0, Math.min(this.limitBytes, heldBytes) - Math.min(fullMarginBytes, heldBytes / 16));
    if (this.limitBytes === this.sizeBytes) {
      this.files.note(
        `its file system is full (ENOSPC): expected room for ${this.sizeBytes} bytes, found it for ${Math.floor(heldBytes)}. ` +
          'The node goes on with less; free space there, or give the drive a smaller size',
      );
    }
    this.limitBytes = limitBytes;
  }

  /** A drive that was full takes more as soon as its file system has more. */
  async grow(): Promise<void> {
    if (this.limitBytes === this.sizeBytes || this.state === 'failed') return;
    const freeBytes = await this.files.freeBytes();
    const spareBytes = growthShare * freeBytes - fullMarginBytes;
    if (spareBytes <= 0) return;
    this.limitBytes = Math.min(this.sizeBytes, Math.max(this.limitBytes, this.usedBytes + spareBytes));
    if (this.limitBytes === this.sizeBytes) this.files.note('its file system has room again');
  }

  unlock(): void {
    try {
      unlockDrive(this.files.folder);
    } catch (error) {
      this.files.note(`unlock ${errorCode(error)}`);
    }
  }
}

const hints: Readonly<Record<string, string>> = {
  EROFS: 'its file system is mounted read-only. Mount it for writing',
  EACCES: 'no right to write there. Give it to the node',
  EPERM: 'no right to write there. Give it to the node',
  ENOSPC: 'its file system is full. Free some space',
  ENOTDIR: 'a file where the folder should be. Remove it',
  EEXIST: 'a file where the folder should be. Remove it',
};

/** What an operator reads when a drive cannot be used. */
export function unusable({ path, source = '--drive' }: DriveSetting, error: unknown): OperatorError {
  const code = errorCode(error);
  return new OperatorError(
    'DRIVE_UNUSABLE',
    `${source} ${path}: expected a folder that can be written, found ${hints[code] ?? 'an error. Create the folder, or repair it'} (${code}).`,
    3,
  );
}
