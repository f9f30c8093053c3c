// Where clients come in: each connection goes to one worker, few at a time, and nobody is lost without a word.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { FrontDoor, type Seat } from '../../cache/owner/front-door.ts';

/** A worker that is handed connections and says nothing of them by itself. */
class Worker implements Seat {
  readonly handed: number[] = [];
  isReachable = true;
  #expected = 0;
  #reached: (() => void) | undefined;

  hand(id: number, _socket: Socket): boolean {
    if (!this.isReachable) return false;
    this.handed.push(id);
    if (this.handed.length >= this.#expected) this.#reached?.();
    return true;
  }

  async until(count: number): Promise<void> {
    this.#expected = count;
    if (this.handed.length < count) await new Promise<void>((resolve) => (this.#reached = resolve));
  }
}

const doors: FrontDoor[] = [];
const clients: Socket[] = [];
afterEach(() => {
  for (const door of doors.splice(0)) door.close();
  for (const client of clients.splice(0)) client.destroy();
});

async function openDoor(maxConnections = 1000, perAddress?: number): Promise<{ door: FrontDoor; port: number }> {
  const door = new FrontDoor({ maxConnections, maxConnectionsPerAddress: perAddress });
  doors.push(door);
  return { door, port: await door.listen({ host: '127.0.0.1', port: 0 }) };
}

async function connect(port: number, count: number, localAddress = '127.0.0.1'): Promise<Socket[]> {
  const all = Array.from({ length: count }, () => net.connect({ port, host: '127.0.0.1', localAddress }));
  clients.push(...all);
  for (const client of all) client.on('error', () => undefined);
  await Promise.all(all.map((client) => once(client, 'connect')));
  return all;
}

/** All that a client was told before its connection ended. */
async function told(client: Socket): Promise<string> {
  const parts: Buffer[] = [];
  client.on('data', (part: Buffer) => parts.push(part));
  if (!client.closed) await new Promise((resolve) => client.once('close', resolve));
  return Buffer.concat(parts).toString('latin1');
}

it('hands a worker 16 connections at a time, and more as it takes them, each once', async () => {
  const { door, port } = await openDoor();
  const worker = new Worker();
  door.addSeat(worker);
  await connect(port, 100);
  await worker.until(16);
  for (let taken = 0; taken < 100; ) {
    expect(worker.handed.length).toBeLessThanOrEqual(taken + 16);
    await worker.until(Math.min(100, taken + 16));
    door.hear(worker, [worker.handed[taken] ?? -1], []);
    taken += 1;
  }
  expect(new Set(worker.handed).size).toBe(100);
});

it('gives the next connection to the worker that has the fewest', async () => {
  const { door, port } = await openDoor();
  const [a, b] = [new Worker(), new Worker()];
  door.addSeat(a);
  door.addSeat(b);
  for (let i = 0; i < 20; i += 1) await connect(port, 1);
  await Promise.all([a.until(10), b.until(10)]);
  door.hear(a, a.handed, a.handed);
  for (let i = 0; i < 10; i += 1) await connect(port, 1);
  await a.until(20);
  expect([a.handed.length, b.handed.length]).toEqual([20, 10]);
});

it('tells who is too many that it is busy, until somebody leaves', async () => {
  const { door, port } = await openDoor(3);
  const worker = new Worker();
  door.addSeat(worker);
  await connect(port, 3);
  await worker.until(3);
  const [fourth] = await connect(port, 1);
  expect(await told(fourth as Socket)).toBe(
    'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\nConnection: close\r\n\r\n',
  );
  expect(door.refusedCount).toBe(1);
  door.hear(worker, worker.handed, [worker.handed[0] ?? -1]);
  await connect(port, 1);
  await worker.until(4);
});

it('may limit how many come from one address', async () => {
  const { door, port } = await openDoor(100, 2);
  const worker = new Worker();
  door.addSeat(worker);
  await connect(port, 2);
  await worker.until(2);
  const [third] = await connect(port, 1);
  expect(await told(third as Socket)).toMatch(/^HTTP\/1\.1 503 /);
  if (process.platform !== 'linux') return; // other systems have no 127.0.0.2
  await connect(port, 2, '127.0.0.2');
  await worker.until(4);
});

it('keeps who comes before there is a worker, and resets whom a dead one had not taken', async () => {
  const { door, port } = await openDoor();
  const early = await connect(port, 20);
  const worker = new Worker();
  door.addSeat(worker);
  await worker.until(16);
  door.hear(worker, worker.handed.slice(0, 4), []);
  await worker.until(20);
  door.removeSeat(worker);
  await Promise.all(early.map(async (client) => expect(await told(client)).toBe('')));
  const next = new Worker();
  door.addSeat(next);
  await connect(port, 1);
  await next.until(1);
});

it('ends a connection that its worker cannot be given any more', async () => {
  const { door, port } = await openDoor();
  const worker = new Worker();
  worker.isReachable = false;
  door.addSeat(worker);
  const [client] = await connect(port, 1);
  expect(await told(client as Socket)).toBe('');
});
