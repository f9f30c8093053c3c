// What is fetched from upstream: the union of what was asked, each byte once, whoever leads, leaves or fails.

import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { etagOf } from '../../common/content.ts';
import { IntervalSet } from '../../common/interval-set.ts';
import { ask, expectContent, expectOwnContent, origin, type Reply, Setup, until, withSetup } from './node-process.ts';

let setup: Setup;
beforeAll(async () => {
  setup = await Setup.start({ workers: 2 });
});
afterEach(() => setup.clearFaults());
afterAll(() => setup.stop());

let count = 0;
const newId = (name: string): string => `${name}-${count++}`;

function expectRange(reply: Reply, id: string, start: number, end: number): void {
  expect([reply.status, reply.complete, reply.body.length]).toEqual([206, true, end - start]);
  expectContent(reply.body, id, start);
}

describe('what is fetched', () => {
  it('is the union of what was asked, whatever was asked when (property)', async () => {
    const size = 300_000;
    const range = fc
      .tuple(fc.nat(size - 1), fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 60_000 })))
      .map(([start, length]) => ({ start, end: Math.min(size, start + length) }));
    const batch = fc.array(
      fc.oneof({ weight: 12, arbitrary: range }, { weight: 1, arbitrary: fc.constant('whole' as const) }),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    const before = await setup.books();
    const cdnBefore = await setup.cdnBooks();
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (batches) => {
        const id = newId('union');
        const union = new IntervalSet();
        for (const wishes of batches) {
          await Promise.all(
            wishes.map(async (wish) => {
              const { start, end } = wish === 'whole' ? { start: 0, end: size } : wish;
              union.add(start, end);
              const fields: Record<string, string> = wish === 'whole' ? {} : { Range: `bytes=${start}-${end - 1}` };
              const reply = await setup.get(`/object/${id}/${size}`, fields);
              expect([reply.status, reply.body.length]).toEqual([wish === 'whole' ? 200 : 206, end - start]);
              expectContent(reply.body, id, start);
            }),
          );
          expect((await setup.cdnOf(id)).bodyBytes).toBe(union.bytes);
        }
      }),
      { numRuns: 40 },
    );
    const after = await setup.books();
    expect(after.hitBytes + after.missBytes).toBe(after.egressBytes);
    expect(after.missBytes - before.missBytes).toBe((await setup.cdnBooks()).bodyBytes - cdnBefore.bodyBytes);
  });

  it('joins a whole-file request and pieces of the same object', async () => {
    const id = newId('join');
    const size = 3 * 2 ** 20;
    await setup.get(`/object/${id}/${size}`, { Range: 'bytes=1048576-2097151' });
    const whole = await setup.get(`/object/${id}/${size}`);
    expectContent(whole.body, id);
    expect(whole.body.length).toBe(size);
    expect(await setup.cdnOf(id)).toEqual({ bodyBytes: size, requestCount: 3 });
    expectRange(await setup.get(`/object/${id}/${size}`, { Range: 'bytes=5-99' }), id, 5, 100);
    expect((await setup.cdnOf(id)).requestCount).toBe(3);
  });

  it('of an object over several extents is right at their borders', async () => {
    const id = newId('extents');
    const size = 130 * 2 ** 20;
    const border = 64 * 2 ** 20;
    const path = `/object/${id}/${size}`;
    expectRange(await setup.get(path, { Range: `bytes=${border - 10}-${border + 9}` }), id, border - 10, border + 10);
    expectRange(await setup.get(path, { Range: 'bytes=-5' }), id, size - 5, size);
    expectRange(
      await setup.get(path, { Range: `bytes=${border - 1000}-${border + 999}` }),
      id,
      border - 1000,
      border + 1000,
    );
    expect((await setup.cdnOf(id)).bodyBytes).toBe(2005);
  });

  it('is one fetch of each byte when 20 clients ask at once', async () => {
    const id = newId('crowd');
    const size = 20 * 2 ** 20;
    const replies = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        i % 2 === 0
          ? setup.get(`/object/${id}/${size}`)
          : setup.get(`/object/${id}/${size}`, { Range: `bytes=${i * 500_000}-` }),
      ),
    );
    for (const [i, reply] of replies.entries()) {
      const start = i % 2 === 0 ? 0 : i * 500_000;
      expect(reply.body.length).toBe(size - start);
      expectContent(reply.body, id, start);
    }
    expect((await setup.cdnOf(id)).bodyBytes).toBe(size);
  });

  it('grows into steps of 64 KiB when an object is in more than 1,024 pieces', async () => {
    const id = newId('scattered');
    const size = 10_000_000;
    const offsets = Array.from({ length: 3000 }, (_, i) => (i * 7919 * 1013) % size);
    for (let i = 0; i < offsets.length; i += 30) {
      await Promise.all(
        offsets.slice(i, i + 30).map(async (offset) => {
          expectRange(
            await setup.get(`/object/${id}/${size}`, { Range: `bytes=${offset}-${offset}` }),
            id,
            offset,
            offset + 1,
          );
        }),
      );
    }
    const { bodyBytes, requestCount } = await setup.cdnOf(id);
    expect(bodyBytes).toBeLessThanOrEqual(size);
    expect(requestCount).toBeLessThan(1024 + size / 65_536 + 100);
  });
});

