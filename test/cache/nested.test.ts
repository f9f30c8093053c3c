// Nodes behind nodes: three levels, each with its own drive and a hit by itself once it has been asked; aliases that hold
// through all of them; loops that are cut at whatever level they close.

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Books } from '../../cache/books.ts';
import { adminJson, ask, blocksUnder, expectContent, type Program, type Reply, startProgram } from './node-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'cache-nested-'));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

const at = (program: Program): string => `127.0.0.1:${program.listen.port}`;
const startNode = (name: string, ...options: readonly string[]): Promise<Program> =>
  startProgram('cache/main', [
    ...['--name', name, '--listen', '127.0.0.1:0', '--workers', '1', '--exit-with-parent', '--ignore-environment'],
    ...['--drive', `${join(folder, name)}=100MB`, ...options],
  ]);
const get = (program: Program, path: string, headers: Record<string, string> = {}): Promise<Reply> =>
  ask({ port: program.listen.port, path, headers: { Host: 'cache.corp', ...headers }, timeoutMs: 20_000 });
const books = async (program: Program): Promise<Books> => (await adminJson(program, 'GET', '/books')) as Books;
/** Bytes of blocks of the extents that a node has on its drive. */
const contentBytes = (name: string): number => blocksUnder(join(folder, name, 'do-cache', 'extents'));

describe('three levels', () => {
  const hosts = ['west.packages.test', 'east.packages.test'] as const;
  const sizeBytes = 20_000_000;
  const object = (id: string, host: string): string => `/object/${id}/${sizeBytes}?cacheHostOrigin=${host}`;
  const programs: Program[] = [];
  let cdn: Program;
  let [grandparent, parent, child]: (Program | undefined)[] = [];
  const nodes = (): readonly [Program, Program, Program] => {
    if (grandparent === undefined || parent === undefined || child === undefined) throw new Error('not started');
    return [grandparent, parent, child];
  };

  beforeAll(async () => {
    const started = async (program: Promise<Program>): Promise<Program> => {
      programs.push(await program);
      return await program;
    };
    cdn = await started(startProgram('simulator/cloud/main', ['--exit-with-parent', '--ledger']));
    // The way to the CDN is the grandparent's alone; the others know the hosts and their alias.
    const names = hosts.flatMap((host) => ['--origin', host, '--alias', `${host}=packages`]);
    const places = hosts.flatMap((host) => ['--origin', `${host}=${at(cdn)}`, '--alias', `${host}=packages`]);
    grandparent = await started(startNode('grandparent', ...places));
    parent = await started(startNode('parent', ...names, '--upstream-host', at(grandparent)));
    child = await started(startNode('child', ...names, '--upstream-host', at(parent)));
  });
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.end('SIGKILL')));
  });

  it('fill from each other, each byte once, and every level stores what went through it', async () => {
    const [top, middle, bottom] = nodes();
    const range = await get(bottom, object('big', hosts[0]), { Range: 'bytes=5000000-5999999' });
    expect([range.status, range.headers['content-range']]).toEqual([206, `bytes 5000000-5999999/${sizeBytes}`]);
    expectContent(range.body, 'big', 5_000_000);
    for (const name of ['grandparent', 'parent', 'child']) {
      // The 245 blocks that the range touches, and the folders that hold its extent.
      expect(contentBytes(name)).toBeGreaterThanOrEqual(245 * 4096);
      expect(contentBytes(name)).toBeLessThanOrEqual(248 * 4096);
    }
    const whole = await get(bottom, object('big', hosts[0]));
    expect([whole.status, whole.body.length]).toEqual([200, sizeBytes]);
    expectContent(whole.body, 'big');
    for (const program of [top, middle, bottom]) {
      const { missBytes, hitBytes, upstreamBytes, egressBytes } = await books(program);
      expect(upstreamBytes).toBe(sizeBytes);
      expect(missBytes + hitBytes).toBe(egressBytes);
    }
    for (const name of ['grandparent', 'parent', 'child']) {
      expect(contentBytes(name)).toBeGreaterThanOrEqual(sizeBytes);
      expect(contentBytes(name)).toBeLessThan(sizeBytes * 1.01);
    }
  });

  it('say in Via who answered', async () => {
    const [, , bottom] = nodes();
    const reply = await get(bottom, object('via', hosts[0]), { Range: 'bytes=0-9' });
    expect(reply.headers.via).toMatch(/^1\.1 child-[0-9a-f]{8}$/);
  });

  it('share content of hosts of one alias, at every level', async () => {
    const [, , bottom] = nodes();
    const before = (await books(nodes()[0])).upstreamRequestCount;
    expectContent((await get(bottom, object('big', hosts[1]))).body, 'big');
    expectContent((await get(nodes()[1], object('big', hosts[1]))).body, 'big');
    expectContent((await get(nodes()[0], object('big', hosts[1]))).body, 'big');
    expect((await books(nodes()[0])).upstreamRequestCount).toBe(before);
  });

  it('fetch from the host that was named, alias or not', async () => {
    const [, , bottom] = nodes();
    const reply = await get(bottom, `/object/named/500?a=1&cacheHostOrigin=x.test&cacheHostOrigin=${hosts[1]}&b=2`);
    expect(reply.status).toBe(200);
    expectContent(reply.body, 'named');
    const strange = await get(bottom, '/object/named/500?cacheHostOrigin=x.test');
    expect(strange.status).toBe(403);
  });

  it('are a hit each, whole and in parts, when the level above is dead', async () => {
    const [top, middle, bottom] = nodes();
    await cdn.end('SIGKILL');
    for (const [program, above] of [
      [top, undefined],
      [middle, top],
      [bottom, middle],
    ] as const) {
      if (above !== undefined) await above.end('SIGKILL');
      for (const host of hosts) {
        const whole = await get(program, object('big', host));
        expect([whole.status, whole.headers['cache-status']]).toEqual([200, expect.stringContaining('; hit')]);
        expectContent(whole.body, 'big');
        const part = await get(program, object('big', host), { Range: 'bytes=-1000' });
        expect([part.status, part.body.length]).toEqual([206, 1000]);
        expectContent(part.body, 'big', sizeBytes - 1000);
      }
    }
    const cold = await get(bottom, object('never-asked', hosts[0]));
    expect([cold.status, cold.headers['retry-after'], cold.body.length]).toEqual([503, '5', 0]);
  });
});

