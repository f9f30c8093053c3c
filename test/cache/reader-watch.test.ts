// Who reads too slowly, by a clock and numbers of the test's own; and what the kernel says of a real connection.

import { once } from 'node:events';
import net from 'node:net';
import { expect, it } from 'vitest';
import { ReaderWatch } from '../../cache/worker/reader-watch.ts';
import { loadSendFile } from '../../cache/worker/send-file.ts';

const minute = 60_000;
const notTold = (): undefined => undefined;

it('a reader is judged by what it has had, not by what the kernel took at once', () => {
  const watch = new ReaderWatch();
  // 4 MB were taken at the start; the client reads 10 kB/s of them.
  let unread = 4_000_000;
  for (let i = 1; i <= 6; i += 1) {
    expect(watch.isTooSlow(i * minute, true, 1000, 4_000_000, () => unread)).toBe(false);
    unread -= 600_000;
  }
  expect(watch.isTooSlow(7 * minute, true, 1000, 4_000_000, () => unread)).toBe(false);
  expect(watch.isTooSlow(8 * minute, true, 1000, 4_000_000, () => unread)).toBe(true);
});

it('where the kernel does not tell, one that may be reading what it holds is left alone for so long', () => {
  const watch = new ReaderWatch();
  const slowAfter = (ms: number): boolean => watch.isTooSlow(1000 + ms, true, 1000, 4_000_000, notTold);
  expect(slowAfter(0)).toBe(false);
  for (let i = 1; i <= 23; i += 1) expect([i, slowAfter(i * minute)]).toEqual([i, false]);
  expect(slowAfter(24 * minute)).toBe(true);
});

it('nobody is slow while nothing waits', () => {
  const watch = new ReaderWatch();
  for (let i = 1; i < 100; i += 1) expect(watch.isTooSlow(i * minute, false, 1000, 5, () => 0)).toBe(false);
  expect(watch.isTooSlow(99.5 * minute, true, 1000, 5, () => 0)).toBe(false);
  expect(watch.isTooSlow(100 * minute, true, 1000, 5, () => 0)).toBe(true);
});

it.skipIf(process.platform !== 'linux')('the kernel tells what a client has not read', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').pause();
  const [served] = (await once(server, 'connection')) as [net.Socket];
  const fd = (served as unknown as { _handle: { fd: number } })._handle.fd;
  const sendFile = loadSendFile();
  served.write(Buffer.alloc(32 * 2 ** 20));
  const queued = (): number => sendFile?.unacknowledged(fd) ?? 0;
  while (queued() === 0) await new Promise((resolve) => setImmediate(resolve));
  client.resume();
  while (client.bytesRead < 32 * 2 ** 20) await new Promise((resolve) => setImmediate(resolve));
  while (queued() > 0) await new Promise((resolve) => setImmediate(resolve));
  expect(served.writableLength).toBe(0);
  client.destroy();
  server.close();
});
