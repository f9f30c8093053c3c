// Small answers that are kept in memory: the same bytes and heads as those that are read, never older than their head
// says, and no more of them than there is room for.

import { Buffer } from 'node:buffer';
import http from 'node:http';
import { expect, it } from 'vitest';
import { HotAnswer, HotAnswers } from '../../cache/worker/hot-answers.ts';
import { LocalGeneration } from '../../cache/worker/local-catalogue.ts';
import { ask, expectContent, expectOwnContent, origin, type Reply, Setup, until, withSetup } from './node-process.ts';

const generationOf = (id: number): LocalGeneration =>
  new LocalGeneration(
    { id, key: `k${id}`, sizeBytes: 1e9, etag: '"1"', lastModified: undefined, fields: [] },
    { freshUntilMs: 0, generatedAtMs: 0 },
  );

it('what is asked for often is answered like the first time, also in parts of other sizes', async () => {
  await withSetup({}, async (setup) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    const get = (range: string): Promise<Reply> =>
      ask({
        port: setup.node.listen.port,
        path: '/object/hot/100000',
        headers: { Host: origin, Range: range },
        agent,
      });
    await get('bytes=0-99999');
    const first = await get('bytes=4096-8191');
    for (let round = 0; round < 20; round += 1) {
      const replies = await Promise.all([
        get('bytes=4096-8191'),
        get('bytes=4096-8191'),
        get('bytes=4096-5000'),
        get('bytes=0-4095'),
      ]);
      for (const [i, reply] of replies.entries()) {
        expectContent(reply.body, 'hot', i === 3 ? 0 : 4096);
        expect([reply.status, reply.complete]).toEqual([206, true]);
      }
      const { date: _date, age: _age, ...fields } = replies[0]?.headers ?? {};
      const { date: _firstDate, age: _firstAge, ...firstFields } = first.headers;
      expect(fields).toEqual(firstFields);
    }
    agent.destroy();
    const books = await setup.books();
    expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
    expect(books.egressBytes).toBe(100_000 + 4096 + 20 * (2 * 4096 + 905 + 4096));
  });
});

it('a new version takes the place of what was kept', async () => {
  const setup = await Setup.start({ cdn: ['--cache-control', 'max-age=1'] });
  try {
    const path = '/object/replaced/4000';
    for (let i = 0; i < 20; i += 1) await setup.get(path, { Connection: 'keep-alive' });
    await setup.newVersion('replaced');
    const reply = await until(
      () => setup.get(path),
      ({ headers }) => headers.etag?.includes('2') === true,
    );
    expect(expectOwnContent(reply, 'replaced')).toBe(2);
    for (let i = 0; i < 20; i += 1) expect(expectOwnContent(await setup.get(path), 'replaced')).toBe(2);
  } finally {
    await setup.stop();
  }
});

it('the head is renewed without touching what is being sent', () => {
  const answer = new HotAnswer(3, Buffer.from('-abc-'), 1, 3);
  expect(answer.renew('one ', 1, 200)).toBe(true);
  const sent = answer.bytes;
  answer.detach();
  answer.renew('other ', 2, 200);
  expect([sent.toString(), answer.bytes.toString(), answer.headBytes]).toEqual(['one abc', 'other abc', 6]);
  expect(answer.renew('x'.repeat(5000), 3, 200)).toBe(false);
});

it('what is asked for at random is not kept, and what is kept is bounded', () => {
  const hot = new HotAnswers();
  const generations = [generationOf(1), generationOf(2)];
  const count = (): number => generations.reduce((sum, { hot: kept }) => sum + (kept?.size ?? 0), 0);
  const body = Buffer.alloc(4096);
  for (let i = 0; i < 5000; i += 1) hot.offer(generations[0] as LocalGeneration, i * 4096, i * 4096 + 4096, body, 0, 1);
  expect(count()).toBe(0);
  for (let i = 0; i < 20_000; i += 1) {
    const generation = generations[i % 2] as LocalGeneration;
    for (let ask = 0; ask < 8; ask += 1) hot.offer(generation, i * 4096, i * 4096 + 4096, body, 0, 2 + i);
  }
  expect(count()).toBe(Math.floor((32 * 2 ** 20) / (4096 + 2048)));
  expect(hot.find(generations[1] as LocalGeneration, 19_999 * 4096, 20_000 * 4096)).toBeDefined();
  expect(hot.find(generations[1] as LocalGeneration, 19_999 * 4096, 20_000 * 4096 - 1)).toBeUndefined();
  expect(hot.find(generations[1] as LocalGeneration, 4096, 8192)).toBeUndefined();
});

it('answers of other lengths from the same first byte do not grow what is kept', () => {
  const hot = new HotAnswers();
  const generation = generationOf(1);
  const body = Buffer.alloc(32_768);
  const ask = (start: number, end: number): void => {
    for (let i = 0; i < 8; i += 1) hot.offer(generation, start, end, body, 0, start * 2 + (end - start));
  };
  for (let i = 0; i < 20_000; i += 1) {
    ask(i * 32_768, i * 32_768 + 1);
    ask(i * 32_768, (i + 1) * 32_768);
  }
  const keptBytes = [...(generation.hot ?? [])].reduce((sum, [, answer]) => sum + answer.bytes.length, 0);
  expect(keptBytes).toBeGreaterThan(0);
  expect(keptBytes).toBeLessThanOrEqual(32 * 2 ** 20);
});
