// The access log of a running node: a line for every request, whose bytes are the books'; rotation; standard output.

import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AccessRecord } from '../../cache/access-record.ts';
import { randomStream } from '../../common/random.ts';
import { type Setup, until, withSetup } from './node-process.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'access-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Line = AccessRecord & { readonly time: string };
const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{"time"'))
    .map((line) => JSON.parse(line) as Line);
const read = (path: string): Line[] => (existsSync(path) ? linesOf(readFileSync(path, 'utf8')) : []);

/** Requests of many kinds, some given up in mid-body; resolves to how many there were. */
async function traffic(setup: Setup): Promise<number> {
  const random = randomStream(11, 'log');
  const agent = new http.Agent({ keepAlive: true, maxSockets: 6 });
  const asked = Array.from({ length: 80 }, async (_, i) => {
    const start = Math.floor(random() * 800_000);
    const stopAt = random() < 0.3 ? random() * 50_000 : Number.POSITIVE_INFINITY;
    // What is given up is larger than all buffers on the way: else it may have been sent by then.
    const path = stopAt === Number.POSITIVE_INFINITY ? `/object/log${i % 4}/900000` : '/object/large/40000000';
    const kinds: Record<string, string>[] = [
      { Range: `bytes=${start}-` },
      { Range: `bytes=${start}-${start + 1000}` },
      { Range: 'bytes=9000000-' },
      { 'If-None-Match': '*' },
      { Authorization: 'Basic c2VjcmV0' },
      { Host: 'elsewhere.test' },
      {},
    ];
    let bytes = 0;
    await setup.get(`${path}?P4=signature`, kinds[i % kinds.length], {
      ...{ agent, method: i % 11 === 0 ? 'HEAD' : 'GET' },
      onBody: (more, request) => {
        bytes += more;
        if (bytes >= stopAt) request.socket?.resetAndDestroy();
      },
    });
  });
  await Promise.all(asked);
  agent.destroy();
  return asked.length;
}

describe('the access log of a node', () => {
  it('has a line for each request, and bytes that add up to the books', async () => {
    const path = join(folder, 'access.log');
    await withSetup({ workers: 2, node: ['--access-log', path] }, async (setup) => {
      const count = await traffic(setup);
      const books = await until(
        () => setup.books(),
        ({ connectionsOpen }) => connectionsOpen === 0,
      );
      expect(await setup.node.end('SIGTERM')).toBe(0);
      const lines = read(path);
      const sum = (of: (line: Line) => number): number => lines.reduce((all, line) => all + of(line), 0);
      expect(lines.length).toBe(count);
      expect(sum(({ hitBytes }) => hitBytes)).toBe(books.hitBytes);
      expect(sum(({ missBytes }) => missBytes)).toBe(books.missBytes);
      expect(sum(({ hitBytes, missBytes }) => hitBytes + missBytes)).toBe(books.egressBytes);
      const answers: Record<string, number> = {};
      for (const { status, outcome } of lines) {
        answers[`${status} ${outcome}`] = (answers[`${status} ${outcome}`] ?? 0) + 1;
      }
      expect(answers).toEqual(books.answers);
      const text = readFileSync(path, 'utf8');
      expect(text).not.toContain('c2VjcmV0');
      expect(text).not.toContain('signature');
      expect(text).toContain('?P4=*');
      for (const { time, durationMs, firstByteMs } of lines) {
        expect(new Date(time).toISOString()).toBe(time);
        expect(durationMs).toBeGreaterThanOrEqual(firstByteMs ?? 0);
      }
      expect(lines.some(({ aborted }) => aborted)).toBe(true);
    });
  });

  it('goes on in a new file after it was renamed and the node got SIGHUP; no line is lost', async () => {
    const path = join(folder, 'access.log');
    await withSetup({ workers: 2, node: ['--access-log', path] }, async (setup) => {
      let count = 0;
      for (let i = 1; i <= 3; i += 1) {
        for (let j = 0; j < 10; j += 1) await setup.get('/object/r/1000');
        count += 10;
        renameSync(path, `${path}.${i}`);
        setup.node.child.kill('SIGHUP');
        await until(
          () => existsSync(path),
          (exists) => exists,
        );
      }
      await setup.node.end('SIGTERM');
      const lines = [path, `${path}.1`, `${path}.2`, `${path}.3`].flatMap(read);
      expect(lines.length).toBe(count);
    });
  });

  it('goes to standard output when it is called -', async () => {
    await withSetup({ workers: 2, node: ['--access-log', '-'] }, async (setup) => {
      let text = '';
      setup.node.child.stdout?.on('data', (part: Buffer) => {
        text += part.toString();
      });
      const count = await traffic(setup);
      const { stdout } = setup.node.child;
      const ended = stdout === null ? undefined : once(stdout, 'end');
      await setup.node.end('SIGTERM');
      await ended;
      expect(linesOf(text).length).toBe(count);
    });
  });

  it.runIf(existsSync('/dev/full'))('on a full disk costs lines, which are counted, and no request', async () => {
    await withSetup({ node: ['--access-log', '/dev/full'] }, async (setup) => {
      for (let i = 0; i < 5; i += 1) expect((await setup.get('/object/full/1000')).status).toBe(200);
      const books = await until(
        () => setup.books(),
        ({ accessLogDroppedCount }) => accessLogDroppedCount === 5,
      );
      expect(books.hitRequestCount + books.missRequestCount).toBe(5);
      expect(setup.node.log().match(/lines are dropped/g)?.length).toBe(1);
    });
  });
});
