// One contract for all ways to take a body in: read as it comes, gathered by the kernel first, dropped there.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpConnection } from '../../common/http-connection.ts';
import { loadKernelReads } from '../../common/kernel-reads.ts';

const kernelReads = loadKernelReads();
const ways = [
  { way: 'read as it comes', kernelReads: undefined, drops: false },
  ...(kernelReads === undefined
    ? []
    : [
        { way: 'gathered by the kernel', kernelReads, drops: false },
        { way: 'dropped in the kernel', kernelReads, drops: true },
      ]),
] as const;
type Way = (typeof ways)[number];

/** One answer of the server: `after`: what it does once the body's bytes are out. */
type Scripted = {
  readonly status: 200 | 206 | 404;
  readonly framing: 'length' | 'chunked';
  readonly bytes: number;
  readonly after: 'nothing' | 'extra byte' | 'close';
  /** It closes, or falls silent, when so many are missing. */
  readonly missing: number;
};

let server: net.Server;
let port: number;
/** What the next connection is answered with. */
let script: readonly Scripted[] = [];
const sockets: net.Socket[] = [];

const head = ({ status, framing, bytes }: Scripted): string =>
  `HTTP/1.1 ${status} Test\r\n${framing === 'length' ? `Content-Length: ${bytes}` : 'Transfer-Encoding: chunked'}\r\n\r\n`;

function answer(socket: net.Socket, scripted: Scripted): void {
  const body = Buffer.alloc(scripted.bytes - scripted.missing, 0x61);
  socket.write(head(scripted));
  if (scripted.framing === 'length') socket.write(body);
  else {
    if (body.length > 0) socket.write(Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, crlf]));
    if (scripted.missing === 0) socket.write('0\r\n\r\n');
  }
  if (scripted.after === 'extra byte') socket.write('X');
  if (scripted.after === 'close') socket.end();
}

const crlf = Buffer.from('\r\n');

