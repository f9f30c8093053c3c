// The admin interface: who may ask it, what it says of the node's health, and one object inspected, refreshed, purged.

import net from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Caller, isFromHere, refusal } from '../../cache/owner/admin-guard.ts';
import { type Condition, type ContentCheck, type Health, healthOf } from '../../cache/owner/health.ts';
import type { InspectedObject } from '../../cache/owner/inspect.ts';
import { argument } from '../../cache/owner/inspect.ts';
import { adminJson, ask, expectContent, expectOwnContent, origin, Setup, until, withSetup } from './node-process.ts';

describe('a caller', () => {
  const caller = (host: string | undefined, more: Partial<Caller> = {}): Caller => ({
    ...{ host, origin: undefined, fetchSite: undefined, ...more },
  });
  it.each([
    { host: '127.0.0.1:8082', bound: '127.0.0.1', allowed: true },
    { host: 'localhost', bound: '127.0.0.1', allowed: true },
    { host: 'LOCALHOST.:9', bound: '127.0.0.1', allowed: true },
    { host: '[::1]:8082', bound: '::1', allowed: true },
    { host: '10.0.0.7:8082', bound: '10.0.0.7', allowed: true },
    { host: 'node.corp:8082', bound: 'node.corp', allowed: true },
    { host: '127.0.0.1', bound: '0.0.0.0', allowed: true },
    { host: 'attacker.example', bound: '127.0.0.1', allowed: false },
    { host: 'attacker.example', bound: '0.0.0.0', allowed: false },
    { host: '127.0.0.1.attacker.example', bound: '127.0.0.1', allowed: false },
    { host: 'localhost.attacker.example', bound: '0.0.0.0', allowed: false },
    { host: '203.0.113.5', bound: '0.0.0.0', allowed: false },
    { host: '', bound: '127.0.0.1', allowed: false },
    { host: undefined, bound: '127.0.0.1', allowed: false },
  ])('that names $host of an interface at $bound is let in: $allowed', ({ host, bound, allowed }) => {
    expect(refusal(caller(host), bound) === undefined).toBe(allowed);
  });

  it.each([
    { origin: 'http://127.0.0.1:8082', allowed: true },
    { origin: 'http://127.0.0.1:9', allowed: false },
    { origin: 'https://attacker.example', allowed: false },
    { origin: 'null', allowed: false },
    { fetchSite: 'cross-site', allowed: false },
    { fetchSite: 'same-site', allowed: false },
    { fetchSite: 'same-origin', allowed: true },
    { fetchSite: 'none', allowed: true },
  ])('from a page ($origin $fetchSite) is let in: $allowed', ({ origin: from, fetchSite, allowed }) => {
    expect(refusal(caller('127.0.0.1:8082', { origin: from, fetchSite }), '127.0.0.1') === undefined).toBe(allowed);
  });

  it.each([
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['203.0.113.5', false],
    ['::ffff:203.0.113.5', false],
    ['2001:db8::1', false],
    [undefined, false],
  ])('at %s is from this machine: %s', (address, expected) => {
    expect(isFromHere(address)).toBe(expected);
  });
});

describe('an argument that is a URL', () => {
  it.each([
    ['url=http://h/p?a=1&b=2', 'http://h/p?a=1&b=2'],
    ['url=http%3A%2F%2Fh%2Fp%3Fa%3D1%26b%3D2&x=1', 'http://h/p?a=1&b=2'],
    ['url=h/p%20q?a=1&b', 'h/p%20q?a=1&b'],
    ['x=1&url=h/p', 'h/p'],
    ['curl=h/p', undefined],
    ['url=', ''],
  ])('%s is read as %s', (query, expected) => {
    expect(argument(query, 'url')).toBe(expected);
  });

  it('comes back as it was, encoded or not', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, validSchemes: ['http'] }), (url) => {
        expect(argument(`url=${url}`, 'url')).toBe(url);
        expect(argument(`url=${encodeURIComponent(url)}&more=1`, 'url')).toBe(url);
      }),
    );
  });
});

