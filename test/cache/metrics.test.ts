// /metrics: read by a strict parser, equal to the books, and never falling, also when a worker dies.

import { describe, expect, it } from 'vitest';
import { countAnswer, emptyBooks, sumBooks } from '../../cache/books.ts';
import { exposition, metrics } from '../../cache/owner/metrics.ts';
import type { Figures } from '../../cache/owner/numbers.ts';
import { ask, childrenOf, type Program, until, withSetup } from './node-process.ts';
import { type Family, parsePrometheus } from './prometheus-text.ts';

const build = { version: '1.2.3', node: 'v20' };
const figures: Figures = {
  books: emptyBooks(),
  drives: [{ path: '/mnt/"a"\\b\nc', sizeBytes: 10, usedBytes: 3, failure: 'EIO', state: 'failed' }],
  index: {
    ...{ generationCount: 3, warmGenerationCount: 2, storedBytes: 4 },
    ...{ evictedExtentCount: 5, evictedBytes: 6 },
  },
  fills: { objectCount: 1, waitingCount: 2, fetchCount: 3 },
  processes: [{ role: 'owner', pid: 17, residentBytes: 1e8 }],
  connectionsRefusedCount: 0,
  workersReady: 1,
  workersExpected: 2,
  loopDelay: { medianMs: 10, p99Ms: 11, maxMs: 12 },
  uptimeMs: 1500,
};

async function scrape(node: Program): Promise<Map<string, Family>> {
  const reply = await ask({ port: node.admin.port, path: '/metrics', headers: {} });
  expect(reply.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  return parsePrometheus(reply.body.toString());
}

describe('the exposition', () => {
  it('is what a strict parser accepts, also with a drive of a strange name', () => {
    const families = parsePrometheus(exposition(figures, build));
    expect(families.size).toBe(metrics.length);
    expect(families.get('do_node_drive_failed')?.samples).toEqual(new Map([['drive="/mnt/\\"a\\"\\\\b\\nc"', 1]]));
    expect(families.get('do_node_owner_loop_delay_seconds')?.samples.get('statistic="max"')).toBe(0.012);
    expect(families.get('do_node_uptime_seconds')?.samples.get('')).toBe(1.5);
    expect(families.get('do_node_build_info')?.samples).toEqual(new Map([['version="1.2.3",node="v20"', 1]]));
  });

  it('has each label that the table names, and no other', () => {
    const books = emptyBooks();
    countAnswer(books, 206, 'hit');
    books.upstreamErrors['timeout'] = 2;
    for (const metric of metrics) {
      for (const { labels = {} } of metric.samples({ ...figures, books }, build)) {
        expect([metric.name, ...Object.keys(labels)]).toEqual([metric.name, ...metric.labels]);
      }
    }
  });

  it('is refused by the parser when a line is wrong (the test of this test)', () => {
    const right = '# HELP a_total A.\n# TYPE a_total counter\na_total{b="c"} 1\n';
    expect(parsePrometheus(right).get('a_total')?.samples.get('b="c"')).toBe(1);
    for (const [from, to] of [
      ['} 1\n', '} 1'],
      ['} 1', '} NaN'],
      ['"c"', '"c'],
      ['"c"', '"\\c"'],
      ['{b', '{1b'],
      ['counter', 'gauge'],
      ['# TYPE a_total counter\n', ''],
      ['a_total{', 'b_total{'],
    ] as const) {
      expect(() => parsePrometheus(right.replace(from, to))).toThrow();
    }
  });
});

describe('books', () => {
  it('add up name by name, also those that only one process has', () => {
    const a = emptyBooks();
    const b = emptyBooks();
    countAnswer(a, 200, 'hit');
    countAnswer(a, 200, 'hit');
    countAnswer(b, 200, 'hit');
    countAnswer(b, 502, 'refused');
    a.hitBytes = 5;
    b.hitBytes = 7;
    const sum = sumBooks([a, b]);
    expect(sum.answers).toEqual({ '200 hit': 3, '502 refused': 1 });
    expect(sum.hitBytes).toBe(12);
    expect(a.answers).toEqual({ '200 hit': 2 });
  });
});

describe('a node', () => {
  it('serves metrics that equal its books, and whose counters never fall when a worker dies', async () => {
    await withSetup({ workers: 2 }, async (setup) => {
      for (let i = 0; i < 8; i += 1) await setup.get('/object/m/500000', { Range: `bytes=${i * 1000}-` });
      await setup.get('/object/m/500000', { Host: 'elsewhere.test' });
      const before = await scrape(setup.node);
      const books = await setup.books();
      const egress = before.get('do_node_egress_bytes_total')?.samples;
      expect(egress?.get('source="hit"')).toBe(books.hitBytes);
      expect(egress?.get('source="miss"')).toBe(books.missBytes);
      expect(before.get('do_node_answers_total')?.samples.get('status="403",outcome="refused"')).toBe(1);
      expect(before.get('do_node_stored_bytes')?.samples.get('')).toBe(500_000);
      expect(before.get('do_node_resident_memory_bytes')?.samples.size).toBe(3);
      const [worker = 0] = childrenOf(setup.node.pid);
      process.kill(worker, 'SIGKILL');
      let lowest = before;
      await until(
        async () => {
          const now = await scrape(setup.node);
          expectNoFall(lowest, now);
          lowest = now;
          return now;
        },
        (now) => now.get('do_node_workers_lost_total')?.samples.get('') === 1 && readyCount(now) === 2,
      );
      await setup.get('/object/m/500000');
      expectNoFall(lowest, await scrape(setup.node));
    });
  });
});

const readyCount = (families: Map<string, Family>): number =>
  families.get('do_node_workers_ready')?.samples.get('') ?? 0;

function expectNoFall(before: Map<string, Family>, after: Map<string, Family>): void {
  for (const [name, { type, samples }] of before) {
    if (type !== 'counter') continue;
    for (const [labels, value] of samples) {
      expect([name, labels, after.get(name)?.samples.get(labels) ?? -1]).toSatisfy(
        ([, , now]: [string, string, number]) => now >= value,
      );
    }
  }
}