describe('followers', () => {
  it('stream what has come while the rest is still on its way', async () => {
    const id = newId('stream');
    const size = 1_000_000;
    await setup.fault({ stall: true, afterBytes: 400_000, object: id, count: 1 });
    const seen = new Set<number>();
    const follow = (i: number): Promise<Reply> => {
      let bytes = 0;
      return setup.get(
        `/object/${id}/${size}`,
        {},
        {
          onBody: (more) => {
            bytes += more;
            if (bytes >= 300_000) seen.add(i);
          },
        },
      );
    };
    const replies = [follow(0), follow(1), follow(2), follow(3)];
    await until(
      () => seen.size,
      (n) => n === 4,
    );
    await setup.clearFaults();
    for (const reply of await Promise.all(replies)) {
      expect(reply.body.length).toBe(size);
      expectContent(reply.body, id);
    }
    expect(await setup.cdnOf(id)).toEqual({ bodyBytes: size, requestCount: 1 });
  });

  it('get everything when the leader leaves, with at most one more upstream request', async () => {
    const id = newId('leaver');
    const size = 2_000_000;
    await setup.fault({ stall: true, afterBytes: 400_000, object: id, count: 1 });
    const gone = setup.get(`/object/${id}/${size}`, {}, { onBody: (_bytes, request) => request.destroy() });
    await until(
      () => setup.cdnOf(id),
      ({ bodyBytes }) => bodyBytes >= 400_000,
    );
    let started = (): void => undefined;
    const hasStarted = new Promise<void>((resolve) => {
      started = resolve;
    });
    const follower = setup.get(`/object/${id}/${size}`, {}, { onBody: () => started() });
    await Promise.all([hasStarted, gone]);
    await setup.clearFaults();
    const reply = await follower;
    expect(reply.body.length).toBe(size);
    expectContent(reply.body, id);
    const { bodyBytes, requestCount } = await setup.cdnOf(id);
    expect(bodyBytes).toBe(size);
    expect(requestCount).toBeLessThanOrEqual(2);
  });

  it('hear of a failure all at once, after one upstream request, with an empty body', async () => {
    const id = newId('failure');
    await setup.fault({ delayMs: 100, object: id });
    await setup.fault({ status: 503, object: id });
    const replies = await Promise.all(Array.from({ length: 10 }, () => setup.get(`/object/${id}/5000`)));
    for (const reply of replies) {
      expect([reply.status, reply.body.length, reply.headers['retry-after']]).toEqual([503, 0, '5']);
      expect(reply.headers['content-length']).toBe('0');
    }
    expect((await setup.cdnOf(id)).requestCount).toBe(1);
  });

  it('see their connection end when the rest cannot be had', async () => {
    const id = newId('broken');
    const size = 1_000_000;
    await setup.get(`/object/${id}/${size}`, { Range: 'bytes=0-99999' });
    await setup.fault({ status: 503, object: id });
    const replies = await Promise.all(Array.from({ length: 5 }, () => setup.get(`/object/${id}/${size}`)));
    for (const reply of replies) {
      // The outcome may come before the first byte was sent, or after it.
      if (reply.status === 503) expect([reply.complete, reply.body.length]).toEqual([true, 0]);
      else expect([reply.status, reply.complete]).toEqual([200, false]);
      expect(reply.body.length).toBeLessThanOrEqual(100_000);
      expectContent(reply.body, id);
    }
  });

  it('are not given the 4xx of another signature', async () => {
    const id = newId('signed');
    const path = `/object/${id}/1000`;
    await setup.get(`${path}?P1=1`, { Range: 'bytes=0-9' });
    await setup.fault({ delayMs: 50, object: id });
    await setup.fault({ status: 403, object: id, count: 1 });
    const first = setup.get(`${path}?P1=expired`, { Range: 'bytes=100-199' });
    await until(
      () => setup.cdnOf(id),
      ({ requestCount }) => requestCount === 2,
    );
    const second = await setup.get(`${path}?P1=valid`, { Range: 'bytes=150-199' });
    expectRange(second, id, 150, 200);
    expectRange(await first, id, 100, 200); // its own second try, passed through, was granted
  });
});

