// Hosts of one canonical alias that give one object different validators: the owner's fills, with its real store and
// upstream, and with asks as a worker would send them.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OriginTable } from '../../cache/http/origin-table.ts';
import { type Ask, newAsk, type WorkerLink } from '../../cache/owner/ask.ts';
import { Fills } from '../../cache/owner/fills.ts';
import type { OwnerMessage } from '../../cache/protocol.ts';
import { Store } from '../../cache/store/store.ts';
import { Upstream } from '../../cache/upstream.ts';
import { until } from './node-process.ts';
import { type Asked, honest, ScriptedOrigin, send, type Version } from './scripted-origin.ts';

const sizeBytes = 100_000;
const object = (etag: string, more: Record<string, string> = {}): Version => ({
  id: 'shared',
  version: 1,
  sizeBytes,
  fields: { ETag: `"${etag}"`, 'Cache-Control': 'max-age=3600', ...more },
});

let folder: string;
let a: ScriptedOrigin;
let b: ScriptedOrigin;
let fills: Fills;
let store: Store;
let upstream: Upstream;
let ofA: Version;
let ofB: Version;
const links = new Set<WorkerLink>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hosts-'));
  ofA = object('a');
  ofB = object('b');
  a = await ScriptedOrigin.start((asked) => send(asked, ofA, honest(asked, ofA)));
  b = await ScriptedOrigin.start((asked) => send(asked, ofB, honest(asked, ofB)));
  store = new Store([{ path: folder, sizeBytes: 50e6 }]);
  upstream = new Upstream(
    { upstreamHost: undefined, upstreamProxy: undefined, followRedirects: false, origins: [], ledger: false },
    'test',
  );
  const origins = new OriginTable(
    Object.entries({ 'a.test': a, 'b.test': b }).map(([host, { port }]) => ({
      ...{ host, port: 80, canonical: undefined, mayBePrivate: true },
      connect: { host: '127.0.0.1', port },
    })),
  );
  fills = new Fills(store, upstream, origins, links);
  store.listener = fills;
  await store.load();
});

afterEach(async () => {
  a.stop();
  b.stop();
  upstream.close();
  await store.close();
  links.clear();
  rmSync(folder, { recursive: true, force: true });
});

/** Asks for a range as a client of `host`; resolves to the owner's messages once its bytes are there, or it was refused. */
async function wish(
  host: string,
  start: number,
  end: number,
): Promise<{ messages: OwnerMessage[]; etag?: string | undefined }> {
  const messages: OwnerMessage[] = [];
  const worker: WorkerLink = { send: (message) => messages.push(message), known: new Set() };
  links.add(worker);
  const target = { key: 'shared/x', host, target: '/x', namedOrigin: false };
  const ask: Ask = { ...newAsk, id: 1, worker, upstream: target, range: { kind: 'from', start, end } };
  fills.ask(ask);
  const isOver = (): boolean =>
    ask.generation?.stored.covers(start, end) === true ||
    messages.some(({ kind }) => ['refused', 'again', 'passThrough'].includes(kind));
  await until(isOver, Boolean);
  fills.release(ask);
  return { messages, etag: ask.generation?.meta.etag };
}

const rangesOf = (origin: ScriptedOrigin): (string | undefined)[] => origin.asked.map(({ headers }) => headers.range);

describe('two hosts of one alias with different validators', () => {
  it('share the generation that came first, and no byte is fetched twice', async () => {
    expect((await wish('a.test', 0, 1000)).etag).toBe('"a"');
    expect((await wish('b.test', 0, 1000)).etag).toBe('"a"');
    expect((await wish('b.test', 500, 2000)).etag).toBe('"a"');
    expect((await wish('a.test', 1500, 3000)).etag).toBe('"a"');
    expect(rangesOf(a)).toEqual(['bytes=0-999', 'bytes=1000-1999', 'bytes=2000-2999']);
    expect(a.asked[1]?.headers['if-match']).toBe('"a"');
    expect(b.asked.length).toBe(0);
  });

  it('go over to the other one when the first is changed, and back without fetching what is there', async () => {
    await wish('a.test', 0, 1000);
    const older = ofA;
    ofA = object('a2');
    expect((await wish('b.test', 1000, 2000)).messages.at(-1)).toMatchObject({ kind: 'again' });
    expect((await wish('b.test', 0, 2000)).etag).toBe('"b"');
    expect((await wish('a.test', 0, 2000)).etag).toBe('"b"');
    expect(b.sentBytes).toBe(2000);
    ofB = older; // b.test has what a.test had: its bytes from 0 to 1000 are still there
    expect((await wish('b.test', 2000, 3000)).messages.at(-1)).toMatchObject({ kind: 'again' });
    expect((await wish('b.test', 0, 500)).etag).toBe('"a"');
    expect((await wish('b.test', 0, 1000)).etag).toBe('"a"');
    expect(b.sentBytes).toBe(2000);
  });

  it('help each other out: a host that fails leaves its clients to themselves, the others ask their own', async () => {
    await wish('a.test', 0, 1000);
    const unwell = (asked: Asked): void => send(asked, ofA, { status: 503, fields: {}, start: 0, end: 0 });
    const well = a.answer;
    a.answer = unwell;
    expect((await wish('a.test', 1000, 2000)).messages.at(-1)).toMatchObject({ kind: 'refused', status: 503 });
    expect((await wish('b.test', 1000, 2000)).etag).toBe('"b"');
    // From now on that one is current: no flapping.
    a.answer = well;
    expect((await wish('a.test', 1000, 2000)).etag).toBe('"b"');
    expect(rangesOf(b)).toEqual(['bytes=1000-1999']);
  });

  it('that give the same one: the other host goes on with it', async () => {
    ofB = ofA;
    await wish('a.test', 0, 1000);
    a.answer = (asked) => asked.socket.destroy();
    const { etag } = await wish('b.test', 500, 2000);
    expect(etag).toBe('"a"');
    expect(b.asked.map(({ headers }) => headers['if-none-match'])).toEqual(['"a"', undefined]);
    expect(rangesOf(b)).toEqual(['bytes=500-1999', 'bytes=1000-1999']);
    expect(b.sentBytes).toBe(1000);
  });

  it('are revalidated at the host that gave what is current', async () => {
    ofA = object('a', { 'Cache-Control': 'max-age=0, must-revalidate' });
    await wish('a.test', 0, 1000);
    expect((await wish('b.test', 0, 1000)).etag).toBe('"a"');
    expect(a.asked[1]?.headers['if-none-match']).toBe('"a"');
    expect(b.asked.length).toBe(0);
  });

  it('are asked both when the current one cannot be revalidated at its own', async () => {
    ofA = object('a', { 'Cache-Control': 'max-age=0, must-revalidate' });
    await wish('a.test', 0, 1000);
    a.answer = (asked) => asked.socket.destroy();
    expect((await wish('b.test', 0, 1000)).etag).toBe('"b"');
    expect((await wish('a.test', 0, 1000)).etag).toBe('"b"');
  });

  it('leave three generations side by side, and no more', async () => {
    await wish('a.test', 0, 1000);
    for (const etag of ['2', '3', '4']) {
      ofA = object(etag);
      await wish('a.test', 1000, 2000); // finds out
      await wish('a.test', 0, 1000);
    }
    expect(store.storedBytes).toBe(3000);
  });
});
