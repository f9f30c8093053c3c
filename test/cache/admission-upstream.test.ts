// Where the node connects to: no name leads it to an address that is not public, and redirects are followed only when
// that is asked for, and only to origins.

import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import net from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Upstream } from '../../cache/upstream.ts';
import { isPublicAddress, publicLookup, type Resolve } from '../../cache/upstream-addresses.ts';
import { redirectsMax } from '../../cache/upstream-redirects.ts';
import type { Failure } from '../../common/http-connection.ts';
import { expectContent, origin, Setup, withSetup } from './node-process.ts';

describe('an address', () => {
  it.each([
    ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.254', '169.254.169.254'],
    ...['172.16.0.1', '172.31.255.255', '192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1'],
    ...['198.19.255.255', '198.51.100.7', '203.0.113.9', '224.0.0.1', '239.255.255.255', '240.0.0.1'],
    ...['255.255.255.255', '::', '::1', '::127.0.0.1', '::ffff:10.0.0.1', '::ffff:8.8.8.8', '64:ff9b::10.0.0.1'],
    ...['64:ff9b:1::1', '100::1', '2001::1', '2001:2::1', '2001:db8::1', '2002:a00:1::', '3fff::1', '5f00::1'],
    ...['fc00::1', 'fd12::1', 'fe80::1', 'fec0::1', 'ff02::1', '', 'localhost', '8.8.8', '0x8.8.8.8'],
  ])('%s is not public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each([
    ...['8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '126.255.255.255', '128.0.0.0'],
    ...['172.15.255.255', '172.32.0.0', '192.0.1.0', '192.167.255.255', '198.17.255.255', '198.20.0.0'],
    ...['223.255.255.255', '2600::1', '2a01:111::1', '2001:200::1', '2606:2800:220:1::1'],
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it('of IPv4 is not made public by any way to write it in IPv6', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.constantFrom('::ffff:', '::', '64:ff9b::', '64:ff9b:1::'), (address, prefix) => {
        expect(isPublicAddress(prefix + address)).toBe(false);
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
        const hex = (high: number, low: number): string => (high * 256 + low).toString(16);
        expect(isPublicAddress(`2002:${hex(a, b)}:${hex(c, d)}::1`)).toBe(false); // 6to4
        expect(isPublicAddress(`2001:0:${hex(a, b)}:${hex(c, d)}::1`)).toBe(false); // Teredo
      }),
    );
  });
});

describe('a name', () => {
  const answers =
    (...all: readonly string[]): Resolve =>
    (_name, _options, done) =>
      done(
        null,
        all.map((address) => ({ address, family: net.isIP(address) })),
      );
  const look = (resolve: Resolve, all: boolean): Promise<unknown> =>
    new Promise((done, fail) => {
      publicLookup(resolve)('a.test', { all }, (error, address) => (error === null ? done(address) : fail(error)));
    });

  it('resolves to its public addresses alone', async () => {
    const mixed = answers('127.0.0.1', '8.8.8.8', '::ffff:127.0.0.1', '2600::1', '169.254.169.254');
    expect(await look(mixed, false)).toBe('8.8.8.8');
    expect(await look(mixed, true)).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2600::1', family: 6 },
    ]);
  });

  it('that resolves to none is an error, as is one that does not resolve', async () => {
    await expect(look(answers('10.0.0.1'), false)).rejects.toThrow('a.test resolves to no public address');
    await expect(look(answers(), true)).rejects.toThrow('no public address');
    await expect(look((_name, _options, done) => done(new Error('ENOTFOUND'), []), true)).rejects.toThrow('ENOTFOUND');
  });

  it('is resolved once for a connection, which goes nowhere when the answer is the machine itself', async () => {
    let connectionCount = 0;
    const server = net.createServer(() => {
      connectionCount += 1;
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const asked: string[] = [];
    // A name server that rebinds: an answer that passes would be given once, and the machine itself ever after.
    const resolve: Resolve = (name, _options, done) => {
      asked.push(name);
      done(null, [
        { address: asked.length === 1 ? '::ffff:127.0.0.1' : '127.0.0.1', family: asked.length === 1 ? 6 : 4 },
      ]);
    };
    const settings = {
      upstreamHost: undefined,
      upstreamProxy: undefined,
      followRedirects: false,
      ledger: false,
      origins: [],
    };
    const upstream = new Upstream(settings, 'via', resolve);
    const from = { host: 'rebind.test', port, connect: undefined, canonical: 'rebind.test', mayBePrivate: false };
    const failureOf = (mayBePrivate: boolean): Promise<Failure> =>
      new Promise((onFailure) => {
        const nothing = (): void => undefined;
        const sink = { onHead: nothing, onBody: nothing, onEnd: nothing, onFailure };
        upstream.request({ method: 'GET', origin: { ...from, mayBePrivate }, target: '/', fields: [], sink });
      });
    for (const count of [1, 2]) {
      expect(await failureOf(false)).toEqual({ cause: 'refused', detail: 'rebind.test resolves to no public address' });
      expect(asked.length).toBe(count);
    }
    expect(connectionCount).toBe(0);
    upstream.close();
    server.close();
  });

  it('of a documented host that resolves to the machine itself is 503 to the client, and a listed one is too', async () => {
    // `localhost` needs no name server; it stands for any name with a private address.
    await withSetup({ node: ['--origin', 'localhost'] }, async (setup) => {
      const reply = await setup.get('/object/x/5?cacheHostOrigin=localhost');
      expect([reply.status, reply.headers['retry-after'], reply.headers['content-length']]).toEqual([503, '5', '0']);
    });
    await withSetup({ node: ['--allow-private-origins'] }, async (setup) => {
      await setup.node.end('SIGTERM');
      await setup.startNode(['--origin', `localhost:${setup.cdn.listen.port}`]);
      const reply = await setup.get('/object/x/500?cacheHostOrigin=localhost');
      expect(reply.status).toBe(200);
      expectContent(reply.body, 'x');
    });
  });
});

