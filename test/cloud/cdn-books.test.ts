// The books, to the byte: equal to what was received when a connection ended cleanly, never less when it was cut.

import { Buffer } from 'node:buffer';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { Agent, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { peerKey } from '../../common/ledger.ts';
import { randomStream } from '../../common/random.ts';
import type { Cdn } from '../../simulator/cloud/cdn.ts';
import { admin, books, connected, until, withCdn } from './cdn-client.ts';

const ask = (path: string, headers = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

/** Reads until at least `bodyBytes` of the body came; resolves with how many did. */
function readBody(socket: Socket, bodyBytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let head = '';
    let received = -1;
    const take = (chunk: Buffer): void => {
      if (received < 0) {
        head += chunk.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end >= 0) received = head.length - end - 4;
      } else received += chunk.length;
      if (received < bodyBytes) return;
      socket.off('data', take);
      socket.pause();
      resolve(received);
    };
    socket.on('data', take).once('error', reject);
  });
}

describe('clean books', () => {
  it('are equal to what was received, per object, client and hop', async () => {
    await withCdn({ ledger: true }, async (cdn) => {
      const agent = new Agent({ connections: 3 });
      const get = async (
        path: string,
        headers: Record<string, string> = {},
        method: 'GET' | 'HEAD' = 'GET',
      ): Promise<number> => {
        const response = await request(`http://${cdn.listen}${path}`, { method, headers, dispatcher: agent });
        return (await response.body.arrayBuffer()).byteLength;
      };
      const received = await Promise.all([
        get('/object/a/700000'),
        get('/object/a/700000', { Range: 'bytes=5-99', Via: '1.1 parent, 1.1 hq (node)' }),
        get('/object/b/1000000', { Via: '1.1 hq' }),
        get('/object/b/1000000', { Range: 'bytes=1000000-' }),
        get('/unknown'),
      ]);
      await admin(cdn, 'POST', '/version', { id: 'a' });
      received.push(await get('/object/a/700000', { Range: 'bytes=0-9' }));
      await get('/object/a/700000', {}, 'HEAD');
      const healthBytes = await get('/mscomtest/wuidt.gif');
      await agent.close();
      const contentBytes = received.reduce((sum, bytes) => sum + bytes, 0);
      const found = await books(cdn);
      expect(found).toMatchObject({
        requestCount: 6,
        headCount: 1,
        healthCount: 1,
        healthBytes: 969_710,
        bodyBytes: contentBytes,
        errorCount: 2,
        faultCount: 0,
        cutCount: 0,
      });
      expect(healthBytes).toBe(969_710);
      expect(found.objects).toEqual(
        expect.arrayContaining([
          { id: 'a', version: 1, requestCount: 2, bodyBytes: 700_095 },
          { id: 'b', version: 1, requestCount: 2, bodyBytes: 1_000_000 },
          { id: 'a', version: 2, requestCount: 1, bodyBytes: 10 },
        ]),
      );
      expect(found.clients).toEqual([{ client: '127.0.0.1', requestCount: 6, bodyBytes: contentBytes }]);
      expect(found.vias).toEqual([{ via: 'hq', requestCount: 2, bodyBytes: 1_000_095 }]);
      await until(() => cdn.books().connectionsOpen === 0);
      const ledger = cdn.ledger();
      expect(ledger.reduce((sum, entry) => sum + entry.bodyBytes, 0)).toBe(contentBytes + healthBytes);
      expect(ledger.reduce((sum, entry) => sum + entry.answerCount, 0)).toBe(8);
      expect(ledger.every((entry) => !entry.cut)).toBe(true);
    });
  });

  it('name a connection by its client end', async () => {
    await withCdn({ ledger: true }, async (cdn) => {
      const socket = await connected(cdn);
      const peer = peerKey(socket.localAddress, socket.localPort);
      socket.write(ask('/object/x/100000'));
      expect(await readBody(socket, 100_000)).toBe(100_000);
      await until(() => cdn.books().bodyBytes === 100_000);
      expect((await admin(cdn, 'GET', '/ledger')).body).toEqual([
        { peer, bodyBytes: 100_000, answerCount: 1, cut: false },
      ]);
      socket.end();
      await until(() => cdn.books().connectionsOpen === 0);
      expect(cdn.ledger()).toEqual([{ peer, bodyBytes: 100_000, answerCount: 1, cut: false }]);
    });
  });

  it('keep no closed connection unless asked to', async () => {
    await withCdn({}, async (cdn) => {
      const socket = await connected(cdn);
      socket.write(ask('/object/x/10'));
      await readBody(socket, 10);
      socket.destroy();
      await until(() => cdn.books().connectionsOpen === 0);
      expect(cdn.ledger()).toEqual([]);
      expect((await admin(cdn, 'GET', '/ledger')).status).toBe(400);
    });
  });
});

