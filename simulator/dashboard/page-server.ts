// Serves one page and the stream of its changes. For this machine unless told otherwise, to readers who came by a name of this
// machine (a page of somebody else's name that leads here, DNS rebinding, is turned away), and to pages of its own only.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { type Address, formatAddress } from '../../common/address.ts';
import { listenAt } from '../../common/listen-at.ts';
import { livePagePolicy } from '../../reports/html/page-frame.ts';
import { type EventReaders, readersMax } from './event-readers.ts';

const eventsPath = '/events';
const connectionsMax = 2 * readersMax;
/** A request is a few lines: whoever takes longer loses its connection. */
const requestTimeoutMs = 10_000;

export class PageServer {
  /** As a browser on this machine finds it. */
  readonly url: string;
  readonly #server: Server;
  readonly #page: () => string;
  readonly #readers: EventReaders;
  readonly #listen: Address;

  private constructor(server: Server, listen: Address, page: () => string, readers: EventReaders) {
    this.#server = server;
    this.#listen = listen;
    this.#page = page;
    this.#readers = readers;
    const { host, port } = listen;
    this.url = `http://${formatAddress({ host: isWildcard(host) ? '127.0.0.1' : host, port })}/`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#serve(request, response));
  }

  /** Listens; port 0 takes a free one. Throws an OperatorError (PORT_TAKEN) when it cannot. */
  static async open(listen: Address, page: () => string, readers: EventReaders): Promise<PageServer> {
    const server = createServer({ requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs });
    server.maxConnections = connectionsMax;
    return new PageServer(server, await listenAt(server, listen, '--ui'), page, readers);
  }

  /** Whether somebody on another machine can come. */
  get isOpenToOthers(): boolean {
    return !isLoopback(this.#listen.host);
  }

  /** Ends at once: streams should have been ended before. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#refusal(request);
    if (refusal !== undefined) {
      answer(response, refusal.status, 'text/plain; charset=utf-8', `${refusal.words}\n`);
    } else if (pathOf(request) === '/') {
      answer(response, 200, 'text/html; charset=utf-8', this.#page());
    } else {
      response.writeHead(200, { ...commonHeaders(), 'Content-Type': 'text/event-stream; charset=utf-8' });
      if (request.method === 'HEAD') response.end();
      else this.#readers.add(response);
    }
  }

  #refusal(request: IncomingMessage): { readonly status: number; readonly words: string } | undefined {
    const { method = '', headers } = request;
    if (!isOwnName(headers.host ?? '', this.#listen.host)) {
      return { status: 421, words: 'This name is none of the simulator: use the address that it printed.' };
    }
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, words: 'Only GET and HEAD are answered.' };
    if (pathOf(request) === '/') return undefined;
    if (pathOf(request) !== eventsPath) return { status: 404, words: 'There is one page, at /.' };
    const from = headers['sec-fetch-site'] ?? 'none';
    if (from !== 'same-origin' && from !== 'none') return { status: 403, words: 'Only the page itself is answered.' };
    if (this.#readers.count >= readersMax) return { status: 503, words: `${readersMax} pages are open already.` };
    return undefined;
  }
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.replace(/\?.*/s, '');

function answer(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { ...commonHeaders(), 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  // Node itself leaves the body of an answer to HEAD away.
  response.end(text);
}

function commonHeaders(): Record<string, string> {
  return {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': livePagePolicy(),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  };
}

/**
 * Whether a Host header names this machine: an address (which no foreign name can stand for), localhost, the name that the
 * command line has, and this machine's own. The port is left open: tunnels have another one.
 */
export function isOwnName(header: string, listenHost: string): boolean {
  const name = /^(\[[0-9a-f:.%]+\]|[^:[\]]+)(?::\d{1,5})?$/i.exec(header)?.[1]?.toLowerCase();
  if (name === undefined) return false;
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return true;
  const own = ['localhost', listenHost.toLowerCase(), ...(isLoopback(listenHost) ? [] : [hostname().toLowerCase()])];
  return own.includes(name);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}
