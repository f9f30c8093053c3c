// What becomes of each fault that an origin can commit: every one has its outcome, none stores a wrong byte, and nobody
// waits for another's trouble.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etagOf } from '../../common/content.ts';
import { expectContent, origin as host, type Reply } from './node-process.ts';
import { ScriptedNode } from './scripted-node.ts';
import { type Asked, contentOf, type Honest, honest, send, type Version } from './scripted-origin.ts';

const sizeBytes = 300_000;
let node: ScriptedNode;
let count = 0;
/** What the origin does, by path: a check of one test's object may come during the next test. */
const scripts = new Map<string, (asked: Asked) => void>();
beforeAll(async () => {
  node = await ScriptedNode.start((asked) => scripts.get(asked.target.split('?', 1)[0] ?? '')?.(asked));
});
afterAll(() => node.stop());

/** A new object, and an origin that answers for it as `change` makes of the honest answer; its requests are counted. */
function content(
  change: (answer: Honest, asked: Asked, index: number) => Honest | undefined = (answer) => answer,
  more: Partial<Version> = {},
): { readonly version: Version; readonly path: string; readonly asked: Asked[] } {
  const id = `object${count++}`;
  const version = { id, version: 1, sizeBytes, ...more };
  const all: Asked[] = [];
  scripts.set(`/${id}`, (asked) => {
    all.push(asked);
    const answer = change(honest(asked, version), asked, all.length - 1);
    if (answer !== undefined) send(asked, version, answer);
  });
  return { version, path: `/${id}`, asked: all };
}

const withoutRange = ({ fields: { 'Content-Range': _, ...fields } }: Honest): Record<string, string> => fields;

const summary = ({ status, complete, body }: Reply): unknown[] => [status, complete, body.length];

/** A part of the test's object, as a client asks for it. */
const part = { Range: 'bytes=1000-1999' };

