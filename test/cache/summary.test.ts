// The summary report: its arithmetic, and who may read it.

import net from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Books, emptyBooks } from '../../cache/books.ts';
import { type Summary, SummaryReport } from '../../cache/owner/summary.ts';
import { ask, raw, withSetup } from './node-process.ts';

const books = (hitBytes: number, missBytes: number, hitRequestCount = 0, missRequestCount = 0): Books => ({
  ...emptyBooks(),
  ...{ hitBytes, missBytes, egressBytes: hitBytes + missBytes, hitRequestCount, missRequestCount },
});
const start = Date.UTC(2026, 0, 1);
const moment = (atSeconds: number, now: Books): { atMs: number; monotonicMs: number; books: Books } => ({
  ...{ atMs: start + atSeconds * 1000, monotonicMs: 5000 + atSeconds * 1000, books: now },
});
const newReport = (): SummaryReport => new SummaryReport({ name: 'n', version: '1' }, start, 5000);

describe('a report', () => {
  it('has no period in the first 15 seconds, and no ratio of nothing', () => {
    const { period, lifetime } = newReport().report(moment(3, emptyBooks()));
    expect(period).toBeNull();
    expect(lifetime).toMatchObject({ eggressBytes: 0, hitRatioBytes: null, hitRatioRequests: null });
  });

  it('gives averages of the period that is over, and totals of the lifetime', () => {
    const report = newReport();
    report.endPeriod(moment(15, books(1_000_000, 3_000_000, 9, 1)));
    report.endPeriod(moment(30, books(4_000_000, 3_000_000, 12, 2)));
    const found = report.report(moment(31, books(4_000_001, 3_000_000, 12, 2)));
    expect(found.period).toEqual({
      ...{ from: '2026-01-01T00:00:15.000Z', to: '2026-01-01T00:00:30.000Z', seconds: 15 },
      ...{ hitBytes: 3_000_000, missBytes: 0, eggressBytes: 3_000_000, egressBytes: 3_000_000, hitRatioBytes: 1 },
      ...{ hitRequestCount: 3, missRequestCount: 1, hitRatioRequests: 0.75 },
      ...{ hitBytesPerSecond: 200_000, missBytesPerSecond: 0, egressBytesPerSecond: 200_000 },
    });
    expect(found.lifetime).toMatchObject({ hitBytes: 4_000_001, eggressBytes: 7_000_001 });
    expect(found.uptimeSeconds).toBe(31);
  });

  it('has periods that add up to the lifetime, whatever was delivered when', () => {
    const amount = fc.nat(2 ** 40);
    fc.assert(
      fc.property(fc.array(fc.tuple(amount, amount), { minLength: 1, maxLength: 20 }), (steps) => {
        const report = newReport();
        let [hit, miss, sum] = [0, 0, 0];
        let found: Summary | undefined;
        for (const [i, [moreHit, moreMiss]] of steps.entries()) {
          [hit, miss] = [hit + moreHit, miss + moreMiss];
          const now = moment((i + 1) * 15, books(hit, miss));
          report.endPeriod(now);
          found = report.report(now);
          sum += found.period?.eggressBytes ?? 0;
        }
        expect(sum).toBe(found?.lifetime.eggressBytes);
        const ratio = found?.lifetime.hitRatioBytes ?? 0;
        expect(ratio >= 0 && ratio <= 1).toBe(true);
      }),
    );
  });
});

describe('the report of a node', () => {
  const key = 'a-key-of-some-length';
  const get = async (port: number, path: string, headers: Record<string, string> = {}) => {
    const reply = await ask({ port, path, headers });
    return { status: reply.status, body: reply.body.toString() };
  };
  /** The summary's port is not told on the ready line: a free one, found beforehand. */
  const withSummary = async (port: number, more: string[], use: (port: number) => Promise<void>): Promise<void> => {
    await withSetup({ node: ['--summary', `127.0.0.1:${port}`, ...more] }, async (setup) => {
      await setup.get('/object/s/100000');
      await setup.get('/object/s/100000');
      await use(port);
    });
  };

  it('is for this machine by default, under its own names', async () => {
    await withSummary(await freePort(), [], async (port) => {
      const { status, body } = await get(port, '/summary');
      expect(status).toBe(200);
      const { lifetime } = JSON.parse(body) as Summary;
      expect(lifetime).toMatchObject({ hitBytes: 100_000, missBytes: 100_000, eggressBytes: 200_000 });
      expect(lifetime).toMatchObject({ hitRatioBytes: 0.5, hitRatioRequests: 0.5 });
      expect((await get(port, '/summary', { Host: 'attacker.example' })).status).toBe(403);
      expect((await get(port, '/books')).status).toBe(404);
      expect((await get(port, '/metrics')).status).toBe(404);
    });
  });

  it('wants the key where one is set, and says what is wrong without repeating it', async () => {
    await withSummary(await freePort(), ['--summary-access', 'key', '--summary-key', key], async (port) => {
      expect((await get(port, '/summary')).status).toBe(401);
      for (const wrong of [`${key}x`, key.slice(1), '', 'A-key-of-some-length']) {
        const { status, body } = await get(port, `/summary?apiKey=${wrong}`);
        expect(status).toBe(403);
        expect(body).not.toContain(key);
      }
      expect((await get(port, `/summary?apiKey=${key}&apiKey=${key}`)).status).toBe(401);
      expect((await get(port, `/details?apiKey=${key}`, { Host: 'any.name' })).status).toBe(200);
      expect((await get(port, '/summary', { 'X-Api-Key': key })).status).toBe(200);
    });
  });

  it('is for everybody where access is open', async () => {
    await withSummary(await freePort(), ['--summary-access', 'open'], async (port) => {
      expect((await get(port, '/summary', { Host: 'any.name' })).status).toBe(200);
      expect(await raw(port, 'DELETE /summary HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toContain('405');
    });
  });

  it.each([
    { more: ['--summary-access', 'all'], expected: '--summary-access: expected local, key or open, found "all"' },
    { more: ['--summary-access', 'key'], expected: '--summary-key: expected a key, as --summary-access is key' },
    { more: ['--summary-key', 'short'], expected: '--summary-key: expected 8 to 200 characters without spaces' },
    { more: ['--summary-key', '@/nowhere/key'], expected: '--summary-key: expected a file that can be read' },
    { more: ['--summary', '5000'], expected: '--summary: expected ADDRESS:PORT such as' },
    { more: ['--drain', '10'], expected: '--drain: expected' },
  ])('stops the start of a node with $more', async ({ more, expected }) => {
    await expect(withSetup({ node: more }, () => Promise.resolve())).rejects.toThrow(expected);
  });
});

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
