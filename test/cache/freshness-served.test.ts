// Freshness as clients see it: what is asked for again and what is not, by real requests through a node.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectContent, until } from './node-process.ts';
import { ScriptedNode, withScripted } from './scripted-node.ts';
import { type Asked, honest, send, type Version } from './scripted-origin.ts';

let node: ScriptedNode;
const scripts = new Map<string, (asked: Asked) => void>();
beforeAll(async () => {
  node = await ScriptedNode.start((asked) => scripts.get(asked.target)?.(asked));
});
afterAll(() => node.stop());

let count = 0;
type Content = {
  version: Version;
  readonly path: string;
  readonly asked: Asked[];
  isUnwell: boolean;
  isMistaken: boolean;
};

/** An object with these fields, whose origin answers 503 while it is unwell, and any condition by 304 while it is mistaken. */
function content(fields: Record<string, string>): Content {
  const id = `fresh${count++}`;
  const all: Content = {
    version: { id, version: 1, sizeBytes: 1000, fields: { ETag: `"${id}"`, ...fields } },
    path: `/${id}`,
    asked: [],
    isUnwell: false,
    isMistaken: false,
  };
  scripts.set(all.path, (asked) => {
    all.asked.push(asked);
    if (all.isUnwell) asked.response.writeHead(503, { 'Content-Length': '0' }).end();
    else if (all.isMistaken && asked.headers['if-none-match'] !== undefined)
      asked.response.writeHead(304, { ...all.version.fields }).end();
    else send(asked, all.version, honest(asked, all.version));
  });
  return all;
}

describe('a second request', () => {
  it.each<{ why: string; fields: Record<string, string>; asked: number; isStored?: false }>([
    { why: 'fresh: nobody is asked', fields: { 'Cache-Control': 'max-age=60' }, asked: 1 },
    { why: 'no-cache: its origin is asked', fields: { 'Cache-Control': 'no-cache, max-age=60' }, asked: 2 },
    { why: 'must-revalidate, stale', fields: { 'Cache-Control': 'max-age=0, must-revalidate' }, asked: 2 },
    { why: 'stale by its Age', fields: { 'Cache-Control': 's-maxage=60', Age: '60' }, asked: 2 },
    { why: 'no-store: asked for by each', fields: { 'Cache-Control': 'no-store' }, asked: 2, isStored: false },
    { why: 'Vary: asked for by each', fields: { Vary: 'User-Agent' }, asked: 2, isStored: false },
    {
      why: 'fresh for CDNs',
      fields: { 'CDN-Cache-Control': 'max-age=60', 'Cache-Control': 'no-store' },
      asked: 1,
    },
  ])('$why', async ({ fields, asked, isStored = true }) => {
    const one = content(fields);
    for (let i = 0; i < 2; i += 1) expect((await node.get(one.path)).body.length).toBe(1000);
    expect(one.asked.length).toBe(asked);
    const condition = isStored ? one.version.fields?.['ETag'] : undefined;
    if (asked === 2) expect(one.asked[1]?.headers['if-none-match']).toBe(condition);
  });

  it('of what has a weak ETag alone names it, and gets the new content when it has changed', async () => {
    const modified = { 'Last-Modified': new Date(1e12).toUTCString(), 'Cache-Control': 'max-age=0, must-revalidate' };
    const one = content({ ...modified, ETag: 'W/"a"' });
    for (let i = 0; i < 2; i += 1) expect((await node.get(one.path)).headers.etag).toBe('W/"a"');
    expect(one.asked[1]?.headers['if-none-match']).toBe('W/"a"');
    one.version = { ...one.version, version: 2, fields: { ...modified, ETag: 'W/"b"' } };
    const reply = await node.get(one.path);
    expect([reply.headers.etag, reply.complete]).toEqual(['W/"b"', true]);
    expectContent(reply.body, one.version.id, 0, 2);
  });

  it('of what has a weak ETag believes no 304 that names another one', async () => {
    const modified = { 'Last-Modified': new Date(1e12).toUTCString(), 'Cache-Control': 'max-age=0, must-revalidate' };
    const one = content({ ...modified, ETag: 'W/"a"' });
    await node.get(one.path);
    one.version = { ...one.version, version: 2, fields: { ...modified, ETag: 'W/"b"' } };
    one.isMistaken = true;
    const reply = await node.get(one.path);
    expect([reply.headers.etag, reply.complete]).toEqual(['W/"b"', true]);
  });

  it('with Authorization is passed through, even of what is stored, and is not stored', async () => {
    const one = content({ 'Cache-Control': 'public, max-age=60' });
    await node.get(one.path, { Authorization: 'Basic eDp5' });
    await node.get(one.path);
    await node.get(one.path, { Authorization: 'Basic eDp5' });
    expect(one.asked.map(({ headers }) => headers.authorization)).toEqual(['Basic eDp5', undefined, 'Basic eDp5']);
  });

  it('that asks for what is stored only is 504 for the rest, and asks nobody', async () => {
    const one = content({ 'Cache-Control': 'max-age=60' });
    const only = { 'Cache-Control': 'only-if-cached' };
    expect((await node.get(one.path, only)).status).toBe(504);
    await node.get(one.path, { Range: 'bytes=0-99' });
    expect((await node.get(one.path, { ...only, Range: 'bytes=0-99' })).status).toBe(206);
    expect((await node.get(one.path, { ...only, Range: 'bytes=0-100' })).status).toBe(504);
    expect((await node.get(one.path, { 'Cache-Control': 'no-cache', Range: 'bytes=0-99' })).status).toBe(206);
    expect(one.asked.length).toBe(1);
  });
});

