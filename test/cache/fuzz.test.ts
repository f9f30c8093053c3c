// Garbage, half garbage and nearly good requests, pipelined, cut into pieces and broken off: whatever comes, the node
// answers with HTTP or closes, sends nobody a wrong byte, asks the origin for nothing strange, and goes on.
// `FUZZ_SEED` and `FUZZ_CASES` (default 1500) choose others.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomCases } from '../random-cases.ts';
import { adminJson, childrenOf, type Program, startProgram, until } from './node-process.ts';

const host = 'fuzz.test';
const sizeBytes = 50_000;
const content = Buffer.from(Array.from({ length: sizeBytes }, (_, i) => (i * 31 + (i >> 8) * 7) & 0xff));
const seed = Number(process.env['FUZZ_SEED'] ?? 1);
const cases = Number(process.env['FUZZ_CASES'] ?? randomCases(1500));

/** What the origin was asked that it should never be asked. */
const strange: string[] = [];
const originServer = http.createServer((request, response) => {
  const { method, url = '', headers } = request;
  const isUsual = (method === 'GET' || method === 'HEAD') && url.startsWith('/') && headers.host === host;
  if (!isUsual || /cacheHostOrigin/i.test(url) || headers['content-length'] !== undefined)
    strange.push(`${method} ${url} ${JSON.stringify(headers)}`);
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = Math.min(sizeBytes, range?.[2] ? Number(range[2]) + 1 : sizeBytes);
  if (start >= end) {
    response.writeHead(416, { 'Content-Range': `bytes */${sizeBytes}`, 'Content-Length': 0 }).end();
    return;
  }
  const fields: http.OutgoingHttpHeaders = {
    ETag: '"1"',
    'Cache-Control': 'max-age=600',
    'Content-Length': end - start,
  };
  if (range !== null) fields['Content-Range'] = `bytes ${start}-${end - 1}/${sizeBytes}`;
  response
    .writeHead(range === null ? 200 : 206, fields)
    .end(method === 'HEAD' ? undefined : content.subarray(start, end));
});

let folder = '';
let node: Program;
beforeAll(async () => {
  originServer.listen(0, '127.0.0.1');
  await once(originServer, 'listening');
  folder = mkdtempSync(join(tmpdir(), 'cache-fuzz-'));
  node = await startProgram('cache/main', [
    ...['--drive', `${folder}=50MB`, '--listen', '127.0.0.1:0', '--exit-with-parent', '--workers', '1'],
    ...['--origin', `${host}=127.0.0.1:${(originServer.address() as net.AddressInfo).port}`],
  ]);
});
afterAll(async () => {
  await node.end('SIGKILL');
  originServer.close();
  originServer.closeAllConnections();
  rmSync(folder, { recursive: true, force: true });
});

const field = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('Range: bytes=0-99', 'Range: bytes=100-40000', 'Accept: */*', 'X-A: b') },
  fc.constantFrom(
    ...[`Host: ${host}`, 'Host: evil.test', 'Host:', 'Host: 127.0.0.1', `Host: ${host}:80`, `HOST: ${host}`],
    ...[
      'Range: bytes=0-99',
      'Range: bytes=-1',
      'Range: bytes=5-1',
      'Range: bytes=0-0,2-3',
      'Range: bytes=99999999999999999999-',
    ],
    ...[
      'Content-Length: 0',
      'Content-Length: 10',
      'Content-Length: -1',
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: x',
    ],
    ...[
      'Connection: close',
      'Connection: keep-alive',
      'Connection: Host, Range',
      'Upgrade: websocket',
      'Expect: 100-continue',
    ],
    ...[
      'If-None-Match: "1"',
      'If-None-Match: *',
      'If-Match: "2"',
      'If-Range: "1"',
      'If-Range: W/"1"',
      'Via: 1.1 x',
      'TE: trailers',
    ],
    ...[
      'Authorization: Basic eDp5',
      'Cookie: a=b',
      ' folded: x',
      'X : y',
      'NoColon',
      ': nothing',
      `X: ${'y'.repeat(5000)}`,
    ],
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
);
const target = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('/a', '/b?x=1', '/d?cacheHostOrigin=evil.test') },
  fc.constantFrom(
    ...[
      '/a',
      '/b?x=1',
      `/c?cacheHostOrigin=${host}`,
      '/d?cacheHostOrigin=evil.test',
      '/e?cacheHostOrigin=127.0.0.1',
      '/../etc/passwd',
    ],
    ...[
      `http://${host}/f`,
      'http://evil.test/g',
      `http://user@${host}/h`,
      `https://${host}/i`,
      '*',
      '//a//b',
      '/%00',
      '/%2e%2e/x',
      '/a#b',
    ],
    ...[
      `/j?cacheHostOrigin=${host}&cachehostorigin=evil.test`,
      '/k?cacheHostOrigin=%00',
      `/${'l'.repeat(9000)}`,
      '/m?P1=1&P2=2',
    ],
  ),
  fc.webPath(),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const method = fc.constantFrom(
  'GET',
  'GET',
  'GET',
  'GET',
  'HEAD',
  'POST',
  'CONNECT',
  'TRACE',
  'OPTIONS',
  'get',
  'G\tT',
  '',
);
const version = fc.constantFrom(
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'HTTP/1.15',
  'http/1.1',
  '',
);
const request = fc
  .record({
    method,
    target,
    version,
    fields: fc.array(field, { maxLength: 6 }),
    hasHost: fc.nat(9).map((n) => n > 1),
    end: fc.constantFrom('\r\n\r\n', '\r\n\r\n', '\r\n\r\n', '\n\n', '\r\n', ''),
  })
  .map(
    (r) =>
      [`${r.method} ${r.target} ${r.version}`, ...(r.hasHost ? [`Host: ${host}`] : []), ...r.fields].join('\r\n') +
      r.end,
  );