describe('books of cut connections', () => {
  it('are never behind the receiver, and ahead by no more than buffers hold', async () => {
    await withCdn({ ledger: true }, async (cdn) => {
      const random = randomStream(1, 'aborts');
      const received = new Map<string, number>();
      await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          const socket = await connected(cdn);
          const peer = peerKey(socket.localAddress, socket.localPort);
          socket.write(ask(`/object/x${i}/50000000`));
          received.set(peer, await readBody(socket, Math.floor(random() ** 3 * 20_000_000)));
          // Some reset, some close with data unread (a reset as well), some end in order while data is on its way.
          if (i % 3 === 0) socket.resetAndDestroy();
          else if (i % 3 === 1) socket.destroy();
          else socket.end(() => socket.destroy());
        }),
      );
      await until(() => cdn.books().connectionsOpen === 0);
      const ledger = cdn.ledger();
      expect(ledger.length).toBe(60);
      for (const entry of ledger) {
        const bytes = received.get(entry.peer) ?? Number.NaN;
        expect(entry.bodyBytes).toBeGreaterThanOrEqual(bytes);
        expect(entry.bodyBytes - bytes).toBeLessThan(16_000_000);
        expect(entry.cut).toBe(true);
      }
      expect(cdn.books()).toMatchObject({
        cutCount: 60,
        bodyBytes: ledger.reduce((sum, entry) => sum + entry.bodyBytes, 0),
      });
    });
  });

  it('count nothing of an answer whose client left before it began', async () => {
    await withCdn({ ledger: true, latencyMs: 5000 }, async (cdn) => {
      const socket = await connected(cdn);
      socket.write(ask('/object/x/1000'));
      await until(() => cdn.books().requestCount === 1);
      socket.resetAndDestroy();
      await until(() => cdn.books().connectionsOpen === 0);
      expect(cdn.ledger()).toMatchObject([{ bodyBytes: 0, answerCount: 0, cut: true }]);
    });
  });

  const isLinux = process.platform === 'linux';
  it.runIf(isLinux)('hold exactly what the kernel took, by its own account (/proc/net/tcp)', async () => {
    await withCdn({ ledger: true }, async (cdn) => {
      const socket = await connected(cdn);
      const clientPort = socket.localPort ?? 0;
      let head: Buffer = Buffer.alloc(0);
      socket.write(ask('/object/x/500000000'));
      await new Promise<void>((resolve) => {
        socket.once('data', (chunk: Buffer) => {
          head = chunk;
          socket.pause();
          resolve();
        });
      });
      const readBytes = head.length - (head.indexOf('\r\n\r\n') + 4);
      const inKernel = await steady(
        () => kernelBytes(clientPort),
        () => socket.bytesRead,
      );
      const alsoRead = socket.bytesRead - head.length;
      socket.resetAndDestroy();
      await until(() => cdn.books().connectionsOpen === 0);
      expect(cdn.books().bodyBytes).toBe(readBytes + alsoRead + inKernel);
    });
  });

  it('are complete when the CDN stops in the middle', async () => {
    let stopped: Cdn | undefined;
    let receivedBytes = 0;
    await withCdn({ ledger: true }, async (cdn) => {
      stopped = cdn;
      const socket = await connected(cdn);
      socket.write(ask('/object/x/500000000'));
      receivedBytes = await readBody(socket, 1_000_000);
    });
    expect(stopped?.ledger()).toMatchObject([{ cut: true, answerCount: 1 }]);
    expect(stopped?.books().bodyBytes).toBeGreaterThanOrEqual(receivedBytes);
  });
});

/** Bytes of a loopback connection that were sent and not read: in the sender's queue plus in the receiver's. */
function kernelBytes(clientPort: number): number {
  let bytes = 0;
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n').slice(1)) {
    const [, local, remote, , queues] = line.trim().split(/\s+/);
    const port = clientPort.toString(16).toUpperCase().padStart(4, '0');
    const [sent, received] = (queues ?? '0:0').split(':').map((hex) => Number.parseInt(hex, 16));
    if (remote?.endsWith(`:${port}`)) bytes += sent ?? 0;
    else if (local?.endsWith(`:${port}`)) bytes += received ?? 0;
  }
  return bytes;
}

/** The value once it, and all the others, have not moved for 100 ms of polling. */
async function steady(value: () => number, ...others: readonly (() => number)[]): Promise<number> {
  let last = '';
  let since = performance.now();
  await until(() => {
    const now = [value, ...others].map((read) => read()).join();
    if (now !== last) since = performance.now();
    last = now;
    return performance.now() - since > 100;
  });
  return value();
}