describe('a redirect', () => {
  let mover: http.Server;
  let setup: Setup;
  let passing: Setup;
  const seen: IncomingMessage[] = [];

  beforeAll(async () => {
    // /to/<url> leads there; /hops/<n>/<path> leads over n more redirects to the path at the CDN.
    mover = http.createServer((request, response) => {
      seen.push(request);
      const { url = '' } = request;
      const [, left = '', path = ''] = /^\/hops\/([0-9]+)(\/.*)$/.exec(url) ?? [];
      const location = url.startsWith('/to/')
        ? decodeURIComponent(url.slice(4))
        : Number(left) > 0
          ? `../${Number(left) - 1}${path}`.replace(/^\.\./, `http://mover.test/hops`)
          : `http://${origin}${path}`;
      response.writeHead(302, { Location: location }).end(url.includes('big') ? 'x'.repeat(200_000) : 'moved');
    });
    mover.listen(0, '127.0.0.1');
    await once(mover, 'listening');
    const place = `127.0.0.1:${(mover.address() as net.AddressInfo).port}`;
    const node = ['--origin', `mover.test=${place}`, '--origin', `other.test=${place}`];
    [setup, passing] = await Promise.all([
      Setup.start({ node: [...node, '--follow-redirects'] }),
      Setup.start({ node }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([setup?.stop(), passing?.stop()]);
    mover?.close();
  });

  const to = (location: string): string => `/to/${encodeURIComponent(location)}`;

  it('is passed on by default, and not kept', async () => {
    const location = `http://${origin}/object/moved/5000`;
    for (const _ of [1, 2]) {
      const reply = await passing.get(to(location), { Host: 'mover.test' });
      expect([reply.status, reply.headers.location]).toEqual([302, location]);
    }
    expect((await passing.cdnOf('moved')).requestCount).toBe(0);
  });

  it.each(['followed', 'big-body'])(
    'is followed with --follow-redirects, and what it leads to is kept (%s)',
    async (id) => {
      const path = to(`http://${origin}/object/${id}/500000`);
      const part = await setup.get(path, { Host: 'mover.test', Range: 'bytes=1000-1999' });
      expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 1000-1999/500000']);
      expectContent(part.body, id, 1000);
      const whole = await setup.get(path, { Host: 'mover.test' });
      expectContent(whole.body, id);
      const before = (await setup.cdnOf(id)).requestCount;
      expect((await setup.get(path, { Host: 'mover.test' })).headers['cache-status']).toContain('hit');
      expect(await setup.cdnOf(id)).toEqual({ requestCount: before, bodyBytes: 500_000 });
    },
  );

  it('is followed relative to where it was, without a body for HEAD, and without credentials to another host', async () => {
    const head = await setup.get(to(`http://${origin}/object/head/700`), { Host: 'mover.test' }, { method: 'HEAD' });
    expect([head.status, head.headers['content-length']]).toEqual([200, '700']);
    seen.length = 0;
    const reply = await setup.get(to(`/hops/0/object/own/700`), { Host: 'mover.test', Authorization: 'Basic eDp5' });
    expectContent(reply.body, 'own');
    expect(seen.map((request) => request.headers.authorization)).toEqual(['Basic eDp5', 'Basic eDp5']);
    seen.length = 0;
    const other = to('http://other.test/hops/0/object/own/700');
    expectContent((await setup.get(other, { Host: 'mover.test', Authorization: 'Basic eDp5' })).body, 'own');
    expect(seen.map(({ headers }) => [headers.host, headers.authorization])).toEqual([
      ['mover.test', 'Basic eDp5'],
      ['other.test', undefined],
    ]);
    const { requestCount } = await setup.cdnOf('own');
    await setup.get('/object/own/700', {});
    expect((await setup.cdnOf('own')).requestCount).toBe(requestCount + 1); // nothing of it was kept
  });

  it(`is followed at most ${redirectsMax} times`, async () => {
    const right = await setup.get(`/hops/${redirectsMax - 1}/object/far/500`, { Host: 'mover.test' });
    expect(right.status).toBe(200);
    expectContent(right.body, 'far');
    const tooFar = await setup.get(`/hops/${redirectsMax}/object/far/501`, { Host: 'mover.test' });
    expect([tooFar.status, tooFar.body.length]).toEqual([502, 0]);
    const endless = await setup.get(to('http://mover.test/hops/99999/x'), { Host: 'mover.test', Authorization: 'x' });
    expect(endless.status).toBe(502);
  });

  it.each([
    'http://example.com/x',
    'http://127.0.0.1:1/x',
    'http://[::1]/x',
    'http://2130706433/x',
    'http://169.254.169.254/latest/meta-data',
    `https://${origin}/x`,
    `http://${origin}:81/x`,
    `http://user:pw@${origin}/x`,
    `//evil.test/x`,
    'file:///etc/passwd',
    'http://',
  ])('to %s is not followed: the client gets it as it is', async (location) => {
    const reply = await setup.get(to(location), { Host: 'mover.test' });
    expect([reply.status, reply.headers.location]).toEqual([302, location]);
  });
});