beforeAll(async () => {
  server = net.createServer({ noDelay: true }, (socket) => {
    sockets.push(socket);
    const left = [...script];
    socket.on('error', () => undefined);
    socket.on('data', () => {
      const next = left.shift();
      if (next !== undefined) answer(socket, next);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as net.AddressInfo).port;
});

afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

type Outcome = { readonly answers: string[]; bodyBytes: number; answerCount: number; cut: boolean };
type Taken = { readonly outcome: Outcome; readonly droppedBytes: number };

/** Asks for one answer after the other, until all have come or one has failed; resolves when the connection is closed. */
function take(answers: readonly Scripted[], { kernelReads: reads, drops }: Way): Promise<Taken> {
  script = answers;
  let droppedBytes = 0;
  const lines: string[] = [];
  return new Promise((resolve) => {
    let bytes = 0;
    const sink = {
      onHead: ({ statusCode }: { readonly statusCode: number }) => {
        bytes = 0;
        lines.push(`${statusCode}`);
      },
      onBody: (_: Buffer, start: number, end: number) => {
        bytes += end - start;
      },
      onDropped: (count: number) => {
        droppedBytes += count;
        bytes += count;
      },
      onEnd: () => {
        lines.push(`${bytes} bytes, complete`);
        if (lines.length === 2 * answers.length || connection.isClosed) connection.close();
        else connection.send('GET / HTTP/1.1\r\n\r\n', sink);
      },
      onFailure: ({ cause, detail }: { readonly cause: string; readonly detail: string }) => {
        lines.push(`${bytes} bytes, ${cause} ${detail}`);
      },
    };
    const connection: HttpConnection = new HttpConnection(
      {
        ...{ host: '127.0.0.1', port, readBuffer: Buffer.allocUnsafeSlow(4096), kernelReads: reads, drops },
        onClose: ({ bodyBytes, answerCount, cut }) => {
          // A failure reaches its request after the connection is closed.
          setImmediate(() => resolve({ outcome: { answers: lines, bodyBytes, answerCount, cut }, droppedBytes }));
        },
      },
      () => connection.send('GET / HTTP/1.1\r\n\r\n', sink),
    );
  });
}

const whole = (bytes: number): Scripted => ({ status: 206, framing: 'length', bytes, after: 'nothing', missing: 0 });

describe.each(ways)('a body that is $way', (way) => {
  it('is counted to the byte, whatever its size', async () => {
    const sizes = [0, 1, 4095, 4096, 4097, 262_144, 262_145, 524_288, 524_289, 1_048_576, 3_000_000];
    const { outcome } = await take(sizes.map(whole), way);
    expect(outcome).toEqual({
      answers: sizes.flatMap((bytes) => ['206', `${bytes} bytes, complete`]),
      bodyBytes: sizes.reduce((sum, bytes) => sum + bytes, 0),
      answerCount: sizes.length,
      cut: false,
    });
  });

  it('ends where its length says: what follows belongs to nobody', async () => {
    const { outcome } = await take([{ ...whole(1_000_000), after: 'extra byte' }, whole(1)], way);
    expect(outcome.answers.slice(0, 2)).toEqual(['206', '1000000 bytes, complete']);
    expect(outcome.bodyBytes).toBe(1_000_000);
  });

  it('that breaks off is counted as far as it came', async () => {
    const { outcome } = await take([{ ...whole(1_000_000), missing: 1, after: 'close' }], way);
    expect(outcome).toEqual({
      ...{ answers: ['206', '999999 bytes, reset SHORT_BODY'], bodyBytes: 999_999, answerCount: 1, cut: true },
    });
  });

  it.skipIf(way === ways[0])('has the outcome of being read as it comes', async () => {
    const scripted: fc.Arbitrary<Scripted> = fc.record({
      status: fc.constantFrom(200, 206, 404),
      framing: fc.constantFrom('length', 'length', 'chunked'),
      bytes: fc.oneof(fc.nat(10_000), fc.nat(600_000)),
      after: fc.constant('nothing'),
      missing: fc.constant(0),
    });
    const ending = fc.record({ bytes: fc.integer({ min: 1, max: 400_000 }), missing: fc.nat(1) });
    await fc.assert(
      fc.asyncProperty(fc.array(scripted, { maxLength: 4 }), ending, async (answers, { bytes, missing }) => {
        const all = [...answers, { ...whole(bytes), missing, after: 'close' } as const];
        const plain = await take(all, ways[0]);
        expect((await take(all, way)).outcome).toEqual(plain.outcome);
      }),
      { numRuns: Number(process.env['ORACLE_RUNS'] ?? 30), seed: 20_261_128 },
    );
  });
});

describe.skipIf(kernelReads === undefined)('the kernel', () => {
  const gathered = ways[1] as Way;
  const dropped = ways[2] as Way;
  /** The most bytes that were waited for since this was 0. */
  let mostBytes = 0;
  const watchedReads: NonNullable<Way['kernelReads']> = {
    drop: (fd, count) => gathered.kernelReads?.drop(fd, count) ?? 0,
    wakeAt: (fd, bytes) => {
      mostBytes = Math.max(mostBytes, bytes);
      gathered.kernelReads?.wakeAt(fd, bytes);
    },
  };

  it('drops bodies of known length and 2xx only: all others are read', async () => {
    const chunked = { ...whole(300_000), framing: 'chunked' } as const;
    expect((await take([whole(1_000_000)], dropped)).droppedBytes).toBeGreaterThan(500_000);
    expect((await take([{ ...whole(1_000_000), status: 404 }, chunked], dropped)).droppedBytes).toBe(0);
  });

  it('gathers more where connections are few, and less again where they are many', async () => {
    const most = async (): Promise<number> => {
      mostBytes = 0;
      await take([whole(3_000_000)], { ...gathered, kernelReads: watchedReads });
      return mostBytes;
    };
    expect(await most()).toBe(512 * 1024);
    const readBuffer = Buffer.allocUnsafeSlow(4096);
    const others = await Promise.all(
      Array.from(
        { length: 128 },
        () =>
          new Promise<HttpConnection>((resolve) => {
            const one: HttpConnection = new HttpConnection({ host: '127.0.0.1', port, readBuffer }, () => resolve(one));
          }),
      ),
    );
    expect(await most()).toBe(256 * 1024);
    for (const [index, one] of others.entries()) {
      if (index % 2 === 0) one.close();
      else one.reset();
    }
    expect(await most()).toBe(512 * 1024);
  });

  it('gathers less from a sender that was slow', async () => {
    script = [whole(3_000_000), whole(3_000_000)];
    const options = { host: '127.0.0.1', port, readBuffer: Buffer.allocUnsafeSlow(4096), kernelReads: watchedReads };
    const connection: HttpConnection = await new Promise((resolve) => {
      const opened: HttpConnection = new HttpConnection(options, () => resolve(opened));
    });
    const answer = (onHead: () => void): Promise<void> =>
      new Promise((resolve, reject) => {
        connection.send('GET / HTTP/1.1\r\n\r\n', {
          onHead,
          onBody: () => undefined,
          onEnd: resolve,
          onFailure: ({ detail }) => reject(new Error(detail)),
        });
      });
    await answer(() => connection.readAtOnce());
    mostBytes = 0;
    await answer(() => undefined);
    expect(mostBytes).toBe(256 * 1024);
    connection.reset();
  });

  it('keeps what a slow sender has sent until the reader asks for it', async () => {
    script = [{ ...whole(1_000_000), missing: 999_000 }];
    let received = 0;
    let heard: () => void = () => undefined;
    const hears = (): Promise<void> =>
      new Promise((resolve) => {
        heard = resolve;
      });
    const options = { host: '127.0.0.1', port, readBuffer: Buffer.allocUnsafeSlow(262_144), ...gathered };
    const connection: HttpConnection = await new Promise((resolve) => {
      const opened: HttpConnection = new HttpConnection(options, () => resolve(opened));
    });
    const first = hears();
    connection.send('GET / HTTP/1.1\r\n\r\n', {
      onHead: () => undefined,
      onBody: (_, start, end) => {
        received += end - start;
        if (received >= 1000) heard();
      },
      onEnd: () => undefined,
      onFailure: () => undefined,
    });
    await first;
    const side = sockets.at(-1) as net.Socket;
    // Written one after the other, each after the kernel took the one before: without gathering they would wake us one by one.
    for (let i = 0; i < 50; i += 1) {
      await new Promise<void>((resolve) => side.write(Buffer.alloc(100), () => resolve()));
      await new Promise(setImmediate);
    }
    expect(received).toBe(1000);
    const rest = new Promise<void>((resolve) => {
      heard = () => {
        if (received === 6000) resolve();
      };
    });
    connection.readAtOnce();
    await rest;
    connection.reset();
  });
});