const stream = fc.record({
  bytes: fc
    .array(
      fc.oneof(
        { weight: 8, arbitrary: request },
        { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
      ),
      { minLength: 1, maxLength: 5 },
    )
    .map((all) => Buffer.from(all.join(''), 'latin1')),
  cuts: fc.array(fc.nat(2000), { maxLength: 4 }),
  flips: fc.array(fc.record({ at: fc.nat(2000), to: fc.nat(255) }), { maxLength: 2 }),
  end: fc.constantFrom('half', 'half', 'reset'),
});

type Answer = { readonly status: number; readonly head: string; readonly body: Buffer };

/** Sends a stream in its pieces; resolves to all that came. Fails when the connection does not end within 5 s. */
async function converse(bytes: Buffer, cuts: readonly number[], end: string): Promise<Buffer> {
  const socket = net.connect({ port: node.listen.port, host: '127.0.0.1', noDelay: true });
  const came: Buffer[] = [];
  socket.on('data', (part: Buffer) => came.push(part)).on('error', () => undefined);
  const points = [...new Set([...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const point of points) {
    if (!socket.destroyed)
      await new Promise<void>((resolve) => socket.write(bytes.subarray(from, point), () => resolve()));
    from = point;
  }
  if (end === 'reset') socket.resetAndDestroy();
  else if (!socket.destroyed) socket.end();
  if (!socket.closed) {
    const timer = setTimeout(() => socket.destroy(new Error('the node let the connection hang')), 5000);
    const errors: Error[] = [];
    socket.on('error', (error) => errors.push(error));
    await once(socket, 'close').catch(() => undefined);
    clearTimeout(timer);
    expect(errors.filter((error) => error.message.includes('hang'))).toEqual([]);
  }
  return Buffer.concat(came);
}

/** Reads answers off by RFC 9112, 6.3; the last one may have been broken off by the end of the conversation. */
function answersIn(bytes: Buffer, isBrokenOff: boolean): Answer[] {
  const answers: Answer[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd < 0) {
      expect(isBrokenOff).toBe(true);
      break;
    }
    const head = rest.toString('latin1', 0, headEnd);
    const status = Number(/^HTTP\/1\.1 (\d{3}) [A-Za-z -]+\r\n/.exec(`${head}\r\n`)?.[1]);
    expect(
      head
        .split('\r\n')
        .slice(1)
        .every((line) => /^[A-Za-z-]+: [^\r\n]*$/.test(line)),
    ).toBe(true);
    expect(status).toBeGreaterThanOrEqual(200);
    const length = Number(/\r\nContent-Length: (\d+)/.exec(head)?.[1] ?? 0);
    const body = rest.subarray(headEnd + 4, headEnd + 4 + length);
    // Of HEAD only a head comes: what follows is the next answer.
    const hasBody = length > 0 && body.length > 0 && body.toString('latin1', 0, 9) !== 'HTTP/1.1 ';
    if (hasBody && body.length < length) expect(isBrokenOff).toBe(true);
    answers.push({ status, head, body: hasBody ? body : Buffer.alloc(0) });
    rest = rest.subarray(headEnd + 4 + (hasBody ? length : 0));
  }
  return answers;
}

function expectRight({ status, head, body }: Answer): void {
  if ((status !== 200 && status !== 206) || body.length === 0) return;
  if (head.includes('multipart/byteranges')) return; // parts.test.ts reads those
  const start = Number(/\r\nContent-Range: bytes (\d+)-/.exec(head)?.[1] ?? 0);
  expect(body.equals(content.subarray(start, start + body.length))).toBe(true);
}

it('the node stands whatever it is sent', async () => {
  const workers = childrenOf(node.pid);
  const statuses = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(stream, async ({ bytes, cuts, flips, end }) => {
      for (const { at, to } of flips) if (at < bytes.length) bytes[at] = to;
      const answers = answersIn(await converse(bytes, cuts, end), end === 'reset');
      for (const answer of answers) {
        expectRight(answer);
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      }
      // Each answer is to a request that ended with an empty line, or was refused before.
      expect(answers.length).toBeLessThanOrEqual(bytes.toString('latin1').split('\r\n\r\n').length + 1);
      expect(strange).toEqual([]);
    }),
    { numRuns: cases, seed },
  );
  expect(childrenOf(node.pid)).toEqual(workers);
  expect(node.log()).toBe('');
  // It has seen good ones and bad ones.
  for (const status of [200, 206, 400, 403, 405]) expect([status, statuses.get(status) ?? 0]).not.toEqual([status, 0]);
  const good = await converse(Buffer.from(`GET /a HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`), [], 'half');
  expect(answersIn(good, false)[0]?.body.equals(content)).toBe(true);
  const books = await until(
    () => adminJson(node, 'GET', '/books') as Promise<Record<string, number>>,
    ({ connectionsOpen }) => connectionsOpen === 0,
  );
  expect((books['hitBytes'] ?? 0) + (books['missBytes'] ?? 0)).toBe(books['egressBytes']);
}, 60_000);
