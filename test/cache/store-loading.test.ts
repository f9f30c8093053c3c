// The start: requests are answered before it is known what the drives hold, and nothing is stored until it is.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CheckedRuns } from '../../cache/store/checked-runs.ts';
import { ColdIndex } from '../../cache/store/cold-index.ts';
import { DriveFiles } from '../../cache/store/drive-files.ts';
import { writeSnapshot } from '../../cache/store/journal.ts';
import { line } from '../../cache/store/records.ts';
import { Store } from '../../cache/store/store.ts';
import { bootTime } from '../../common/boot-time.ts';
import { ContentFunction } from '../../common/content.ts';
import { expectContent, origin, until, withSetup } from './node-process.ts';

const bytes = 5000;

function contentOf(id: string): Buffer {
  const content = Buffer.alloc(bytes);
  new ContentFunction(id, 1).fill(content, 0, 0, bytes);
  return content;
}

/** A drive with the index of so many objects; the last one has its file. */
async function writeDrive(folder: string, objectCount: number): Promise<void> {
  const files = new DriveFiles(folder);
  files.create();
  const cold = new ColdIndex();
  for (let i = 1; i <= objectCount; i += 1) {
    const id = `o${i}`;
    const runs = new CheckedRuns();
    runs.add(0, bytes, i === objectCount ? crc32(contentOf(id)) : i);
    cold.add({
      g: i,
      ...{ key: `${origin}/object/${id}/${bytes}`, host: origin, sizeBytes: bytes, lastModified: undefined },
      ...{ etag: `"${id}-1"`, fields: [['Content-Type', 'application/octet-stream']], isUnproven: false },
      ...{ generatedAtMs: Date.now(), freshUntilMs: Date.now() + 3_600_000, usedAtMs: Date.now() },
      extents: new Map([[0, { id: i, index: 0, runs, extraBlocks: 0 }]]),
    });
  }
  mkdirSync(dirname(files.extentPath(objectCount)), { recursive: true });
  writeFileSync(files.extentPath(objectCount), contentOf(`o${objectCount}`));
  const lines = [line.boot(bootTime()), line.snapshotEnd];
  const { file } = await writeSnapshot(files.journalPath, { cold: cold.capture(), lines });
  await file.close();
}

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'cache-loading-'));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('while the index is being read', () => {
  it('a node answers, stores nothing, and has all of it afterwards', async () => {
    await withFolder(async (folder) => {
      const count = 150_000;
      await writeDrive(folder, count);
      await withSetup({ drives: [], node: ['--drive', `${folder}=100GB`] }, async (setup) => {
        const known = `/object/o${count}/${bytes}`;
        const early = await Promise.all([setup.get('/object/early/70000'), setup.get(known)]);
        const { loadingDriveCount } = await setup.books();
        for (const [i, id] of ['early', `o${count}`].entries()) {
          expect(early[i]?.status).toBe(200);
          expectContent(early[i]?.body ?? Buffer.alloc(0), id);
        }
        const { storedBytes } = await until(
          () => setup.books(),
          (books) => books.loadingDriveCount === 0,
        );
        // What was asked for while a drive was being read was passed through.
        if (loadingDriveCount > 0) expect(storedBytes).toBe(count * bytes);
        const before = await setup.cdnOf(`o${count}`);
        const hit = await setup.get(known);
        expectContent(hit.body, `o${count}`);
        expect(hit.body.length).toBe(bytes);
        expect(await setup.cdnOf(`o${count}`)).toEqual(before);
        for (let i = 0; i < 2; i += 1) expect((await setup.get('/object/late/70000')).status).toBe(200);
        expect((await setup.cdnOf('late')).bodyBytes).toBe(70_000);
      });
    });
  });

  it('the store reserves nothing, and afterwards under numbers that no file has', async () => {
    await withFolder(async (folder) => {
      await writeDrive(folder, 3);
      const files = new DriveFiles(folder);
      mkdirSync(dirname(files.extentPath(70)), { recursive: true });
      writeFileSync(files.extentPath(70), 'an orphan');
      const store = new Store([{ path: folder, sizeBytes: 2 ** 30 }]);
      const loading = store.load();
      const generation = store.newGeneration({
        ...{ key: 'new', sizeBytes: 100, etag: '"new"', lastModified: undefined, fields: [], host: origin },
        freshness: { generatedAtMs: 0, freshUntilMs: 0 },
      });
      expect([store.isLoading, store.loadingDriveCount]).toEqual([true, 1]);
      expect(store.reserve(generation, 0, 100)).toBe(false);
      expect(store.recall(`${origin}/object/o3/${bytes}`, [])).toEqual([]);
      await loading;
      expect([store.isLoading, store.loadingDriveCount]).toEqual([false, 0]);
      expect(existsSync(files.extentPath(70))).toBe(false);
      expect(existsSync(files.extentPath(3))).toBe(true);
      expect(store.reserve(generation, 0, 100)).toBe(true);
      expect(generation.extents.get(0)?.id).toBe(71);
      const [recalled] = store.recall(`${origin}/object/o3/${bytes}`, []);
      expect(recalled?.stored.bytes).toBe(bytes);
      await store.close();
    });
  });
});
