// What clients get: every byte compared with its source, heads, hosts, versions.

import { Buffer } from 'node:buffer';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContentFunction, etagOf } from '../../common/content.ts';
import { type Cdn, startCdn } from '../../simulator/cloud/cdn.ts';
import { admin, connected, rawGet, withCdn } from './cdn-client.ts';

let cdn: Cdn;
const agent = new Agent();

beforeAll(async () => {
  cdn = await startCdn({ name: 'test-cdn' });
});

afterAll(async () => {
  await agent.close();
  await cdn.stop();
});

async function get(path: string, headers: Readonly<Record<string, string>> = {}, method: 'GET' | 'HEAD' = 'GET') {
  const response = await request(`http://${cdn.listen}${path}`, { method, headers, dispatcher: agent });
  return {
    status: response.statusCode,
    headers: response.headers,
    body: Buffer.from(await response.body.arrayBuffer()),
  };
}

function isContent(body: Buffer, id: string, version: number, offset: number): boolean {
  return new ContentFunction(id, version).firstDifference(body, 0, offset, body.length) === -1;
}

describe('an object', () => {
  it('comes whole, with its head', async () => {
    const { status, headers, body } = await get('/object/windows%20update/3000001');
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      server: 'test-cdn',
      etag: etagOf('windows update', 1),
      'last-modified': 'Mon, 01 Jan 2024 00:00:00 GMT',
      'cache-control': 'public, max-age=86400',
      'accept-ranges': 'bytes',
      'content-type': 'application/octet-stream',
      'content-length': '3000001',
    });
    expect(headers['content-range']).toBeUndefined();
    expect(body.length).toBe(3_000_001);
    expect(isContent(body, 'windows update', 1, 0)).toBe(true);
  });

  it('has header names in their usual case on the wire', async () => {
    const { head } = await rawGet(cdn, '/object/x/10', 'Range: bytes=1-2\r\n');
    expect(head).toContain('\r\nContent-Length: 2\r\n');
    expect(head).toContain('\r\nContent-Range: bytes 1-2/10\r\n');
  });

  it('goes by the last of several Range lines, as the Linux client piles them up', async () => {
    const lines = 'Range: bytes=1-8\r\nRange: bytes=1-8\r\nRange: bytes=3-8\r\n';
    const { head } = await rawGet(cdn, '/object/x/10', lines);
    expect(head).toContain('\r\nContent-Range: bytes 3-8/10\r\n');
  });

  const ranges = [
    { asked: 'bytes=0-0', status: 206, start: 0, end: 1 },
    { asked: 'bytes=1048576-2097151', status: 206, start: 1_048_576, end: 2_097_152 },
    { asked: 'bytes=4095-4116', status: 206, start: 4095, end: 4117 },
    { asked: 'bytes=2999990-9999999', status: 206, start: 2_999_990, end: 3_000_000 },
    { asked: 'bytes=-7', status: 206, start: 2_999_993, end: 3_000_000 },
    { asked: 'bytes=0-1,4-5', status: 200, start: 0, end: 3_000_000 },
    { asked: 'lines=1-2', status: 200, start: 0, end: 3_000_000 },
  ];
  it.each(ranges)('asked for $asked answers $status with the right bytes', async ({ asked, status, start, end }) => {
    const answer = await get('/object/ranges/3000000', { Range: asked });
    expect(answer.status).toBe(status);
    expect(answer.headers['content-range']).toBe(status === 206 ? `bytes ${start}-${end - 1}/3000000` : undefined);
    expect(answer.headers['content-length']).toBe(String(end - start));
    expect(answer.body.length).toBe(end - start);
    expect(isContent(answer.body, 'ranges', 1, start)).toBe(true);
  });

  it('far past 4 GiB comes right as well', async () => {
    const start = 2 ** 40 + 12_345;
    const { status, body } = await get(`/object/huge/${2 ** 41}`, { Range: `bytes=${start}-${start + 99_999}` });
    expect([status, body.length, isContent(body, 'huge', 1, start)]).toEqual([206, 100_000, true]);
  });

  const others = [
    {
      name: 'a range past the end',
      path: '/object/x/100',
      headers: { Range: 'bytes=100-' },
      status: 416,
      contentRange: 'bytes */100',
    },
    {
      name: 'a known tag',
      path: '/object/x/100',
      headers: { 'If-None-Match': etagOf('x', 1) },
      status: 304,
      contentRange: undefined,
    },
    {
      name: 'a foreign If-Match',
      path: '/object/x/100',
      headers: { 'If-Match': '"a"' },
      status: 412,
      contentRange: undefined,
    },
    { name: 'an unknown path', path: '/nothing', headers: {}, status: 404, contentRange: undefined },
    { name: 'a size that is no number', path: '/object/x/big', headers: {}, status: 404, contentRange: undefined },
    { name: 'a broken escape', path: '/object/%zz/5', headers: {}, status: 404, contentRange: undefined },
    { name: 'an empty object', path: '/object/x/0', headers: {}, status: 200, contentRange: undefined },
  ];
  it.each(others)('$name answers $status with an empty body', async ({ path, headers, status, contentRange }) => {
    const answer = await get(path, headers as Record<string, string>);
    expect([answer.status, answer.body.length, answer.headers['content-range']]).toEqual([status, 0, contentRange]);
  });

  it('answers HEAD with the head of a GET', async () => {
    const { status, headers, body } = await get('/object/x/5000000', { Range: 'bytes=0-9' }, 'HEAD');
    expect([status, headers['content-length'], headers['etag'], body.length]).toEqual([
      200,
      '5000000',
      etagOf('x', 1),
      0,
    ]);
  });

  it('answers other methods 405 and says which it allows', async () => {
    const response = await request(`http://${cdn.listen}/object/x/5`, {
      method: 'PUT',
      body: 'text',
      dispatcher: agent,
    });
    expect([response.statusCode, response.headers['allow'], await response.body.text()]).toEqual([
      405,
      'GET, HEAD',
      '',
    ]);
  });

  it('answers the Windows client as it asks', async () => {
    const socket = await connected(cdn);
    const answered = new Promise<string>((resolve) =>
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1'))),
    );
    socket.write(
      'GET /filestreamingservice/x?P1=1&P2=2&cacheHostOrigin=a.b HTTP/1.1\r\nConnection: Keep-Alive\r\nAccept: */*\r\nRange: bytes=0-1\r\nUser-Agent: Microsoft-Delivery-Optimization/10.1\r\nMS-CV: a.1.2\r\nContent-Length: 0\r\nHost: A.B\r\n\r\n',
    );
    expect(await answered).toMatch(/^HTTP\/1\.1 404 Not Found\r\n(?=.*\r\nConnection: keep-alive\r\n)/s);
    socket.destroy();
  });
});