describe('an answer to the first request for an object', () => {
  type Case = {
    readonly name: string;
    readonly change: (answer: Honest) => Honest;
    readonly fields?: Record<string, string>;
    readonly status: number;
    /** Upstream requests by two clients' requests, one after the other. */
    readonly requests: number;
  };
  const lastModified = new Date(Date.now() - 1e8).toUTCString();
  const cases: readonly Case[] = [
    { name: 'that is right is stored', change: (a) => a, status: 206, requests: 1 },
    {
      name: 'with a date alone is stored',
      change: (a) => a,
      fields: { 'Last-Modified': lastModified, 'Cache-Control': 'max-age=60' },
      status: 206,
      requests: 1,
    },
    {
      name: 'with a date of just now is passed through: it tells no versions apart',
      change: (a) => ({ ...a, fields: { ...a.fields, 'Last-Modified': new Date().toUTCString() } }),
      fields: {},
      status: 206,
      requests: 2,
    },
    {
      name: 'with a weak ETag alone is passed through',
      change: (a) => a,
      fields: { ETag: 'W/"a"' },
      status: 206,
      requests: 2,
    },
    { name: 'without a validator is passed through', change: (a) => a, fields: {}, status: 206, requests: 2 },
    {
      name: 'with the whole in place of a range is taken whole',
      change: (a) => ({ status: 200, fields: withoutRange(a), start: 0, end: sizeBytes }),
      status: 206,
      requests: 1,
    },
    {
      name: 'without Content-Range is refused',
      change: ({ fields, ...a }) => ({ ...a, fields: { ETag: fields['ETag'] ?? '' } }),
      status: 502,
      requests: 2,
    },
    {
      name: 'with an open Content-Range is refused',
      change: (a) => ({ ...a, fields: { ...a.fields, 'Content-Range': 'bytes 1000-1999/*' } }),
      status: 502,
      requests: 2,
    },
    {
      name: 'with another range is refused',
      change: (a) => ({ ...a, fields: { ...a.fields, 'Content-Range': `bytes 1001-2000/${sizeBytes}` } }),
      status: 502,
      requests: 2,
    },
    {
      name: 'with a Content-Length that is not the range is refused',
      change: (a) => ({ ...a, end: a.end + 1 }),
      status: 502,
      requests: 2,
    },
    {
      name: '429 speaks of load, not of the client: 503',
      change: (a) => ({ ...a, status: 429, end: a.start }),
      status: 503,
      requests: 2,
    },
    {
      name: '410 is each client’s own',
      change: (a) => ({ ...a, status: 410, end: a.start }),
      status: 410,
      requests: 2,
    },
  ];
  it.each(cases)('$name', async ({ change, fields, status, requests }) => {
    const { path, version, asked } = content((answer) => change(answer), fields === undefined ? {} : { fields });
    for (let i = 0; i < 2; i += 1) {
      const reply = await node.get(path, part);
      expect([reply.status, reply.complete, reply.body.length]).toEqual([status, true, status === 206 ? 1000 : 0]);
      if (status === 206) expectContent(reply.body, version.id, 1000);
      else if (status >= 500) expect(reply.headers['retry-after']).toBe('5');
    }
    expect(asked.length).toBe(requests);
  });

  it('of unknown length is streamed through, and not stored', async () => {
    const { path, version, asked } = content((_answer, { response }) => {
      response.writeHead(200, { ETag: '"chunked"' });
      response.write(contentOf(version, 0, 1000));
      response.end(contentOf(version, 1000, sizeBytes));
      return undefined;
    });
    for (let i = 0; i < 2; i += 1) {
      const reply = await node.get(path);
      expect(summary(reply)).toEqual([200, true, sizeBytes]);
      expectContent(reply.body, version.id);
    }
    expect(asked.length).toBe(3);
    expect(asked[2]?.headers.range).toBe(undefined);
  });

  it('of an empty object is 200 without a body, and a range of it 416', async () => {
    const { path } = content((answer) => answer, { sizeBytes: 0 });
    expect(summary(await node.get(path))).toEqual([200, true, 0]);
    const reply = await node.get(path, { Range: 'bytes=0-0' });
    expect([reply.status, reply.headers['content-range']]).toEqual([416, 'bytes */0']);
  });

  it('416 with the size is the answer for who asked beyond it, and for nobody else', async () => {
    const { path, version } = content();
    const far = await node.get(path, { Range: `bytes=${sizeBytes}-` });
    expect([far.status, far.headers['content-range'], far.body.length]).toEqual([416, `bytes */${sizeBytes}`, 0]);
    const near = await node.get(path, part);
    expect(summary(near)).toEqual([206, true, 1000]);
    expectContent(near.body, version.id, 1000);
  });

  it.each([412, 416])('%i to who stated nothing is 502 where the origin was named', async (status) => {
    const more = { fields: { ETag: '"passed"', 'Cache-Control': 'no-store' } };
    const fields = status === 416 ? { 'Content-Range': `bytes */${sizeBytes}` } : {};
    const { path } = content(
      (answer, _asked, i) => (i === 0 ? answer : { ...answer, status, fields, end: answer.start }),
      more,
    );
    const named = `${path}?cacheHostOrigin=${host}`;
    expect(summary(await node.get(named, part))).toEqual([206, true, 1000]);
    const replies = [await node.get(named), await node.get(named, status === 412 ? { 'If-Match': '"x"' } : part)];
    expect(replies.map((reply) => reply.status)).toEqual([502, status]);
  });

  it('404 for one signature leaves another’s query alone', async () => {
    const { path, version } = content((answer, { target }) =>
      target.endsWith('P1=old') ? { ...answer, status: 404, fields: {}, end: answer.start } : answer,
    );
    const [old, valid] = await Promise.all([node.get(`${path}?P1=old`, part), node.get(`${path}?P1=new`, part)]);
    expect(summary(old)).toEqual([404, true, 0]);
    expect(summary(valid)).toEqual([206, true, 1000]);
    expectContent(valid.body, version.id, 1000);
  });
});

