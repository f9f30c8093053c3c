// The node behind real HTTP proxies, with and without a parent: that everything goes through them, comes back byte for
// byte, and fails as it should when they are gone. A proxy that is not installed here is skipped, by name.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectContent, type Setup, until, withSetup } from './node-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'cache-proxy-'));
// Squid gives up its rights before it writes here.
chmodSync(folder, 0o777);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Proxy = { readonly port: number; end(): Promise<void> };

const kinds = [
  {
    name: 'tinyproxy',
    command: (config: string) => ['tinyproxy', '-d', '-c', config],
    config: (port: number) => `Port ${port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nAllow 127.0.0.1\n`,
  },
  {
    name: 'squid',
    command: (config: string) => ['squid', '-N', '-f', config],
    config: (port: number) =>
      [
        `http_port 127.0.0.1:${port}`,
        'http_access allow all',
        'cache deny all', // a node must not sit behind another cache
        'cache_mem 1 MB',
        'max_filedescriptors 256',
        'pid_filename none',
        'access_log none',
        'cache_store_log none',
        `cache_log ${join(folder, 'squid.log')}`,
        `coredump_dir ${folder}`,
        'netdb_filename none',
        'pinger_enable off',
        'shutdown_lifetime 0 seconds',
        '',
      ].join('\n'),
  },
] as const;

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await once(server.close(), 'close');
  return port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => resolve(false)).unref();
    socket.once('connect', () => socket.destroy());
  });
}

async function startProxy(kind: (typeof kinds)[number]): Promise<Proxy> {
  const port = await freePort();
  const config = join(folder, `${kind.name}-${port}.conf`);
  writeFileSync(config, kind.config(port));
  const [command = '', ...options] = kind.command(config);
  const child: ChildProcess = spawn(command, options, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  await until(
    () => (child.exitCode === null ? accepts(port) : Promise.reject(new Error(`${kind.name} ended`))),
    (open) => open,
  );
  return { port, end };
}

for (const kind of kinds) {
  const isInstalled = spawnSync(kind.name, ['-v'], { stdio: 'ignore' }).error === undefined;
  if (!isInstalled) process.stderr.write(`skipped: tests of the node behind ${kind.name} (not installed here)\n`);

  describe.skipIf(!isInstalled)(`behind ${kind.name}`, () => {
    let proxy: Proxy;
    beforeEach(async () => {
      proxy = await startProxy(kind);
    });
    afterEach(() => proxy.end());

    /** A node whose only way to the CDN is the proxy: it is named as the proxy resolves it. */
    async function withNode(use: (setup: Setup, query: string) => Promise<void>): Promise<void> {
      await withSetup({}, async (setup) => {
        await setup.node.end('SIGTERM');
        const { port } = setup.cdn.listen;
        await setup.startNode(['--upstream-proxy', `127.0.0.1:${proxy.port}`, '--origin', `localhost:${port}`]);
        await use(setup, 'cacheHostOrigin=localhost');
      });
    }

    it('ranges, whole objects and HEAD are right, and each byte is fetched once', async () => {
      await withNode(async (setup, query) => {
        const path = `/object/proxied/3000000?a=1&${query}`;
        const part = await setup.get(path, { Range: 'bytes=1000000-1999999' });
        expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 1000000-1999999/3000000']);
        expectContent(part.body, 'proxied', 1_000_000);
        const whole = await setup.get(path);
        expect([whole.status, whole.body.length]).toEqual([200, 3_000_000]);
        expectContent(whole.body, 'proxied');
        expect((await setup.cdnOf('proxied')).bodyBytes).toBe(3_000_000);
        const head = await setup.get(`/object/headed/700?${query}`, {}, { method: 'HEAD' });
        expect([head.status, head.headers['content-length']]).toEqual([200, '700']);
      });
    });

    it('many objects at once are right', async () => {
      await withNode(async (setup, query) => {
        const ids = Array.from({ length: 20 }, (_, index) => `many-${index}`);
        const replies = await Promise.all(ids.map((id) => setup.get(`/object/${id}/200000?${query}`)));
        replies.forEach((reply, index) => {
          expect([reply.status, reply.body.length]).toEqual([200, 200_000]);
          expectContent(reply.body, ids[index] ?? '');
        });
      });
    });

    it('what is stored stays a hit when the proxy is gone, and what is not is 503: nothing goes around it', async () => {
      await withNode(async (setup, query) => {
        await setup.get(`/object/kept/5000?${query}`);
        await proxy.end();
        const hit = await setup.get(`/object/kept/5000?${query}`);
        expect([hit.status, hit.headers['cache-status']]).toEqual([200, expect.stringContaining('; hit')]);
        const cold = await setup.get(`/object/cold/5000?${query}`);
        expect([cold.status, cold.body.length]).toEqual([503, 0]);
        expect((await setup.cdnOf('cold')).requestCount).toBe(0);
      });
    });

    it('a parent is asked through it, and the loop that a parent may make is 508', async () => {
      await withSetup({}, async (parent) => {
        const way = ['--upstream-proxy', `127.0.0.1:${proxy.port}`];
        const node = [...way, '--upstream-host', `127.0.0.1:${parent.node.listen.port}`];
        await withSetup({ node }, async (child) => {
          const reply = await child.get('/object/both/500000?x=%2F', { Range: 'bytes=1000-' });
          expect([reply.status, reply.body.length]).toEqual([206, 499_000]);
          expectContent(reply.body, 'both', 1000);
          expect((await child.cdnOf('both')).requestCount).toBe(0); // its own CDN is not asked
          expect((await parent.cdnOf('both')).bodyBytes).toBe(499_000);
          expect((await parent.books()).missBytes).toBe(499_000);
        });
        const port = await freePort();
        await parent.node.end('SIGTERM');
        await parent.startNode([...way, '--upstream-host', `127.0.0.1:${port}`, '--listen', `127.0.0.1:${port}`]);
        const loop = await parent.get('/object/loop/500');
        expect([loop.status, loop.body.length]).toEqual([508, 0]);
      });
    });
  });
}
