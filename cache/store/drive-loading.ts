// Reads a drive's journal into its index at the start. Lines of whole generations go to the index as they are; a
// generation that later lines change is read, changed, and put back at the end as the most recently used one.

import { extentBytes } from '../protocol.ts';
import { CheckedRuns } from './checked-runs.ts';
import type { ColdIndex } from './cold-index.ts';
import type { DriveFiles } from './drive-files.ts';
import { readJournal } from './journal.ts';
import { blocksOf, decodeEntry, type Entry, type EntryHead, eachExtentId, isEntry, readHead } from './records.ts';

export type Loaded = {
  /** Bytes of the journal that are good. */
  readonly goodBytes: number;
  /** Whether its snapshot is there in full; what is appended follows it. */
  readonly hasSnapshot: boolean;
  /** The boot that its last lines were written in. */
  readonly boot: string | undefined;
  readonly nextG: number;
  /** Highest number of an extent. */
  readonly highestExtent: number;
  /** Whether an extent's file belongs to something that was read. */
  readonly isKnown: (extent: number) => boolean;
};

/** Fills the index; the event loop turns meanwhile. Throws what the drive says. */
export async function loadDrive(files: ExtentSizes, cold: ColdIndex, boot: string): Promise<Loaded> {
  const loading = new Loading(cold);
  const goodBytes = await readJournal(files.journalPath, (lines) => loading.read(lines));
  await loading.measure(files);
  return loading.finish(goodBytes, boot);
}

/** What loading needs of the drive's files. */
export type ExtentSizes = Pick<DriveFiles, 'journalPath' | 'blocksOf'>;

/** Files that are looked at before the event loop turns. */
const measuredAtOnce = 500;

class Loading {
  readonly #cold: ColdIndex;
  /** Generations that lines changed, in the order of the last change. */
  readonly #changed = new Map<number, Entry>();
  /** Slots by the generations' numbers; made after the snapshot, if at all. Until the end no slot is added any more. */
  #slots: Map<number, number> | undefined;
  #extents = new Float64Array(1024);
  #extentCount = 0;
  readonly #gone = new Set<number>();
  /** Extents that were written after the snapshot. */
  readonly #written = new Set<number>();
  #boot: string | undefined;
  #isSnapshot = true;
  #highestG = 0;
  readonly #head: EntryHead = { g: 0, hash: 0, blockCount: 0, storedBytes: 0, usedAtMin: 0, extentsAt: 0 };

  constructor(cold: ColdIndex) {
    this.#cold = cold;
  }

  read(lines: Buffer): void {
    for (let at = 0; at < lines.length; ) {
      const found = lines.indexOf(0x0a, at);
      const end = found < 0 ? lines.length : found;
      if (isEntry(lines[at])) this.#readEntry(lines, at, end + 1 - at);
      else this.#change(lines.toString('latin1', at, end));
      at = end + 1;
    }
  }

  /** Counts what files that were being written hold, and no line speaks of. */
  async measure(files: ExtentSizes): Promise<void> {
    let count = 0;
    for (const { extents } of this.#changed.values()) {
      for (const extent of [...extents.values()]) {
        if (!this.#written.has(extent.id)) continue;
        const blocks = files.blocksOf(extent.id);
        // The line that says that it is gone was not written any more; or none of its bytes were.
        if (blocks === undefined) extents.delete(extent.index);
        else extent.extraBlocks = Math.max(0, blocks - blocksOf(extent.runs));
        count += 1;
        if (count % measuredAtOnce === 0) await new Promise(setImmediate);
      }
    }
  }

  finish(goodBytes: number, boot: string): Loaded {
    for (const entry of this.#changed.values()) if (entry.extents.size > 0) this.#cold.add(entry);
    if (this.#boot !== boot) this.#cold.markUnproven();
    const known = this.#extents.subarray(0, this.#extentCount).sort();
    return {
      goodBytes,
      hasSnapshot: !this.#isSnapshot,
      boot: this.#boot,
      nextG: this.#highestG + 1,
      highestExtent: known.at(-1) ?? 0,
      isKnown: (extent) => !this.#gone.has(extent) && contains(known, extent),
    };
  }

  #readEntry(lines: Buffer, at: number, length: number): void {
    const head = this.#head;
    readHead(lines, at, head);
    const { g, extentsAt } = head;
    if (!this.#isSnapshot) {
      // It replaces what is known under its number, and is about to be changed: most are new, and have no extents yet.
      const known = g <= this.#highestG ? (this.#changed.get(g) ?? this.#take(g)) : undefined;
      for (const { id } of known?.extents.values() ?? []) this.#gone.add(id);
      this.#changed.delete(g);
      this.#changed.set(g, decodeEntry(lines.toString('utf8', at, at + length - 1)));
    } else this.#cold.addLine(lines, at, length);
    this.#highestG = Math.max(this.#highestG, g);
    eachExtentId(lines, extentsAt, (id) => this.#noteExtent(id));
  }

  #noteExtent(id: number): void {
    this.#gone.delete(id);
    if (this.#extentCount === this.#extents.length) {
      const more = new Float64Array(2 * this.#extents.length);
      more.set(this.#extents);
      this.#extents = more;
    }
    this.#extents[this.#extentCount++] = id;
  }

  #change(text: string): void {
    const [kind = '', ...words] = text.split(' ');
    if (kind === 'B') {
      const [boot = ''] = words;
      if (this.#boot !== undefined && this.#boot !== boot) {
        this.#cold.markUnproven();
        for (const entry of this.#changed.values()) entry.isUnproven = true;
      }
      this.#boot = boot;
      return;
    }
    if (kind === 'S') {
      this.#isSnapshot = false;
      return;
    }
    const [g = 0, a = 0, b = 0, length = 0, crc = 0] = words.map(Number);
    const entry = this.#changed.get(g) ?? this.#take(g);
    if (entry === undefined) return;
    this.#changed.delete(g);
    this.#changed.set(g, entry);
    if (kind === 'E') {
      entry.extents.set(b, { id: a, index: b, runs: new CheckedRuns(), extraBlocks: 0 });
      this.#noteExtent(a);
      this.#written.add(a);
    } else if (kind === 'W') {
      const extent = entry.extents.get(a);
      if (extent !== undefined) this.#written.add(extent.id);
    } else if (kind === 'I') {
      const start = a * extentBytes + b;
      const runs = entry.extents.get(a)?.runs;
      if (runs?.isFree(start, start + length) === true) runs.add(start, start + length, crc);
    } else if (kind === 'D') {
      const extent = entry.extents.get(a);
      if (extent !== undefined) this.#gone.add(extent.id);
      entry.extents.delete(a);
    } else if (kind === 'T') {
      entry.usedAtMs = a * 60_000;
    } else if (kind === 'F') {
      entry.generatedAtMs = a;
      entry.freshUntilMs = b;
    }
  }

  /** Takes a generation out of the index, to change it. */
  #take(g: number): Entry | undefined {
    if (this.#slots === undefined) {
      this.#slots = new Map();
      for (const slot of this.#cold.slots()) this.#slots.set(this.#cold.idOf(slot), slot);
    }
    const slot = this.#slots.get(g);
    if (slot === undefined) return undefined;
    this.#slots.delete(g);
    const entry = this.#cold.read(slot);
    this.#cold.remove(slot);
    return entry;
  }
}

function contains(sorted: Float64Array, value: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return sorted[low] === value;
}
