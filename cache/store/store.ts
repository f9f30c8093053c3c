// All drives together: where an extent goes, how much may be written, what is evicted when room is needed, and what was
// there before the start.
//
//   warm (objects, in use lately) ── not used for a while ──▶ cold (a journal line in memory) ── oldest first ──▶ evicted
//        ▲                                                      │
//        └──────────────────────── asked for ───────────────────┘
//
// Invariants: space is reserved, in blocks, before a byte is written (drive.ts). A generation's share of a drive is warm or
// cold, never both. Bytes are journalled after they were written, with their checksum; bytes that are stored are not written
// again. An extent's number is never used twice, and no file is made on a drive before its orphans are gone.

import { bootTime } from '../../common/boot-time.ts';
import { errorCode } from '../../common/errors.ts';
import { extentBytes } from '../protocol.ts';
import type { DriveSetting } from '../settings.ts';
import { bytesOf, crcInBackground, crcOf } from './checksum.ts';
import type { Drive } from './drive.ts';
import { loadDrive } from './drive-loading.ts';
import { blocksEnd, blocksStart, eachPart, entryOf, extentOverheadBytes } from './entries.ts';
import { expireCold, makeRoom } from './eviction.ts';
import { type DriveFigures, driveFigures, type Evicted, type IndexFigures, indexFigures } from './figures.ts';
import { Extent, type Generation, type Unproven } from './generation.ts';
import { Journal } from './journal.ts';
import type { StoreListener } from './listener.ts';
import { openDrives } from './open-drives.ts';
import { Proving, type Verdict } from './proving.ts';
import { encodeEntry, line } from './records.ts';
import { snapshotOf } from './snapshot.ts';
import { WarmGenerations } from './warm-generations.ts';

/** Content that nobody asked for goes after 30 days, as in Microsoft's node (WDn mcc-ent-faq.yml). */
const keepMsDefault = 30 * 24 * 3600 * 1000;
const expiryIntervalMs = 600_000;
/** A drive that was full is looked at again after so long. */
const growIntervalMs = 10_000;
const full: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

export type StoreOptions = {
  /** How long content is kept that nobody asks for, in ms. Default: 30 days; Infinity: until its room is needed. */
  readonly keepMs?: number;
  /** Generations kept as objects. Default: 16,384. */
  readonly warmCountMax?: number;
};

export class Store {
  readonly drives: readonly Drive[];
  /** Set once, before anything is reserved. */
  listener: StoreListener | undefined;
  readonly #warm: WarmGenerations;
  readonly #proving: Proving;
  readonly #keepMs: number;
  readonly #timers: NodeJS.Timeout[];
  #nextExtent = 1;
  readonly #evicted: Evicted = { extentCount: 0, bytes: 0 };

