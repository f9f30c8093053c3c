// All drives together: where an extent goes, how much may be written, what is evicted when room is needed, and what was
// there before the start. Space is reserved, in blocks, before a byte is written.

import { errorCode } from '../../common/errors.ts';
import { extentBytes } from '../protocol.ts';
import type { DriveSetting } from '../settings.ts';
import { bootTime } from './boot-time.ts';
import { blockBytes, Drive, unusable } from './drive.ts';
import { Extent, Generation } from './generation.ts';
import { Journal, type JournalRecord, readJournal } from './journal.ts';

/** A journal line and an extent's i-node and folder entry are counted against the quota as one block an extent. */
const extentOverheadBytes = blockBytes;

/** Told when an extent gets a file, and when it goes: then nobody may serve from it any more. */
export interface ExtentListener {
  created(generation: Generation, extent: Extent): void;
  evicted(generation: Generation, extent: Extent): void;
}

export class Store {
  readonly drives: readonly Drive[];
  readonly #journals = new Map<Drive, Journal>();
  /** Set once, before anything is reserved. */
  listener: ExtentListener | undefined;
  /** Generations by recency, least recently used first (a Map keeps insertion order). */
  readonly #generations = new Map<number, Generation>();
  #nextExtent = 1;
  #nextGeneration = 1;

  constructor(drives: readonly DriveSetting[]) {
    this.drives = drives.map((setting, index) => new Drive(setting, index));
  }

