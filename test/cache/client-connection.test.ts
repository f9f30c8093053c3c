// A client's connection against clients that are slow, greedy or hostile: real sockets, and a clock that the test turns.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { headBytesMax, type RequestHead } from '../../cache/http/request-head.ts';
import { headText } from '../../cache/worker/answer-head.ts';
import { ClientConnection, type ConnectionHost, type SocketHandle } from '../../cache/worker/client-connection.ts';
import type { SendFile } from '../../cache/worker/send-file.ts';

const ok = (connection: ClientConnection): string => headText(200, { 'Content-Length': '0' }, connection);

/** A worker that notes what it is asked, and answers as the test says. */
class Host implements ConnectionHost {
  readonly limits = { headTimeoutMs: 20_000, idleTimeoutMs: 120_000, readerBytesPerSecondMin: 1000 };
  unacknowledgedBytes = 2_000_000;
  readonly sendFile: SendFile = {
    send: () => 0,
    sendLead: () => 0,
    isCached: () => false,
    readCached: () => 0,
    unacknowledged: () => this.unacknowledgedBytes,
  };
  coarseNowMs = 1_000_000;
  readonly asked: RequestHead[] = [];
  readonly refusals: number[] = [];
  answeredCount = 0;
  closedCount = 0;
  connection: ClientConnection | undefined;
  respond: (connection: ClientConnection, head: RequestHead) => void = (connection) => {
    connection.sendHead(ok(connection));
    connection.endAnswer();
  };
  #heard: (() => void) | undefined;

  answer(connection: ClientConnection, head: RequestHead): void {
    this.asked.push(head);
    this.respond(connection, head);
    this.#heard?.();
  }

  refused(_connection: ClientConnection, refusal: { status: number }): void {
    this.refusals.push(refusal.status);
  }

  answered(): void {
    this.answeredCount += 1;
  }

  closed(): void {
    this.closedCount += 1;
  }

  /** Turns the clock, and looks at the connection. */
  pass(ms: number): void {
    this.coarseNowMs += ms;
    this.connection?.sweep(this.coarseNowMs);
  }

  async untilAsked(count: number): Promise<void> {
    while (this.asked.length < count) await new Promise<void>((resolve) => (this.#heard = resolve));
  }
}

let host: Host;
const server = net.createServer({ pauseOnConnect: true }, (socket) => {
  const { _handle: handle } = socket as unknown as { _handle: SocketHandle };
  host.connection = new ClientConnection(1, handle, host);
  server.emit('connected');
});
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());
beforeEach(() => {
  host = new Host();
});

type Client = {
  readonly socket: net.Socket;
  readonly came: () => string;
  readonly ended: Promise<unknown>;
  readonly connection: ClientConnection;
};

async function connect(): Promise<Client> {
  const connected = once(server, 'connected');
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const parts: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (part: Buffer) => parts.push(part));
  const ended = once(socket, 'close').catch(() => undefined);
  await Promise.all([connected, once(socket, 'connect')]);
  if (host.connection === undefined) throw new Error('nobody connected');
  return { socket, came: () => Buffer.concat(parts).toString('latin1'), ended, connection: host.connection };
}

/** Waits until the connection has read so many bytes. */
async function untilRead({ connection }: Client, bytes: number): Promise<void> {
  while (connection.socket.bytesRead < bytes) await new Promise((resolve) => setImmediate(resolve));
}

/** The connection has ended at the node's side. */
async function closed({ connection }: Client): Promise<void> {
  connection.destroy();
  while (host.closedCount === 0) await new Promise((resolve) => setImmediate(resolve));
}

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

