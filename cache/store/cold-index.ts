// What a drive holds of generations that nobody asked for lately: their journal lines, as they are, in memory, found by
// the hash of their key. A million of them are a few typed arrays and the lines themselves, no objects.
//
//   slot      0      1      2      3    …      in order of last use, oldest first; a slot is not used twice
//   hash      9af…   017…   –      9af…        chained from `heads` by `next`
//   line      chunk 0, bytes 0–230 …
//
// Invariant: a generation's share of a drive is either here or in memory as objects (warm), never both.

import { assert } from '../../common/errors.ts';
import { decodeEntry, type Entry, type EntryHead, encodeEntry, readHead, unprovenByte } from './records.ts';

const chunkBytes = 256 * 1024;
const slotCountMin = 1024;
const none = 0xffffffff;

export class ColdIndex {
  #chunks: Buffer[] = [];
  readonly #numbers = new Map<Buffer, number>();
  /** Lines that were added one by one go here. */
  #open: { readonly buffer: Buffer; used: number } | undefined;
  #heads = new Uint32Array(slotCountMin).fill(none);
  #next = new Uint32Array(slotCountMin);
  #hashes = new Uint32Array(slotCountMin);
  #ids = new Uint32Array(slotCountMin);
  #chunkOf = new Uint32Array(slotCountMin);
  #offsets = new Uint32Array(slotCountMin);
  /** 0: the slot is free. */
  #lengths = new Uint32Array(slotCountMin);
  #blocks = new Uint32Array(slotCountMin);
  #usedAtMin = new Uint32Array(slotCountMin);
  #stored = new Float64Array(slotCountMin);
  #slotCount = 0;
  #oldest = 0;
  #count = 0;
  #blockCount = 0;
  #storedBytes = 0;
  #lineBytes = 0;
  /** How often slots got other numbers. */
  rebuildCount = 0;
  readonly #head: EntryHead = { g: 0, hash: 0, blockCount: 0, storedBytes: 0, usedAtMin: 0, extentsAt: 0 };

  /** Generations. */
  get count(): number {
    return this.#count;
  }

  /** Blocks of the drive that their content takes, overhead included. */
  get blockCount(): number {
    return this.#blockCount;
  }

  /** Bytes of the lines: what they take in a journal that was just written. */
  get lineBytes(): number {
    return this.#lineBytes;
  }

  /** Bytes of content. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** Adds an entry as the most recently used one. */
  add(entry: Entry): void {
    const { chunk, offset, length } = this.#store(entry);
    this.addLine(chunk, offset, length);
  }

