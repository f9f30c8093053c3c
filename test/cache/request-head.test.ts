// The heads of requests: what is understood, what is refused, and that nothing is understood which another strict parser
// (Node's own, llhttp) refuses or reads differently.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headBytesMax, parseRequestHead, RequestHead } from '../../cache/http/request-head.ts';

const parse = (...lines: readonly string[]): ReturnType<typeof parseRequestHead> =>
  parseRequestHead(`${lines.join('\r\n')}\r\n\r\n`);

function understood(...lines: readonly string[]): RequestHead {
  const head = parse(...lines);
  if (!(head instanceof RequestHead)) throw new Error(`refused: ${head.status} ${head.reason}`);
  return head;
}

describe('a head', () => {
  it('of the Windows client is understood', () => {
    const head = understood(
      'GET /filestreamingservice/files/x?P1=1&P2=a%2Bb HTTP/1.1',
      'Connection: Keep-Alive',
      'Accept: */*',
      'Accept-Encoding: identity',
      'Range: bytes=0-1048575',
      'User-Agent: Microsoft-Delivery-Optimization/10.0',
      'Content-Length: 0',
      'Host: dl.delivery.mp.microsoft.com',
    );
    expect(head).toMatchObject({
      method: 'GET',
      target: '/filestreamingservice/files/x?P1=1&P2=a%2Bb',
      minorVersion: 1,
      keepAlive: true,
      host: 'dl.delivery.mp.microsoft.com',
      range: 'bytes=0-1048575',
      userAgent: 'Microsoft-Delivery-Optimization/10.0',
    });
  });

  it.each([
    { line: 'Connection: close', version: '1.1', keepAlive: false },
    { line: 'Connection: x, Close', version: '1.1', keepAlive: false },
    { line: 'X: y', version: '1.1', keepAlive: true },
    { line: 'X: y', version: '1.0', keepAlive: false },
    { line: 'Connection: keep-alive', version: '1.0', keepAlive: true },
    { line: 'Connection: close, keep-alive', version: '1.0', keepAlive: false },
  ])('with "$line" in HTTP/$version keeps the connection: $keepAlive', ({ line, version, keepAlive }) => {
    expect(understood(`GET / HTTP/${version}`, 'Host: a', line).keepAlive).toBe(keepAlive);
  });

  it('may come without Host in HTTP/1.0 only', () => {
    expect(understood('GET / HTTP/1.0').host).toBeUndefined();
    expect(parse('GET / HTTP/1.1')).toMatchObject({ status: 400 });
  });

  it('joins lists in several lines, and takes the last Range', () => {
    const head = understood(
      ...['GET / HTTP/1.1', 'Host: a', 'If-None-Match: "a"', 'If-None-Match: "b"', 'Via: 1.1 x', 'via: 1.0 y'],
      ...['Range: bytes=0-1', 'RANGE: bytes=2-3'],
    );
    expect([head.ifNoneMatch, head.via, head.range]).toEqual(['"a", "b"', '1.1 x, 1.0 y', 'bytes=2-3']);
  });

  it.each([
    { status: 400, name: 'two Hosts', lines: ['GET / HTTP/1.1', 'Host: a', 'host: a'] },
    { status: 400, name: 'a folded field', lines: ['GET / HTTP/1.1', 'Host: a', 'X: 1', '\t2'] },
    { status: 400, name: 'a space before the colon', lines: ['GET / HTTP/1.1', 'Host : a'] },
    { status: 400, name: 'no colon', lines: ['GET / HTTP/1.1', 'Host: a', 'X'] },
    { status: 400, name: 'an empty name', lines: ['GET / HTTP/1.1', 'Host: a', ': x'] },
    { status: 400, name: 'a NUL in a value', lines: ['GET / HTTP/1.1', 'Host: a', 'X: a\0b'] },
    { status: 400, name: 'a bare CR in a value', lines: ['GET / HTTP/1.1', 'Host: a', 'X: a\rb'] },
    { status: 400, name: 'a bare LF in a value', lines: ['GET / HTTP/1.1', 'Host: a', 'X: a\nY: b'] },
    { status: 400, name: 'no version', lines: ['GET /', 'Host: a'] },
    { status: 400, name: 'two spaces', lines: ['GET  / HTTP/1.1', 'Host: a'] },
    { status: 400, name: 'a space in the target', lines: ['GET /a b HTTP/1.1', 'Host: a'] },
    { status: 400, name: 'a space after the version', lines: ['GET / HTTP/1.1 ', 'Host: a'] },
    { status: 400, name: 'a tab for a space', lines: ['GET\t/ HTTP/1.1', 'Host: a'] },
    { status: 400, name: 'bytes above 126 in the target', lines: ['GET /\xff HTTP/1.1', 'Host: a'] },
    { status: 400, name: 'a method that is no token', lines: ['G(T / HTTP/1.1', 'Host: a'] },
    { status: 400, name: 'a version in small letters', lines: ['GET / http/1.1', 'Host: a'] },
    { status: 505, name: 'HTTP/2.0', lines: ['GET / HTTP/2.0', 'Host: a'] },
    { status: 413, name: 'a body', lines: ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 1'] },
    { status: 413, name: 'chunks', lines: ['GET / HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked'] },
    {
      status: 400,
      name: 'two lengths',
      lines: ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 0', 'Content-Length: 0'],
    },
    { status: 400, name: 'a list of lengths', lines: ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 0, 0'] },
    { status: 400, name: 'a signed length', lines: ['GET / HTTP/1.1', 'Host: a', 'Content-Length: +0'] },
    { status: 400, name: 'a length in hex', lines: ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 0x0'] },
    {
      status: 400,
      name: 'length and coding',
      lines: ['GET / HTTP/1.1', 'Host: a', 'Content-Length: 0', 'Transfer-Encoding: x'],
    },
    { status: 400, name: 'a coding in HTTP/1.0', lines: ['GET / HTTP/1.0', 'Transfer-Encoding: chunked'] },
    {
      status: 431,
      name: '101 fields',
      lines: ['GET / HTTP/1.1', 'Host: a', ...Array.from({ length: 100 }, (_, i) => `X-${i}: 1`)],
    },
    { status: 414, name: 'a long target', lines: [`GET /${'a'.repeat(9000)} HTTP/1.1`, 'Host: a'] },
  ])('with $name is refused with $status', ({ status, lines }) => {
    expect(parse(...lines)).toMatchObject({ status });
  });
});

describe('beside llhttp', () => {
  let seen: { method: string | undefined; target: string | undefined; host: string | undefined }[] = [];
  const server = http.createServer({ maxHeaderSize: 4 * headBytesMax }, (request, response) => {
    seen.push({ method: request.method, target: request.url, host: request.headers.host });
    response.end();
  });
  let port = 0;
  beforeAll(async () => {
    server.on('clientError', (_error, socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as net.AddressInfo).port;
  });
  afterAll(() => server.close());

  /** What Node's parser makes of bytes that are followed by the end of the connection. */
  async function byLlhttp(text: string): Promise<typeof seen> {
    seen = [];
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.end(text, 'latin1');
    await once(socket, 'close');
    return seen;
  }

  const lines = fc.array(
    fc.oneof(
      fc.constantFrom(
        ...[
          'Host: a',
          'Host: b',
          'Content-Length: 0',
          'Content-Length: 5',
          'Transfer-Encoding: chunked',
          'Connection: close',
        ],
        ...[
          'Range: bytes=0-5',
          ' folded',
          'X:y',
          'X : y',
          ': z',
          'Transfer-Encoding: identity',
          'Content-Length: 00',
          'Expect: 100-continue',
        ],
      ),
      fc.string({ unit: 'binary-ascii', maxLength: 12 }),
    ),
    { maxLength: 5 },
  );
  const requestLine = fc.oneof(
    fc.constantFrom(
      'GET / HTTP/1.1',
      'HEAD /a?b HTTP/1.1',
      'GET / HTTP/1.0',
      'GET http://h/x HTTP/1.1',
      'GET /a b HTTP/1.1',
      'GET / HTTP/1.2',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  );

  it('nothing is understood that it refuses, or reads differently (property)', async () => {
    let both = 0;
    await fc.assert(
      fc.asyncProperty(requestLine, fc.boolean(), lines, async (first, withHost, more) => {
        const text = `${[first, ...(withHost ? ['Host: a'] : []), ...more].join('\r\n')}\r\n\r\n`;
        // The connection hands over what ends with the first empty line.
        const whole = text.slice(0, text.indexOf('\r\n\r\n') + 4);
        const ours = parseRequestHead(whole);
        if (!(ours instanceof RequestHead)) return;
        both += 1;
        expect(await byLlhttp(whole)).toEqual([{ method: ours.method, target: ours.target, host: ours.host }]);
      }),
      { numRuns: 3000, seed: 7 },
    );
    expect(both).toBeGreaterThan(100);
  });
});
