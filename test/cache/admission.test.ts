// Who may ask for what: origins, targets, methods, framing; and what the node says on a wrong command line.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectContent, origin, raw, Setup, StartFailure, startProgram, withSetup } from './node-process.ts';

let setup: Setup;
beforeAll(async () => {
  setup = await Setup.start();
});
afterAll(() => setup.stop());

/** Status of the answer to a request of these lines. */
async function statusOf(...lines: readonly string[]): Promise<number> {
  const text = await raw(setup.node.listen.port, `${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`);
  return Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(text)?.[1]);
}

const get = (target: string, host = origin): Promise<number> => statusOf(`GET ${target} HTTP/1.1`, `Host: ${host}`);

describe('an origin', () => {
  it('is named by cacheHostOrigin, of which the last counts and none goes upstream', async () => {
    const reply = await setup.get(`/object/named/500?cacheHostOrigin=other.test&cacheHostOrigin=${origin}`, {
      Host: 'cache',
    });
    expect(reply.status).toBe(200);
    expectContent(reply.body, 'named');
    expectContent((await setup.get('/object/named/500')).body, 'named');
    expect((await setup.cdnOf('named')).requestCount).toBe(1);
  });

  it('may be written in any case, with a port and a final dot', async () => {
    expect(await get('/object/case/5', `${origin.toUpperCase()}.:8080`)).toBe(200);
    expect(await get(`/object/case/5?cacheHostOrigin=${origin.toUpperCase()}`, 'cache')).toBe(200);
    expect((await setup.cdnOf('case')).requestCount).toBe(1);
  });

  it('that is not listed is refused: no open proxy', async () => {
    const strangers = [
      'example.com',
      '127.0.0.1',
      '[::1]',
      '2130706433',
      '0x7f.1',
      `${origin}.evil.test`,
      `evil${origin}`,
    ];
    for (const host of strangers) {
      expect([host, await get(`/object/x/5?cacheHostOrigin=${encodeURIComponent(host)}`)]).toEqual([host, 403]);
    }
    expect(await get('/object/x/5', 'example.com')).toBe(403);
    for (const host of [`user@${origin}`, `${origin}%2F..`, `${origin}%0d%0aX:1`, '', '%', `http:%2F%2F${origin}`]) {
      expect([host, await get(`/object/x/5?cacheHostOrigin=${host}`)]).toEqual([host, 403]);
    }
  });

  it('may come in the absolute form, which counts more than Host', async () => {
    expect(await get(`http://${origin}/object/absolute/5`, 'example.com')).toBe(200);
    expect(await get('http://example.com/object/absolute/5', origin)).toBe(403);
    expect(await get(`https://${origin}/object/absolute/5`)).toBe(400);
  });

  it('tells its objects apart by query, but not by signature', async () => {
    await setup.get('/object/q/5?a=1&P1=2&P2=x');
    await setup.get('/object/q/5?P1=3&a=1');
    expect((await setup.cdnOf('q')).requestCount).toBe(1);
    await setup.get('/object/q/5?a=2');
    expect((await setup.cdnOf('q')).requestCount).toBe(2);
  });

  it('gives a 404 that is passed on, but is 502 to who named it by cacheHostOrigin', async () => {
    expect(await get('/nowhere')).toBe(404);
    const reply = await setup.get(`/nowhere?cacheHostOrigin=${origin}`);
    expect([reply.status, reply.headers['content-length']]).toEqual([502, '0']);
    await setup.fault({ status: 416, object: 'untrue', count: 2 });
    expect(await get(`/object/untrue/5?cacheHostOrigin=${origin}`)).toBe(502);
    await setup.clearFaults();
  });

  it('may have its 4xx passed on by --upstream-client-errors pass', async () => {
    await withSetup({ node: ['--upstream-client-errors', 'pass'] }, async (own) => {
      expect((await own.get(`/nowhere?cacheHostOrigin=${origin}`)).status).toBe(404);
    });
  });
});

