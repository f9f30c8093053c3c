// Everything at once: ranges, aborts, faults, new versions, evictions. Whatever happens, the bytes of an answer are those
// of the version that its ETag names, and the books balance.

import { expect, it } from 'vitest';
import { randomStream } from '../../common/random.ts';
import { randomCases } from '../random-cases.ts';
import { expectOwnContent, until, withSetup } from './node-process.ts';

const seed = Number(process.env['SOAK_SEED'] ?? 1);
const requests = Number(process.env['SOAK_REQUESTS'] ?? randomCases(800));

const faults: readonly Record<string, unknown>[] = [
  { status: 503 },
  { status: 404 },
  { status: 416 },
  { reset: true },
  { reset: true, afterBytes: 50_000 },
  { shortBody: true },
  { wrongContentRange: true },
  { delayMs: 20 },
  { stall: true, afterBytes: 10_000, forMs: 100 },
];

it(`in ${requests} random requests no answer holds a byte of another version`, async () => {
  const random = randomStream(seed, 'soak');
  const pick = (count: number): number => Math.floor(random() * count);
  await withSetup({ workers: 2, drives: ['one=6MB', 'two=6MB'] }, async (setup) => {
    const size = 2_500_000;
    let left = requests;
    const client = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const id = `soak${pick(8)}`;
        const dice = random();
        if (dice < 0.02) await setup.newVersion(id);
        if (dice > 0.95) await setup.fault({ ...faults[pick(faults.length)], object: id, count: 1 + pick(3) });
        const isWhole = random() < 0.1;
        const start = isWhole ? 0 : pick(size);
        const end = isWhole ? size : Math.min(size, start + 1 + Math.floor(random() ** 3 * 1_500_000));
        const stopAt = random() < 0.1 ? random() * 300_000 : Number.POSITIVE_INFINITY;
        let bytes = 0;
        const reply = await setup.get(
          `/object/${id}/${size}?P1=${pick(3)}`,
          isWhole ? {} : { Range: `bytes=${start}-${end - 1}` },
          {
            onBody: (more, request) => {
              bytes += more;
              if (bytes >= stopAt) request.destroy();
            },
          },
        );
        expect([0, 200, 206, 404, 416, 502, 503, 504]).toContain(reply.status);
        if (reply.status !== 200 && reply.status !== 206) expect(reply.body.length).toBe(0);
        else {
          expectOwnContent(reply, id, start);
          if (reply.complete) expect(reply.body.length).toBe(end - start);
        }
      }
    };
    await Promise.all(Array.from({ length: 12 }, client));
    await setup.clearFaults();
    for (let i = 0; i < 8; i += 1) {
      // An old version may be found out in mid-answer: that answer ends early, the next one is whole.
      const path = `/object/soak${i}/${size}`;
      const reply = await until(
        () => setup.get(path),
        ({ complete, status }) => complete && status === 200,
      );
      expect(reply.body.length).toBe(size);
      expectOwnContent(reply, `soak${i}`);
    }
    const books = await until(
      () => setup.books(),
      ({ connectionsOpen }) => connectionsOpen === 0,
    );
    expect(books.hitBytes + books.missBytes).toBe(books.egressBytes);
    const { served } = await setup.ledger();
    expect(served.reduce((sum, entry) => sum + entry.bodyBytes, 0)).toBe(books.egressBytes);
    expect(setup.diskBytes('one')).toBeLessThanOrEqual(6_000_000);
    expect(setup.diskBytes('two')).toBeLessThanOrEqual(6_000_000);
    expect(setup.node.log()).toBe('');
  });
});