describe('a redirect of the origin', () => {
  it('goes down through the levels, or is followed at the first that does, and is kept from there on', async () => {
    const cdn = await startProgram('simulator/cloud/main', ['--exit-with-parent']);
    const mover = http.createServer((request, response) => {
      response.writeHead(302, { Location: `http://content.test${request.url?.replace('moved', 'object')}` }).end();
    });
    mover.listen(0, '127.0.0.1');
    await once(mover, 'listening');
    const { port } = mover.address() as net.AddressInfo;
    const hosts = ['--origin', `moved.test=127.0.0.1:${port}`, '--origin', `content.test=${at(cdn)}`];
    const top = await startNode('redirect-top', ...hosts);
    const passing = await startNode('redirect-passing', ...hosts, '--upstream-host', at(top));
    const following = await startNode('redirect-following', ...hosts, '--upstream-host', at(top), '--follow-redirects');
    const bottom = await startNode('redirect-bottom', ...hosts, '--upstream-host', at(following));
    try {
      const path = '/moved/redirected/50000?cacheHostOrigin=moved.test';
      const passed = await get(passing, path);
      expect([passed.status, passed.headers.location]).toEqual([302, 'http://content.test/object/redirected/50000']);
      for (const program of [bottom, following]) {
        const reply = await get(program, path, { Range: 'bytes=100-' });
        expect([reply.status, reply.body.length]).toEqual([206, 49_900]);
        expectContent(reply.body, 'redirected', 100);
      }
      await Promise.all([cdn.end('SIGKILL'), top.end('SIGKILL'), following.end('SIGKILL')]);
      const hit = await get(bottom, path, { Range: 'bytes=100-' });
      expect([hit.status, hit.headers['cache-status']]).toEqual([206, expect.stringContaining('; hit')]);
    } finally {
      mover.close();
      await Promise.all([cdn, top, passing, following, bottom].map((program) => program.end('SIGKILL')));
    }
  });
});

describe('a loop', () => {
  /** Ports that are free now: nodes of a loop must name each other before they run. */
  async function freePorts(count: number): Promise<readonly number[]> {
    const servers = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
    await Promise.all(servers.map((server) => once(server.close(), 'close')));
    return ports;
  }

  it.each([1, 2, 3])('of %i nodes is 508 at whichever is asked, at once, filling or passing through', async (count) => {
    const ports = await freePorts(count);
    const programs = await Promise.all(
      ports.map((port, index) =>
        startNode(
          ...([`loop${count}-${index}`, '--listen', `127.0.0.1:${port}`] as const),
          ...['--upstream-host', `127.0.0.1:${ports[(index + 1) % count]}`],
        ),
      ),
    );
    try {
      for (const program of programs) {
        const startedAtMs = performance.now();
        const path = `/x${program.listen.port}?cacheHostOrigin=dl.delivery.mp.microsoft.com`;
        const filling = await get(program, path);
        expect([filling.status, filling.body.length, filling.complete]).toEqual([508, 0, true]);
        expect((await get(program, path, { Authorization: 'Basic eDp5' })).status).toBe(508);
        // Well before anything was silent long enough to be given up.
        expect(performance.now() - startedAtMs).toBeLessThan(4000);
      }
    } finally {
      await Promise.all(programs.map((program) => program.end('SIGKILL')));
    }
  });
});
