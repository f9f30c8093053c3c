// The store against a model, without the rest of the node: random fills, reads, evictions, changes between warm and cold,
// restarts and crashes. What it says is stored is on its files, is right, and is within its size.

import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { extentBytes } from '../../cache/protocol.ts';
import type { Generation } from '../../cache/store/generation.ts';
import { Store } from '../../cache/store/store.ts';
import { ContentFunction } from '../../common/content.ts';
import { type RandomStream, randomStream } from '../../common/random.ts';
import { randomCases } from '../random-cases.ts';
import { blocksUnder, until } from './node-process.ts';

const sizeBytes = 3_000_000;
const warmCountMax = 4;
const seeds = Number(process.env['STORE_SEEDS'] ?? randomCases(6));

afterEach(() => {
  delete process.env['CACHE_NODE_BOOT_ID'];
});

class Play {
  readonly #random: RandomStream;
  readonly #root: string;
  #life = 0;
  folder = '';
  store!: Store;
  /** Current generations by key, as a catalogue knows them. */
  readonly known = new Map<string, Generation>();
  cooledCount = 0;
  hasCrashed = false;

  constructor(root: string, random: RandomStream) {
    this.#root = root;
    this.#random = random;
  }

  async open(from: string | undefined): Promise<void> {
    this.folder = join(this.#root, String(this.#life++));
    mkdirSync(this.folder);
    if (from !== undefined) {
      // The journal first: what it says is on the files by then.
      mkdirSync(join(this.folder, 'do-cache'));
      for (const name of ['journal', 'extents'])
        copySparse(join(from, 'do-cache', name), join(this.folder, 'do-cache', name));
    }
    this.known.clear();
    this.store = new Store([{ path: this.folder, sizeBytes }], { warmCountMax });
    this.store.listener = {
      created: () => undefined,
      evicted: () => undefined,
      proven: () => undefined,
      disproved: () => undefined,
      cooled: (generation) => {
        this.cooledCount += 1;
        this.known.delete(generation.meta.key);
      },
    };
    await this.store.load();
  }

  generation(id: string): Generation {
    const recalled = this.store.recall(id, [this.known.get(id)]);
    expect(recalled.length).toBeLessThanOrEqual(1);
    const generation =
      this.known.get(id) ??
      recalled[0] ??
      this.store.newGeneration({
        ...{ key: id, sizeBytes: 5 * extentBytes, etag: `"${id}"`, lastModified: undefined, fields: [] },
        ...{ host: 'host', freshness: { generatedAtMs: 1, freshUntilMs: 2 } },
      });
    this.known.set(id, generation);
    this.store.touch(generation);
    return generation;
  }

  async fill(generation: Generation, start: number, end: number): Promise<void> {
    const { store } = this;
    generation.askCount += 1;
    const id = generation.meta.key;
    if (store.reserve(generation, start, end)) {
      const extent = generation.extents.get(Math.floor(start / extentBytes));
      expect(extent).toBeDefined();
      const content = Buffer.alloc(end - start);
      new ContentFunction(id, 1).fill(content, 0, start, end - start);
      const middle = Math.floor(this.#random() * content.length);
      if (extent !== undefined)
        await store.write(generation, extent, start, [content.subarray(0, middle), content.subarray(middle)]);
      expect(generation.stored.covers(start, end)).toBe(true);
    } else store.unreserve(generation, start, end);
    generation.askCount -= 1;
    expect(this.used()).toBeLessThanOrEqual(sizeBytes);
  }

  used(): number {
    return this.store.usedBytes;
  }

  /** All that is stored is on its files, and right. A file may be gone when a crash came before the line that says so. */
  check(generation: Generation): void {
    for (const extent of [...generation.extents.values()]) {
      if (existsSync(extent.drive.extentPath(extent.id)) || extent.runs.count === 0) continue;
      expect(this.hasCrashed).toBe(true);
      this.store.evict(generation, extent);
    }
    const content = new ContentFunction(generation.meta.key, 1);
    for (const { start, end } of generation.stored) {
      for (let index = Math.floor(start / extentBytes); index * extentBytes < end; index += 1) {
        const extent = generation.extents.get(index);
        const from = Math.max(start, index * extentBytes);
        const to = Math.min(end, (index + 1) * extentBytes);
        const file = readFileSync(extent?.drive.extentPath(extent.id) ?? '');
        expect(content.firstDifference(file, from - index * extentBytes, from, to - from)).toBe(-1);
      }
    }
  }
}

/** Copies a file or folder; blocks of zeros become holes. */
function copySparse(from: string, to: string): void {
  if (statSync(from).isDirectory()) {
    mkdirSync(to);
    for (const name of readdirSync(from)) copySparse(join(from, name), join(to, name));
    return;
  }
  const bytes = readFileSync(from);
  const file = openSync(to, 'w');
  for (let at = 0; at < bytes.length; at += 4096) {
    const block = bytes.subarray(at, at + 4096);
    if (block.some((byte) => byte !== 0)) writeSync(file, block, 0, block.length, at);
  }
  ftruncateSync(file, bytes.length);
  closeSync(file);
}

describe('the store', () => {
  it.each(Array.from({ length: seeds }, (_, seed) => [seed]))('keeps what it says it has (seed %i)', async (seed) => {
    const random = randomStream(seed, 'store model');
    const below = (n: number): number => Math.floor(random() * n);
    const root = mkdtempSync(join(tmpdir(), 'cache-store-'));
    let boot = 0;
    process.env['CACHE_NODE_BOOT_ID'] = 'boot0';
    const play = new Play(root, random);
    try {
      await play.open(undefined);
      for (let step = 0; step < 400; step += 1) {
        const generation = play.generation(`object${below(12)}`);
        if (generation.unproven.length > 0) {
          const range = { start: 0, end: 1 };
          play.store.prove(generation, range);
          await until(
            () => generation.isProving,
            (isProving) => !isProving,
          );
        }
        const index = below(5);
        const start = index * extentBytes + below(200_000);
        if (random() < 0.7) await play.fill(generation, start, start + 1 + below(150_000));
        play.check(generation);
        if (step % 20 === 19) {
          await play.store.drives[0]?.files.removed();
          expect(blocksUnder(play.folder)).toBeLessThanOrEqual(play.used());
        }
        if (step % 50 !== 49) continue;
        const { store, folder } = play;
        const storedBytes = store.storedBytes;
        if (random() < 0.5) {
          await store.close();
          if (random() < 0.5) process.env['CACHE_NODE_BOOT_ID'] = `boot${++boot}`;
          await play.open(folder);
          expect(play.store.storedBytes).toBe(storedBytes);
        } else {
          if (random() < 0.5) process.env['CACHE_NODE_BOOT_ID'] = `boot${++boot}`;
          play.hasCrashed = true;
          await play.open(folder); // a crash: the last lines are not in the journal
          await store.close();
          expect(play.store.storedBytes).toBeLessThanOrEqual(storedBytes);
        }
        expect(play.used()).toBeLessThanOrEqual(sizeBytes);
        await play.store.drives[0]?.files.removed();
        expect(blocksUnder(play.folder)).toBeLessThanOrEqual(play.used());
      }
      expect(play.cooledCount).toBeGreaterThan(50);
      await play.store.close();
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  it('drops what nobody asked for in 30 days, and nothing else', async () => {
    const root = mkdtempSync(join(tmpdir(), 'cache-store-'));
    try {
      const play = new Play(root, randomStream(1, 'keep'));
      await play.open(undefined);
      const old = play.generation('old');
      old.usedAtMs = Date.now() - 31 * 24 * 3_600_000;
      await play.fill(old, 0, 1000);
      for (let i = 0; i < 2 * warmCountMax; i += 1) await play.fill(play.generation(`new${i}`), 0, 1000);
      expect(play.known.has('old')).toBe(false); // cold by now
      await play.store.close();
      await play.open(play.folder);
      await play.store.drives[0]?.files.removed();
      expect(play.store.storedBytes).toBe(2 * warmCountMax * 1000);
      const extents = readdirSync(join(play.folder, 'do-cache', 'extents'), { recursive: true, withFileTypes: true });
      expect(extents.filter((each) => each.isFile())).toHaveLength(2 * warmCountMax);
      await play.store.close();
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  it('remembers no more of content that it cannot hold than of content that it does not use', async () => {
    const root = mkdtempSync(join(tmpdir(), 'cache-store-'));
    try {
      const play = new Play(root, randomStream(1, 'large'));
      await play.open(undefined);
      for (let i = 0; i < 100; i += 1) {
        const generation = play.generation(`large${i}`);
        expect(play.store.reserve(generation, 0, extentBytes)).toBe(false);
      }
      expect(play.known.size).toBeLessThanOrEqual(warmCountMax);
      expect(play.store.drives[0]?.cold.count).toBe(0);
      await play.store.close();
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
