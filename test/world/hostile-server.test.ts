// Servers that no good client ought to trust: what they do to HTTP and TCP, and the outcome that it counts as. In every case the
// device goes on at the CDN, the books balance, and nothing is left: no transfer that waits, no socket, no timer. (What a cache
// host may do within HTTP is in live-fleet.test.ts.)

import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cdn } from '../../simulator/cloud/cdn.ts';
import { pieceBytes } from '../../simulator/device/range-plan.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import {
  addressOf,
  cdnOf,
  expectBalanced,
  expectOwnBooks,
  fleetOf,
  scenarioOf,
  until,
  withServer,
} from './fleet-run.ts';
import { type Answer, contentOf, partHead, servesContent } from './raw-server.ts';

/** Three pieces, the last one short; with the seed below a whole one comes first. */
const sizeBytes = 2 * pieceBytes + 1000;

const fleet = (devices: number): string => `
seed: 3
content: [{ id: update, size: ${sizeBytes} B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: ${devices}, cacheHosts: [hq], wants: [update] }]`;
const oneDevice = scenarioOf(fleet(1));
/** A range every 5 ms. */
const window = scenarioOf(`${fleet(3)}\nlive: { window: 10 s, demand: 140 MB/s }`);

/** Long, but for servers whose slowness is to be noticed: this process is both sides, and may itself be slow. */
const timeouts = { connectMs: 10_000, stallMs: 10_000, idleCloseMs: 28_500 };
const shortTimeouts = { ...timeouts, stallMs: 400 };

let cdn: Cdn;
beforeEach(async () => {
  cdn = await cdnOf(oneDevice);
});
afterEach(() => cdn.stop());

const right = servesContent(sizeBytes);

/** Sends these bytes in answer to each request. */
const says =
  (...texts: readonly string[]): Answer =>
  (_, socket) => {
    for (const text of texts) socket.write(text, 'latin1');
  };

/** A right head and body, with this put into the head. */
const withHead =
  (fields: Readonly<Record<string, string | undefined>>): Answer =>
  (request, socket, sent) => {
    socket.write(partHead(request, sizeBytes, fields), 'latin1');
    socket.write(contentOf(request));
    sent(request.end - request.start);
  };

/** Goes on writing until the client has had enough. */
function drip(socket: Socket, everyMs: number, bytes: () => Buffer | string): void {
  const timer = setInterval(() => socket.write(bytes()), everyMs);
  socket.on('close', () => clearInterval(timer));
}

