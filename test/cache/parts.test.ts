// Several ranges in one request: parts that are framed, exactly fetched, and put together by the client.

import type { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ByteRange } from '../../common/byte-range.ts';
import { expectContent, origin, type Reply, raw, Setup } from './node-process.ts';

let setup: Setup;
beforeAll(async () => {
  setup = await Setup.start();
});
afterAll(() => setup.stop());

type Part = ByteRange & { readonly sizeBytes: number; readonly body: Buffer };

/** A reader of multipart/byteranges by its grammar (RFC 2046, 5.1.1), without any of the node's code. */
function partsOf(reply: Reply): Part[] {
  const boundary = /^multipart\/byteranges; boundary=([0-9a-f]+)$/.exec(reply.headers['content-type'] ?? '')?.[1];
  expect(boundary).toBeDefined();
  expect(reply.headers['content-length']).toBe(String(reply.body.length));
  const parts: Part[] = [];
  let rest = reply.body;
  for (;;) {
    const opening = `\r\n--${boundary}`;
    expect(rest.toString('latin1', 0, opening.length)).toBe(opening);
    rest = rest.subarray(opening.length);
    if (rest.toString('latin1', 0, 2) === '--') break;
    const headEnd = rest.indexOf('\r\n\r\n');
    const range = /\r\nContent-Range: bytes (\d+)-(\d+)\/(\d+)/.exec(rest.toString('latin1', 0, headEnd));
    const [start, end, sizeBytes] = [Number(range?.[1]), Number(range?.[2]) + 1, Number(range?.[3])];
    const from = headEnd + 4;
    parts.push({ start, end, sizeBytes, body: rest.subarray(from, from + end - start) });
    rest = rest.subarray(from + end - start);
  }
  expect(rest.toString('latin1')).toBe('--\r\n');
  return parts;
}

function expectParts(reply: Reply, id: string, size: number, ranges: readonly (readonly [number, number])[]): void {
  expect(reply.status).toBe(206);
  expect(reply.headers['content-range']).toBeUndefined();
  const parts = partsOf(reply);
  expect(parts.map(({ start, end, sizeBytes }) => [start, end, sizeBytes])).toEqual(
    ranges.map(([start, end]) => [start, end, size]),
  );
  for (const part of parts) expectContent(part.body, id, part.start);
}

describe('several ranges', () => {
  it('are answered by as many parts, in the order asked, and fetch exactly what they name', async () => {
    const size = 5_000_000;
    const ranges = [
      [4_000_000, 4_900_000],
      [0, 10],
      [100, 1_500_000],
    ] as const;
    const asked = { Range: 'bytes=4000000-4899999, 0-9,100-1499999' };
    for (let i = 0; i < 2; i += 1) expectParts(await setup.get(`/object/three/${size}`, asked), 'three', size, ranges);
    expect((await setup.cdnOf('three')).bodyBytes).toBe(900_000 + 10 + 1_499_900);
  });

  it('count as they are sent: content is hit or miss, framing is neither', async () => {
    const before = await setup.books();
    const asked = { Range: 'bytes=0-99,200-299' };
    await setup.get('/object/counted/1000', asked);
    await setup.get('/object/counted/1000', asked);
    const after = await setup.books();
    expect(after.missBytes - before.missBytes).toBe(200);
    expect(after.hitBytes - before.hitBytes).toBe(200);
    expect(after.egressBytes - before.egressBytes).toBe(400);
    expect([after.missRequestCount - before.missRequestCount, after.hitRequestCount - before.hitRequestCount]).toEqual([
      1, 1,
    ]);
  });

  it.each([
    {
      name: 'of which one is within the object',
      range: 'bytes=0-9,5000-',
      status: 206,
      contentRange: 'bytes 0-9/1000',
    },
    {
      name: 'of which the later is within the object',
      range: 'bytes=5000-,-5',
      status: 206,
      contentRange: 'bytes 995-999/1000',
    },
    { name: 'that all lie beyond the end', range: 'bytes=5000-,6000-7000', status: 416, contentRange: 'bytes */1000' },
    { name: 'that overlap', range: 'bytes=0-9,5-20', status: 200, contentRange: undefined },
    {
      name: 'nine of them',
      range: `bytes=${Array.from({ length: 9 }, (_, i) => `${i * 10}-${i * 10}`).join()}`,
      status: 200,
      contentRange: undefined,
    },
    { name: 'without end', range: `bytes=${'0-,'.repeat(2000)}0-`, status: 200, contentRange: undefined },
  ])('$name: $status, cold and warm', async ({ range, status, contentRange, name }) => {
    const id = `odd-${name.replaceAll(' ', '-')}`;
    for (let i = 0; i < 2; i += 1) {
      const reply = await setup.get(`/object/${id}/1000`, { Range: range });
      expect([reply.status, reply.headers['content-range']]).toEqual([status, contentRange]);
      await setup.get(`/object/${id}/1000`, { Range: 'bytes=1-1' });
    }
  });

  it('are followed by the next pipelined answer on the same connection', async () => {
    const head = `GET /object/piped/1000 HTTP/1.1\r\nHost: ${origin}\r\n`;
    const text = await raw(
      setup.node.listen.port,
      `${head}Range: bytes=0-9,20-29\r\n\r\n${head}Range: bytes=5-6\r\nConnection: close\r\n\r\n`,
    );
    expect(text.match(/HTTP\/1\.1 206 Partial Content\r\n/g)).toHaveLength(2);
    expect(text.indexOf('Content-Range: bytes 5-6/1000')).toBeGreaterThan(
      text.indexOf('Content-Range: bytes 20-29/1000'),
    );
  });

  it("are the object's bytes for any that do not overlap (property)", async () => {
    const size = 300_000;
    const cuts = fc.uniqueArray(fc.nat(size), { minLength: 4, maxLength: 12 }).map((all) => all.sort((a, b) => a - b));
    await fc.assert(
      fc.asyncProperty(cuts, fc.nat(5), async (points, object) => {
        const ranges: [number, number][] = [];
        for (let i = 0; i + 1 < points.length; i += 2) ranges.push([points[i] ?? 0, points[i + 1] ?? 0]);
        const value = ranges.map(([start, end]) => `${start}-${end - 1}`).join(', ');
        const id = `property-${object}`;
        expectParts(await setup.get(`/object/${id}/${size}`, { Range: `bytes=${value}` }), id, size, ranges);
      }),
      { numRuns: 60, seed: 20_261_121 },
    );
  });
});