describe('a fault of the origin', () => {
  type Case = { readonly fault: Record<string, unknown>; readonly status: number };
  const before: readonly Case[] = [
    { fault: { status: 404 }, status: 404 },
    { fault: { status: 403 }, status: 403 },
    { fault: { status: 416 }, status: 416 },
    { fault: { status: 500 }, status: 500 },
    { fault: { status: 502 }, status: 502 },
    { fault: { status: 503 }, status: 503 },
    { fault: { reset: true }, status: 503 },
    { fault: { wrongContentRange: true }, status: 502 },
  ];
  it.each(before)(
    '$fault before the first byte is $status with an empty body, then all is well',
    async ({ fault, status }) => {
      const id = newId('fault');
      const size = 500_000;
      for (const cold of [true, false]) {
        await setup.fault({ ...fault, object: id });
        const range = cold ? 'bytes=1000-1999' : 'bytes=300000-300999';
        const reply = await setup.get(`/object/${id}/${size}`, { Range: range });
        expect([reply.status, reply.body.length, reply.complete]).toEqual([
          'reset' in fault && !cold ? 503 : !cold && fault['status'] === 416 ? 416 : status,
          0,
          true,
        ]);
        await setup.clearFaults();
        expectRange(
          await setup.get(`/object/${id}/${size}`, { Range: range }),
          id,
          cold ? 1000 : 300_000,
          cold ? 2000 : 301_000,
        );
      }
      expectContent((await setup.get(`/object/${id}/${size}`)).body, id);
    },
  );

  it.each([
    { reset: true, afterBytes: 100_000 },
    { shortBody: true, afterBytes: 100_000 },
  ])('%o in mid-body is made good by another request, and no byte is fetched twice', async (fault) => {
    const id = newId('short');
    const size = 500_000;
    await setup.fault({ ...fault, object: id, count: 1 });
    const reply = await setup.get(`/object/${id}/${size}`);
    expect([reply.status, reply.complete, reply.body.length]).toEqual([200, true, size]);
    expectContent(reply.body, id);
    expect(await setup.cdnOf(id)).toEqual({ bodyBytes: size, requestCount: 2 });
  });

  it.each([
    { reset: true, afterBytes: 1000 },
    { shortBody: true, afterBytes: 1000 },
  ])('%o that stays ends the answer early or refuses it, and what came before is kept and right', async (fault) => {
    const id = newId('short');
    const size = 500_000;
    await setup.fault({ ...fault, object: id });
    const reply = await setup.get(`/object/${id}/${size}`);
    // The end may come before the first byte has left: then it is a 503 without a body, else a body that breaks off.
    if (reply.status === 503) expect([reply.complete, reply.body.length]).toEqual([true, 0]);
    else expect([reply.status, reply.complete]).toEqual([200, false]);
    expectContent(reply.body, id);
    await setup.clearFaults();
    const whole = await setup.get(`/object/${id}/${size}`);
    expect(whole.body.length).toBe(size);
    expectContent(whole.body, id);
    expect((await setup.cdnOf(id)).bodyBytes).toBe(size);
  });
});

