// Faults on command: what a client sees of each, and when they end.

import { once } from 'node:events';
import { request } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ContentFunction, etagOf } from '../../common/content.ts';
import { type Cdn, startCdn } from '../../simulator/cloud/cdn.ts';
import { FaultTable } from '../../simulator/cloud/faults.ts';
import { admin, books, connected, rawGet, until } from './cdn-client.ts';

let cdn: Cdn;

beforeEach(async () => {
  cdn = await startCdn({ ledger: true });
});

afterEach(async () => {
  await cdn.stop();
});

const order = (fault: unknown) => admin(cdn, 'POST', '/faults', fault);
const status = async (path: string): Promise<number> => {
  const response = await request(`http://${cdn.listen}${path}`);
  await response.body.dump();
  return response.statusCode;
};

describe('a fault', () => {
  it('answers with a status and an empty body', async () => {
    await order({ status: 503, retryAfterSeconds: 30 });
    const { head, body } = await rawGet(cdn, '/object/x/1000');
    expect(head).toMatch(/^HTTP\/1\.1 503 .*\r\nRetry-After: 30\r\n.*Content-Length: 0\r\n/s);
    expect(body.length).toBe(0);
    expect(await books(cdn)).toMatchObject({ requestCount: 1, errorCount: 1, faultCount: 1, bodyBytes: 0 });
  });

  it('delays the head', async () => {
    await order({ delayMs: 50 });
    await order({ delayMs: 30 });
    const started = performance.now();
    expect(await status('/object/x/10')).toBe(200);
    expect(performance.now() - started).toBeGreaterThanOrEqual(79);
  });

  it('stalls after so many bytes, and goes on when it is cleared', async () => {
    await order({ stall: true, afterBytes: 70_000 });
    const response = await request(`http://${cdn.listen}/object/x/500000`);
    let receivedBytes = 0;
    response.body.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length;
    });
    await until(() => receivedBytes === 70_000);
    expect(cdn.books().bodyBytes).toBe(70_000);
    const ended = once(response.body, 'end');
    await admin(cdn, 'DELETE', '/faults');
    await ended;
    expect(receivedBytes).toBe(500_000);
  });

  it('stalls before the head, and lets the client go', async () => {
    await order({ stall: true });
    const socket = await connected(cdn);
    socket.write('GET /object/x/10 HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => cdn.books().faultCount === 1);
    socket.resetAndDestroy();
    await until(() => cdn.books().connectionsOpen === 0);
    expect(cdn.ledger()).toMatchObject([{ answerCount: 0, bodyBytes: 0, cut: true }]);
  });

  it('resets the connection after so many bytes', async () => {
    await order({ reset: true, afterBytes: 4096 });
    const { head, body, ended } = await rawGet(cdn, '/object/x/100000');
    expect([head.includes('Content-Length: 100000\r\n'), body.length, ended]).toEqual([true, 4096, 'ECONNRESET']);
    expect(cdn.ledger()).toMatchObject([{ bodyBytes: 4096, cut: true }]);
  });

  it('resets the connection before the head', async () => {
    await order({ reset: true });
    expect(await rawGet(cdn, '/object/x/100000')).toMatchObject({ head: '', ended: 'ECONNRESET' });
  });

  it('declares the full length and sends half', async () => {
    await order({ shortBody: true });
    const { head, body, ended } = await rawGet(cdn, '/object/x/100000');
    expect([head.includes('Content-Length: 100000\r\n'), body.length, ended]).toEqual([true, 50_000, 'end']);
    expect(new ContentFunction('x', 1).firstDifference(body, 0, 0, 50_000)).toBe(-1);
    expect(cdn.ledger()).toMatchObject([{ bodyBytes: 50_000, cut: true }]);
  });

  const shifts = [
    { asked: 'bytes=100-199', stated: 'bytes 99-198/1000', start: 100 },
    { asked: 'bytes=0-9', stated: 'bytes 1-10/1000', start: 0 },
    { asked: 'bytes=0-999', stated: 'bytes 1-1000/1001', start: 0 },
  ];
  it.each(shifts)('states $stated for $asked', async ({ asked, stated, start }) => {
    await order({ wrongContentRange: true });
    const { head, body } = await rawGet(cdn, '/object/x/1000', `Range: ${asked}\r\n`);
    expect(head).toContain(`\r\nContent-Range: ${stated}\r\n`);
    expect(new ContentFunction('x', 1).firstDifference(body, 0, start, body.length)).toBe(-1);
  });

  it('meets one object only', async () => {
    await order({ status: 500, object: 'bad' });
    expect(await status('/object/good/10')).toBe(200);
    expect(await status('/object/bad/10')).toBe(500);
  });

  it('meets the next requests only', async () => {
    await order({ status: 500, count: 2 });
    expect([await status('/object/x/1'), await status('/object/x/1'), await status('/object/x/1')]).toEqual([
      500, 500, 200,
    ]);
    expect((await admin(cdn, 'GET', '/faults')).body).toEqual([]);
  });

  it('ends after its time', async () => {
    const started = performance.now();
    await order({ stall: true, forMs: 60 });
    expect(await status('/object/x/10')).toBe(200);
    expect(performance.now() - started).toBeGreaterThanOrEqual(58);
    expect(await status('/object/x/10')).toBe(200);
  });

  it('is listed, and ends when cleared', async () => {
    expect((await order({ status: 404, object: 'x' })).body).toEqual({ id: 'fault-1' });
    expect((await admin(cdn, 'GET', '/faults')).body).toMatchObject([
      { id: 'fault-1', order: { status: 404, object: 'x' } },
    ]);
    expect((await admin(cdn, 'DELETE', '/faults')).body).toEqual({ clearedCount: 1 });
    expect(await status('/object/x/1')).toBe(200);
  });

  it('holds nobody any more once it is over', () => {
    const table = new FaultTable();
    table.add({ stall: true, count: 1 });
    const { fault } = table.apply('x');
    const runs: string[] = [];
    fault?.whenOver(() => runs.push('held'));
    fault?.whenOver(() => runs.push('gone'))();
    expect(table.apply('x').fault).toBeUndefined();
    table.clear();
    fault?.whenOver(() => runs.push('late'));
    expect(runs).toEqual(['held', 'late']);
  });
});