describe('a request', () => {
  it.each(['/../object/x/5', '/object/../x', '/a/..', '/%2e%2e/x', '/a/%2E./x', '/a\\..\\b', 'object/x/5', '*'])(
    'with the target %s is 400',
    async (target) => {
      expect(await get(target)).toBe(400);
    },
  );

  it.each([
    { name: 'two Hosts', status: 400, lines: ['GET / HTTP/1.1', `Host: ${origin}`, `Host: ${origin}`] },
    { name: 'no Host', status: 400, lines: ['GET / HTTP/1.1', 'X-Y: 1'] },
    { name: 'a Host that is a list', status: 400, lines: ['GET / HTTP/1.1', `Host: ${origin}, b`] },
    { name: 'POST', status: 405, lines: ['POST / HTTP/1.1', `Host: ${origin}`, 'Content-Length: 0'] },
    { name: 'TRACE', status: 405, lines: ['TRACE / HTTP/1.1', `Host: ${origin}`] },
    { name: 'a body', status: 413, lines: ['GET /object/x/5 HTTP/1.1', `Host: ${origin}`, 'Content-Length: 5'] },
    {
      name: 'chunks',
      status: 413,
      lines: ['GET /object/x/5 HTTP/1.1', `Host: ${origin}`, 'Transfer-Encoding: chunked'],
    },
    {
      name: 'chunks and a length',
      status: 400,
      lines: ['GET /object/x/5 HTTP/1.1', `Host: ${origin}`, 'Content-Length: 5', 'Transfer-Encoding: chunked'],
    },
    { name: 'a folded header', status: 400, lines: ['GET /object/x/5 HTTP/1.1', `Host: ${origin}`, 'X: 1', ' 2'] },
    {
      name: 'Content-Length 0',
      status: 200,
      lines: ['GET /object/x/5 HTTP/1.1', `Host: ${origin}`, 'Content-Length: 0'],
    },
    { name: 'Upgrade', status: 200, lines: ['GET /object/x/5 HTTP/1.1', `Host: ${origin}`, 'Upgrade: h2c'] },
    { name: 'a huge head', status: 431, lines: ['GET / HTTP/1.1', `Host: ${origin}`, `X: ${'x'.repeat(20_000)}`] },
  ])('with $name is $status', async ({ status, lines }) => {
    expect(await statusOf(...lines)).toBe(status);
  });

  it('that came through this node already is 508', async () => {
    const via = (await setup.get('/object/x/5')).headers.via ?? '';
    expect(via).toMatch(/^1\.1 cache-node-[0-9a-f]{8}$/);
    expect((await setup.get('/object/x/5', { Via: `1.1 other, ${via}` })).status).toBe(508);
  });

  it('between nodes is answered from the parent, and its loop is cut', async () => {
    const parent = `127.0.0.1:${setup.node.listen.port}`;
    await withSetup({ node: ['--upstream-host', parent] }, async (child) => {
      const reply = await child.get('/object/nested/5000', { Range: 'bytes=10-19' });
      expect([reply.status, reply.body.length]).toEqual([206, 10]);
      expectContent(reply.body, 'nested', 10);
      expect((await setup.cdnOf('nested')).bodyBytes).toBe(10);
    });
  });

  it('with Authorization is passed through and not stored', async () => {
    await setup.get('/object/mine/500', { Authorization: 'Basic eDp5' });
    await setup.get('/object/mine/500', { Authorization: 'Basic eDp5' });
    expect((await setup.cdnOf('mine')).requestCount).toBe(2);
  });
});