  constructor(drives: readonly DriveSetting[], options: StoreOptions = {}) {
    this.drives = openDrives(drives);
    this.#keepMs = options.keepMs ?? keepMsDefault;
    this.#warm = new WarmGenerations(this.drives, options.warmCountMax, (generation) =>
      this.listener?.cooled(generation),
    );
    this.#proving = new Proving({
      judged: (generation, unproven, verdict) => this.#judged(generation, unproven, verdict),
      finished: (generation) => this.#rewrite(generation),
    });
    this.#timers = [
      setInterval(() => this.#expire(), expiryIntervalMs).unref(),
      setInterval(() => this.#grow(), growIntervalMs).unref(),
    ];
  }

  /** Whether what a drive holds is not known yet: an unknown object may be there. */
  get isLoading(): boolean {
    return this.drives.some((drive) => drive.state === 'loading');
  }

  /** Drives that take no fills yet: their journal is being read, or their orphans are being removed. */
  get loadingDriveCount(): number {
    return this.drives.filter(({ state }) => state === 'loading' || state === 'sweeping').length;
  }

  /** Bytes of the journals that were found at the start. */
  get journalBytes(): number {
    return this.drives.reduce((sum, drive) => sum + drive.foundJournalBytes, 0);
  }

  /** Reads the journals of all drives and removes what they do not know. Requests may come meanwhile. */
  async load(): Promise<void> {
    for (const drive of this.drives) {
      if (drive.state === 'failed') continue;
      try {
        await this.#loadDrive(drive);
      } catch (error) {
        this.#failed(drive, error);
      }
    }
    this.#expire();
  }

  async #loadDrive(drive: Drive): Promise<void> {
    const boot = bootTime();
    const loaded = await loadDrive(drive.files, drive.cold, boot);
    const journal = await Journal.open(drive.files.journalPath, loaded.goodBytes, {
      isFull: (error) => full.has(errorCode(error)),
      failed: (error) => this.#failed(drive, error),
      removed: () => drive.files.removed(),
    });
    if (drive.failure !== undefined) return;
    drive.journal = journal;
    drive.noteJournalSize(drive.cold.lineBytes);
    drive.nextG = Math.max(drive.nextG, loaded.nextG);
    this.#nextExtent = Math.max(this.#nextExtent, loaded.highestExtent + 1);
    if (loaded.boot !== boot) drive.append(line.boot(boot));
    if (!loaded.hasSnapshot) drive.append(line.snapshotEnd);
    drive.state = 'sweeping';
    const { highest } = await drive.files.removeOrphans(loaded.isKnown);
    this.#nextExtent = Math.max(this.#nextExtent, highest + 1);
    if (drive.state !== 'sweeping') return;
    drive.state = 'open';
    this.#makeRoom(drive, undefined, 0); // the drive may be smaller than it was
  }

  newGeneration(fields: Omit<ConstructorParameters<typeof Generation>[0], 'id'>): Generation {
    return this.#warm.create(fields);
  }

  /** Brings back what the drives hold of a key and nobody used lately; see WarmGenerations. */
  recall(key: string, known: readonly (Generation | undefined)[]): readonly Generation[] {
    return this.#warm.recall(key, known);
  }

  /** Marks a generation as used now. */
  touch(generation: Generation): void {
    this.#warm.touch(generation);
  }

  find(id: number): Generation | undefined {
    return this.#warm.find(id);
  }

  /** Starts comparing what is there since another boot with its checksums, the range first; `listener` hears. */
  prove(generation: Generation, range: { readonly start: number; readonly end: number } | undefined): void {
    if (generation.unproven.length > 0) this.#proving.want(generation, range ?? { start: 0, end: 1 });
  }

  /**
   * Reserves room for [start, end) of a generation, evicting what was least recently used where needed; extents that
   * did not exist are created. False: there is no room, the bytes cannot be stored.
   */
  reserve(generation: Generation, start: number, end: number): boolean {
    return eachPart(start, end, (index, from, to) => {
      const first = blocksStart(from);
      const last = blocksEnd(to);
      let extent = generation.extents.get(index);
      if (extent === undefined) {
        const drive = this.#driveWithRoom(generation, last - first + extentOverheadBytes);
        if (drive === undefined) return false;
        extent = this.#createExtent(generation, index, drive);
      }
      const { drive, reserved } = extent;
      const neededBytes = last - first - reserved.overlapBytes(first, last);
      if (neededBytes > 0 && (drive.state !== 'open' || !this.#makeRoom(drive, generation, neededBytes))) return false;
      drive.warmBytes += reserved.add(first, last);
      return true;
    });
  }

  #createExtent(generation: Generation, index: number, drive: Drive): Extent {
    const extent = new Extent(this.#nextExtent++, index, drive);
    drive.files.noteFolder(extent.id);
    drive.warmBytes += extent.heldBytes;
    extent.isAnnounced = true;
    let place = generation.places.get(drive);
    if (place === undefined) {
      place = { g: drive.nextG++, extentCount: 0 };
      generation.places.set(drive, place);
      drive.warm.add(generation);
      drive.append(encodeEntry(entryOf(generation, drive)));
    }
    place.extentCount += 1;
    generation.extents.set(index, extent);
    drive.append(line.extent(place.g, extent.id, index));
    this.listener?.created(generation, extent);
    return extent;
  }

  /** Gives back what was reserved for [start, end) and not stored. */
  unreserve(generation: Generation, start: number, end: number): void {
    for (const gap of generation.stored.gaps(start, end)) {
      eachPart(gap.start, gap.end, (index, from, to) => {
        const extent = generation.extents.get(index);
        const first = blocksEnd(from);
        const last = blocksStart(to);
        if (extent !== undefined && first < last) extent.drive.warmBytes -= extent.reserved.remove(first, last);
        return true;
      });
    }
  }

  /**
   * Writes bytes at an offset of the object, and records them; they are within one extent, and reserved. Rejects when they
   * are not stored: the extent is gone, or its drive is full or failed.
   */
  async write(generation: Generation, extent: Extent, start: number, buffers: readonly Buffer[]): Promise<void> {
    const { drive, index } = extent;
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const gaps = generation.stored.gaps(start, start + bytes);
    const crcs = gaps.map((gap) => crcInBackground(buffers, gap.start - start, gap.end - start));
    let sums: readonly number[] = [];
    try {
      if (!extent.isAnnounced) {
        extent.isAnnounced = true;
        drive.append(line.writing(generation.places.get(drive)?.g ?? 0, index));
        await drive.journal?.flush();
      }
      for (const gap of gaps) {
        await drive.files.write(
          extent.id,
          gap.start - index * extentBytes,
          bytesOf(buffers, gap.start - start, gap.end - start),
        );
      }
      sums = await Promise.all(crcs);
    } catch (error) {
      // Its file may have been closed while this was written, because the extent was evicted.
      if (generation.extents.get(index) === extent) this.#failed(drive, error);
      throw error;
    }
    if (generation.extents.get(index) !== extent) {
      drive.files.remove(extent.id); // evicted while this was written: its file must not come back
      throw new Error('the extent of these bytes is gone');
    }
    for (const gap of generation.stored.gaps(start, start + bytes)) {
      // Another fetch may have stored some of it meanwhile.
      const known = gaps.findIndex((other) => other.start === gap.start && other.end === gap.end);
      const run = { ...gap, crc: sums[known] ?? crcOf(buffers, gap.start - start, gap.end - start) };
      extent.runs.add(run.start, run.end, run.crc);
      drive.append(line.bytes(generation.places.get(drive)?.g ?? 0, index, run));
    }
    generation.stored.add(start, start + bytes);
    this.#tidy(drive);
  }

  recordFreshness(generation: Generation): void {
    const { generatedAtMs, freshUntilMs } = generation.freshness;
    for (const [drive, { g }] of generation.places) drive.append(line.fresh(g, generatedAtMs, freshUntilMs));
  }

  /** Takes an extent away: from the index first, then from the drive. */
  evict(generation: Generation, extent: Extent): void {
    const { drive, index } = extent;
    if (generation.extents.get(index) !== extent) return;
    this.#evicted.extentCount += 1;
    this.#evicted.bytes += extent.reserved.bytes;
    generation.extents.delete(index);
    for (const run of extent.runs) generation.stored.remove(run.start, run.end);
    for (const unproven of generation.unproven) if (unproven.extent === extent) forgetUnproven(generation, unproven);
    generation.unproven = generation.unproven.filter((unproven) => unproven.extent !== extent);
    drive.warmBytes -= extent.heldBytes;
    const place = generation.places.get(drive);
    if (place !== undefined) {
      place.extentCount -= 1;
      if (drive.state !== 'failed') {
        drive.append(line.gone(place.g, index));
        drive.files.remove(extent.id);
      }
      if (place.extentCount === 0) {
        generation.places.delete(drive);
        drive.warm.delete(generation);
      }
    }
    this.listener?.evicted(generation, extent);
  }

  /** Drops a generation with all its extents. */
  drop(generation: Generation): void {
    for (const extent of [...generation.extents.values()]) this.evict(generation, extent);
    this.#warm.delete(generation);
  }

  /** Resolves once the journals hold what was said so far: a killed node knows it at its next start. */
  async flush(): Promise<void> {
    for (const { journal } of this.drives) await journal?.flush();
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const drive of this.drives) {
      await drive.journal?.close();
      await drive.files.close();
      if (drive.state !== 'failed') drive.unlock();
    }
  }

  /** Bytes of content that are stored. */
  get storedBytes(): number {
    let bytes = 0;
    for (const drive of this.drives) bytes += drive.cold.storedBytes;
    for (const generation of this.#warm) bytes += generation.stored.bytes;
    return bytes;
  }

  /** Bytes of the drives in use: content in blocks, what is reserved for fetches under way, folders and journals. */
  get usedBytes(): number {
    return this.drives.reduce((sum, drive) => sum + (drive.state === 'failed' ? 0 : drive.usedBytes), 0);
  }

  get driveFigures(): DriveFigures[] {
    return this.drives.map(driveFigures);
  }

  get indexFigures(): IndexFigures {
    return indexFigures(this.drives, this.storedBytes, this.#evicted);
  }

  /** By free share, the emptiest first. */
  #driveWithRoom(generation: Generation, neededBytes: number): Drive | undefined {
    const open = this.drives.filter((drive) => drive.state === 'open');
    const share = new Map(open.map((drive) => [drive, drive.usedBytes / Math.max(1, drive.limitBytes)]));
    open.sort((a, b) => (share.get(a) ?? 0) - (share.get(b) ?? 0));
    return open.find((drive) => this.#makeRoom(drive, generation, neededBytes));
  }

  #makeRoom(drive: Drive, wantedFor: Generation | undefined, neededBytes: number): boolean {
    return makeRoom(drive, wantedFor, neededBytes, (generation, extent) => this.evict(generation, extent));
  }

  /** After the journal grew: room for it, or a shorter one. */
  #tidy(drive: Drive): void {
    if (drive.roomBytes < 0) this.#makeRoom(drive, undefined, 0);
    if (drive.wantsCompaction && drive.state === 'open') void this.#compact(drive);
  }

  async #compact(drive: Drive): Promise<void> {
    await drive.journal?.compact(snapshotOf(drive));
    drive.noteJournalSize(drive.journal?.bytes ?? 0);
  }

  /** What nobody asked for in 30 days goes. */
  #expire(): void {
    const since = Date.now() - this.#keepMs;
    for (const drive of this.drives) {
      if (drive.state === 'open') expireCold(drive, since);
    }
    for (const generation of this.#warm) {
      if (generation.usedAtMs >= since) break;
      if (!generation.isInUse) for (const extent of [...generation.extents.values()]) this.evict(generation, extent);
    }
  }

  #grow(): void {
    for (const drive of this.drives) {
      drive.grow().catch((error: unknown) => drive.files.note(`statfs ${errorCode(error)}`));
    }
  }

  #judged(generation: Generation, unproven: Unproven, verdict: Verdict): void {
    const { extent, run } = unproven;
    generation.unproven.splice(generation.unproven.indexOf(unproven), 1);
    forgetUnproven(generation, unproven);
    if (verdict === 'right') {
      extent.runs.add(run.start, run.end, run.crc);
      generation.stored.add(run.start, run.end);
      this.listener?.proven(generation, run.start, run.end);
      return;
    }
    this.#rewrite(generation); // before the bytes are fetched again and journalled anew
    this.listener?.disproved(generation);
  }

  /** Journals all of a generation: what was proven is not proven again, what was wrong is gone. */
  #rewrite(generation: Generation): void {
    for (const drive of generation.places.keys()) {
      drive.append(encodeEntry(entryOf(generation, drive)));
      this.#tidy(drive);
    }
  }

  /** A full file system costs what does not fit, any other error the drive with its content; never the node. */
  #failed(drive: Drive, error: unknown): void {
    if (drive.state === 'failed') return;
    if (full.has(errorCode(error)) && drive.journal !== undefined) {
      drive.noteFull();
      this.#makeRoom(drive, undefined, 0);
      return;
    }
    drive.state = 'failed';
    drive.failure = errorCode(error);
    drive.files.note(`failed (${drive.failure}): its content is given up, the node goes on without it`);
    drive.cold.clear();
    for (const generation of [...drive.warm]) {
      for (const extent of [...generation.extents.values()]) if (extent.drive === drive) this.evict(generation, extent);
    }
  }
}

function forgetUnproven(generation: Generation, { run }: Unproven): void {
  generation.unprovenBytes -= run.end - run.start;
  generation.claimed.remove(run.start, run.end);
}