describe('health', () => {
  const well: Condition = {
    ...{ isLoading: false, isDraining: false, workersReady: 2, workersExpected: 2 },
    drives: [
      { path: 'a', failure: undefined },
      { path: 'b', failure: undefined },
    ],
  };
  const failed = (path: string): Condition['drives'][number] => ({ path, failure: 'EIO' });
  it.each([
    { what: 'all is there', change: {}, state: 'ok', healthy: true, ready: true },
    { what: 'a worker is missing', change: { workersReady: 1 }, state: 'degraded', healthy: true, ready: true },
    { what: 'no worker is there', change: { workersReady: 0 }, state: 'unhealthy', healthy: false, ready: false },
    { what: 'the index is loading', change: { isLoading: true }, state: 'degraded', healthy: true, ready: true },
    {
      what: 'a drive failed',
      change: { drives: [failed('a'), ...well.drives] },
      state: 'degraded',
      healthy: true,
      ready: true,
    },
    { what: 'every drive failed', change: { drives: [failed('a')] }, state: 'unhealthy', healthy: false, ready: true },
    { what: 'it drains', change: { isDraining: true }, state: 'draining', healthy: false, ready: false },
  ])('is $state when $what', ({ change, state, healthy, ready }) => {
    const found = healthOf({ ...well, ...change });
    expect(found).toMatchObject({ state, healthy, ready });
    expect(found.reasons.length === 0).toBe(state === 'ok');
  });
});

describe('the admin interface of a node', () => {
  let setup: Setup;
  beforeAll(async () => {
    setup = await Setup.start({ workers: 3, cdn: ['--cache-control', 'max-age=3600'] });
  });
  afterAll(() => setup.stop());
  const admin = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const reply = await ask({ port: setup.node.admin.port, path, method, headers });
    return { status: reply.status, body: JSON.parse(reply.body.toString()) as Record<string, unknown> };
  };
  const objects = (id: string, size: number): string => `/objects?url=http://${origin}/object/${id}/${size}`;
  /** Every worker knows the object: connections go round. */
  const warm = async (id: string, size: number): Promise<void> => {
    for (let i = 0; i < 6; i += 1) expectContent((await setup.get(`/object/${id}/${size}`)).body, id);
  };

  it('refuses foreign names and pages of other sites on every route, also unknown ones', async () => {
    for (const path of ['/books', '/metrics', '/objects?key=x', '/nowhere']) {
      expect((await admin('GET', path, { Host: 'attacker.example' })).status).toBe(403);
      expect((await admin('DELETE', path, { Origin: 'http://attacker.example' })).status).toBe(403);
    }
    expect((await admin('POST', '/books')).status).toBe(405);
    expect((await admin('GET', '/nowhere')).status).toBe(404);
    expect((await admin('GET', '/objects')).body['error']).toContain('expected ?url=http://host/path');
    expect((await admin('GET', '/objects?url=http://elsewhere.test/x')).status).toBe(400);
  });

  it('says that the node is well, and fetches content through its own port', async () => {
    const { status, body } = await admin('GET', '/health');
    expect([status, (body as Health).state, body['workersReady']]).toEqual([200, 'ok', 3]);
    expect((await admin('GET', '/ready')).body['ready']).toBe(true);
    const url = `http://${origin}/mscomtest/wuidt.gif`;
    const check = (await admin('GET', `/health?content=${url}`)).body as ContentCheck;
    expect(check).toMatchObject({ healthy: true, url, status: 200, bytes: 969_710 });
    expect(check.firstByteMs).toBeLessThanOrEqual(check.durationMs);
    const content = (await admin('GET', `/health?content=${origin}/object/h/12345?a=1&b=2`)).body as ContentCheck;
    expect(content).toMatchObject({ healthy: true, bytes: 12_345 });
    expect(content.cacheStatus).toContain('fwd=uri-miss');
  });

  it.each([
    { url: 'http://elsewhere.test/x', status: 403 },
    { url: `http://${origin}/nowhere`, status: 404 },
  ])('answers 503 when content does not come: $url gives $status', async ({ url, status }) => {
    const reply = await admin('GET', `/health?content=${url}`);
    expect([reply.status, reply.body['status'], reply.body['healthy']]).toEqual([503, status, false]);
  });

  it('shows what is stored of an object', async () => {
    await setup.get('/object/seen/3000000', { Range: 'bytes=1000000-1999999' });
    await setup.get('/object/seen/3000000', { Range: 'bytes=2500000-2500009' });
    const { status, body } = await until(
      () => admin('GET', `${objects('seen', 3_000_000)}?P1=1&P2=2`),
      (reply) => (reply.body as InspectedObject).generations[0]?.waitingCount === 0,
    );
    expect(status).toBe(200);
    const { key, generations } = body as InspectedObject;
    expect(key).toBe(`${origin}/object/seen/3000000`);
    expect(generations.length).toBe(1);
    expect(generations[0]).toMatchObject({
      ...{ isCurrent: true, host: origin, sizeBytes: 3_000_000, storedBytes: 1_000_010, isFresh: true },
      ...{
        intervalCount: 2,
        intervals: [
          [1_000_000, 2_000_000],
          [2_500_000, 2_500_010],
        ],
      },
    });
    expect(generations[0]?.extents.length).toBe(1);
    expect((await admin('GET', `/objects?key=${key}`)).body).toEqual(body);
    expect((await admin('GET', objects('unseen', 5))).status).toBe(404);
  });

  it('purges an object: from the answer on, no worker serves it from what was stored', async () => {
    await warm('gone', 200_000);
    await setup.newVersion('gone');
    await warm('gone', 200_000); // still fresh, hence still the old version
    const { status, body } = await admin('DELETE', objects('gone', 200_000));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      purgedGenerationCount: 1,
      purgedBytes: 200_000,
      workersConfirmed: 3,
      workersSilent: 0,
    });
    for (let i = 0; i < 6; i += 1) {
      expect(expectOwnContent(await setup.get('/object/gone/200000'), 'gone')).toBe(2);
    }
    expect((await admin('DELETE', objects('never', 5))).body['purgedGenerationCount']).toBe(0);
  });

  it('purges under load: who asks after the answer gets the new version, nobody a wrong byte', async () => {
    const size = 400_000;
    await warm('busy', size);
    let version = 1;
    let over = false;
    const clients = Array.from({ length: 8 }, async (_, i) => {
      while (!over) {
        const oldest = version;
        const start = i * 40_000;
        const reply = await setup.get(`/object/busy/${size}`, { Range: `bytes=${start}-` });
        if (reply.status === 206) {
          expect(reply.complete).toBe(true);
          expect(expectOwnContent(reply, 'busy', start)).toBeGreaterThanOrEqual(oldest);
        } else expect(reply.status).toBeGreaterThanOrEqual(500);
      }
    });
    for (let round = 2; round <= 12; round += 1) {
      await setup.newVersion('busy');
      expect((await admin('DELETE', objects('busy', size))).status).toBe(200);
      version = round;
      expect(expectOwnContent(await setup.get(`/object/busy/${size}`), 'busy')).toBe(round);
    }
    over = true;
    await Promise.all(clients);
  });

  it('makes an object stale on request: the next client has it checked', async () => {
    await warm('old', 1000);
    await setup.newVersion('old');
    const path = `/objects/refresh?url=http://${origin}/object/old/1000`;
    expect((await admin('POST', path)).body).toMatchObject({ workersConfirmed: 3 });
    await until(
      async () => expectOwnContent(await setup.get('/object/old/1000'), 'old'),
      (version) => version === 2,
    );
    expect((await admin('POST', '/objects/refresh?url=content.test/x')).status).toBe(404);
  });
});