  /** Adds a line (with its end) as it lies in a buffer, which is kept as long as one of its lines is; returns its slot. */
  addLine(chunk: Buffer, offset: number, length: number): number {
    const slot = this.#newSlot();
    this.#put(slot, chunk, offset, length);
    const head = this.#head;
    this.#hashes[slot] = head.hash;
    this.#ids[slot] = head.g;
    const bucket = head.hash & (this.#heads.length - 1);
    this.#next[slot] = this.#heads[bucket] as number;
    this.#heads[bucket] = slot;
    this.#count += 1;
    return slot;
  }

  /** Takes out all entries of a key. */
  take(hash: number, key: string): Entry[] {
    const found: Entry[] = [];
    let slot = this.#heads[hash & (this.#heads.length - 1)] as number;
    while (slot !== none) {
      const next = this.#next[slot] as number;
      if (this.#hashes[slot] === hash) {
        const entry = this.read(slot);
        if (entry.key === key) {
          this.remove(slot);
          found.push(entry);
        }
      }
      slot = next;
    }
    return found;
  }

  /** The slot that was used least recently. */
  oldest(): number | undefined {
    while (this.#oldest < this.#slotCount && this.#lengths[this.#oldest] === 0) this.#oldest += 1;
    return this.#oldest < this.#slotCount ? this.#oldest : undefined;
  }

  /** When it was used, in ms since 1970; to the minute. */
  usedAtMs(slot: number): number {
    return (this.#usedAtMin[slot] as number) * 60_000;
  }

  read(slot: number): Entry {
    return decodeEntry(this.#line(slot));
  }

  /** Puts an entry of the same generation in a slot's place. */
  replace(slot: number, entry: Entry): void {
    this.#uncount(slot);
    const { chunk, offset, length } = this.#store(entry);
    this.#put(slot, chunk, offset, length);
  }

  remove(slot: number): void {
    const bucket = (this.#hashes[slot] as number) & (this.#heads.length - 1);
    if (this.#heads[bucket] === slot) this.#heads[bucket] = this.#next[slot] as number;
    else {
      let before = this.#heads[bucket] as number;
      while (this.#next[before] !== slot) before = this.#next[before] as number;
      this.#next[before] = this.#next[slot] as number;
    }
    this.#uncount(slot);
    this.#lengths[slot] = 0;
    this.#count -= 1;
  }

  /** All of it was written in another boot: nothing may be sent before it was compared with its checksum. */
  markUnproven(): void {
    for (const slot of this.slots()) {
      (this.#chunks[this.#chunkOf[slot] as number] as Buffer)[this.#offsets[slot] as number] = unprovenByte;
    }
  }

  /** Slots in use, oldest first. */
  *slots(): Generator<number> {
    for (let slot = this.#oldest; slot < this.#slotCount; slot += 1) if (this.#lengths[slot] !== 0) yield slot;
  }

  /** The number of the slot's generation on this drive. */
  idOf(slot: number): number {
    return this.#ids[slot] as number;
  }

  /** Where the lines are, for writing them: what they say stays as it is now, whatever changes here. */
  capture(): { chunks: Buffer[]; chunkOf: Uint32Array; offsets: Uint32Array; lengths: Uint32Array; count: number } {
    const all = { chunkOf: new Uint32Array(this.#count), offsets: new Uint32Array(this.#count) };
    const lengths = new Uint32Array(this.#count);
    let count = 0;
    for (let slot = this.#oldest; slot < this.#slotCount; slot += 1) {
      if (this.#lengths[slot] === 0) continue;
      all.chunkOf[count] = this.#chunkOf[slot] as number;
      all.offsets[count] = this.#offsets[slot] as number;
      lengths[count] = this.#lengths[slot] as number;
      count += 1;
    }
    assert(count === this.#count, 'the slots in use are as many as were counted');
    return { chunks: [...this.#chunks], ...all, lengths, count };
  }

  /** Forgets everything. */
  clear(): void {
    this.#chunks = [];
    this.#numbers.clear();
    this.#open = undefined;
    this.#heads.fill(none);
    this.#lengths.fill(0);
    this.#slotCount = 0;
    this.#oldest = 0;
    this.#count = 0;
    this.#blockCount = 0;
    this.#storedBytes = 0;
    this.#lineBytes = 0;
  }

  #line(slot: number): string {
    const offset = this.#offsets[slot] as number;
    const chunk = this.#chunks[this.#chunkOf[slot] as number] as Buffer;
    return chunk.toString('utf8', offset, offset + (this.#lengths[slot] as number) - 1);
  }

  /** Copies an entry's line into a chunk. */
  #store(entry: Entry): { chunk: Buffer; offset: number; length: number } {
    const text = encodeEntry(entry);
    const length = Buffer.byteLength(text);
    const { chunk, offset } = this.#room(length);
    chunk.write(text, offset);
    return { chunk, offset, length };
  }

  #room(length: number): { chunk: Buffer; offset: number } {
    if (this.#open === undefined || this.#open.used + length > this.#open.buffer.length) {
      this.#open = { buffer: Buffer.allocUnsafeSlow(Math.max(length, chunkBytes)), used: 0 };
    }
    const offset = this.#open.used;
    this.#open.used += length;
    return { chunk: this.#open.buffer, offset };
  }

  #numberOf(chunk: Buffer): number {
    let number = this.#numbers.get(chunk);
    if (number === undefined) {
      number = this.#chunks.push(chunk) - 1;
      this.#numbers.set(chunk, number);
    }
    return number;
  }

  #put(slot: number, chunk: Buffer, offset: number, length: number): void {
    const head = this.#head;
    readHead(chunk, offset, head);
    this.#chunkOf[slot] = this.#numberOf(chunk);
    this.#offsets[slot] = offset;
    this.#lengths[slot] = length;
    this.#blocks[slot] = head.blockCount;
    this.#usedAtMin[slot] = head.usedAtMin;
    this.#stored[slot] = head.storedBytes;
    this.#blockCount += head.blockCount;
    this.#storedBytes += head.storedBytes;
    this.#lineBytes += length;
  }

  #uncount(slot: number): void {
    this.#blockCount -= this.#blocks[slot] as number;
    this.#storedBytes -= this.#stored[slot] as number;
    this.#lineBytes -= this.#lengths[slot] as number;
  }

  #newSlot(): number {
    if (this.#slotCount === this.#lengths.length) this.#rebuild();
    return this.#slotCount++;
  }

  /** Makes room for more slots, and gives up those that are free, with the chunks that only they needed. */
  #rebuild(): void {
    this.rebuildCount += 1;
    const live = this.capture();
    const size = 2 ** Math.ceil(Math.log2(Math.max(slotCountMin, 1.5 * this.#count)));
    this.#heads = new Uint32Array(size).fill(none);
    this.#next = new Uint32Array(size);
    this.#hashes = new Uint32Array(size);
    this.#ids = new Uint32Array(size);
    this.#chunkOf = new Uint32Array(size);
    this.#offsets = new Uint32Array(size);
    this.#lengths = new Uint32Array(size);
    this.#blocks = new Uint32Array(size);
    this.#usedAtMin = new Uint32Array(size);
    this.#stored = new Float64Array(size);
    this.clear();
    const usedBytes = new Float64Array(live.chunks.length);
    for (let i = 0; i < live.count; i += 1) {
      usedBytes[live.chunkOf[i] as number] =
        (usedBytes[live.chunkOf[i] as number] as number) + (live.lengths[i] as number);
    }
    // A chunk that is used by half stays; what is left of the others moves.
    for (let i = 0; i < live.count; i += 1) {
      const from = live.chunkOf[i] as number;
      const chunk = live.chunks[from] as Buffer;
      const offset = live.offsets[i] as number;
      const length = live.lengths[i] as number;
      if (2 * (usedBytes[from] as number) >= chunk.length) this.addLine(chunk, offset, length);
      else {
        const room = this.#room(length);
        chunk.copy(room.chunk, room.offset, offset, offset + length);
        this.addLine(room.chunk, room.offset, length);
      }
    }
  }
}
