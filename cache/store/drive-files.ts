// The files of one drive: sparse extents under a budget of open descriptors.
//
//   <path>/do-cache/lock            who uses the drive
//   <path>/do-cache/journal         what the extents hold
//   <path>/do-cache/extents/1f/…    one file an extent, named by its number; a number is never used twice

import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../common/errors.ts';
import { bytesOf } from './checksum.ts';
import { blockBytes } from './records.ts';

/** Extents of one drive that are open for writing at once, beside those that are being written. */
const openWritersMax = 64;
/** A file that is in use cannot be removed on Windows: it is tried again after so long. */
const removalRetryMs = 2000;
const inUse: ReadonlySet<string> = new Set(['EBUSY', 'EPERM', 'EACCES']);

/** `last`: the write before the next one; the kernel would let them wait for each other, spinning. */
type Writer = { readonly file: Promise<FileHandle>; users: number; last: Promise<unknown> };

export class DriveFiles {
  /** The drive's path as the operator gave it. */
  readonly path: string;
  readonly folder: string;
  /** Open extents by last use, the oldest first. */
  readonly #writers = new Map<number, Writer>();
  /** Folders that exist, or are about to. */
  readonly #folders = new Set<number>();
  /** Extents on their way out: their blocks are not free before. */
  readonly #removals = new Set<Promise<void>>();
  readonly #isLingering = new Set<number>();

  constructor(path: string) {
    this.path = path;
    this.folder = join(path, 'do-cache');
  }

  /** Makes the folders; throws what the drive says. */
  create(): void {
    try {
      mkdirSync(join(this.folder, 'extents'), { recursive: true });
    } catch (error) {
      // Node says ENOENT for a file system that is read-only; the folder itself knows better.
      if (errorCode(error) === 'ENOENT') accessSync(this.path, constants.W_OK);
      throw error;
    }
  }

  /** How many folders there are, all of them counted. */
  get folderCount(): number {
    return this.#folders.size + 2;
  }

  /** Extents whose files could not be removed yet. */
  get lingeringCount(): number {
    return this.#isLingering.size;
  }

  get journalPath(): string {
    return join(this.folder, 'journal');
  }

  extentPath(extent: number): string {
    return join(this.folder, 'extents', (extent & 0xff).toString(16).padStart(2, '0'), String(extent));
  }

  /** Counts the folder that an extent is in. */
  noteFolder(extent: number): void {
    this.#folders.add(extent & 0xff);
  }

  /** Resolves when what was evicted until now is gone from the drive. */
  async removed(): Promise<void> {
    while (this.#removals.size > 0) await Promise.all(this.#removals);
  }

  /** Writes at a position of an extent, whose file is created on first use. Throws what the drive says. */
  async write(extent: number, position: number, buffers: readonly Buffer[]): Promise<void> {
    if (this.#removals.size > 0) await this.removed();
    const writer = this.#writer(extent);
    writer.users += 1;
    try {
      const file = await writer.file;
      const turn = writer.last.then(() => writeAll(file, position, buffers));
      writer.last = turn.catch(() => undefined);
      await turn;
    } finally {
      writer.users -= 1;
      this.#closeIdleWriters();
    }
  }

  /** Removes an extent's file, once nobody writes to it any more. */
  remove(extent: number): void {
    const writer = this.#writers.get(extent);
    this.#writers.delete(extent);
    const removal = this.#remove(extent, writer).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  async #remove(extent: number, writer: Writer | undefined): Promise<void> {
    try {
      await (await writer?.file)?.close(); // waits for the write under way
    } catch (error) {
      this.note(`close ${errorCode(error)}`);
    }
    try {
      await unlink(this.extentPath(extent));
      this.#isLingering.delete(extent);
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOENT' || code === 'ENOTDIR') {
        this.#isLingering.delete(extent);
      } else if (inUse.has(code)) {
        this.#isLingering.add(extent);
        setTimeout(() => this.remove(extent), removalRetryMs).unref();
      } else this.note(`unlink ${code}`);
    }
  }

  #writer(extent: number): Writer {
    const known = this.#writers.get(extent);
    if (known !== undefined) this.#writers.delete(extent);
    const writer = known ?? { file: openExtent(this.extentPath(extent)), users: 0, last: Promise.resolve() };
    this.#writers.set(extent, writer);
    // One that could not be opened is tried anew by the next write.
    if (known === undefined) {
      writer.file.catch(() => (this.#writers.get(extent) === writer ? this.#writers.delete(extent) : false));
    }
    return writer;
  }

  #closeIdleWriters(): void {
    for (const [extent, writer] of this.#writers) {
      if (this.#writers.size <= openWritersMax) return;
      if (writer.users > 0) continue;
      this.#writers.delete(extent);
      writer.file.then((file) => file.close()).catch((error: unknown) => this.note(`close ${errorCode(error)}`));
    }
  }

  /**
   * Removes the files of extents that are not known, folder by folder; nothing may be created meanwhile. Resolves to the
   * highest number that was seen.
   */
  async removeOrphans(isKnown: (extent: number) => boolean): Promise<{ removedCount: number; highest: number }> {
    const extents = join(this.folder, 'extents');
    let removedCount = 0;
    let highest = 0;
    for (const folder of await readdir(extents)) {
      if (!/^[0-9a-f]{2}$/.test(folder)) continue; // not ours
      this.#folders.add(Number.parseInt(folder, 16));
      for (const name of await readdir(join(extents, folder))) {
        if (!/^[0-9]{1,15}$/.test(name)) continue;
        const extent = Number(name);
        highest = Math.max(highest, extent);
        if (isKnown(extent)) continue;
        await unlink(join(extents, folder, name));
        removedCount += 1;
      }
    }
    return { removedCount, highest };
  }

  /** Blocks of the file system that an extent's file has; undefined when there is none. */
  blocksOf(extent: number): number | undefined {
    const found = statSync(this.extentPath(extent), { throwIfNoEntry: false });
    // Windows does not say: what is not known is taken to be as it should.
    return found === undefined ? undefined : Math.ceil(((found.blocks ?? 0) * 512) / blockBytes);
  }

  /** Closes what is open; nothing may be written any more. */
  async close(): Promise<void> {
    await this.removed();
    const writers = [...this.#writers.values()];
    this.#writers.clear();
    for (const { file } of writers) {
      await file.then((open) => open.close()).catch((error: unknown) => this.note(`close ${errorCode(error)}`));
    }
  }

  /** Bytes that the file system still has for us. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.folder);
    return bavail * bsize;
  }

  note(what: string): void {
    process.stderr.write(`cache node: drive ${this.path}: ${what}\n`);
  }
}

async function writeAll(file: FileHandle, position: number, buffers: readonly Buffer[]): Promise<void> {
  let at = position;
  for (let left = buffers; left.length > 0; ) {
    const { bytesWritten } = await file.writev([...left], at);
    at += bytesWritten;
    left = bytesOf(left, bytesWritten, Number.POSITIVE_INFINITY);
  }
}

/**
 * The folders of extents are made as needed, the drive's own never: where that is gone (removed, or its volume unmounted)
 * what is written would fill another file system.
 */
async function openExtent(path: string): Promise<FileHandle> {
  const folder = join(path, '..');
  await makeFolder(join(folder, '..'));
  await makeFolder(folder);
  return await open(path, constants.O_RDWR | constants.O_CREAT);
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error;
  });
}
