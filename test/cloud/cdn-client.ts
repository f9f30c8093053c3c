// What the CDN's tests share: a CDN on free ports, its admin interface, and a raw connection that sees every byte.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { request } from 'undici';
import { parseAddress } from '../../common/address.ts';
import type { CdnBooks } from '../../simulator/cloud/books.ts';
import { type Cdn, type CdnOptions, startCdn } from '../../simulator/cloud/cdn.ts';

export type AdminReply = { readonly status: number; readonly body: unknown };

/** Runs `use` with a CDN that is stopped whatever happens. */
export async function withCdn(options: CdnOptions, use: (cdn: Cdn) => Promise<void>): Promise<void> {
  const cdn = await startCdn(options);
  try {
    await use(cdn);
  } finally {
    await cdn.stop();
  }
}

export async function admin(
  cdn: Cdn,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<AdminReply> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const response = await request(`http://${cdn.admin}${path}`, {
    method,
    ...(text === undefined ? {} : { body: text }),
  });
  return { status: response.statusCode, body: await response.body.json() };
}

export async function books(cdn: Cdn): Promise<CdnBooks> {
  return (await admin(cdn, 'GET', '/books')).body as CdnBooks;
}

export async function connected(cdn: Cdn): Promise<Socket> {
  const address = parseAddress(cdn.listen);
  const socket = connect(address?.port ?? 0, address?.host ?? '');
  await once(socket, 'connect');
  return socket;
}

/** Sends a GET for the path on a connection of its own; gives the head, the body bytes and how the connection ended. */
export async function rawGet(
  cdn: Cdn,
  path: string,
  headers = '',
): Promise<{ head: string; body: Buffer; ended: 'end' | string }> {
  const socket = await connected(cdn);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<string>((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: cdn.test\r\nConnection: close\r\n${headers}\r\n`);
  const how = await ended;
  socket.destroy();
  const all = Buffer.concat(chunks);
  const headEnd = all.indexOf('\r\n\r\n') + 4;
  return {
    head: all.toString('latin1', 0, Math.max(0, headEnd)),
    body: headEnd < 4 ? all : all.subarray(headEnd),
    ended: how,
  };
}

/** Resolves once `condition` holds, looking at each turn of the event loop; the test's time-out bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
