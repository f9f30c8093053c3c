// Which bytes a request gets, and with what head: cold (through the CDN) and warm (from the drive) alike.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etagOf } from '../../common/content.ts';
import { expectContent, origin, type Reply, raw, Setup } from './node-process.ts';

const size = 100_000;
const etag = (id: string): string => etagOf(id, 1);
const modified = 'Mon, 01 Jan 2024 00:00:00 GMT';

let setup: Setup;
beforeAll(async () => {
  setup = await Setup.start();
});
afterAll(() => setup.stop());

function expectPart(reply: Reply, id: string, start: number, end: number): void {
  expect(reply.status).toBe(206);
  expect(reply.headers['content-range']).toBe(`bytes ${start}-${end - 1}/${size}`);
  expect(reply.body.length).toBe(end - start);
  expectContent(reply.body, id, start);
}

function expectWhole(reply: Reply, id: string): void {
  expect(reply.status).toBe(200);
  expect(reply.headers['content-range']).toBeUndefined();
  expect(reply.headers['content-length']).toBe(String(size));
  expect(reply.body.length).toBe(size);
  expectContent(reply.body, id);
}

describe('a range', () => {
  const parts: readonly { readonly name: string; readonly range: string; readonly part: readonly [number, number] }[] =
    [
      { name: 'closed', range: 'bytes=100-199', part: [100, 200] },
      { name: 'of one byte', range: 'bytes=0-0', part: [0, 1] },
      { name: 'of the whole', range: 'bytes=0-99999', part: [0, size] },
      { name: 'open', range: 'bytes=99000-', part: [99_000, size] },
      { name: 'open from 0', range: 'bytes=0-', part: [0, size] },
      { name: 'suffix', range: 'bytes=-500', part: [size - 500, size] },
      { name: 'suffix longer than the object', range: 'bytes=-5000000', part: [0, size] },
      { name: 'that ends beyond the object', range: 'bytes=99990-200000', part: [99_990, size] },
      { name: 'with huge digits at its end', range: 'bytes=5-99999999999999999999999999', part: [5, size] },
      { name: 'with a huge suffix', range: 'bytes=-99999999999999999999999999', part: [0, size] },
      { name: 'with its unit in capitals', range: 'BYTES=7-8', part: [7, 9] },
    ];
  it.each(parts)('$name is answered 206 ($range)', async ({ range, part: [start, end], name }) => {
    const id = `part-${name.replaceAll(' ', '-')}`;
    expectPart(await setup.get(`/object/${id}/${size}`, { Range: range }), id, start, end);
    expectPart(await setup.get(`/object/${id}/${size}`, { Range: range }), id, start, end);
    expect((await setup.cdnOf(id)).bodyBytes).toBe(end - start);
  });

  const unsatisfiable = ['bytes=100000-', 'bytes=100000-100001', 'bytes=-0', 'bytes=99999999999999999999999999-'];
  it.each(unsatisfiable)('beyond the end is answered 416 (%s)', async (range) => {
    const id = `beyond-${unsatisfiable.indexOf(range)}`;
    for (let i = 0; i < 2; i += 1) {
      const reply = await setup.get(`/object/${id}/${size}`, { Range: range });
      expect(reply.status).toBe(416);
      expect(reply.headers['content-range']).toBe(`bytes */${size}`);
      expect(reply.body.length).toBe(0);
      if (i === 0) await setup.get(`/object/${id}/${size}`, { Range: 'bytes=0-0' });
    }
  });

  it.each(['items=0-5', 'bytes=5-2', 'bytes=a-b', 'bytes=', 'bytes=-', 'bytes 0-5'])(
    'that is not understood is answered by the whole (%s)',
    async (range) => {
      const id = `ignored-${Buffer.from(range).toString('hex')}`;
      expectWhole(await setup.get(`/object/${id}/${size}`, { Range: range }), id);
      expectWhole(await setup.get(`/object/${id}/${size}`, { Range: range }), id);
    },
  );

  it('repeated in several lines counts by the last', async () => {
    const path = `/object/lines/${size}`;
    const reply = await raw(
      setup.node.listen.port,
      `GET ${path} HTTP/1.1\r\nHost: ${origin}\r\nRange: bytes=0-9\r\nrange: bytes=5-9\r\nRange: bytes=50-59\r\nConnection: close\r\n\r\n`,
    );
    expect(reply).toMatch(/^HTTP\/1\.1 206 /);
    expect(reply).toContain(`\r\nContent-Range: bytes 50-59/${size}\r\n`);
  });

  it('is ignored on HEAD, cold and warm', async () => {
    for (let i = 0; i < 2; i += 1) {
      const reply = await setup.get(`/object/head/${size}`, { Range: 'bytes=0-9' }, { method: 'HEAD' });
      expect(reply.status).toBe(200);
      expect(reply.headers['content-length']).toBe(String(size));
      expect(reply.headers.etag).toBe(etag('head'));
      expect(reply.body.length).toBe(0);
      await setup.get(`/object/head/${size}`, { Range: 'bytes=0-9' });
    }
  });

  it('of an empty object is 416, and the empty object itself 200', async () => {
    for (let i = 0; i < 2; i += 1) {
      const whole = await setup.get('/object/empty/0');
      expect([whole.status, whole.headers['content-length'], whole.complete]).toEqual([200, '0', true]);
      const part = await setup.get('/object/empty/0', { Range: 'bytes=0-9' });
      expect([part.status, part.headers['content-range']]).toEqual([416, 'bytes */0']);
    }
  });

  it('that waits behind one beyond the end is answered all the same', async () => {
    await setup.fault({ delayMs: 50, object: 'behind', count: 1 });
    const replies = await Promise.all([
      setup.get(`/object/behind/${size}`, { Range: 'bytes=500000-' }),
      setup.get(`/object/behind/${size}`, { Range: 'bytes=10-19' }),
      setup.get(`/object/behind/${size}`),
    ]);
    expect(replies.map((reply) => reply.status).sort()).toEqual([200, 206, 416]);
    for (const reply of replies) if (reply.status === 206) expectPart(reply, 'behind', 10, 20);
  });
});

