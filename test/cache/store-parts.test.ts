// The parts of the store by themselves: checksums, runs, lines, the cold index, the journal's file.

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extentBytes } from '../../cache/protocol.ts';
import { CheckedRuns } from '../../cache/store/checked-runs.ts';
import { bytesOf, crcOf, joinedCrc } from '../../cache/store/checksum.ts';
import { ColdIndex } from '../../cache/store/cold-index.ts';
import { type ExtentSizes, loadDrive } from '../../cache/store/drive-loading.ts';
import { Journal } from '../../cache/store/journal.ts';
import { blocksOf, decodeEntry, type Entry, encodeEntry, keyHash, line } from '../../cache/store/records.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

describe('a checksum', () => {
  it('of two stretches joined is that of the whole', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(joinedCrc(crc32(a), crc32(b), b.length)).toBe(crc32(Buffer.concat([a, b])));
      }),
    );
    const large = Buffer.alloc(9_000_001, 'x');
    expect(joinedCrc(crc32('head'), crc32(large), large.length)).toBe(crc32(large, crc32('head')));
  });

  it('of a part of several buffers is that of the part', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), fc.nat(500), fc.nat(500), (buffers, start, length) => {
        const part = Buffer.concat(buffers).subarray(start, start + length);
        expect(Buffer.concat(bytesOf(buffers, start, start + length)).equals(part)).toBe(true);
        expect(crcOf(buffers, start, start + length)).toBe(crc32(part));
      }),
    );
  });
});

describe('runs', () => {
  it('that are added in any order cover what was added, with the checksums of the content', () => {
    const content = Buffer.from(Array.from({ length: 400 }, (_, i) => (i * 97) & 0xff));
    fc.assert(
      fc.property(fc.shuffledSubarray(Array.from({ length: 40 }, (_, i) => i)), (pieces) => {
        const runs = new CheckedRuns();
        for (const i of pieces) runs.add(i * 10, i * 10 + 10, crcOf([content], i * 10, i * 10 + 10));
        let covered = 0;
        let last = -1;
        for (const { start, end, crc } of runs) {
          expect(start).toBeGreaterThan(last); // what touches was joined
          expect(crc).toBe(crc32(content.subarray(start, end)));
          covered += end - start;
          last = end;
        }
        expect(covered).toBe(pieces.length * 10);
      }),
    );
  });

  it('are joined up to 8 MiB', () => {
    const runs = new CheckedRuns();
    for (let i = 0; i < 64; i += 1) runs.add(i * 2 ** 20, (i + 1) * 2 ** 20, 1);
    expect(runs.count).toBe(8);
  });

  it('touch as many blocks as the file system has for them', () => {
    const run = (start: number, end: number): { start: number; end: number; crc: number } => ({ start, end, crc: 0 });
    expect(blocksOf([run(0, 1), run(4095, 4097), run(4098, 4099), run(20_000, 20_001)])).toBe(3);
    expect(blocksOf([])).toBe(0);
  });
});

function entry(g: number, key: string, indexes: readonly number[], usedAtMs = 60_000): Entry {
  return {
    ...{ g, key, usedAtMs, host: 'host', sizeBytes: 2 ** 40, etag: `"${g}"`, lastModified: undefined },
    ...{ fields: [['Content-Type', 'text/plain']], generatedAtMs: 5, freshUntilMs: 7, isUnproven: false },
    extents: new Map(
      indexes.map((index) => {
        const runs = new CheckedRuns();
        runs.add(index * extentBytes + 10, index * extentBytes + 5000, g);
        return [index, { id: g * 100 + index, index, runs, extraBlocks: 0 }];
      }),
    ),
  };
}

describe('a line', () => {
  it('says all of an entry, whatever its key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.uniqueArray(fc.nat(50), { maxLength: 5 }), (key, indexes) => {
        const before = entry(3, key, indexes);
        const text = encodeEntry(before);
        expect(text.indexOf('\n')).toBe(text.length - 1);
        expect(encodeEntry(decodeEntry(Buffer.from(text).toString().slice(0, -1)))).toBe(
          encodeEntry({ ...before, key: Buffer.from(key).toString() })
            .replace(/ \d+ /, ` ${keyHash(Buffer.from(key).toString())} `)
            .replace(/^G \d+/, 'G 3'),
        );
      }),
    );
  });
});

describe('the cold index', () => {
  it('holds what a map would, with the sums, in order of use, through thousands of changes', () => {
    const index = new ColdIndex();
    const model = new Map<string, Entry>();
    let g = 1;
    const check = (): void => {
      expect(index.count).toBe(model.size);
      let blocks = 0;
      for (const { extents } of model.values()) for (const { runs } of extents.values()) blocks += blocksOf(runs) + 1;
      expect(index.blockCount).toBe(blocks);
      expect([...index.slots()].map((slot) => index.read(slot).key)).toEqual([...model.keys()]);
    };
    for (let step = 0; step < 30_000; step += 1) {
      const key = `key${(step * 7919) % 4001}`;
      if (step % 3 === 0) {
        const taken = index.take(keyHash(key), key);
        expect(taken.map((each) => each.g)).toEqual(model.has(key) ? [model.get(key)?.g] : []);
        model.delete(key);
      } else if (step % 17 === 1) {
        const slot = index.oldest();
        if (slot === undefined) continue;
        const oldest = index.read(slot);
        expect(oldest.key).toBe([...model.keys()][0]);
        oldest.extents.delete(0);
        if (oldest.extents.size > 0) {
          index.replace(slot, oldest);
          model.set(oldest.key, oldest);
        } else {
          index.remove(slot);
          model.delete(oldest.key);
        }
      } else if (!model.has(key)) {
        const added = entry(g++, key, step % 2 === 0 ? [0, 5] : [0]);
        index.add(added);
        model.set(key, added);
      }
      if (step % 5000 === 0) check();
    }
    check();
    expect(model.size).toBeGreaterThan(1024);
    index.clear();
    expect([index.count, index.blockCount, index.storedBytes, index.oldest()]).toEqual([0, 0, 0, undefined]);
  });

  it('keeps what was captured as it was', () => {
    const index = new ColdIndex();
    index.add(entry(1, 'a', [0]));
    const { chunks, chunkOf, offsets, lengths, count } = index.capture();
    index.take(keyHash('a'), 'a');
    index.add(entry(2, 'b', [0]));
    const [chunk, offset = 0, length = 0] = [chunks[chunkOf[0] ?? 0], offsets[0], lengths[0]];
    expect([count, chunk?.toString('utf8', offset, offset + length)]).toEqual([1, encodeEntry(entry(1, 'a', [0]))]);
  });
});

