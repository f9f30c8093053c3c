// Processes that die: after a kill at any moment only right bytes are served, complete content is kept, nothing is left.

import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../common/random.ts';
import { randomCases } from '../random-cases.ts';
import {
  ask,
  blocksAtOnce,
  childrenOf,
  expectContent,
  expectOwnContent,
  isAlive,
  journalWritten,
  origin,
  type Reply,
  type Setup,
  startProgram,
  until,
  withSetup,
} from './node-process.ts';

const isLinux = process.platform === 'linux';
const seed = Number(process.env['CRASH_SEED'] ?? 1);
const rounds = Number(process.env['CRASH_ROUNDS'] ?? randomCases(10));

/** Kills the owner and its workers at once. */
async function killAll(setup: Setup): Promise<void> {
  const workers = isLinux ? childrenOf(setup.node.pid) : [];
  const ended = setup.node.end('SIGKILL');
  for (const pid of workers) process.kill(pid, 'SIGKILL');
  await ended;
}

function extentFiles(setup: Setup): string[] {
  const extents = join(setup.folder, 'drive', 'do-cache', 'extents');
  return readdirSync(extents).flatMap((folder) => readdirSync(join(extents, folder)));
}

/** Removes nothing, breaks nothing: what a fill leaves that a crash cut off before its first journal line. */
function plantOrphan(setup: Setup): void {
  const folder = join(setup.folder, 'drive', 'do-cache', 'extents', '07');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '99999999'), Buffer.alloc(200_000, 'x'));
}

/** Starts the node again, and watches the drive until all of it is known. */
async function restart(setup: Setup, sizeBytes: number): Promise<void> {
  await setup.startNode();
  expect(setup.diskBytes()).toBeLessThanOrEqual(sizeBytes);
  await until(
    () => setup.books(),
    ({ loadingDriveCount }) => loadingDriveCount === 0,
  );
  expect(extentFiles(setup)).not.toContain('99999999');
  expect(setup.diskBytes()).toBeLessThanOrEqual(sizeBytes);
}

describe('after kill -9', () => {
  it(`at ${rounds} moments under load, with evictions and new versions, all bytes are right and what was complete is kept`, {
    timeout: 30_000 + 3000 * rounds,
  }, async () => {
    const random = randomStream(seed, 'crash');
    const below = (n: number): number => Math.floor(random() * n);
    const sizeBytes = 30_000_000;
    await withSetup({ workers: 2, drives: ['drive=30MB'] }, async (setup) => {
      const size = 3_000_000;
      const getWhole = async (id: string): Promise<void> => {
        // A connection that was just being handed to a worker that is killed hangs: hence the time-out.
        const get = (): Promise<Reply> => setup.get(`/object/${id}/${size}`, {}, { timeoutMs: 2000 });
        const reply = await until(get, ({ complete }) => complete || setup.node.child.exitCode !== null);
        expect(setup.node.child.exitCode === null ? 'lives' : setup.node.log()).toBe('lives');
        expect([reply.status, reply.body.length]).toEqual([200, size]);
        expectContent(reply.body, id);
      };
      let evictedCount = 0;
      for (let round = 0; round < rounds; round += 1) {
        let answers = 0;
        let isOver = false;
        let diskBytesMax = 0;
        const client = async (): Promise<void> => {
          while (!isOver) {
            const id = `crash${below(12)}`;
            const start = below(size);
            const end = Math.min(size, start + 1 + Math.floor(random() ** 2 * 1_500_000));
            const reply = await setup.get(`/object/${id}/${size}`, { Range: `bytes=${start}-${end - 1}` });
            if (reply.status !== 0) {
              expect(reply.status).toBe(206);
              expectOwnContent(reply, id, start);
            }
            if (reply.complete) expect(reply.body.length).toBe(end - start);
            answers += 1;
            if (answers % 20 === 0) await setup.newVersion(id);
            diskBytesMax = Math.max(diskBytesMax, blocksAtOnce(join(setup.folder, 'drive')));
          }
        };
        const clients = Array.from({ length: 6 }, client);
        const killAfter = below(40);
        await until(
          () => answers,
          (n) => n >= killAfter,
        );
        if (isLinux && round % 3 === 2) {
          const workers = childrenOf(setup.node.pid);
          process.kill(workers[below(workers.length)] ?? 0, 'SIGKILL');
          await until(
            () => answers,
            (n) => n >= killAfter + 10,
          );
        }
        if (round % 2 === 0) {
          await getWhole(`kept${round}`);
          await journalWritten(setup);
        }
        const before = await setup.cdnOf(`kept${round}`);
        expect(setup.node.child.exitCode === null ? 'lives' : setup.node.log()).toBe('lives');
        isOver = true;
        await killAll(setup);
        await Promise.all(clients);
        expect(diskBytesMax).toBeLessThanOrEqual(sizeBytes);
        if (diskBytesMax > 0.9 * sizeBytes) evictedCount += 1;
        if (setup.diskBytes() + 300_000 < sizeBytes) plantOrphan(setup);
        await restart(setup, sizeBytes);
        if (round % 2 === 0) {
          await getWhole(`kept${round}`);
          expect(await setup.cdnOf(`kept${round}`)).toEqual(before);
        }
      }
      for (let i = 0; i < 12; i += 1) {
        const reply = await setup.get(`/object/crash${i}/${size}`);
        expect(reply.body.length).toBe(size);
        expectOwnContent(reply, `crash${i}`);
      }
      expect(setup.diskBytes()).toBeLessThanOrEqual(sizeBytes);
      if (rounds >= 5) expect(evictedCount).toBeGreaterThan(0);
    });
  });

  it('a journal whose end is damaged costs only what that end said', async () => {
    await withSetup({}, async (setup) => {
      await setup.get('/object/first/1000000');
      await journalWritten(setup);
      await killAll(setup);
      writeFileSync(join(setup.folder, 'drive', 'do-cache', 'journal'), '0badc0de {"t":"iv","e":1,"s":0,"n":9', {
        flag: 'a',
      });
      await setup.startNode();
      const reply = await setup.get('/object/first/1000000');
      expectContent(reply.body, 'first');
      expect((await setup.cdnOf('first')).bodyBytes).toBe(1_000_000);
    });
  });
});