describe('conditions', () => {
  const later = 'Tue, 02 Jan 2024 00:00:00 GMT';
  const earlier = 'Sun, 31 Dec 2023 00:00:00 GMT';
  type Expected = 'whole' | 'part' | 304 | 412;
  const range = 'bytes=10-19';
  const cases: readonly { readonly fields: (id: string) => Record<string, string>; readonly expected: Expected }[] = [
    { fields: (id) => ({ Range: range, 'If-Range': etag(id) }), expected: 'part' },
    { fields: () => ({ Range: range, 'If-Range': '"other"' }), expected: 'whole' },
    { fields: (id) => ({ Range: range, 'If-Range': `W/${etag(id)}` }), expected: 'whole' },
    { fields: () => ({ Range: range, 'If-Range': modified }), expected: 'part' },
    { fields: () => ({ Range: range, 'If-Range': later }), expected: 'whole' },
    { fields: (id) => ({ 'If-None-Match': etag(id) }), expected: 304 },
    { fields: (id) => ({ 'If-None-Match': `"x", W/${etag(id)}` }), expected: 304 },
    { fields: () => ({ 'If-None-Match': '*' }), expected: 304 },
    { fields: (id) => ({ 'If-None-Match': etag(id), Range: range }), expected: 304 },
    { fields: () => ({ 'If-None-Match': '"x"', 'If-Modified-Since': later }), expected: 'whole' },
    { fields: () => ({ 'If-Modified-Since': modified }), expected: 304 },
    { fields: () => ({ 'If-Modified-Since': earlier }), expected: 'whole' },
    { fields: () => ({ 'If-Modified-Since': 'yesterday' }), expected: 'whole' },
    { fields: (id) => ({ 'If-Match': etag(id), Range: range }), expected: 'part' },
    { fields: () => ({ 'If-Match': '*' }), expected: 'whole' },
    { fields: () => ({ 'If-Match': '"x"' }), expected: 412 },
    { fields: (id) => ({ 'If-Match': `W/${etag(id)}` }), expected: 412 },
    { fields: () => ({ 'If-Unmodified-Since': earlier }), expected: 412 },
    { fields: () => ({ 'If-Unmodified-Since': later, Range: range }), expected: 'part' },
    { fields: (id) => ({ 'If-Match': etag(id), 'If-Unmodified-Since': earlier }), expected: 'whole' },
    { fields: () => ({ 'If-Match': '"x"', Range: 'bytes=900000-' }), expected: 412 },
    { fields: () => ({ 'If-Range': '"x"', Range: 'bytes=900000-' }), expected: 'whole' },
  ];
  it.each(cases.map((each, index) => ({ ...each, index, text: JSON.stringify(each.fields('ID')) })))(
    '$text: $expected, cold and warm',
    async ({ fields, expected, index }) => {
      const id = `conditions-${index}`;
      for (let i = 0; i < 2; i += 1) {
        const reply = await setup.get(`/object/${id}/${size}`, fields(id));
        if (expected === 'whole') expectWhole(reply, id);
        else if (expected === 'part') expectPart(reply, id, 10, 20);
        else expect([reply.status, reply.body.length]).toEqual([expected, 0]);
        if (i === 0) await setup.get(`/object/${id}/${size}`, { Range: 'bytes=0-4' });
      }
    },
  );
});

describe('a head', () => {
  it('has its names in usual case, a length, and never chunks, cold and warm', async () => {
    for (const cold of [true, false]) {
      const text = await raw(
        setup.node.listen.port,
        `GET /object/case/${size} HTTP/1.1\r\nHost: ${origin}\r\nRange: bytes=0-3\r\nConnection: close\r\n\r\n`,
      );
      const names = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n').slice(1);
      expect(names.map((line) => line.slice(0, line.indexOf(':'))).sort()).toEqual(
        [
          ...['Accept-Ranges', 'Age', 'Cache-Control', 'Cache-Status', 'Connection', 'Content-Length', 'Content-Range'],
          ...['Content-Type', 'Date', 'ETag', 'Last-Modified', 'Via'],
          'Server', // the CDN's own: a field of the origin like any other
        ].sort(),
      );
      expect(text).toContain(
        cold ? 'Cache-Status: cache-node; fwd=uri-miss; stored\r\n' : 'Cache-Status: cache-node; hit\r\n',
      );
    }
  });

  it('of HTTP/1.0 is answered with a length and an end', async () => {
    const text = await raw(setup.node.listen.port, `GET /object/old/50 HTTP/1.0\r\nHost: ${origin}\r\n\r\n`);
    expect(text).toContain('\r\nContent-Length: 50\r\n');
    expect(text).not.toContain('Transfer-Encoding');
    expect(text.length - text.indexOf('\r\n\r\n') - 4).toBe(50);
  });
});