describe('registered content and the health object', () => {
  it('is found by host and path, whatever the case, the port and the query', async () => {
    const registration = {
      id: 'feature-update',
      host: 'AU.download.windowsupdate.com',
      path: '/files/Update.esd',
      sizeBytes: 12_345,
    };
    expect(await admin(cdn, 'POST', '/objects', registration)).toEqual({
      status: 200,
      body: { id: 'feature-update', version: 1 },
    });
    for (const host of [
      'au.download.windowsupdate.com',
      'AU.Download.WindowsUpdate.com:80',
      'au.download.windowsupdate.com.',
    ]) {
      const { status, body } = await get('/files/Update.esd?P1=1&P4=x%2f', { Host: host });
      expect([status, body.length, isContent(body, 'feature-update', 1, 0)]).toEqual([200, 12_345, true]);
    }
    expect((await get('/files/update.esd', { Host: 'au.download.windowsupdate.com' })).status).toBe(404);
    expect((await get('/files/Update.esd', { Host: 'other.test' })).status).toBe(404);
  });

  it('may be told with others at once: all of them, or none when one is wrong', async () => {
    const objects = ['x', 'y'].map((id) => ({ id, host: 'many.test', path: `/${id}`, sizeBytes: 10 }));
    expect(await admin(cdn, 'POST', '/objects', objects)).toMatchObject({
      status: 200,
      body: [{ id: 'x' }, { id: 'y' }],
    });
    for (const { path } of objects) expect((await get(path, { Host: 'many.test' })).status).toBe(200);
    const more = { id: 'z', host: 'many.test', path: '/z', sizeBytes: 10 };
    expect(await admin(cdn, 'POST', '/objects', [more, { ...more, path: 'z' }])).toMatchObject({ status: 400 });
    expect((await get('/z', { Host: 'many.test' })).status).toBe(404);
  });

  it('is found by an absolute request target', async () => {
    await admin(cdn, 'POST', '/objects', { id: 'proxied', host: 'origin.test', path: '/p', sizeBytes: 10 });
    const { head, body } = await rawGet(cdn, 'http://Origin.test:80/p?q');
    expect(head).toContain('200 OK');
    expect(isContent(body, 'proxied', 1, 0)).toBe(true);
  });

  it('serves the health object under any host', async () => {
    const { status, headers, body } = await get('/mscomtest/wuidt.gif?cacheHostOrigin=au.download.windowsupdate.com', {
      Host: 'any.test',
    });
    expect([status, headers['content-type'], body.length]).toEqual([200, 'image/gif', 969_710]);
    expect(isContent(body, 'wuidt.gif', 1, 0)).toBe(true);
  });

  it('changes bytes, tag and date with the version', async () => {
    const first = await get('/object/moving/9000');
    expect((await admin(cdn, 'POST', '/version', { id: 'moving' })).body).toEqual({ version: 2 });
    const second = await get('/object/moving/9000');
    expect(isContent(second.body, 'moving', 2, 0)).toBe(true);
    expect(second.body.equals(first.body)).toBe(false);
    expect(second.headers['etag']).toBe(etagOf('moving', 2));
    expect(second.headers['last-modified']).toBe('Mon, 01 Jan 2024 00:01:00 GMT');
    const stale = await get('/object/moving/9000', { Range: 'bytes=0-9', 'If-Range': etagOf('moving', 1) });
    expect([stale.status, stale.body.length]).toEqual([200, 9000]);
  });

  it('finishes an answer in the version that it began with', async () => {
    const response = await request(`http://${cdn.listen}/object/begun/30000000`, { dispatcher: agent });
    await admin(cdn, 'POST', '/version', { id: 'begun' });
    const body = Buffer.from(await response.body.arrayBuffer());
    expect([body.length, isContent(body, 'begun', 1, 0)]).toEqual([30_000_000, true]);
  });
});

