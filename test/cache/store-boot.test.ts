// What is left of content after a reboot, and after a power loss: journalled bytes that only the page cache had are holes.

import { closeSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { randomStream } from '../../common/random.ts';
import { expectContent, expectWhole, type Setup, until, withSetup } from './node-process.ts';

const bootVariable = 'CACHE_NODE_BOOT_ID';

afterEach(() => {
  delete process.env[bootVariable];
});

async function startIn(boot: string, setup: Setup): Promise<void> {
  process.env[bootVariable] = boot;
  await setup.startNode();
}

/** The journal is written every 20 ms. */
async function stop(setup: Setup, size: number): Promise<void> {
  await until(
    () => setup.books(),
    ({ storedBytes }) => storedBytes === size,
  );
  await setup.node.end('SIGTERM');
}

function extentFiles(setup: Setup): string[] {
  const extents = join(setup.folder, 'drive', 'do-cache', 'extents');
  return readdirSync(extents).flatMap((folder) =>
    readdirSync(join(extents, folder)).map((name) => join(extents, folder, name)),
  );
}

function zero(file: string, start: number, length: number): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.alloc(length), 0, length, start);
  closeSync(descriptor);
}

describe('after a reboot', () => {
  const size = 3_000_000;

  it('content is a hit', async () => {
    process.env[bootVariable] = 'first';
    await withSetup({}, async (setup) => {
      await expectWhole(setup, 'kept', size);
      await stop(setup, size);
      await startIn('second', setup);
      await expectWhole(setup, 'kept', size);
      expect((await setup.cdnOf('kept')).bodyBytes).toBe(size);
      const books = await setup.books();
      expect([books.hitBytes, books.missBytes]).toEqual([size, 0]);
    });
  });

  it('bytes that are holes are fetched again, and those that are right are not', async () => {
    const whole = 20 * 2 ** 20;
    process.env[bootVariable] = 'first';
    await withSetup({}, async (setup) => {
      await expectWhole(setup, 'torn', whole);
      await expectWhole(setup, 'right', size);
      await stop(setup, whole + size);
      const [torn = ''] = extentFiles(setup).filter((file) => statSync(file).size === whole);
      zero(torn, 10 * 2 ** 20, 4096);
      await startIn('second', setup);
      await expectWhole(setup, 'torn', whole);
      await expectWhole(setup, 'right', size);
      expect((await setup.cdnOf('right')).bodyBytes).toBe(size);
      // A checksum stands for at most 8 MiB.
      const again = (await setup.cdnOf('torn')).bodyBytes - whole;
      expect(again).toBeGreaterThan(0);
      expect(again).toBeLessThanOrEqual(8 * 2 ** 20);
      // What was fetched again is journalled as anything else.
      await stop(setup, whole + size);
      await startIn('third', setup);
      await expectWhole(setup, 'torn', whole);
      expect((await setup.cdnOf('torn')).bodyBytes).toBe(whole + again);
    });
  });

  it('content that was compared once is not compared again in that boot', async () => {
    process.env[bootVariable] = 'first';
    await withSetup({}, async (setup) => {
      await expectWhole(setup, 'once', size);
      await stop(setup, size);
      await startIn('second', setup);
      await expectWhole(setup, 'once', size);
      await stop(setup, size);
      // Were it compared with its checksum again, this would be found.
      const [file = ''] = extentFiles(setup);
      const bytes = readFileSync(file);
      bytes[1000] = (bytes[1000] ?? 0) ^ 1;
      writeFileSync(file, bytes);
      await startIn('second', setup);
      const reply = await setup.get(`/object/once/${size}`);
      expect(reply.body.equals(bytes.subarray(0, size))).toBe(true);
      // In another boot it is.
      await stop(setup, size);
      await startIn('third', setup);
      await expectWhole(setup, 'once', size);
    });
  });

  it('no wrong byte is served whatever is zeroed, to ranges that come at once, over several boots', async () => {
    const random = randomStream(7, 'power');
    const whole = 6_000_000;
    process.env[bootVariable] = 'boot0';
    await withSetup({ workers: 2 }, async (setup) => {
      for (let boot = 1; boot <= 4; boot += 1) {
        await Promise.all(
          Array.from({ length: 24 }, async () => {
            const id = `p${Math.floor(random() * 3)}`;
            const start = Math.floor(random() * whole);
            const end = Math.min(whole, start + 1 + Math.floor(random() * 500_000));
            const reply = await setup.get(`/object/${id}/${whole}`, { Range: `bytes=${start}-${end - 1}` });
            expect([reply.status, reply.body.length]).toEqual([206, end - start]);
            expectContent(reply.body, id, start);
          }),
        );
        await setup.node.end('SIGKILL');
        for (const file of extentFiles(setup)) {
          const { size: fileBytes } = statSync(file);
          for (let i = 0; i < 2; i += 1) zero(file, Math.floor((random() * fileBytes) / 4096) * 4096, 4096);
        }
        await startIn(`boot${boot}`, setup);
      }
      const books = await setup.books();
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
    });
  });
});
