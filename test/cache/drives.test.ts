// Drives: the quota in real blocks, eviction, drives that are too small, full, gone.

import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Pacer } from '../../cache/worker/pacer.ts';
import { withMount } from './mounted.ts';
import {
  blocksAtOnce,
  blocksUnder,
  expectContent,
  expectWhole,
  journalWritten,
  type Program,
  StartFailure,
  startProgram,
  until,
  withSetup,
} from './node-process.ts';

describe('the quota of a drive', () => {
  it('is never exceeded while more is filled than fits, and all answers are right', async () => {
    await withSetup({ drives: ['drive=24MB'] }, async (setup) => {
      let most = 0;
      let isFilling = true;
      const watch = (async () => {
        while (isFilling) {
          most = Math.max(most, blocksAtOnce(join(setup.folder, 'drive')));
          await new Promise(setImmediate);
        }
      })();
      for (let i = 0; i < 12; i += 1) {
        await Promise.all([expectWhole(setup, `a${i}`, 3_000_000), expectWhole(setup, `b${i}`, 1_234_567)]);
      }
      isFilling = false;
      await watch;
      expect(most).toBeLessThanOrEqual(24_000_000);
      expect(most).toBeGreaterThan(18_000_000);
      const { driveBytes } = await setup.books();
      expect(driveBytes).toBeLessThanOrEqual(24_000_000);
      expect(setup.diskBytes()).toBeLessThanOrEqual(driveBytes);
      // The last ones are there still, the first ones are fetched again.
      await expectWhole(setup, 'a11', 3_000_000);
      expect((await setup.cdnOf('a11')).bodyBytes).toBe(3_000_000);
      await expectWhole(setup, 'a0', 3_000_000);
      expect((await setup.cdnOf('a0')).bodyBytes).toBe(6_000_000);
    });
  });

  it('counts small ranges by their blocks', async () => {
    await withSetup({ drives: ['drive=2MB'] }, async (setup) => {
      for (let i = 0; i < 900; i += 30) {
        await Promise.all(
          Array.from({ length: 30 }, async (_, j) => {
            const at = (i + j) * 50_000;
            const reply = await setup.get(`/object/wide${i % 90}/100000000`, { Range: `bytes=${at}-${at}` });
            expect(reply.status).toBe(206);
            expectContent(reply.body, `wide${i % 90}`, at);
          }),
        );
        expect(setup.diskBytes()).toBeLessThanOrEqual(2_000_000);
      }
    });
  });

  it('that was made smaller holds from the next start on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cache-small-'));
    try {
      for (const [size, most] of [
        ['24MB', 24_000_000],
        ['8MB', 8_000_000],
      ] as const) {
        await withSetup({ drives: [], node: ['--drive', `${folder}=${size}`] }, async (setup) => {
          if (most === 24_000_000) for (let i = 0; i < 6; i += 1) await expectWhole(setup, `s${i}`, 3_000_000);
          const { driveBytes } = await setup.books();
          expect(driveBytes).toBeLessThanOrEqual(most);
          expect(driveBytes).toBeGreaterThan(most - 6_000_000);
          await until(
            () => blocksUnder(folder),
            (bytes) => bytes <= most,
          );
          await setup.node.end('SIGTERM');
        });
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('content larger than the drive', () => {
  it('passes through and is right, also for followers and for ranges', async () => {
    await withSetup({ drives: ['drive=12MB'] }, async (setup) => {
      const size = 40_000_000;
      for (let round = 0; round < 2; round += 1) {
        await Promise.all([expectWhole(setup, 'large', size), expectWhole(setup, 'large', size)]);
        const end = await setup.get(`/object/large/${size}`, { Range: 'bytes=30000000-39999999' });
        expect([end.status, end.body.length]).toEqual([206, 10_000_000]);
        expectContent(end.body, 'large', 30_000_000);
        expect(setup.diskBytes()).toBeLessThanOrEqual(12_000_000);
      }
      const books = await setup.books();
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
      expect(books.egressBytes).toBe(4 * size + 20_000_000);
      // It gives way to other content.
      await expectWhole(setup, 'small', 5_000_000);
      await expectWhole(setup, 'small', 5_000_000);
      expect((await setup.cdnOf('small')).bodyBytes).toBe(5_000_000);
    });
  });
});

describe('a drive that goes', () => {
  it('as its files are removed, is filled again', async () => {
    await withSetup({}, async (setup) => {
      await expectWhole(setup, 'x', 3_000_000);
      await setup.node.end('SIGTERM');
      await setup.startNode(); // so that no descriptor is open
      rmSync(join(setup.folder, 'drive', 'do-cache', 'extents'), { recursive: true });
      await expectWhole(setup, 'x', 3_000_000);
      await expectWhole(setup, 'x', 3_000_000);
      expect((await setup.cdnOf('x')).bodyBytes).toBe(6_000_000);
    });
  });

  it('as a file stands in its place, leaves a node that passes through', async () => {
    await withSetup({}, async (setup) => {
      await expectWhole(setup, 'x', 3_000_000);
      rmSync(join(setup.folder, 'drive'), { recursive: true });
      writeFileSync(join(setup.folder, 'drive'), 'not a folder');
      await Promise.all([
        expectWhole(setup, 'y', 3_000_000),
        expectWhole(setup, 'y', 3_000_000),
        expectWhole(setup, 'x', 3_000_000),
      ]);
      await expectWhole(setup, 'y', 3_000_000);
      expect(setup.node.log()).toContain('failed (');
      const books = await setup.books();
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
    });
  });

  it('of two, takes only its own content along; when it is back after a restart, nothing is wrong', async () => {
    await withSetup({ drives: ['one=100MB', 'two=100MB'] }, async (setup) => {
      const ids = Array.from({ length: 8 }, (_, i) => `d${i}`);
      for (const id of ids) await expectWhole(setup, id, 2_000_000);
      await journalWritten(setup);
      const one = join(setup.folder, 'one', 'do-cache');
      const kept = join(setup.folder, 'kept');
      cpSync(one, kept, { recursive: true });
      rmSync(one, { recursive: true });
      writeFileSync(one, '');
      for (const id of ids) await expectWhole(setup, id, 2_000_000);
      for (const id of ids) await expectWhole(setup, id, 2_000_000);
      await journalWritten(setup);
      await setup.node.end('SIGKILL');
      rmSync(one);
      cpSync(kept, one, { recursive: true }); // both drives now hold the same ranges of the same objects
      await setup.startNode();
      const before = (await setup.cdnBooks()).bodyBytes;
      for (const id of ids) await expectWhole(setup, id, 2_000_000);
      for (const id of ids) {
        const reply = await setup.get(`/object/${id}/2000000`, { Range: 'bytes=1000000-1999999' });
        expectContent(reply.body, id, 1_000_000);
      }
      expect((await setup.cdnBooks()).bodyBytes).toBe(before);
    });
  });

  it('and comes back later, does not mix its file of an extent with the one another drive has by then', async () => {
    await withSetup({ drives: ['two=100MB'] }, async (setup) => {
      const one = ['--drive', `${join(setup.folder, 'one')}=100MB`];
      const second = 64 * 2 ** 20;
      const part = async (start: number): Promise<void> => {
        const range = `bytes=${start}-${start + 99_999}`;
        const reply = await setup.get(`/object/wide/${2 * second}`, { Range: range });
        expect([reply.status, reply.body.length]).toEqual([206, 100_000]);
        expectContent(reply.body, 'wide', start);
      };
      const restart = async (more: readonly string[]): Promise<void> => {
        await setup.node.end('SIGTERM');
        await setup.startNode(more);
      };
      await restart(one);
      await part(second); // extent 1 on drive two
      await part(500_000); // extent 0 on drive one, which has more room
      expect(blocksUnder(join(setup.folder, 'one', 'do-cache', 'extents'))).toBeGreaterThan(100_000);
      await restart([]);
      await part(0); // extent 0 on drive two, where the other file has a hole
      await restart(one);
      for (const start of [500_000, 0, second, 50_000]) await part(start);
    });
  });

  it.for(['tmpfs', 'ext4'] as const)(
    'as its %s is full before its size is reached, keeps what fits',
    async (kind, context) => {
      await withMount(kind, 8, context, async (folder) => {
        await withSetup({ drives: [], node: ['--drive', `${folder}=100MB`] }, async (setup) => {
          for (let i = 0; i < 10; i += 1)
            await Promise.all([expectWhole(setup, `f${i}`, 1_000_000), expectWhole(setup, `f${i}`, 1_000_000)]);
          for (let i = 0; i < 4; i += 1)
            await Promise.all([expectWhole(setup, `g${i}`, 1_000_000), expectWhole(setup, `h${i}`, 1_000_000)]);
          const log = setup.node.log();
          expect(log.match(/its file system is full \(ENOSPC\)/g)).toHaveLength(1);
          expect(log).not.toContain('failed (');
          // It caches still: what was asked for last is a hit.
          await expectWhole(setup, 'last', 1_000_000);
          await expectWhole(setup, 'last', 1_000_000);
          await expectWhole(setup, 'last', 1_000_000);
          expect((await setup.cdnOf('last')).bodyBytes).toBeLessThanOrEqual(2_000_000);
          const { storedBytes, ...books } = await setup.books();
          expect(storedBytes).toBeGreaterThan(2_000_000);
          expect(books.errorCount).toBe(0);
          expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
        });
      });
    },
  );

  it('as what it evicts stays open elsewhere, takes the file system for no smaller than it is', async (context) => {
    await withMount('tmpfs', 8, context, async (folder) => {
      await withSetup({ drives: [], node: ['--drive', `${folder}=100MB`] }, async (setup) => {
        for (let i = 0; i < 8; i += 1) await expectWhole(setup, `f${i}`, 1_000_000);
        const extents = join(folder, 'do-cache', 'extents');
        const files = readdirSync(extents, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
        const held = files.map((file) => openSync(join(file.parentPath, file.name), 'r'));
        expect(held.length).toBeGreaterThan(4);
        // Their blocks do not become free: nothing of these fits, whatever is evicted for it.
        for (let i = 0; i < 8; i += 1) await expectWhole(setup, `g${i}`, 1_000_000);
        for (const fd of held) closeSync(fd);
        for (let i = 0; i < 4; i += 1) await expectWhole(setup, `h${i}`, 1_000_000);
        expect((await setup.books()).storedBytes).toBeGreaterThan(3_000_000);
      });
    });
  });

  it('as its file system becomes read-only, leaves a node that passes through', async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'cache-tmpfs-'));
    const below = join(folder, 'below');
    mkdirSync(below);
    const mounted = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', below]);
    try {
      if (mounted.status !== 0) context.skip(`no tmpfs can be mounted here: ${mounted.stderr ?? mounted.error}`);
      await withSetup({ drives: [], node: ['--drive', `${below}=100MB`] }, async (setup) => {
        await expectWhole(setup, 'x', 1_000_000);
        // A file system with open writers cannot be made read-only; one over the folder that is read-only can be mounted.
        spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', below]);
        await expectWhole(setup, 'y', 1_000_000);
        await expectWhole(setup, 'x', 1_000_000);
        await expectWhole(setup, 'y', 1_000_000);
        expect(setup.node.log()).toContain('failed (');
      });
    } finally {
      if (mounted.status === 0) {
        spawnSync('umount', ['-l', below]);
        spawnSync('umount', ['-l', below]);
      }
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('at the start', () => {
  const startOn = (drives: readonly string[]): Promise<Program> =>
    startProgram('cache/main', ['--listen', '127.0.0.1:0', ...drives.flatMap((drive) => ['--drive', drive])]);

  async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'cache-start-'));
    try {
      await use(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  it('one drive that cannot be used is named, and the node starts with the others', async () => {
    await withFolder(async (folder) => {
      writeFileSync(join(folder, 'file'), 'not a folder');
      await withSetup({ drives: ['drive=50MB'], node: ['--drive', `${join(folder, 'file')}=1GB`] }, async (setup) => {
        expect(setup.node.log()).toContain(`--drive ${join(folder, 'file')}: expected a folder that can be written`);
        expect(setup.node.log()).toContain('starts without it');
        await expectWhole(setup, 'x', 1_000_000);
        await expectWhole(setup, 'x', 1_000_000);
        expect((await setup.cdnOf('x')).bodyBytes).toBe(1_000_000);
      });
    });
  });

  it('no drive that can be used is an error that names them all', async () => {
    await withFolder(async (folder) => {
      writeFileSync(join(folder, 'one'), '');
      writeFileSync(join(folder, 'two'), '');
      const failure = await startOn([`${folder}/one=1GB`, `${folder}/two=1GB`]).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(StartFailure);
      const { exitCode, log } = failure as StartFailure;
      expect([exitCode, log.includes(`${folder}/one`), log.includes(`${folder}/two`)]).toEqual([3, true, true]);
    });
  });

  it('a read-only file system is called that', async (context) => {
    await withMount('tmpfs', 8, context, async (folder) => {
      const mounted = spawnSync('mount', ['-o', 'remount,ro', folder]);
      expect(mounted.status).toBe(0);
      const failure = await startOn([`${folder}=1GB`]).catch((error: unknown) => error);
      expect((failure as StartFailure).log).toMatch(/mounted read-only.*\(EROFS\)/);
    });
  });

  it.runIf(process.platform === 'linux')(
    'a lock of a process whose number another one has by now does not keep the drive',
    async () => {
      await withFolder(async (folder) => {
        mkdirSync(join(folder, 'do-cache'));
        const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
        // This process is alive, and did not start then.
        writeFileSync(join(folder, 'do-cache', 'lock'), `${process.pid} ${boot} 1`);
        const node = await startOn([`${folder}=1GB`]);
        const second = await startOn([`${folder}=1GB`]).catch((error: unknown) => error);
        expect((second as StartFailure).log).toContain(`one that process ${node.pid} uses`);
        await node.end('SIGKILL');
        const third = await startOn([`${folder}=1GB`]);
        expect(await third.end('SIGTERM')).toBe(0);
      });
    },
  );
});

describe('the limit of egress', () => {
  it('holds to the byte on a clock of its own', async () => {
    let nowMs = 1000;
    const pacer = new Pacer(100, {
      nowMs: () => nowMs,
      sleep: (ms) => {
        nowMs += ms;
        return Promise.resolve();
      },
    });
    for (let i = 0; i < 50; i += 1) await pacer.take(1000);
    // 50,000 bytes at 100 a ms are 500 ms, less the 20 ms that may be saved up.
    expect(nowMs).toBe(1480);
    nowMs += 10_000;
    for (let i = 0; i < 10; i += 1) await pacer.take(1000);
    expect(nowMs).toBe(11_560);
  });

  it('slows hits and pass-through, and leaves them right', async () => {
    await withSetup({ drives: ['drive=3MB'], node: ['--limit-egress', '40 MB/s'] }, async (setup) => {
      const startMs = performance.now();
      await Promise.all([expectWhole(setup, 'p', 8_000_000), expectWhole(setup, 'p', 8_000_000)]);
      expect(performance.now() - startMs).toBeGreaterThan(350);
    });
  });
});