const chunkedHead = { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' };

type Row = {
  readonly name: string;
  readonly answer?: Answer;
  readonly greet?: (socket: Socket) => void;
  readonly cause: string;
  readonly detail: RegExp | string;
  /** Whether body bytes came, to no avail. */
  readonly refetched?: boolean | 'perhaps';
};

const rows: readonly Row[] = [
  // Bytes that are no answer
  {
    name: 'HTTP/0.9: a body alone',
    answer: (request, socket) => socket.end(contentOf(request)),
    cause: 'badResponse',
    detail: 'BAD_STATUS_LINE',
  },
  {
    name: 'a TLS alert',
    answer: says('\x15\x03\x01\x00\x02\x02\x46'),
    cause: 'badResponse',
    detail: 'BAD_STATUS_LINE',
  },
  {
    name: 'HTTP/2 settings',
    answer: says('\x00\x00\x00\x04\x00\x00\x00\x00\x00'),
    cause: 'badResponse',
    detail: 'BAD_STATUS_LINE',
  },
  { name: 'NUL bytes only', answer: says('\0'.repeat(70_000)), cause: 'badResponse', detail: 'BAD_STATUS_LINE' },
  {
    name: 'a NUL in a field',
    answer: withHead({ 'X-Null': 'a\0b' }),
    cause: 'badResponse',
    detail: 'BAD_HEADER_VALUE',
  },
  {
    name: 'a line end without CR',
    answer: says('HTTP/1.1 206 Partial Content\nContent-Length: 5\n\nhello'),
    cause: 'badResponse',
    detail: 'BAD_LINE_END',
  },
  {
    name: 'a folded field',
    answer: withHead({ 'X-Folded': 'a\r\n b' }),
    cause: 'badResponse',
    detail: 'OBSOLETE_FOLD',
  },
  { name: 'a field without a name', answer: withHead({ '': 'x' }), cause: 'badResponse', detail: 'BAD_HEADER_NAME' },
  {
    name: 'a head of 1 MB',
    answer: withHead({ 'X-Long': 'x'.repeat(1e6) }),
    cause: 'badResponse',
    detail: 'HEAD_TOO_LARGE',
  },
  {
    name: 'a head of 50,000 fields',
    answer: says(`HTTP/1.1 206 Partial Content\r\n${'X-Field: y\r\n'.repeat(50_000)}\r\n`),
    cause: 'badResponse',
    detail: 'HEAD_TOO_LARGE',
  },
  {
    name: 'another protocol',
    answer: says('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'),
    cause: 'badResponse',
    detail: 'UNEXPECTED_UPGRADE',
  },
  {
    name: 'a thousand interim answers',
    answer: says('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(1000)),
    cause: 'badResponse',
    detail: 'TOO_MANY_INTERIM_ANSWERS',
  },
  // Framing
  {
    name: 'two lengths',
    answer: withHead({ 'content-length': '3' }),
    cause: 'badResponse',
    detail: 'BAD_CONTENT_LENGTH',
  },
  {
    name: 'a length below zero',
    answer: withHead({ 'Content-Length': '-1' }),
    cause: 'badResponse',
    detail: 'BAD_CONTENT_LENGTH',
  },
  {
    name: 'a length of 10^15',
    answer: withHead({ 'Content-Length': '1000000000000000' }),
    cause: 'badResponse',
    detail: 'status 206 with another Content-Length',
  },
  {
    name: 'a length and chunks',
    answer: withHead({ 'Transfer-Encoding': 'chunked' }),
    cause: 'badResponse',
    detail: 'LENGTH_AND_CODING',
  },
  {
    name: 'an unknown transfer-coding',
    answer: withHead({ ...chunkedHead, 'Transfer-Encoding': 'gzip, chunked' }),
    cause: 'badResponse',
    detail: 'UNSUPPORTED_TRANSFER_CODING',
  },
  {
    name: 'a chunk whose size is no number',
    answer: (request, socket) => socket.write(`${partHead(request, sizeBytes, chunkedHead)}five\r\nhello\r\n`),
    cause: 'badResponse',
    detail: 'BAD_CHUNK',
  },
  {
    name: 'a chunk of 2^56 bytes',
    answer: (request, socket) => socket.write(`${partHead(request, sizeBytes, chunkedHead)}100000000000000\r\n`),
    cause: 'badResponse',
    detail: 'BAD_CHUNK',
  },
  {
    name: 'a chunk line of 1 MB',
    answer: (request, socket) => socket.write(`${partHead(request, sizeBytes, chunkedHead)}5;x="${'y'.repeat(1e6)}`),
    cause: 'badResponse',
    detail: 'HEAD_TOO_LARGE',
  },
  {
    name: 'a body without a length that never ends',
    answer: (request, socket, sent) => {
      socket.write(partHead(request, sizeBytes, { 'Content-Length': undefined }));
      socket.write(contentOf(request));
      sent(request.end - request.start);
      drip(socket, 5, () => {
        sent(100_000);
        return Buffer.alloc(100_000);
      });
    },
    cause: 'badResponse',
    detail: 'more bytes than were asked for',
    refetched: true,
  },
  // Wrong meaning
  {
    name: 'a 200 to a range',
    answer: says(`HTTP/1.1 200 OK\r\nContent-Length: ${sizeBytes}\r\n\r\n`),
    cause: 'badResponse',
    detail: 'status 200 to a range',
  },
  ...['301 Moved Permanently', '303 See Other', '307 Temporary Redirect', '308 Permanent Redirect'].map(
    (line): Row => ({
      name: `a redirect, ${line}`,
      answer: says(`HTTP/1.1 ${line}\r\nLocation: http://127.0.0.1:9/x\r\nContent-Length: 0\r\n\r\n`),
      cause: 'badResponse',
      detail: `status ${line.slice(0, 3)}`,
    }),
  ),
  {
    name: 'status 999',
    answer: says('HTTP/1.1 999 Beyond\r\nContent-Length: 0\r\n\r\n'),
    cause: 'status5xx',
    detail: 'status 999',
  },
  {
    name: 'an error whose body never ends',
    answer: (_, socket) => {
      socket.write('HTTP/1.1 404 Not Found\r\n\r\n');
      drip(socket, 5, () => 'x');
    },
    cause: 'status4xx',
    detail: 'status 404',
  },
  {
    name: 'several ranges in one',
    answer: withHead({ 'Content-Range': undefined, 'Content-Type': 'multipart/byteranges; boundary=x' }),
    cause: 'badResponse',
    detail: 'status 206 without Content-Range',
  },
  {
    name: 'the range that could not be',
    answer: withHead({ 'Content-Range': `bytes */${sizeBytes}` }),
    cause: 'badResponse',
    detail: 'status 206 with another Content-Range',
  },
  {
    name: 'bytes that are packed',
    answer: (request, socket, sent) => {
      socket.write(partHead(request, sizeBytes, { 'Content-Encoding': 'gzip' }));
      socket.write(Buffer.alloc(request.end - request.start, '\x1f\x8b'));
      sent(request.end - request.start);
    },
    cause: 'corrupt',
    detail: /^wrong byte at \d+ of update$/,
    refetched: true,
  },
  // Slow, and never
  {
    name: 'a byte of the head now and then',
    answer: (_, socket) => drip(socket, 20, () => 'H'),
    cause: 'badResponse',
    detail: 'BAD_STATUS_LINE',
  },
  {
    name: 'a head that never ends, a byte now and then',
    answer: (_, socket) => {
      socket.write('HTTP/1.1 206 Partial Content\r\nX-Slow: ');
      drip(socket, 20, () => 'x');
    },
    cause: 'timeout',
    detail: 'no body byte for 400 ms',
  },
  {
    name: 'an interim answer now and then',
    answer: (_, socket) => drip(socket, 40, () => 'HTTP/1.1 102 Processing\r\n\r\n'),
    cause: 'timeout',
    detail: 'no body byte for 400 ms',
  },
  {
    name: 'a body in chunks whose trailer never ends',
    answer: (request, socket, sent) => {
      const body = contentOf(request);
      socket.write(`${partHead(request, sizeBytes, chunkedHead)}${body.length.toString(16)}\r\n`);
      socket.write(body);
      sent(body.length);
      socket.write('\r\n0\r\nX-Slow: ');
      drip(socket, 20, () => 'x');
    },
    cause: 'stall',
    detail: 'no body byte for 400 ms',
    refetched: true,
  },
  {
    name: 'nothing, and reads nothing',
    greet: (socket) => socket.pause(),
    cause: 'timeout',
    detail: 'no body byte for 400 ms',
  },
  // The end of a connection
  {
    name: 'an end as soon as it accepts',
    greet: (socket) => socket.end(),
    cause: 'reset',
    detail: 'CLOSED_BEFORE_HEAD',
  },
  {
    name: 'a reset in the middle of the body',
    answer: (request, socket, sent) => {
      socket.write(partHead(request, sizeBytes));
      socket.write(contentOf(request).subarray(0, 300_000), () => setTimeout(() => socket.resetAndDestroy(), 20));
      sent(300_000);
    },
    cause: 'reset',
    detail: /^(ECONNRESET|SHORT_BODY)$/,
    // A reset takes what lay unread in the kernel with it.
    refetched: 'perhaps',
  },
  {
    name: 'an end in the middle of the head',
    answer: (_, socket) => socket.end('HTTP/1.1 206 Partial Content\r\nContent-'),
    cause: 'reset',
    detail: 'CLOSED_IN_HEAD',
  },
  {
    name: 'an end in the middle of a chunk',
    answer: (request, socket, sent) => {
      socket.end(
        Buffer.concat([
          Buffer.from(`${partHead(request, sizeBytes, chunkedHead)}1000\r\n`),
          contentOf(request).subarray(0, 100),
        ]),
      );
      sent(100);
    },
    cause: 'reset',
    detail: 'SHORT_BODY',
    refetched: true,
  },
  // An answer before the request
  {
    name: 'an answer before the request',
    greet: (socket) => socket.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'),
    answer: () => undefined,
    cause: 'status4xx',
    detail: 'status 408',
  },
  {
    name: 'garbage before the request',
    greet: (socket) => socket.write('\0garbage'),
    answer: () => undefined,
    cause: 'badResponse',
    detail: 'BAD_STATUS_LINE',
  },
];

/** What keeps this process alive beside the tests: sockets, and timers. */
function handles(): { readonly sockets: number; readonly timers: number } {
  const all = process.getActiveResourcesInfo();
  const count = (kind: string): number => all.filter((each) => each === kind).length;
  return { sockets: count('TCPSocketWrap'), timers: count('Timeout') };
}

async function play(scenario: Scenario, row: Row): Promise<void> {
  const { answer = right, greet, cause, detail, refetched = false } = row;
  const devices = scenario.fleet[0]?.devices ?? 0;
  await withServer(
    answer,
    async (server, hq) => {
      const before = handles();
      const { fleet, idle } = fleetOf(scenario, {
        ...{ nodes: { hq }, cdns: [addressOf(cdn)] },
        timeouts: cause === 'timeout' || cause === 'stall' ? shortTimeouts : timeouts,
      });
      if (scenario.live !== undefined) expect(await fleet.connectAll()).toBeUndefined();
      fleet.start(Date.now());
      await idle;
      const report = await fleet.stop(0);
      const [group] = report.groups;

      // A counted outcome, once a device, in words.
      expect(report.reading.failedRanges).toEqual({ [cause]: devices });
      const details = Object.keys(report.reading.failureDetails).map((text) => text.replace(`${cause}: `, ''));
      for (const text of details) expect(text).toMatch(typeof detail === 'string' ? new RegExp(`^${detail}$`) : detail);
      expect(report.reading.fallbackDevices).toEqual({ [cause]: devices });
      expect(group).toMatchObject({ completedCount: devices, failedCount: 0, usefulBytes: devices * sizeBytes });

      // Books that balance.
      expectOwnBooks(report);
      if (refetched !== 'perhaps') expect((group?.refetchedBytes ?? 0) > 0).toBe(refetched);
      await until(() => server.openCount === 0 && cdn.books().connectionsOpen === 0);
      expectBalanced(server.ledger(), report.ledgers['hq']);
      expect(expectBalanced(cdn.ledger(), report.ledgers['cdn'])).toBe(0);

      // Nothing that waits, and nothing left.
      expect(fleet.waiting.size).toBe(0);
      await until(() => handles().sockets <= before.sockets && handles().timers <= before.timers);
    },
    greet,
  );
}

describe('a server that sends', () => {
  it.each(rows)('$name: the CDN takes over, by $cause', async (row) => {
    await play(oneDevice, row);
  });
});

describe('a server that resets as soon as it accepts', () => {
  it('has refused the connection or broken it off, as the device sees it first', async () => {
    await withServer(
      right,
      async (server, hq) => {
        const { fleet, idle } = fleetOf(oneDevice, { nodes: { hq }, cdns: [addressOf(cdn)], timeouts });
        fleet.start(Date.now());
        await idle;
        const report = await fleet.stop(0);
        const [cause = '', ...others] = Object.keys(report.reading.failedRanges);
        expect(others).toEqual([]);
        expect(['refused', 'reset']).toContain(cause);
        expect(report.reading.fallbackDevices).toEqual({ [cause]: 1 });
        expect(report.groups[0]).toMatchObject({ completedCount: 1, bytesFromCdn: sizeBytes });
        expectOwnBooks(report);
        await until(() => server.openCount === 0);
        expect(fleet.waiting.size).toBe(0);
      },
      (socket) => socket.resetAndDestroy(),
    );
  });
});

describe('in a live window, a server that sends', () => {
  // What it does before the first request is another test's: there the devices would not even connect.
  const isFirstOfItsKind = (row: Row, index: number): boolean =>
    rows.findIndex(({ cause, detail }) => cause === row.cause && String(detail) === String(row.detail)) === index;
  it.each(rows.filter(isFirstOfItsKind).filter(({ greet }) => greet === undefined))(
    '$name: no range is lost',
    async (row) => {
      await play(window, row);
    },
  );

  it('bytes that nobody asked for: they are counted, and the connection is made again when a range is due', async () => {
    let greeted = 0;
    await withServer(
      right,
      async (server, hq) => {
        const { fleet, idle } = fleetOf(window, { nodes: { hq }, cdns: [addressOf(cdn)], timeouts });
        expect(await fleet.connectAll()).toBeUndefined();
        await until(() => fleet.meter.failedRangeCount === 3);
        fleet.start(Date.now());
        await idle;
        const report = await fleet.stop(0);
        expect(report.reading.failureDetails).toEqual({ 'badResponse: bytes that nobody asked for': 3 });
        expect(report.groups[0]).toMatchObject({
          completedCount: 3,
          bytesFromCacheServer: 3 * sizeBytes,
          bytesFromCdn: 0,
        });
        expect(server.connectionCount).toBe(6);
        expectOwnBooks(report);
        expectBalanced(server.ledger(), report.ledgers['hq']);
      },
      (socket) => {
        greeted += 1;
        if (greeted <= 3) setTimeout(() => socket.write('HTTP/1.1 408 Request Timeout\r\n\r\n'), 100);
      },
    );
  });
});

describe('a server that is odd, and serves all the same,', () => {
  it.each<{ name: string; answer: Answer; connections: number }>([
    {
      name: 'ends the connection after each answer without a word',
      answer: (request, socket, sent) => {
        // What comes until the client sees the end is not answered any more.
        if (request.indexOnConnection > 0) return;
        right(request, socket, sent);
        socket.end();
      },
      connections: 3,
    },
    {
      name: 'resets each connection at its second request',
      answer: (request, socket, sent) => {
        if (request.indexOnConnection > 0) socket.resetAndDestroy();
        else right(request, socket, sent);
      },
      connections: 3,
    },
    {
      name: 'sends small chunks with extensions, and a trailer',
      answer: (request, socket, sent) => {
        const body = contentOf(request);
        socket.write(partHead(request, sizeBytes, chunkedHead));
        for (let at = 0; at < body.length; at += 1000) {
          const part = body.subarray(at, at + 1000);
          socket.write(
            Buffer.concat([Buffer.from(`${part.length.toString(16)};a="b c"\r\n`), part, Buffer.from('\r\n')]),
          );
        }
        socket.write('0\r\nX-Sum: 1\r\n\r\n');
        sent(body.length);
      },
      connections: 1,
    },
    {
      name: 'says sixteen times that it will answer soon',
      answer: (request, socket, sent) => {
        for (let i = 0; i < 16; i += 1) socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
        right(request, socket, sent);
      },
      connections: 1,
    },
    {
      name: 'sends its head a byte at a time',
      answer: (request, socket, sent) => {
        for (const byte of partHead(request, sizeBytes)) socket.write(byte, 'latin1');
        socket.write(contentOf(request));
        sent(request.end - request.start);
      },
      connections: 1,
    },
  ])('$name', async ({ answer, connections }) => {
    await withServer(answer, async (server, hq) => {
      const { fleet, idle } = fleetOf(oneDevice, { nodes: { hq }, cdns: [addressOf(cdn)], timeouts });
      fleet.start(Date.now());
      await idle;
      const report = await fleet.stop(0);
      expect(report.reading.failedRanges).toEqual({});
      expect(report.groups[0]).toMatchObject({ bytesFromCacheServer: sizeBytes, bytesFromCdn: 0, refetchedBytes: 0 });
      expect(server.connectionCount).toBe(connections);
      await until(() => server.openCount === 0);
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBe(0);
      expect(fleet.waiting.size).toBe(0);
    });
  });
});