describe('a request for what is stored only, and HEAD, at any worker', () => {
  it('are a hit wherever it was fetched through, and ask nobody', async () => {
    await withScripted(
      (asked) => {
        const version = { id: 'spread', version: 1, sizeBytes: 1000 };
        send(asked, version, honest(asked, version));
      },
      async (own) => {
        await own.get('/spread');
        for (let i = 0; i < 12; i += 1) {
          const reply = await own.get('/spread', { 'Cache-Control': 'only-if-cached', Range: 'bytes=0-9' });
          expect([reply.status, reply.body.length]).toEqual([206, 10]);
          expect((await own.get('/spread', {}, { method: 'HEAD' })).headers['content-length']).toBe('1000');
        }
        expect((await own.get('/other', { 'Cache-Control': 'only-if-cached' })).status).toBe(504);
        expect(own.origin.asked.length).toBe(1);
      },
      { options: ['--workers', '3'] },
    );
  });
});

describe('what is stale while its origin is unwell', () => {
  it.each<{ control: string; status: number }>([
    { control: 'max-age=0', status: 200 },
    { control: 'max-age=0, stale-while-revalidate=0', status: 200 },
    { control: 'max-age=0, stale-if-error=60', status: 200 },
    { control: 'max-age=0, stale-if-error=0', status: 503 },
    { control: 'max-age=0, must-revalidate', status: 503 },
    { control: 's-maxage=0', status: 503 },
    { control: 'no-cache', status: 503 },
  ])('with $control is $status', async ({ control, status }) => {
    const one = content({ 'Cache-Control': control });
    await node.get(one.path);
    one.isUnwell = true;
    const reply = await node.get(one.path);
    expect([reply.status, reply.body.length]).toEqual([status, status === 200 ? 1000 : 0]);
    one.isUnwell = false;
    expect((await node.get(one.path)).status).toBe(200);
  });
});