describe('many clients', () => {
  it('get the right bytes at once, pipelined requests included', async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) =>
        get('/object/crowd/50000000', { Range: `bytes=${i * 100_000}-${i * 100_000 + 99_999}` }),
      ),
    );
    answers.forEach(({ body }, i) => {
      expect([body.length, isContent(body, 'crowd', 1, i * 100_000)]).toEqual([100_000, true]);
    });
    const socket = await connected(cdn);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const one = (range: string, close: boolean): string =>
      `GET /object/crowd/50000000 HTTP/1.1\r\nHost: a\r\nRange: bytes=${range}\r\n${close ? 'Connection: close\r\n' : ''}\r\n`;
    socket.write(one('0-299999', false) + one('5-6', false) + one('300000-599999', true));
    await new Promise((resolve) => socket.once('close', resolve));
    const text = Buffer.concat(chunks);
    const bodies = [300_000, 2, 300_000];
    let at = 0;
    for (const [i, start] of [0, 5, 300_000].entries()) {
      at = text.indexOf('\r\n\r\n', at) + 4;
      const length = bodies[i] ?? 0;
      expect(isContent(text.subarray(at, at + length), 'crowd', 1, start)).toBe(true);
      at += length;
    }
    expect(at).toBe(text.length);
  });
});

describe('latency', () => {
  it('comes before every head', async () => {
    await withCdn({ latencyMs: 60 }, async (slow) => {
      const started = performance.now();
      const response = await request(`http://${slow.listen}/object/x/5`);
      expect(performance.now() - started).toBeGreaterThanOrEqual(59);
      await response.body.dump();
    });
  });
});