describe('a process that dies', () => {
  it.runIf(isLinux)('as the owner, takes its workers along within 2 s', async () => {
    await withSetup({ workers: 3 }, async (setup) => {
      const workers = childrenOf(setup.node.pid);
      expect(workers.map(isAlive)).toEqual([true, true, true]);
      const startMs = performance.now();
      await setup.node.end('SIGKILL');
      await until(
        () => workers.some(isAlive),
        (alive) => !alive,
      );
      expect(performance.now() - startMs).toBeLessThan(2000);
    });
  });

  it.runIf(isLinux)('as one worker, is replaced, and the others go on', async () => {
    await withSetup({ workers: 2 }, async (setup) => {
      await setup.get('/object/w/500000');
      const [first = 0] = childrenOf(setup.node.pid);
      process.kill(first, 'SIGKILL');
      await until(
        () => childrenOf(setup.node.pid),
        (pids) => !pids.includes(first),
      );
      for (let i = 0; i < 20; i += 1) {
        const reply = await setup.get('/object/w/500000', {}, { timeoutMs: 500 });
        if (reply.status === 0) continue; // given to the dying one
        expectContent(reply.body, 'w');
      }
      await until(
        () => childrenOf(setup.node.pid).length,
        (n) => n === 2,
      );
      await until(
        () => setup.node.log(),
        (log) => log.includes('starting another'),
      );
      const books = await until(
        () => setup.books(),
        ({ connectionCount }) => connectionCount > 0,
      );
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
      for (let i = 0; i < 10; i += 1) expectContent((await setup.get('/object/w/500000')).body, 'w');
      expect((await setup.cdnOf('w')).bodyBytes).toBe(500_000);
    });
  });

  it.runIf(isLinux)('as the only worker, is replaced on the same port', async () => {
    await withSetup({ workers: 1 }, async (setup) => {
      await setup.get('/object/w/500000');
      process.kill(childrenOf(setup.node.pid)[0] ?? 0, 'SIGKILL');
      // A connection that was just being handed to the dead worker hangs (Node's cluster loses it): hence the time-out.
      const get = (): Promise<Reply> => setup.get('/object/w/500000', {}, { timeoutMs: 500 });
      const reply = await until(get, ({ status }) => status === 200);
      expectContent(reply.body, 'w');
    });
  });
});

describe('SIGTERM', () => {
  it('lets requests under way finish, closes the rest, and leaves port and drive free', async () => {
    await withSetup({ workers: 2 }, async (setup) => {
      const size = 1_000_000;
      await setup.fault({ stall: true, afterBytes: 200_000, object: 't' });
      let bytes = 0;
      const reply = setup.get(
        `/object/t/${size}`,
        {},
        {
          onBody: (more) => {
            bytes += more;
          },
        },
      );
      await until(
        () => bytes,
        (n) => n >= 100_000,
      );
      const ended = setup.node.end('SIGTERM');
      const { port } = setup.node.listen;
      await setup.clearFaults();
      const { complete, body } = await reply;
      expect([complete, body.length]).toEqual([true, size]);
      expectContent(body, 't');
      expect(await ended).toBe(0);
      expect((await ask({ port, path: '/object/x/5', headers: { Host: origin } })).status).toBe(0);
      expect(existsSync(join(setup.folder, 'drive', 'do-cache', 'lock'))).toBe(false);
      const next = await startProgram('cache/main', [
        ...['--exit-with-parent', '--listen', `127.0.0.1:${port}`, '--drive', `${join(setup.folder, 'drive')}=100MB`],
      ]);
      expect(next.listen.port).toBe(port);
      expect(await next.end('SIGTERM')).toBe(0);
    });
  });

  it('of the parent is not needed: the node ends with its standard input', async () => {
    await withSetup({}, async (setup) => {
      setup.node.child.stdin?.end();
      expect(await setup.node.end('SIGCONT')).toBe(0);
    });
  });
});