// From here on a node of its own for each test, which mostly waits for a slow answer: side by side.
describe.concurrent('a purge', () => {
  it.each(['SIGTERM', 'SIGKILL'] as const)('outlives %s: neither bytes nor validators come back', async (signal) => {
    await withSetup({}, async (setup) => {
      const path = '/object/kept/1000';
      const { headers } = await setup.get(path);
      await until(
        () => setup.books(),
        ({ connectionsOpen }) => connectionsOpen === 0,
      );
      await adminJson(setup.node, 'DELETE', `/objects?url=${origin}${path}`);
      await setup.newVersion('kept');
      await setup.node.end(signal);
      await setup.startNode();
      const reply = await setup.get(path, { 'If-None-Match': String(headers.etag) });
      expect([reply.status, expectOwnContent(reply, 'kept')]).toEqual([200, 2]);
    });
  });
});

describe.concurrent('a purge while bytes arrive', () => {
  it('leaves those who wait their whole right answer, and nothing on the drive', async () => {
    await withSetup({ cdn: ['--egress', '80 Mbit/s'] }, async (setup) => {
      const empty = (await setup.books()).driveBytes;
      const path = `/object/slow/8000000`;
      let purged: Promise<unknown> | undefined;
      const reply = await setup.get(
        path,
        {},
        {
          onBody: () => {
            purged ??= adminJson(setup.node, 'DELETE', `/objects?url=${origin}${path}`);
          },
        },
      );
      await purged;
      expect([reply.status, reply.complete, reply.body.length]).toEqual([200, true, 8_000_000]);
      expectContent(reply.body, 'slow');
      const books = await until(
        () => setup.books(),
        ({ driveBytes }) => driveBytes <= empty + 16_384,
      );
      expect(books.storedBytes).toBe(0);
      expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
      expectContent((await setup.get(path)).body, 'slow');
      expect((await setup.books()).storedBytes).toBe(8_000_000);
    });
  });

  it.each([
    { origins: 'has the same version', isNew: false },
    { origins: 'has another version', isNew: true },
  ])('never mixes into an answer that is being sent what the origin $origins', async ({ isNew }) => {
    await withSetup({ node: ['--limit-egress', '80 Mbit/s'] }, async (setup) => {
      const path = '/object/sent/4000000';
      await setup.get(path);
      if (isNew) await setup.newVersion('sent');
      let purged: Promise<unknown> | undefined;
      const reply = await setup.get(
        path,
        {},
        {
          onBody: () => {
            purged ??= adminJson(setup.node, 'DELETE', `/objects?url=${origin}${path}`);
          },
        },
      );
      await purged;
      expect(expectOwnContent(reply, 'sent')).toBe(1);
      if (!isNew) expect(reply.complete).toBe(true);
      expect(expectOwnContent(await setup.get(path), 'sent')).toBe(isNew ? 2 : 1);
    });
  });
});

