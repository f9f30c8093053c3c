// The server that scrapers ask: what it answers, and that it waits for nobody.

import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { MetricsServer } from '../../../simulator/export/prometheus/metrics-server.ts';

const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0)) await close();
});

async function serve(text: () => string): Promise<{ server: MetricsServer; port: number }> {
  const server = await MetricsServer.open({ host: '127.0.0.1', port: 0 }, '--metrics', (path, host) => ({
    status: path === '/metrics' ? 200 : 404,
    type: 'text/plain',
    text: `${host} ${path} ${text()}`,
  }));
  toClose.push(() => server.close());
  return { server, port: server.address.port };
}

describe('the server of metrics', () => {
  test('answers the path without its query, tells HEAD the same without a body, and refuses what changes something', async () => {
    const { port } = await serve(() => 'told');
    const url = `http://127.0.0.1:${port}`;
    expect(await (await fetch(`${url}/metrics?a=1`)).text()).toBe(`127.0.0.1:${port} /metrics told`);
    expect((await fetch(`${url}/other`)).status).toBe(404);
    const head = await fetch(`${url}/metrics`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(String(`127.0.0.1:${port} /metrics told`.length));
    expect(await head.text()).toBe('');
    expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  test('says who has its port, before anything is run', async () => {
    const { port } = await serve(() => '');
    const second = MetricsServer.open({ host: '127.0.0.1', port }, '--metrics', () => ({
      status: 200,
      type: '',
      text: '',
    }));
    await expect(second).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      exitCode: 3,
      message: `--metrics 127.0.0.1:${port}: expected an address of this machine that is free, found EADDRINUSE. Choose another one; port 0 takes any.`,
    });
  });

  test('answers others, and ends, while scrapers never read what they have asked for', async () => {
    // More than the kernel takes for a connection.
    const { server, port } = await serve(() => 'x'.repeat(16 * 2 ** 20));
    const deaf = await Promise.all(
      Array.from({ length: 3 }, async (): Promise<Socket> => {
        const socket = connect(port, '127.0.0.1').pause();
        socket.on('error', () => undefined);
        await once(socket, 'connect');
        socket.write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n');
        return socket;
      }),
    );
    toClose.push(() => {
      for (const socket of deaf) socket.destroy();
    });
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect((await answer.text()).length).toBeGreaterThan(16 * 2 ** 20);
    await server.close();
    toClose.shift();
    await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
  });

  test('knows when somebody was given a whole answer that was asked for since', async () => {
    const { server, port } = await serve(() => 'told');
    const { signal } = new AbortController();
    const scraped = server.scraped('/metrics', signal);
    let isScraped = false;
    void scraped.then(() => {
      isScraped = true;
    });
    await (await fetch(`http://127.0.0.1:${port}/other`)).text();
    expect(isScraped).toBe(false);
    await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    await scraped;
    await server.scraped('/metrics', AbortSignal.abort());
    const interrupt = new AbortController();
    const waiting = server.scraped('/metrics', interrupt.signal);
    interrupt.abort();
    await waiting;
  });

  test('lives on when a scraper goes away in the middle', async () => {
    const { port } = await serve(() => 'x'.repeat(16 * 2 ** 20));
    const gone = request({ port, host: '127.0.0.1', path: '/metrics' })
      .on('error', () => undefined)
      .end();
    const [response] = (await once(gone, 'response')) as [NodeJS.ReadableStream];
    response.on('error', () => undefined);
    gone.destroy();
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
  });
});