describe('a gap of an object that is known', () => {
  const rest = { Range: 'bytes=2000-2999' };

  it.each<{ name: string; change: (answer: Honest) => Honest; status: number }>([
    {
      name: 'answered with another ETag',
      change: (a) => ({ ...a, fields: { ...a.fields, ETag: '"other"' } }),
      status: 206,
    },
    { name: 'answered 503', change: (a) => ({ ...a, status: 503, fields: {}, end: a.start }), status: 503 },
    {
      name: 'answered without Content-Range',
      change: (a) => ({ ...a, fields: { ETag: a.fields['ETag'] ?? '' } }),
      status: 502,
    },
  ])('$name is no byte of it', async ({ change, status }) => {
    let isFaulty = false;
    const { path, version } = content((answer) => (isFaulty ? change(answer) : answer));
    await node.get(path, part);
    isFaulty = true;
    const reply = await node.get(path, rest);
    expect(reply.status).toBe(status);
    if (status === 206) expect(reply.headers.etag).toBe('"other"');
    isFaulty = false;
    const whole = await node.get(path);
    if (whole.headers.etag === etagOf(version.id, 1)) expectContent(whole.body, version.id);
  });

  it.each([sizeBytes - 5000, sizeBytes + 5000])(
    'of an object that has %i bytes by now is of a new generation',
    async (size) => {
      const { path, version } = content();
      await node.get(path, part);
      const other = { ...version, version: 2, sizeBytes: size };
      scripts.set(path, (asked) => send(asked, other, honest(asked, other)));
      const reply = await node.get(path, rest);
      expect([reply.status, reply.headers['content-range']]).toEqual([206, `bytes 2000-2999/${size}`]);
      expectContent(reply.body, version.id, 2000, 2);
      const whole = await node.get(path);
      expect(summary(whole)).toEqual([200, true, size]);
      expectContent(whole.body, version.id, 0, 2);
    },
  );

  it('is the whole where the origin ignores ranges: it is taken, and its bytes come once', async () => {
    const { path, version, asked } = content((answer, _asked, index) =>
      index === 0 ? answer : { status: 200, fields: withoutRange(answer), start: 0, end: sizeBytes },
    );
    await node.get(path, part);
    const replies = await Promise.all([node.get(path, rest), node.get(path, rest)]);
    for (const reply of replies) expectContent(reply.body, version.id, 2000);
    const whole = await node.get(path);
    expect(summary(whole)).toEqual([200, true, sizeBytes]);
    expectContent(whole.body, version.id);
    expect(asked.length).toBe(2);
  });

  it('is asked for again when the origin closes an idle connection just then', async () => {
    const { path, version, asked } = content((answer, { socket }, index) => {
      if (index !== 1) return answer;
      socket.destroy();
      return undefined;
    });
    await node.get(path, part);
    const reply = await node.get(path, rest);
    expect(summary(reply)).toEqual([206, true, 1000]);
    expectContent(reply.body, version.id, 2000);
    expect(asked.length).toBe(3);
  });

  it('is asked for once more, and no oftener, when the origin closes every connection: however many are kept', async () => {
    const held: (() => void)[] = [];
    const others = Array.from({ length: 6 }, () => {
      const other = content((answer, asked) => {
        held.push(() => send(asked, other.version, answer));
        if (held.length === 6) for (const answerIt of held) answerIt();
        return undefined;
      });
      return other;
    });
    await Promise.all(others.map(({ path }) => node.get(path, part)));
    const { path, asked } = content((_answer, { socket }) => {
      socket.destroy();
      return undefined;
    });
    expect((await node.get(path, part)).status).toBe(503);
    expect(asked.length).toBe(2);
  });

  it('that comes in part is a miss of who had it fetched, and no byte a miss twice', async () => {
    const before = await node.books();
    const { path, version, asked } = content((answer, { response }, index) => {
      if (index > 0) return answer;
      response.writeHead(answer.status, { 'Content-Length': String(sizeBytes), ...answer.fields });
      response.write(contentOf(version, 0, 100_000), () => setImmediate(() => response.destroy()));
      return undefined;
    });
    const replies = await Promise.all([node.get(path), node.get(path), node.get(path)]);
    for (const reply of replies) {
      expect(summary(reply)).toEqual([200, true, sizeBytes]);
      expectContent(reply.body, version.id);
    }
    const after = await node.books();
    expect(after.missBytes - before.missBytes).toBeLessThanOrEqual(after.upstreamBytes - before.upstreamBytes);
    expect(after.missBytes - before.missBytes).toBe(sizeBytes);
    expect(after.hitBytes - before.hitBytes).toBe(2 * sizeBytes);
    expect(asked.length).toBe(2);
  });
});