describe('the fields of an answer', () => {
  const date = new Date(Date.now() - 5000).toUTCString();
  const fields = {
    'Cache-Control': 'max-age=60',
    Date: date,
    Vary: 'Accept-Encoding',
    'x-origin-field': 'kept',
    'X-HW': '1.2.3',
    'Set-Cookie': 'a=b',
    'X-Hop': 'dropped',
    Connection: 'X-Hop, keep-alive',
    'Last-Modified': new Date(1e12).toUTCString(),
  };

  it('are the origin’s end-to-end ones, on 200, 206 and 304 alike, first and later', async () => {
    const one = content(fields);
    for (const headers of [{}, { Range: 'bytes=0-9' }, { 'If-None-Match': one.version.fields?.['ETag'] ?? '' }]) {
      const reply = await node.get(one.path, headers);
      expect(reply.headers).toMatchObject({
        etag: one.version.fields?.['ETag'],
        'cache-control': 'max-age=60',
        'last-modified': fields['Last-Modified'],
        vary: 'Accept-Encoding',
        date,
        'x-origin-field': 'kept',
        'x-hw': '1.2.3',
      });
      expect(Number(reply.headers.age)).toBeGreaterThanOrEqual(4);
      expect([reply.headers['set-cookie'], reply.headers['x-hop']]).toEqual([undefined, undefined]);
      expect(reply.rawHeaders.filter((name) => name.toLowerCase() === 'date').length).toBe(1);
      expect(reply.rawHeaders).toContain('X-Origin-Field');
    }
    expect(one.asked.length).toBe(1);
  });

  it('that set cookies pass one to a line: they have commas of their own', async () => {
    const cookies = ['a=b; Expires=Wed, 09 Jun 2027 10:18:14 GMT', 'c=d'];
    scripts.set('/cookies', ({ response }) => {
      response.writeHead(200, { 'Cache-Control': 'no-store', 'Set-Cookie': cookies, 'Content-Length': '0' }).end();
    });
    expect((await node.get('/cookies')).headers['set-cookie']).toEqual(cookies);
  });

  it('are renewed by a 304, with the freshness it tells, also over a restart', async () => {
    await withScripted(
      (asked) => {
        const version = { id: 'x', version: 1, sizeBytes: 1000 };
        const control = asked.index === 0 ? 'max-age=0, must-revalidate' : 'max-age=3600';
        const answer = honest(asked, {
          ...version,
          fields: { ETag: '"x"', 'Cache-Control': control, 'X-N': `${asked.index}` },
        });
        send(asked, version, answer);
      },
      async (own) => {
        expect((await own.get('/x')).headers['x-n']).toBe('0');
        for (let i = 0; i < 3; i += 1) {
          const reply = await own.get('/x');
          expect([reply.headers['x-n'], reply.headers['cache-control']]).toEqual(['1', 'max-age=3600']);
          if (i === 1) await own.restart('SIGTERM');
        }
        expect(own.origin.asked.length).toBe(2);
        expect(own.origin.sentBytes).toBe(1000);
      },
    );
  });

  it('that are more than 8 KiB are left out, but for those that matter', async () => {
    const one = content({ 'Cache-Control': 'max-age=60', 'X-Large': 'x'.repeat(9000) });
    for (let i = 0; i < 2; i += 1) {
      const { headers } = await node.get(one.path);
      expect([headers['cache-control'], headers['x-large']]).toEqual(['max-age=60', undefined]);
    }
    expect(one.asked.length).toBe(1);
  });
});

describe('a lifetime', () => {
  it('is what --force-ttl says, where it is given', async () => {
    await withScripted(
      (asked) => {
        const version = { id: 'x', version: 1, sizeBytes: 1000, fields: { ETag: '"x"', 'Cache-Control': 'no-cache' } };
        send(asked, version, honest(asked, version));
      },
      async (own) => {
        for (let i = 0; i < 3; i += 1) expect((await own.get('/x')).status).toBe(200);
        expect(own.origin.asked.length).toBe(1);
      },
      { options: ['--force-ttl', '1 h'] },
    );
  });

  it('that has ended is found out by a HEAD beside the answer, and a 404 ends what was stored', async () => {
    const one = content({ 'Cache-Control': 'max-age=0' });
    await node.get(one.path);
    scripts.set(one.path, (asked) => {
      one.asked.push(asked);
      asked.response.writeHead(404, { 'Content-Length': '0' }).end();
    });
    expect((await node.get(one.path)).status).toBe(200);
    await until(
      () => node.get(one.path),
      ({ status }) => status === 404,
    );
    expect(one.asked[1]?.method).toBe('HEAD');
  });
});

describe('through a parent', () => {
  it('another generation at the parent is 412 for a gap, never bytes of both', async () => {
    let version = 1;
    const at = (): Version => ({
      id: 'x',
      version,
      sizeBytes: 10_000,
      fields: { ETag: `"${version}"`, 'Cache-Control': 'max-age=3600' },
    });
    await withScripted(
      (asked) => send(asked, at(), honest(asked, at())),
      async (own) => {
        await own.get('/x', { Range: 'bytes=0-99' });
        version = 2;
        // The parent has bytes of the first version only: its own gap finds out, and the child's with it.
        const reply = await own.get('/x', { Range: 'bytes=100-199' });
        expect([reply.status, reply.headers.etag]).toEqual([206, '"2"']);
        const whole = await own.get('/x');
        expect([whole.headers.etag, whole.body.length]).toEqual(['"2"', 10_000]);
        expect(own.origin.sentBytes).toBe(100 + 10_000);
      },
      { isNested: true },
    );
  });
});