describe('a new version of the object', () => {
  const size = 3_000_000;

  it('between two ranges is seen by its validator, and answered whole from the new one', async () => {
    const id = newId('version');
    expectRange(await setup.get(`/object/${id}/${size}`, { Range: 'bytes=0-999' }), id, 0, 1000);
    await setup.newVersion(id);
    const reply = await setup.get(`/object/${id}/${size}`, { Range: 'bytes=1000-1999' });
    expect([reply.status, reply.headers.etag, reply.complete]).toEqual([206, etagOf(id, 2), true]);
    expectContent(reply.body, id, 1000, 2);
    const first = await setup.get(`/object/${id}/${size}`, { Range: 'bytes=500-999' });
    expect(first.headers.etag).toBe(etagOf(id, 2));
    expectContent(first.body, id, 500, 2);
  });

  it('ends an answer whose first bytes, of the old one, have been sent', async () => {
    const id = newId('version');
    await setup.get(`/object/${id}/${size}`, { Range: 'bytes=0-999' });
    await setup.newVersion(id);
    const reply = await setup.get(`/object/${id}/${size}`);
    // The outcome may come before the first byte was sent: then the answer is the new one's.
    if (expectOwnContent(reply, id) === 1) expect([reply.complete, reply.body.length]).toEqual([false, 1000]);
    else expect([reply.complete, reply.body.length]).toEqual([true, size]);
    const whole = await setup.get(`/object/${id}/${size}`);
    expect([whole.headers.etag, whole.complete, whole.body.length]).toEqual([etagOf(id, 2), true, size]);
    expectContent(whole.body, id, 0, 2);
  });

  it('in mid-download is never joined to what was sent of the old one', async () => {
    const id = newId('version');
    const bytes = 48 * 2 ** 20;
    await setup.fault({ stall: true, afterBytes: 1_000_000, object: id, count: 1 });
    const slow = Array.from({ length: 2 }, () => setup.get(`/object/${id}/${bytes}`));
    await until(
      () => setup.cdnOf(id),
      ({ bodyBytes }) => bodyBytes >= 1_000_000,
    );
    await setup.newVersion(id);
    const fresh = setup.get(`/object/${id}/${bytes}`, { Range: 'bytes=45000000-45000099' });
    await setup.clearFaults();
    for (const reply of await Promise.all(slow)) {
      const version = reply.headers.etag === etagOf(id, 1) ? 1 : 2;
      expectContent(reply.body, id, 0, version);
      if (reply.complete) expect(reply.body.length).toBe(bytes);
    }
    const reply = await fresh;
    if (reply.status === 206) expectContent(reply.body, id, 45_000_000, reply.headers.etag === etagOf(id, 1) ? 1 : 2);
    const last = await setup.get(`/object/${id}/${bytes}`);
    expect([last.headers.etag, last.complete, last.body.length]).toEqual([etagOf(id, 2), true, bytes]);
    expectContent(last.body, id, 0, 2);
  });

  it('is seen by many who wait at once, and costs them no error', async () => {
    const id = newId('version');
    await setup.get(`/object/${id}/${size}`, { Range: 'bytes=0-9' });
    await setup.newVersion(id);
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        setup.get(`/object/${id}/${size}`, { Range: `bytes=${i * 1000}-${i * 1000 + 5000}` }),
      ),
    );
    for (const [i, reply] of replies.entries()) {
      if (reply.headers.etag === etagOf(id, 1)) continue; // cut: its first bytes were sent already
      expect([reply.status, reply.complete]).toEqual([206, true]);
      expectContent(reply.body, id, i * 1000, 2);
    }
    expect(replies.filter((reply) => reply.headers.etag === etagOf(id, 2)).length).toBeGreaterThan(7);
  });
});

describe('pipelined requests', () => {
  it('are answered in order, hits and misses', async () => {
    const { connect } = await import('node:net');
    const id = newId('pipe');
    await setup.get(`/object/${id}/1000`, { Range: 'bytes=1-2' });
    const socket = connect(setup.node.listen.port, '127.0.0.1');
    let text = '';
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
    });
    const request = (range: string, more = ''): string =>
      `GET /object/${id}/1000 HTTP/1.1\r\nHost: ${origin}\r\nRange: bytes=${range}\r\n${more}\r\n`;
    socket.write(request('900-909') + request('1-2') + request('5-8') + request('2-2', 'Connection: close\r\n'));
    await once(socket, 'close');
    expect([...text.matchAll(/Content-Range: bytes ([0-9-]+)\/1000/g)].map((match) => match[1])).toEqual([
      '900-909',
      '1-2',
      '5-8',
      '2-2',
    ]);
  });

  it('of a keep-alive connection go on after a refused one', async () => {
    const { Agent } = await import('node:http');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const id = newId('alive');
    const get = (path: string): Promise<Reply> =>
      ask({ port: setup.node.listen.port, path, headers: { Host: origin }, agent });
    const before = (await setup.books()).connectionCount;
    expect((await get(`/object/${id}/1000`)).status).toBe(200);
    expect((await get('/nowhere')).status).toBe(404);
    expect((await get(`/object/${id}/1000?cacheHostOrigin=elsewhere.test`)).status).toBe(403);
    expect((await get(`/object/${id}/1000`)).status).toBe(200);
    expect((await setup.books()).connectionCount).toBe(before + 1);
    agent.destroy();
  });
});