describe('a head', () => {
  it('may come byte by byte', async () => {
    const client = await connect();
    for (const letter of get) {
      client.socket.write(letter);
      await untilRead(client, client.socket.bytesWritten);
    }
    await host.untilAsked(1);
    client.socket.end();
    await client.ended;
    expect(client.came()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });

  it('that takes longer than the limit is not answered, however it trickles', async () => {
    const client = await connect();
    client.socket.write('GET / HT');
    await untilRead(client, 8);
    host.pass(19_000);
    client.socket.write('TP/1.1\r\nX: ');
    await untilRead(client, 19);
    expect(client.connection.socket.writableEnded).toBe(false);
    host.pass(1001);
    await client.ended;
    expect([host.refusals, client.came()]).toEqual([[], '']);
  });

  it('without end is refused once it is too long, and what follows is dropped', async () => {
    for (const [status, start] of [
      [431, 'GET / HTTP/1.1\r\nHost: a\r\nX: '],
      [414, 'GET /'],
    ] as const) {
      host = new Host();
      const client = await connect();
      client.socket.write(start + 'x'.repeat(headBytesMax));
      client.socket.write('y'.repeat(500_000));
      client.socket.end();
      await client.ended;
      expect([host.refusals, client.came().slice(0, 12)]).toEqual([[status], `HTTP/1.1 ${status}`]);
    }
  });

  it('that is no HTTP is refused at its first byte, one with bare line feeds at its first line', async () => {
    for (const text of ['\x16\x03\x01\x02\x00', 'GET / HTTP/1.1\nHost: a\n\n']) {
      host = new Host();
      const client = await connect();
      client.socket.write(text, 'latin1');
      await client.ended;
      expect([host.refusals, client.came().slice(0, 12)]).toEqual([[400], 'HTTP/1.1 400']);
    }
  });

  it('may be preceded by empty lines', async () => {
    const client = await connect();
    client.socket.end(`\r\n\r\n${get}`);
    await client.ended;
    expect(host.asked).toHaveLength(1);
  });
});

describe('a connection', () => {
  it('that is idle for longer than the limit is closed without a word', async () => {
    const client = await connect();
    client.socket.write(get);
    await host.untilAsked(1);
    host.pass(119_000);
    expect(client.connection.isIdle).toBe(true);
    host.pass(1001);
    await client.ended;
    expect(client.came().match(/HTTP\/1\.1/g)).toHaveLength(1);
    await closed(client);
    expect(host.closedCount).toBe(1);
  });

  it('is closed under a client that goes on after it was refused', async () => {
    const client = await connect();
    client.socket.write('BAD\r\n\r\n');
    client.socket.on('end', () => undefined);
    client.socket.allowHalfOpen = true;
    await once(client.socket, 'end');
    host.pass(2001);
    expect(client.connection.isGone).toBe(true);
    await closed(client);
    client.socket.destroy();
  });

  it('answers pipelined requests in order, one at a time', async () => {
    const waiting: (() => void)[] = [];
    host.respond = (connection, head) => {
      waiting.push(() => {
        connection.sendHead(headText(200, { 'Content-Length': '0', 'X-Target': head.target }, connection));
        connection.endAnswer();
      });
    };
    const client = await connect();
    client.socket.end(['/a', '/b', '/c'].map((target) => get.replace('/ ', `${target} `)).join(''));
    for (let count = 1; count <= 3; count += 1) {
      await host.untilAsked(count);
      expect(host.asked).toHaveLength(count);
      waiting[count - 1]?.();
    }
    await client.ended;
    expect(client.came().match(/X-Target: \/./g)).toEqual(['X-Target: /a', 'X-Target: /b', 'X-Target: /c']);
  });

  it('reads no more than a bounded amount of pipelined requests while it answers one', async () => {
    host.respond = () => undefined;
    const client = await connect();
    client.socket.write(get.repeat(400_000));
    await host.untilAsked(1);
    let before = -1;
    while (client.connection.socket.bytesRead > before) {
      before = client.connection.socket.bytesRead;
      for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(before).toBeLessThanOrEqual(4 * headBytesMax + 2 * 65_536);
    expect(host.asked).toHaveLength(1);
    client.socket.destroy();
    await closed(client);
  });
});

describe('a reader', () => {
  const bytes = 64 * 2 ** 20;

  /** A client that has asked for 64 MiB, and has not read a byte. */
  async function stalled(): Promise<{ client: Client; taken: () => number | undefined }> {
    let result: number | undefined;
    host.respond = (connection) => {
      connection.sendHead(headText(200, { 'Content-Length': String(bytes) }, connection));
      connection.send(Buffer.alloc(bytes), bytes, (count) => {
        result = count;
      });
    };
    const client = await connect();
    client.socket.pause();
    client.socket.write(get);
    await host.untilAsked(1);
    return { client, taken: () => result };
  }

  it('that takes nothing for a minute is cut, and only what the kernel took is counted', async () => {
    const { client, taken } = await stalled();
    host.pass(1000);
    host.pass(59_000);
    expect(client.connection.isGone).toBe(false);
    host.pass(1000);
    expect(client.connection.isGone).toBe(true);
    await closed(client);
    expect(taken()).toBeLessThan(bytes);
    expect(client.connection.entry().cut).toBe(true);
    client.socket.destroy();
  });

  it('that has had more than the least rate is left alone, though the kernel takes nothing meanwhile', async () => {
    const { client } = await stalled();
    host.pass(1000);
    for (let minute = 0; minute < 10; minute += 1) {
      host.unacknowledgedBytes -= 60_001;
      host.pass(60_000);
    }
    expect(client.connection.isGone).toBe(false);
    host.unacknowledgedBytes -= 59_000;
    host.pass(60_000);
    expect(client.connection.isGone).toBe(true);
    await closed(client);
    client.socket.destroy();
  });

  it('is not blamed while nothing waits for it', async () => {
    host.respond = (connection) => connection.sendHead(headText(200, { 'Content-Length': '5' }, connection));
    const client = await connect();
    client.socket.write(get);
    await host.untilAsked(1);
    for (let minute = 0; minute < 10; minute += 1) host.pass(60_000);
    expect(client.connection.isGone).toBe(false);
    client.socket.destroy();
    await closed(client);
  });
});
