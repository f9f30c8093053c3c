// The books and the ledger: equal to the byte where both sides ended cleanly, never behind the receiver elsewhere. And
// other clients, many connections, and readers that do not read.

import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessRecord } from '../../cache/access-record.ts';
import type { Books } from '../../cache/books.ts';
import { ContentFunction } from '../../common/content.ts';
import { peerKey } from '../../common/ledger.ts';
import { randomStream } from '../../common/random.ts';
import { ask, childrenOf, expectContent, origin, Setup, until, withSetup } from './node-process.ts';

describe('the books', () => {
  it('balance to the byte when clients reset in mid-body, and the sender is never behind', async () => {
    await withSetup({ workers: 2 }, async (setup) => {
      const random = randomStream(3, 'aborts');
      const received = new Map<
        string,
        { readonly bytes: number; readonly complete: boolean; readonly wanted: number }
      >();
      await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          const stopAt = random() < 0.7 ? random() * 3_000_000 : Number.POSITIVE_INFINITY;
          const start = Math.floor(random() * 1_000_000);
          let bytes = 0;
          let peer = '';
          const id = `abort${i % 5}`;
          const reply = await setup.get(
            `/object/${id}/4000000`,
            { Range: `bytes=${start}-` },
            {
              onBody: (more, request) => {
                peer = peerKey(request.socket?.localAddress, request.socket?.localPort);
                bytes += more;
                if (bytes >= stopAt) request.socket?.resetAndDestroy();
              },
            },
          );
          expectContent(reply.body, id, start);
          received.set(peer, { bytes: reply.body.length, complete: reply.complete, wanted: 4_000_000 - start });
        }),
      );
      const books = await until(
        () => setup.books(),
        ({ connectionsOpen }) => connectionsOpen === 0,
      );
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
      const { served } = await setup.ledger();
      expect(served.reduce((sum, entry) => sum + entry.bodyBytes, 0)).toBe(books.egressBytes);
      expect(served.length).toBe(60);
      for (const entry of served) {
        const seen = received.get(entry.peer);
        expect(seen).toBeDefined();
        if (seen?.complete === true) expect(entry).toMatchObject({ bodyBytes: seen.bytes, cut: false });
        else {
          // All may have been in the client's buffers when it gave up: then the sender knows of no cut.
          expect(entry.cut || entry.bodyBytes === seen?.wanted).toBe(true);
          expect(entry.bodyBytes).toBeGreaterThanOrEqual(seen?.bytes ?? Number.NaN);
        }
      }
    });
  });

  it('count every answer that a client left', async () => {
    await withSetup({ workers: 2 }, async (setup) => {
      await setup.get('/object/left/30000000');
      for (let i = 0; i < 12; i += 1) {
        const client = net.connect(setup.node.listen.port, '127.0.0.1');
        client.write(`GET /object/left/30000000 HTTP/1.1\r\nHost: ${origin}\r\n\r\n`);
        await once(client, 'data');
        if (i % 2 === 0) client.destroy();
        else client.resetAndDestroy();
      }
      const isOver = (books: Books): boolean => books.connectionsOpen === 0;
      expect((await until(() => setup.books(), isOver)).abortedCount).toBe(12);
    });
  });

  it('agree with clients and CDN, connection by connection, when nobody aborts', async () => {
    await withSetup({ workers: 2 }, async (setup) => {
      const received = new Map<string, { bodyBytes: number; answerCount: number }>();
      const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
      const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<void> =>
        new Promise((resolve, reject) => {
          const { port } = setup.node.listen;
          const request = http.request({
            port,
            host: '127.0.0.1',
            path,
            method,
            agent,
            headers: { Host: origin, ...headers },
          });
          request.on('error', reject).on('response', (response) => {
            const peer = peerKey(response.socket.localAddress, response.socket.localPort);
            const entry = received.get(peer) ?? { bodyBytes: 0, answerCount: 0 };
            received.set(peer, entry);
            entry.answerCount += 1;
            response.on('data', (part: Buffer) => {
              entry.bodyBytes += part.length;
            });
            response.on('end', resolve).on('error', reject);
          });
          request.end();
        });
      await Promise.all([
        ...Array.from({ length: 30 }, (_, i) =>
          get(`/object/c${i % 3}/2000000`, { Range: `bytes=${i * 10_000}-${i * 50_000 + 500_000}` }),
        ),
        get('/object/c0/2000000', {}, 'HEAD'),
        get('/object/c0/2000000', { Range: 'bytes=9000000-' }),
        get('/object/c1/2000000', { 'If-None-Match': '*' }),
        get('/object/c1/2000000', { 'If-Match': '"x"' }),
        get('/nowhere'),
        get('/object/c1/2000000', { Host: 'elsewhere.test' }),
        get('/object/c1/2000000', {}, 'DELETE'),
      ]);
      agent.destroy();
      const books = await until(
        () => setup.books(),
        ({ connectionsOpen }) => connectionsOpen === 0,
      );
      const { served, upstream } = await setup.ledger();
      const sent = new Map(served.map((entry) => [entry.peer, entry]));
      for (const [peer, { bodyBytes, answerCount }] of received) {
        expect(sent.get(peer)).toEqual({ peer, bodyBytes, answerCount, cut: false });
      }
      expect(sent.size).toBe(received.size);
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
      expect(books.missBytes).toBe((await setup.cdnBooks()).bodyBytes);
      expect(books.upstreamBytes).toBe(books.missBytes);
      const cdnLedger = new Map((await setup.cdnLedger()).map((entry) => [entry.peer, entry]));
      for (const entry of upstream) expect(cdnLedger.get(entry.peer)).toEqual(entry);
      expect(cdnLedger.size).toBe(upstream.length);
    });
  });

  it.each([1, 2, 3])('hold for every kind of answer, with random aborts (seed %i)', async (seed) => {
    await withSetup({ workers: 2 }, async (setup) => {
      const random = randomStream(seed, 'kinds');
      const size = 1_500_000;
      let receivedBytes = 0;
      const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
      await Promise.all(
        Array.from({ length: 120 }, async (_, i) => {
          const id = `kind${i % 3}`;
          const start = Math.floor(random() * size);
          const kinds: { headers: Record<string, string>; method?: string; offset?: number }[] = [
            { headers: {}, offset: 0 },
            { headers: { Range: `bytes=${start}-` }, offset: start },
            { headers: { Range: `bytes=${start}-${Math.floor(start + random() * 100_000)}` }, offset: start },
            { headers: { Range: `bytes=${start}-`, Authorization: 'Basic eA==' }, offset: start },
            { headers: { Authorization: 'Basic eA==' }, offset: 0 },
            { headers: {}, method: 'HEAD' },
            { headers: { 'If-None-Match': '*' } },
            { headers: { 'If-Match': '"x"' } },
            { headers: { Range: `bytes=${size + 5}-` } },
            { headers: { Host: 'elsewhere.test' } },
          ];
          const { headers, method = 'GET', offset } = kinds[Math.floor(random() * kinds.length)] ?? { headers: {} };
          const stopAt = random() < 0.4 ? random() * size : Number.POSITIVE_INFINITY;
          let bytes = 0;
          const reply = await setup.get(`/object/${id}/${size}`, headers, {
            ...{ agent, method },
            onBody: (more, request) => {
              bytes += more;
              if (bytes >= stopAt) request.socket?.resetAndDestroy();
            },
          });
          if (reply.status === 200 || reply.status === 206) {
            expectContent(reply.body, id, offset);
            receivedBytes += reply.body.length;
          } else expect(reply.body.length).toBe(0);
        }),
      );
      agent.destroy();
      const books = await until(
        () => setup.books(),
        ({ connectionsOpen }) => connectionsOpen === 0,
      );
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
      expect(books.egressBytes).toBeGreaterThanOrEqual(receivedBytes);
      const { served } = await setup.ledger();
      expect(served.reduce((sum, entry) => sum + entry.bodyBytes, 0)).toBe(books.egressBytes);
      // Every missed byte came from upstream; more may have come, for clients that left.
      expect(books.upstreamBytes).toBeGreaterThanOrEqual(books.missBytes);
      const answerCount = Object.values(books.answers).reduce((sum, count) => sum + count, 0);
      expect(answerCount).toBe(books.requestCount);
    });
  });

  it('hold while the node drains: each answer is logged with the bytes that its client got', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'books-'));
    const log = join(folder, 'access.log');
    const node = ['--access-log', log, '--limit-egress', '80 Mbit/s'];
    try {
      await withSetup({ workers: 2, node }, async (setup) => {
        const paths = Array.from({ length: 6 }, (_, i) => `/object/drain${i}/700000`);
        let ended: Promise<unknown> | undefined;
        let underWay = 0;
        const replies = await Promise.all(
          paths.map((path) => {
            let isFirst = true;
            return setup.get(
              path,
              {},
              {
                onBody: () => {
                  if (isFirst) underWay += 1;
                  isFirst = false;
                  if (underWay === paths.length) ended ??= setup.node.end('SIGTERM');
                },
              },
            );
          }),
        );
        expect(await ended).toBe(0);
        const lines = readFileSync(log, 'utf8').trim().split('\n');
        const records = lines.map((line) => JSON.parse(line) as AccessRecord);
        for (const [i, reply] of replies.entries()) {
          expect(reply.complete).toBe(true);
          expect(records.find(({ target }) => target === paths[i])).toMatchObject({
            ...{ status: 200, bodyBytes: reply.body.length, missBytes: reply.body.length, aborted: false },
          });
        }
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('keep the health object apart', async () => {
    await withSetup({}, async (setup) => {
      const reply = await setup.get('/mscomtest/wuidt.gif');
      expect([reply.status, reply.body.length]).toEqual([200, 969_710]);
      const { healthBytes, egressBytes, hitBytes, missBytes } = await setup.books();
      expect([healthBytes, egressBytes, hitBytes, missBytes]).toEqual([969_710, 0, 0, 0]);
    });
  });
});

describe('other clients', () => {
  const size = 21_234_567;
  let setup: Setup;
  beforeAll(async () => {
    setup = await Setup.start({ workers: 2 });
  });
  afterAll(() => setup.stop());

  function sha256(id: string): string {
    const all = Buffer.alloc(size);
    new ContentFunction(id, 1).fill(all, 0, 0, size);
    return createHash('sha256').update(all).digest('hex');
  }

  const header = `Host: ${origin}`;
  it.each([
    { tool: 'curl', args: (url: string, file: string) => ['-sS', '-H', header, '-o', file, url] },
    { tool: 'curl', args: (url: string, file: string) => ['-sS', '-H', header, '-C', '0', '-o', file, url] },
    { tool: 'wget', args: (url: string, file: string) => ['-q', `--header=${header}`, '-O', file, url] },
    {
      tool: 'aria2c',
      args: (url: string, file: string) => [
        ...['-q', '-x16', '-s16', '-k1M', '--file-allocation=none', `--header=${header}`],
        ...['-d', join(file, '..'), '-o', file.split('/').at(-1) ?? '', url],
      ],
    },
  ])('such as $tool get the file, cold and warm', async ({ tool, args }) => {
    if (spawnSync(tool, ['--version']).status !== 0) {
      process.stdout.write(`skipped: ${tool} is not installed here\n`);
      return;
    }
    const id = `${tool}-${args('', '').length}`;
    for (const round of ['cold', 'warm']) {
      const file = join(setup.folder, `${id}-${round}`);
      const child = spawn(tool, args(`http://127.0.0.1:${setup.node.listen.port}/object/${id}/${size}`, file), {
        stdio: 'inherit',
      });
      expect((await once(child, 'close'))[0]).toBe(0);
      expect(createHash('sha256').update(readFileSync(file)).digest('hex')).toBe(sha256(id));
    }
    // Aborted connections of the tool may have had bytes of their own; what is stored was fetched once.
    expect((await setup.cdnOf(id)).bodyBytes).toBe(size);
  });
});

describe('several workers', () => {
  it('share what is stored, and hold 3,000 idle connections', async () => {
    await withSetup({ workers: 3, node: ['--max-connections', '5000'] }, async (setup) => {
      await setup.get('/object/shared/1000000', { Range: 'bytes=0-499999' });
      // Each connection goes to the next worker in turn.
      for (let i = 0; i < 6; i += 1) {
        const reply = await setup.get('/object/shared/1000000', { Range: 'bytes=1000-400000' });
        expectContent(reply.body, 'shared', 1000);
      }
      for (let i = 0; i < 3; i += 1) {
        const reply = await setup.get('/object/shared/1000000', { Range: 'bytes=1000-400000' });
        expect(reply.headers['cache-status']).toBe('cache-node; hit');
      }
      expect((await setup.cdnOf('shared')).bodyBytes).toBe(500_000);
      const sockets: net.Socket[] = [];
      try {
        for (let i = 0; i < 30; i += 1) {
          await Promise.all(
            Array.from({ length: 100 }, async () => {
              const socket = net.connect(setup.node.listen.port, '127.0.0.1');
              sockets.push(socket);
              await once(socket, 'connect');
            }),
          );
        }
        const books = await until(
          () => setup.books(),
          ({ connectionsOpen }) => connectionsOpen >= 3000,
        );
        expect(books.connectionsOpen).toBe(3000);
        expectContent((await setup.get('/object/shared/1000000')).body, 'shared');
        const last = sockets.at(-1);
        last?.write(`GET /object/shared/1000000 HTTP/1.1\r\nHost: ${origin}\r\nRange: bytes=0-9\r\n\r\n`);
        const [part] = last === undefined ? [] : ((await once(last, 'data')) as Buffer[]);
        expect(part?.toString('latin1')).toMatch(/^HTTP\/1\.1 206 /);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    });
  });
});

describe('readers that do not read', () => {
  const isLinux = process.platform === 'linux';
  /** Resident bytes of a process. */
  const residentBytes = (pid: number): number =>
    Number(/VmRSS:\s+([0-9]+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

  async function stall(setup: Setup, count: number, path: string): Promise<net.Socket[]> {
    return await Promise.all(
      Array.from({ length: count }, async () => {
        const socket = net.connect({ port: setup.node.listen.port, host: '127.0.0.1' });
        socket.on('error', () => socket.destroy());
        await once(socket, 'connect');
        socket.write(`GET ${path} HTTP/1.1\r\nHost: ${origin}\r\n\r\n`);
        await once(socket, 'readable');
        return socket; // a read of at most the socket's own buffer, then no more
      }),
    );
  }

  it.runIf(isLinux)('cost little memory, and nobody else time', async () => {
    await withSetup({}, async (setup) => {
      const path = '/object/big/60000000';
      expect((await setup.get(path)).body.length).toBe(60_000_000);
      const [worker = 0] = childrenOf(setup.node.pid);
      const before = residentBytes(worker);
      const sockets = await stall(setup, 600, path);
      const reply = await setup.get(path, { Range: 'bytes=1000000-2000000' });
      expectContent(reply.body, 'big', 1_000_000);
      // 256 KiB each would be 157 MB beside the connections: past 64 MiB in flight, chunks are small.
      expect(residentBytes(worker) - before).toBeLessThan(150_000_000);
      for (const socket of sockets) socket.resetAndDestroy();
      const books = await until(
        () => setup.books(),
        ({ connectionsOpen }) => connectionsOpen === 0,
      );
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
    });
  });

  it('of content that is passed through hold their upstream back', async () => {
    await withSetup({ cdn: ['--cache-control', 'no-store'] }, async (setup) => {
      const sockets = await stall(setup, 5, '/object/endless/5000000000');
      const isSteady = async (): Promise<boolean> => {
        const { bodyBytes } = await setup.cdnBooks();
        await ask({ port: setup.node.listen.port, path: '/object/other/3000000', headers: { Host: origin } });
        return (await setup.cdnBooks()).bodyBytes - bodyBytes <= 2 * 3_000_000;
      };
      await until(isSteady, (steady) => steady);
      expect((await setup.cdnOf('endless')).bodyBytes).toBeLessThan(5 * 30_000_000);
      for (const socket of sockets) socket.resetAndDestroy();
      const books = await until(
        () => setup.books(),
        ({ connectionsOpen }) => connectionsOpen === 0,
      );
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
      await until(
        () => setup.cdnBooks(),
        ({ cutCount }) => cutCount >= 5,
      );
    });
  });
});