describe('the admin interface', () => {
  const refusals = [
    { path: '/faults', body: '{', says: /not JSON.*"status":503/ },
    { path: '/faults', body: { sttus: 503 }, says: /found \{"sttus":503\}; expected one of \{"status":503\}/ },
    { path: '/faults', body: { status: 503, delayMs: 5 }, says: /expected one of/ },
    { path: '/faults', body: { status: 200 }, says: /expected one of/ },
    { path: '/objects', body: { id: 'x', host: 'a', path: 'no-slash', sizeBytes: 5 }, says: /path: .*expected \{"id"/ },
    { path: '/objects', body: { id: 'x', host: 'a', path: '/x', sizeBytes: -1 }, says: /sizeBytes/ },
    { path: '/version', body: {}, says: /id: .*expected \{"id":"feature-update"\}/ },
  ];
  it.each(refusals)('refuses $body at $path with what was expected', async ({ path, body, says }) => {
    const reply = await admin(cdn, 'POST', path, body);
    expect(reply.status).toBe(400);
    expect((reply.body as { error: string }).error).toMatch(says);
  });

  it('names its routes to who asks for another', async () => {
    const reply = await admin(cdn, 'GET', '/');
    expect(reply.status).toBe(404);
    expect((reply.body as { error: string }).error).toContain('GET /books');
  });

  it('says that it is well', async () => {
    expect((await admin(cdn, 'GET', '/health')).body).toEqual({ status: 'ok', name: 'cdn' });
  });

  it('sets the version of registered content', async () => {
    await admin(cdn, 'POST', '/objects', { id: 'v', host: 'a.test', path: '/v', sizeBytes: 10, version: 7 });
    const response = await request(`http://${cdn.listen}/v`, { headers: { Host: 'a.test' } });
    await response.body.dump();
    expect(response.headers['etag']).toBe(etagOf('v', 7));
  });
});