// From here on a node of its own for each test: side by side.
describe.concurrent('a fault of the origin', () => {
  it('a CDN that is gone is a 503 at once, and hits go on', async () => {
    await withSetup({}, async (own) => {
      await own.get('/object/kept/5000');
      await own.cdn.end('SIGKILL');
      expect((await own.get('/object/other/5000')).status).toBe(503);
      expectContent((await own.get('/object/kept/5000')).body, 'kept');
    });
  });
});

describe.concurrent('a no-store answer', () => {
  it('is passed through to each, is a miss, and serialises nobody', async () => {
    await withSetup({ cdn: ['--cache-control', 'no-store'] }, async (own) => {
      for (let round = 0; round < 2; round += 1) {
        const replies = await Promise.all(Array.from({ length: 5 }, () => own.get('/object/secret/3000000')));
        for (const reply of replies) {
          expect([reply.status, reply.body.length]).toEqual([200, 3_000_000]);
          expectContent(reply.body, 'secret');
        }
      }
      const part = await own.get('/object/secret/3000000', { Range: 'bytes=7-9' });
      expect([part.status, part.headers['content-range']]).toEqual([206, 'bytes 7-9/3000000']);
      const books = await own.books();
      expect([books.hitBytes, books.missBytes, books.egressBytes]).toEqual([0, 30_000_003, 30_000_003]);
      expect(books.storedBytes).toBe(0);
      expect((await own.cdnOf('secret')).requestCount).toBe(12);
    });
  });

  it('does not make later requests on its connections wait', async () => {
    await withSetup({ cdn: ['--cache-control', 'no-store'] }, async (own) => {
      // Slow enough that the pass-through pauses its upstream: the paused connection must be whole again for the next.
      for (let i = 0; i < 5; i += 1) {
        const reply = await own.get(`/object/slow-${i}/6000000`);
        expectContent(reply.body, `slow-${i}`);
        expect(reply.body.length).toBe(6_000_000);
      }
    });
  });
});

describe.concurrent('a new version of the object', () => {
  const size = 3_000_000;

  it('over a restart is never mixed with the old one', async () => {
    await withSetup({}, async (own) => {
      await own.get(`/object/v/${size}`, { Range: 'bytes=0-999999' });
      await own.newVersion('v');
      await own.get(`/object/v/${size}`, { Range: 'bytes=1000000-1999999' });
      await own.node.end('SIGTERM');
      await own.startNode();
      for (let i = 0; i < 3; i += 1) {
        const reply = await own.get(`/object/v/${size}`);
        expect([reply.headers.etag, reply.complete, reply.body.length]).toEqual([etagOf('v', 2), true, size]);
        expectContent(reply.body, 'v', 0, 2);
      }
      expect((await own.cdnOf('v')).bodyBytes).toBe(1_000_000 + size);
    });
  });

  it('is found by a check once the old one is stale, which costs no client a wait', async () => {
    await withSetup({ cdn: ['--cache-control', 'max-age=0'] }, async (own) => {
      await own.get(`/object/s/${size}`);
      await own.newVersion('s');
      const reply = await own.get(`/object/s/${size}`);
      expect(reply.headers.etag).toBe(etagOf('s', 1));
      expectContent(reply.body, 's', 0, 1);
      const last = await until(
        () => own.get(`/object/s/${size}`),
        (r) => r.headers.etag === etagOf('s', 2),
      );
      expectContent(last.body, 's', 0, 2);
    });
  });

  it('is asked for first when the old one must be revalidated', async () => {
    await withSetup({ cdn: ['--cache-control', 'no-cache'] }, async (own) => {
      await own.get(`/object/s/${size}`);
      expectContent((await own.get(`/object/s/${size}`)).body, 's');
      expect((await own.cdnOf('s')).bodyBytes).toBe(size);
      await own.newVersion('s');
      const reply = await own.get(`/object/s/${size}`);
      expect(reply.headers.etag).toBe(etagOf('s', 2));
      expectContent(reply.body, 's', 0, 2);
    });
  });
});