describe.concurrent('a node that drains', () => {
  /** An answer takes a second and a half. */
  const slow = { workers: 2, node: ['--limit-egress', '16 Mbit/s'] };
  const path = '/object/last/3000000';

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'at %s takes no connection, finishes what is under way, and ends with 0',
    async (signal) => {
      await withSetup(slow, async (setup) => {
        const { port } = setup.node.listen;
        const idle = net.connect(port, '127.0.0.1').resume();
        const idleEnded = new Promise((resolve) => idle.on('error', resolve).on('close', resolve));
        let ended: Promise<unknown> | undefined;
        let health: Promise<unknown> | undefined;
        const reply = await setup.get(
          path,
          {},
          {
            onBody: () => {
              ended ??= setup.node.end(signal);
              health ??= until(
                () => ask({ port: setup.node.admin.port, path: '/health', headers: {} }),
                ({ status, body }) => status === 503 && (JSON.parse(body.toString()) as Health).state === 'draining',
              ).then(() =>
                until(
                  () => isRefused(port),
                  (refused) => refused,
                ),
              );
            },
          },
        );
        await health;
        expect([reply.status, reply.complete]).toEqual([200, true]);
        expectContent(reply.body, 'last');
        await idleEnded;
        expect(await ended).toBe(0);
        expect(setup.node.log()).toBe('');
      });
    },
  );

  it('cuts what goes on past the limit, and says so', async () => {
    await withSetup({ ...slow, node: ['--limit-egress', '1 Mbit/s', '--drain', '300ms'] }, async (setup) => {
      let ended: Promise<unknown> | undefined;
      const reply = await setup.get(
        path,
        {},
        {
          onBody: () => {
            ended ??= setup.node.end('SIGTERM');
          },
        },
      );
      expect(reply.complete).toBe(false);
      expect(await ended).toBe(0);
      expect(setup.node.log()).toContain('had requests under way after 0.3 s');
    });
  });

  it('ends at once at a second signal', async () => {
    await withSetup({ ...slow, node: ['--limit-egress', '1 Mbit/s', '--drain', '60s'] }, async (setup) => {
      let ended: Promise<unknown> | undefined;
      const startMs = performance.now();
      const reply = await setup.get(
        path,
        {},
        {
          onBody: () => {
            ended ??= until(
              () => isRefused(setup.node.listen.port),
              (refused) => refused,
            ).then(() => setup.node.end('SIGTERM'));
            if (ended !== undefined && setup.node.child.killed === false) setup.node.child.kill('SIGTERM');
          },
        },
      );
      expect(reply.complete).toBe(false);
      expect(await ended).toBe(0);
      expect(performance.now() - startMs).toBeLessThan(20_000);
    });
  });
});

/** Whether nobody listens at a port. */
function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });
}