describe('who waits', () => {
  it('hears of a 503 that took 300 ms at once, all ten of them, after one request', async () => {
    const { path, asked } = content((answer, { response }) => {
      setTimeout(() => response.writeHead(503, { 'Content-Length': '0' }).end(), 300);
      return answer.status === 0 ? answer : undefined;
    });
    const startedAtMs = performance.now();
    const replies = await Promise.all(Array.from({ length: 10 }, () => node.get(path, part)));
    const elapsedMs = performance.now() - startedAtMs;
    for (const reply of replies) expect([reply.status, reply.headers['retry-after']]).toEqual([503, '5']);
    expect(asked.length).toBe(1);
    expect(elapsedMs).toBeLessThan(620);
  });

  it('for what is not to be stored waits for its head only: then all are asked for side by side', async () => {
    const clients = 6;
    const held: (() => void)[] = [];
    const { path, version, asked } = content((answer, request, index) => {
      const go = (): void =>
        send(request, version, { ...answer, fields: { ...answer.fields, 'Cache-Control': 'no-store' } });
      if (index === 0) go();
      // Were they asked for one after the other, the second would never come.
      else if (held.push(go) % clients === 0) for (const each of held.splice(0)) each();
      return undefined;
    });
    for (let wave = 0; wave < 2; wave += 1) {
      const replies = await Promise.all(Array.from({ length: clients }, () => node.get(path)));
      for (const reply of replies) expect(summary(reply)).toEqual([200, true, sizeBytes]);
    }
    expect(asked.length).toBe(1 + 2 * clients);
  });

  it('has a byte soon after it is there', async () => {
    const times: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      let more = (): void => undefined;
      const { path, version } = content((answer, { response }) => {
        response.writeHead(206, { 'Content-Length': String(sizeBytes), ...answer.fields });
        response.write(contentOf(version, 0, 1000));
        more = () => response.end(contentOf(version, 1000, sizeBytes));
        return undefined;
      });
      let hasFirst = (): void => undefined;
      const first = new Promise<void>((resolve) => {
        hasFirst = resolve;
      });
      const leader = node.get(path, {}, { onBody: () => hasFirst() });
      await first;
      const startedAtMs = performance.now();
      let firstMs = Number.NaN;
      const follower = node.get(
        path,
        {},
        {
          onBody: () => {
            if (Number.isNaN(firstMs)) firstMs = performance.now() - startedAtMs;
            more();
          },
        },
      );
      expect(summary(await follower)).toEqual([200, true, sizeBytes]);
      await leader;
      times.push(firstMs);
    }
    const median = times.sort((x, y) => x - y)[10] ?? Number.NaN;
    process.stderr.write(
      `a follower's first byte: median ${median.toFixed(1)} ms, worst ${times.at(-1)?.toFixed(1)} ms\n`,
    );
    expect(median).toBeLessThan(50); // 10 ms on a quiet machine
  });
});
