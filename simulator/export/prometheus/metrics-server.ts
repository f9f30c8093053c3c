// Serves text at /metrics to whoever scrapes it, and waits for nobody: an answer is made when it is asked for, and a reader that
// does not read loses its connection.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Address, formatAddress } from '../../../common/address.ts';
import { errorCode, OperatorError } from '../../../common/errors.ts';
import { prometheusContentType } from '../../../common/prometheus-text.ts';

/** So many scrapers at once; more are turned away. */
const connectionsMax = 32;
/** A connection that nothing moves on is closed after so long. */
const idleMs = 60_000;

export class MetricsServer {
  /** Where it listens. */
  readonly address: Address;
  readonly #server: Server;
  readonly #text: () => string;
  /** Called after every answer that was taken whole. */
  readonly #listeners = new Set<() => void>();

  private constructor(server: Server, address: Address, text: () => string) {
    this.address = address;
    this.#server = server;
    this.#text = text;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response));
  }

  /** Listens; port 0 takes a free one. Throws an OperatorError (PORT_TAKEN) when it cannot; `option`: where it was given. */
  static async open(listen: Address, option: string, text: () => string): Promise<MetricsServer> {
    const server = createServer();
    server.maxConnections = connectionsMax;
    server.setTimeout(idleMs);
    try {
      await once(server.listen(listen.port, listen.host), 'listening');
    } catch (error) {
      const what = `${option} ${formatAddress(listen)}: expected an address that is free, found ${errorCode(error)}`;
      throw new OperatorError('PORT_TAKEN', `${what}. Choose another one; port 0 takes any.`, 3);
    }
    const { port } = server.address() as AddressInfo;
    return new MetricsServer(server, { host: listen.host, port }, text);
  }

  /** Resolves once somebody has been given an answer that was asked for from now on, or when the signal is aborted. */
  async scraped(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#listeners.delete(done);
        resolve();
      };
      this.#listeners.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Ends at once, answers under way included. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #answer({ method = '', url = '' }: IncomingMessage, response: ServerResponse): void {
    const say = (status: number, type: string, text: string): void => {
      response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
      response.end(method === 'HEAD' ? undefined : text);
    };
    const plain = 'text/plain; charset=utf-8';
    if (method !== 'GET' && method !== 'HEAD') say(405, plain, 'Only GET and HEAD are answered.\n');
    else if (url.replace(/\?.*/, '') !== '/metrics') say(404, plain, 'The numbers of this run are at /metrics.\n');
    else {
      const listeners = [...this.#listeners];
      response.once('finish', () => {
        for (const listener of listeners) listener();
      });
      say(200, prometheusContentType, this.#text());
    }
  }
}