  /** Reads the journals of all drives; returns what survives, oldest generation first. */
  async load(): Promise<readonly Generation[]> {
    for (const drive of this.drives) await this.#loadDrive(drive);
    for (const drive of this.drives) {
      const extents = new Set<number>();
      for (const generation of this.#generations.values()) {
        for (const extent of generation.extents.values()) if (extent.drive === drive) extents.add(extent.id);
      }
      try {
        drive.removeOrphans(extents);
        const records = this.#records(drive);
        this.#journals.set(drive, await Journal.create(drive.journalPath, records, (e) => this.#fail(drive, e)));
      } catch (error) {
        throw unusable(drive.path, error);
      }
      this.#makeRoom(drive, undefined, 0); // the drive may be smaller than it was
    }
    return [...this.#generations.values()];
  }

  newGeneration(fields: Omit<ConstructorParameters<typeof Generation>[0], 'id'>): Generation {
    const generation = new Generation({ ...fields, id: this.#nextGeneration++ });
    this.#generations.set(generation.meta.id, generation);
    return generation;
  }

  /** Marks a generation as used now. */
  touch(generation: Generation): void {
    if (!this.#generations.delete(generation.meta.id)) return;
    this.#generations.set(generation.meta.id, generation);
  }

  find(id: number): Generation | undefined {
    return this.#generations.get(id);
  }

  /**
   * Reserves room for [start, end) of a generation, evicting what was least recently used where needed; extents that
   * did not exist are created. False: there is no room, the bytes cannot be stored.
   */
  reserve(generation: Generation, start: number, end: number): boolean {
    for (let index = Math.floor(start / extentBytes); index * extentBytes < end; index += 1) {
      const from = Math.max(start, index * extentBytes);
      const to = Math.min(end, (index + 1) * extentBytes);
      let extent = generation.extents.get(index);
      if (extent === undefined || extent.drive.failure !== undefined) {
        const drive = this.#driveWithRoom(generation, blocksEnd(to) - blocksStart(from) + extentOverheadBytes);
        if (drive === undefined) return false;
        drive.noteFolder(this.#nextExtent);
        extent = new Extent(this.#nextExtent++, index, drive);
        drive.reservedBytes += extentOverheadBytes;
        generation.extents.set(index, extent);
        this.#journalExtent(generation, extent);
        this.listener?.created(generation, extent);
      }
      const needed = blocksEnd(to) - blocksStart(from) - extent.reserved.overlapBytes(blocksStart(from), blocksEnd(to));
      if (needed > 0 && !this.#makeRoom(extent.drive, generation, needed)) return false;
      extent.drive.reservedBytes += extent.reserved.add(blocksStart(from), blocksEnd(to));
    }
    return true;
  }

  /** Gives back what was reserved for [start, end) and not stored. */
  unreserve(generation: Generation, start: number, end: number): void {
    for (const gap of generation.stored.gaps(start, end)) {
      for (let index = Math.floor(gap.start / extentBytes); index * extentBytes < gap.end; index += 1) {
        const extent = generation.extents.get(index);
        if (extent === undefined) continue;
        const from = blocksEnd(Math.max(gap.start, index * extentBytes));
        const to = blocksStart(Math.min(gap.end, (index + 1) * extentBytes));
        extent.drive.reservedBytes -= extent.reserved.remove(from, to);
      }
    }
  }

  /** Writes bytes at an offset of the object; they are within one extent and reserved. Throws what the drive says. */
  async write(extent: Extent, offset: number, buffers: readonly Buffer[]): Promise<void> {
    await extent.drive.write(extent.id, offset - extent.index * extentBytes, buffers);
  }

  /** Records that [start, end) is on its drive. */
  recordStored(generation: Generation, start: number, end: number): void {
    for (let index = Math.floor(start / extentBytes); index * extentBytes < end; index += 1) {
      const extent = generation.extents.get(index);
      if (extent === undefined) continue;
      const from = Math.max(start, index * extentBytes);
      const to = Math.min(end, (index + 1) * extentBytes);
      this.#append(extent.drive, { t: 'iv', e: extent.id, s: from, n: to });
    }
  }

  /** Records fields, host and freshness anew. */
  recordHead(generation: Generation): void {
    for (const drive of new Set([...generation.extents.values()].map((extent) => extent.drive))) {
      this.#append(drive, generationRecord(generation));
    }
  }

  recordFreshness(generation: Generation): void {
    const { generatedAtMs, freshUntilMs } = generation.freshness;
    for (const drive of new Set([...generation.extents.values()].map((extent) => extent.drive))) {
      this.#append(drive, { t: 'fresh', g: generation.meta.id, at: generatedAtMs, fresh: freshUntilMs });
    }
  }

  /** A drive answered with an error: its content is lost, the node is not. */
  failDrive(drive: Drive, error: unknown): void {
    this.#fail(drive, error);
  }

  /** Takes an extent away: from the index first, then from the drive. */
  evict(generation: Generation, extent: Extent): void {
    generation.extents.delete(extent.index);
    generation.stored.remove(extent.index * extentBytes, (extent.index + 1) * extentBytes);
    extent.drive.reservedBytes -= extent.reserved.bytes + extentOverheadBytes;
    this.listener?.evicted(generation, extent);
    if (extent.drive.failure !== undefined) return;
    this.#append(extent.drive, { t: 'del', e: extent.id });
    void extent.drive.removeExtent(extent.id);
  }

  /** Drops a generation with all its extents. */
  drop(generation: Generation): void {
    for (const extent of [...generation.extents.values()]) this.evict(generation, extent);
    this.#generations.delete(generation.meta.id);
  }

  async close(): Promise<void> {
    for (const journal of this.#journals.values()) await journal.close();
    for (const drive of this.drives) drive.unlock();
  }

  /** Bytes of content that are stored. */
  get storedBytes(): number {
    let bytes = 0;
    for (const generation of this.#generations.values()) bytes += generation.stored.bytes;
    return bytes;
  }

  /** Bytes of the drives in use: content in blocks, what is reserved for fetches under way, and journals. */
  get usedBytes(): number {
    return this.drives.reduce((sum, drive) => sum + this.#usedBytes(drive), 0);
  }

  #usedBytes(drive: Drive): number {
    return drive.reservedBytes + drive.folderBytes + blocksEnd(this.#journals.get(drive)?.bytes ?? 0);
  }

  /** A journal only grows: once most of it is history it is written anew. */
  #append(drive: Drive, record: JournalRecord): void {
    const journal = this.#journals.get(drive);
    if (journal === undefined || drive.failure !== undefined) return;
    journal.append(record);
    if (journal.bytes > journal.compactAtBytes) journal.compact([...this.#records(drive)]);
  }

  #driveWithRoom(generation: Generation, neededBytes: number): Drive | undefined {
    const usable = this.drives.filter((drive) => drive.failure === undefined);
    usable.sort((a, b) => this.#usedBytes(a) / a.sizeBytes - this.#usedBytes(b) / b.sizeBytes);
    return usable.find((drive) => this.#makeRoom(drive, generation, neededBytes));
  }

  #makeRoom(drive: Drive, wantedFor: Generation | undefined, neededBytes: number): boolean {
    if (neededBytes > drive.sizeBytes) return false;
    if (this.#usedBytes(drive) + neededBytes <= drive.sizeBytes) return true;
    for (const generation of [...this.#generations.values()]) {
      if (this.#usedBytes(drive) + neededBytes <= drive.sizeBytes) return true;
      if (generation === wantedFor || generation.isInUse) continue;
      for (const extent of [...generation.extents.values()]) if (extent.drive === drive) this.evict(generation, extent);
    }
    return this.#usedBytes(drive) + neededBytes <= drive.sizeBytes;
  }

  #fail(drive: Drive, error: unknown): void {
    if (drive.failure !== undefined) return;
    drive.failure = errorCode(error);
    process.stderr.write(
      `cache node: drive ${drive.path} failed (${drive.failure}): its content is given up, the node goes on without it\n`,
    );
    for (const generation of this.#generations.values()) {
      for (const extent of [...generation.extents.values()]) {
        if (extent.drive === drive) this.evict(generation, extent);
      }
    }
  }

  #journalExtent(generation: Generation, extent: Extent): void {
    const first = [...generation.extents.values()].filter((other) => other.drive === extent.drive).length === 1;
    if (first) this.#append(extent.drive, generationRecord(generation));
    this.#append(extent.drive, { t: 'ext', e: extent.id, g: generation.meta.id, i: extent.index });
  }

  *#records(drive: Drive): Generator<JournalRecord> {
    yield { t: 'boot', id: bootTime() };
    for (const generation of this.#generations.values()) {
      const extents = [...generation.extents.values()].filter((extent) => extent.drive === drive);
      if (extents.length === 0) continue;
      yield generationRecord(generation);
      for (const extent of extents) {
        yield { t: 'ext', e: extent.id, g: generation.meta.id, i: extent.index };
        const start = extent.index * extentBytes;
        for (const range of generation.stored.within(start, start + extentBytes)) {
          yield { t: 'iv', e: extent.id, s: range.start, n: range.end };
        }
      }
    }
  }

  /** Drives that come from different nodes may have used the same number for different generations. */
  #freeId(id: number): number {
    while (this.#generations.has(id)) id = this.#nextGeneration++;
    return id;
  }

  async #loadDrive(drive: Drive): Promise<void> {
    const extents = new Map<number, { readonly generation: Generation; readonly extent: Extent }>();
    const loaded = new Map<number, Generation>();
    let sameBoot = false;
    for await (const record of readJournal(drive.journalPath)) {
      if (record.t === 'boot') sameBoot = record.id === bootTime();
      if (!sameBoot) return; // bytes that only the page cache had may be holes now: start empty
      switch (record.t) {
        case 'gen': {
          const known = this.#generations.get(record.g);
          const generation =
            known !== undefined && isRecordOf(record, known) ? known : fromRecord(record, this.#freeId(record.g));
          if (generation === known && loaded.get(record.g) === known) {
            const { host, fields, at, fresh } = record; // its origin confirmed it, with new fields
            generation.host = host;
            generation.meta = { ...generation.meta, fields };
            generation.freshness = { generatedAtMs: at, freshUntilMs: fresh };
          }
          this.#generations.set(generation.meta.id, generation);
          loaded.set(record.g, generation);
          this.#nextGeneration = Math.max(this.#nextGeneration, record.g + 1);
          break;
        }
        case 'ext': {
          const generation = loaded.get(record.g);
          this.#nextExtent = Math.max(this.#nextExtent, record.e + 1);
          // A drive that failed once may hold what another drive holds since: one of them is enough, the other an orphan.
          if (generation === undefined || generation.extents.has(record.i)) break;
          const extent = new Extent(record.e, record.i, drive);
          drive.reservedBytes += extentOverheadBytes;
          generation.extents.set(record.i, extent);
          drive.noteFolder(record.e);
          extents.set(record.e, { generation, extent });
          break;
        }
        case 'iv': {
          const found = extents.get(record.e);
          if (found === undefined) break;
          found.generation.stored.add(record.s, record.n);
          drive.reservedBytes += found.extent.reserved.add(blocksStart(record.s), blocksEnd(record.n));
          break;
        }
        case 'del': {
          const found = extents.get(record.e);
          if (found === undefined) break;
          const start = found.extent.index * extentBytes;
          found.generation.extents.delete(found.extent.index);
          found.generation.stored.remove(start, start + extentBytes);
          drive.reservedBytes -= found.extent.reserved.bytes + extentOverheadBytes;
          extents.delete(record.e);
          break;
        }
        case 'fresh': {
          const generation = loaded.get(record.g);
          if (generation !== undefined) generation.freshness = { generatedAtMs: record.at, freshUntilMs: record.fresh };
          break;
        }
        case 'boot':
          break;
      }
    }
  }
}

const blocksStart = (offset: number): number => Math.floor(offset / blockBytes) * blockBytes;
const blocksEnd = (offset: number): number => Math.ceil(offset / blockBytes) * blockBytes;

function generationRecord(generation: Generation): JournalRecord {
  const { id, key, sizeBytes, etag, lastModified, fields } = generation.meta;
  return {
    t: 'gen',
    g: id,
    key,
    host: generation.host,
    size: sizeBytes,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { modified: lastModified }),
    fields,
    at: generation.freshness.generatedAtMs,
    fresh: generation.freshness.freshUntilMs,
  };
}

/** Whether a record speaks of a generation that is known (from another drive, or an earlier line). */
function isRecordOf(record: Extract<JournalRecord, { t: 'gen' }>, { meta }: Generation): boolean {
  return (
    meta.key === record.key &&
    meta.sizeBytes === record.size &&
    meta.etag === record.etag &&
    meta.lastModified === record.modified
  );
}

function fromRecord(record: Extract<JournalRecord, { t: 'gen' }>, id: number): Generation {
  return new Generation({
    id,
    key: record.key,
    host: record.host,
    sizeBytes: record.size,
    etag: record.etag,
    lastModified: record.modified,
    fields: record.fields,
    freshness: { generatedAtMs: record.at, freshUntilMs: record.fresh },
  });
}