/** A journal without files of extents. */
const filesAt = (journalPath: string): ExtentSizes => ({ journalPath, blocksOf: () => 0 });

describe('the journal', () => {
  const host = {
    isFull: () => false,
    failed: (error: unknown) => {
      throw error;
    },
    removed: () => Promise.resolve(),
  };

  async function withJournal(use: (path: string) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'cache-journal-'));
    try {
      await use(join(folder, 'journal'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  async function write(path: string): Promise<void> {
    const journal = await Journal.open(path, 0, host);
    journal.append(line.boot('one'));
    journal.append(line.snapshotEnd);
    for (let g = 1; g <= 20; g += 1) {
      journal.append(encodeEntry(entry(g, `key${g}`, [])));
      journal.append(line.extent(g, g, 0));
      journal.append(line.bytes(g, 0, { start: 0, end: 100, crc: g }));
      await journal.flush();
    }
    await journal.close();
  }

  it('that is cut off anywhere gives what was before, and is written on from there', async () => {
    await withJournal(async (path) => {
      await write(path);
      const whole = readFileSync(path);
      for (let length = 0; length <= whole.length; length += 37) {
        writeFileSync(path, whole.subarray(0, length));
        const cold = new ColdIndex();
        const { goodBytes } = await loadDrive(filesAt(path), cold, 'one');
        expect(goodBytes).toBeLessThanOrEqual(length);
        const keys = [...cold.slots()].map((slot) => cold.read(slot).key);
        expect(keys).toEqual(Array.from({ length: keys.length }, (_, i) => `key${i + 1}`));
        if (length % 5 !== 0) continue;
        const journal = await Journal.open(path, goodBytes, host);
        if (goodBytes === 0) journal.append(line.boot('one') + line.snapshotEnd);
        journal.append(encodeEntry(entry(50, 'more', [2])));
        await journal.close();
        const again = new ColdIndex();
        await loadDrive(filesAt(path), again, 'one');
        expect([...again.slots()].map((slot) => again.read(slot).key)).toEqual([...keys, 'more']);
      }
    });
  });

  it('with a byte that is wrong gives what was before it', async () => {
    await withJournal(async (path) => {
      await write(path);
      const whole = readFileSync(path);
      for (let at = 0; at < whole.length; at += 101) {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ 0x20;
        writeFileSync(path, damaged);
        const cold = new ColdIndex();
        const { goodBytes } = await loadDrive(filesAt(path), cold, 'one');
        expect(goodBytes).toBeLessThanOrEqual(at);
      }
    });
  });

  it('says of bytes of another boot that they are unproven, until a later line says otherwise', async () => {
    await withJournal(async (path) => {
      await write(path);
      const journal = await Journal.open(path, readFileSync(path).length, host);
      journal.append(line.boot('two'));
      journal.append(encodeEntry(entry(7, 'key7', [0])));
      await journal.close();
      const cold = new ColdIndex();
      await loadDrive(filesAt(path), cold, 'two');
      const unproven = [...cold.slots()].filter((slot) => cold.read(slot).isUnproven).map((slot) => cold.read(slot).g);
      expect(unproven).toHaveLength(19);
      expect(unproven).not.toContain(7);
    });
  });

  it('knows the extents that are there, and not those that are gone', async () => {
    await withJournal(async (path) => {
      await write(path);
      const journal = await Journal.open(path, readFileSync(path).length, host);
      journal.append(line.gone(3, 0));
      await journal.close();
      const { isKnown, highestExtent, nextG } = await loadDrive(filesAt(path), new ColdIndex(), 'one');
      expect([isKnown(2), isKnown(3), isKnown(21)]).toEqual([true, false, false]);
      expect([highestExtent, nextG]).toEqual([20, 21]);
    });
  });

  it('is shorter after it was written anew, and says the same and what came since', async () => {
    await withJournal(async (path) => {
      await write(path);
      const cold = new ColdIndex();
      const { goodBytes } = await loadDrive(filesAt(path), cold, 'one');
      const before = [...cold.slots()].map((slot) => encodeEntry(cold.read(slot)));
      const journal = await Journal.open(path, goodBytes, host);
      journal.append(line.gone(1, 0)); // of before: the snapshot says what holds
      const written = journal.compact({ cold: cold.capture(), lines: [line.boot('one'), line.snapshotEnd] });
      journal.append(line.gone(2, 0));
      await written;
      await journal.close();
      expect(readFileSync(path).length).toBeLessThan(goodBytes);
      const again = new ColdIndex();
      await loadDrive(filesAt(path), again, 'one');
      expect([...again.slots()].map((slot) => encodeEntry(again.read(slot)))).toEqual(
        before.filter((each) => !each.startsWith('G 2 ')),
      );
      truncateSync(path, 0);
    });
  });
});