describe('a start', () => {
  const start = async (...args: string[]): Promise<{ code: number | null; log: string }> => {
    try {
      const program = await startProgram('cache/main', ['--exit-with-parent', ...args]);
      await program.end('SIGKILL');
      return { code: -1, log: 'it started' };
    } catch (error) {
      if (!(error instanceof StartFailure)) throw error;
      return { code: error.exitCode, log: error.log.replaceAll(folder, 'TMP').replace(/\bE[A-Z]{4,}\b/, 'CODE') };
    }
  };
  const folder = mkdtempSync(join(tmpdir(), 'cache-start-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const drive = ['--drive', `${join(folder, 'd')}=50MB`];

  it('with wrong options ends with code 2 and all mistakes at once', async () => {
    const { code, log } = await start(
      ...['--listen', 'nowhere', '--drive', '/tmp/x=5', '--origin', 'a b', '--workers', '0', '--limit-egress', '5'],
      ...['--key-query', 'some', '--upstream-client-errors', '404', '--max-connections', '-1'],
    );
    expect(code).toBe(2);
    expect(log).toMatchInlineSnapshot(`
      "cache node: --max-connections: expected a whole number of at least 1, found "-1"
      --listen: expected ADDRESS:PORT such as 127.0.0.1:8081 (port 0 picks a free one), found "nowhere"
      --drive: expected PATH=SIZE with a unit, such as /var/cache/do=200GB or D:\\cache=50GB, found "/tmp/x=5"
      --origin: expected HOST or HOST=ADDRESS:PORT, such as download.windowsupdate.com=127.0.0.1:9000, found "a b"
      --workers: expected a whole number of at least 1, found "0"
      --limit-egress: expected a rate with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s, found "5"
      --key-query: expected none, all or except:NAME,…, found "some"
      --upstream-client-errors: expected pass or 502, found "404"
      "
    `);
  });

  it('without a drive, or with an unknown option, ends with code 2', async () => {
    expect(await start()).toMatchInlineSnapshot(`
      {
        "code": 2,
        "log": "cache node: --drive: expected at least one, such as --drive /var/cache/do=200GB
      ",
      }
    `);
    expect(await start('--dirve', 'x')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "log": "error: unknown option '--dirve'
      (Did you mean --drive?)
      ",
      }
    `);
  });

  it('on a port in use ends with code 3', async () => {
    const { code, log } = await start(...drive, '--listen', `127.0.0.1:${setup.node.listen.port}`);
    expect(code).toBe(3);
    expect(log.replaceAll(String(setup.node.listen.port), 'PORT')).toMatchInlineSnapshot(`
      "cache node: --listen 127.0.0.1:PORT: another program listens there. Stop it, or choose another port (0 picks a free one).
      "
    `);
    const admin = await start(...drive, '--listen', '127.0.0.1:0', '--admin', `127.0.0.1:${setup.node.admin.port}`);
    expect(admin.code).toBe(3);
    expect(admin.log.replaceAll(String(setup.node.admin.port), 'PORT')).toMatchInlineSnapshot(`
      "cache node: --admin 127.0.0.1:PORT: cannot listen there (CODE).
      "
    `);
  });

  it('on a drive that is no folder ends with code 3', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await start('--drive', `${join(folder, 'file')}=50MB`)).toMatchInlineSnapshot(`
      {
        "code": 3,
        "log": "cache node: --drive TMP/file: expected a folder that can be written, found a file where the folder should be. Remove it (CODE).
      ",
      }
    `);
  });

  it('on a drive that another node uses ends with code 3, on one named twice with code 2', async () => {
    const { code, log } = await start('--drive', `${join(setup.folder, 'drive')}=50MB`, '--listen', '127.0.0.1:0');
    expect(code).toBe(3);
    expect(log.replaceAll(setup.folder, 'FOLDER').replaceAll(String(setup.node.pid), 'PID')).toMatchInlineSnapshot(`
      "cache node: --drive FOLDER/drive: expected a drive of its own, found one that process PID uses. Stop that node first (or remove FOLDER/drive/do-cache/lock if it is none).
      "
    `);
    expect(await start(...drive, ...drive, '--listen', '127.0.0.1:0')).toMatchInlineSnapshot(`
      {
        "code": 2,
        "log": "cache node: --drive TMP/d: expected each drive once, found it named twice.
      ",
      }
    `);
  });

  it('leaves no lock behind when it fails: the next one starts', async () => {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    expect((await start(...drive, '--listen', `127.0.0.1:${port}`)).code).toBe(3);
    server.close();
    const program = await startProgram('cache/main', ['--exit-with-parent', ...drive, '--listen', '127.0.0.1:0']);
    expect(await program.end('SIGTERM')).toBe(0);
  });
});
