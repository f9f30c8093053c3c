// Answers whoever scrapes, and waits for nobody: an answer is made when it is asked for, and a reader that does not read loses
// its connection.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Address, formatAddress } from '../../../common/address.ts';
import { listenAt } from '../../../common/listen-at.ts';

/** So many connections at once; more are turned away. */
const connectionsMax = 32;
/** A connection that nothing moves on is closed after so long. */
const idleMs = 60_000;

export type ScrapeAnswer = { readonly status: number; readonly type: string; readonly text: string };

/** Answers a path; `host`: as whoever asks names this server. */
export type AnswerScrape = (path: string, host: string) => ScrapeAnswer | Promise<ScrapeAnswer>;

export const plainText = 'text/plain; charset=utf-8';

export class MetricsServer {
  /** Where it listens. */
  readonly address: Address;
  readonly #server: Server;
  readonly #answer: AnswerScrape;
  /** Called with the path of every answer that was given whole. */
  readonly #listeners = new Set<(path: string) => void>();

  private constructor(server: Server, address: Address, answer: AnswerScrape) {
    this.address = address;
    this.#server = server;
    this.#answer = answer;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response));
  }

  /** Listens; port 0 takes a free one. Throws an OperatorError (PORT_TAKEN) when it cannot; `option`: where it was given. */
  static async open(listen: Address, option: string, answer: AnswerScrape): Promise<MetricsServer> {
    const server = createServer();
    server.maxConnections = connectionsMax;
    server.setTimeout(idleMs);
    return new MetricsServer(server, await listenAt(server, listen, option), answer);
  }

  /** Resolves once somebody has been given an answer at this path that was asked for from now on, or when the signal is aborted. */
  async scraped(path: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#listeners.delete(heard);
        resolve();
      };
      const heard = (given: string): void => {
        if (given === path) done();
      };
      this.#listeners.add(heard);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** Ends at once, answers under way included. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #serve({ method = '', url = '', headers }: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = url.replace(/\?.*/s, '');
    const listeners = [...this.#listeners];
    const { status, type, text } =
      method === 'GET' || method === 'HEAD'
        ? await this.#answer(path, headers.host ?? formatAddress(this.address))
        : { status: 405, type: plainText, text: 'Only GET and HEAD are answered.\n' };
    response.once('finish', () => {
      for (const listener of listeners) listener(path);
    });
    response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
    response.end(method === 'HEAD' ? undefined : text);
  }
}
