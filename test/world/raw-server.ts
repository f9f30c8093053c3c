// A server that answers as a test tells it, wrong answers included, and sees every byte of the requests.

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import net from 'node:net';
import type { Address } from '../../common/address.ts';
import { ContentFunction, etagOf } from '../../common/content.ts';
import { type LedgerEntry, peerKey } from '../../common/ledger.ts';

export type RawRequest = {
  /** Its head as it came, with the empty line. */
  readonly text: string;
  readonly target: string;
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** 0, 1 … over all connections of the server, and on its own connection. */
  readonly index: number;
  readonly indexOnConnection: number;
  readonly connection: number;
  /** By `performance.now()`. */
  readonly atMs: number;
};

/** Answers one request; `sent` counts body bytes of 2xx answers for the ledger. */
export type Answer = (request: RawRequest, socket: net.Socket, sent: (bodyBytes: number) => void) => void;

type RawConnection = { readonly peer: string; bodyBytes: number; answerCount: number; cut: boolean };

export class RawServer {
  readonly requests: RawRequest[] = [];
  /** Requests that came before the one before them was answered. */
  pipelinedCount = 0;
  readonly #answer: Answer;
  readonly #greet: (socket: net.Socket) => void;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #connections: RawConnection[] = [];

  /** `greet`: what it does with a connection before anything is asked on it. */
  constructor(answer: Answer, greet: (socket: net.Socket) => void = () => undefined) {
    this.#answer = answer;
    this.#greet = greet;
    this.#server = net.createServer((socket) => this.#accept(socket));
  }

  async listen(): Promise<Address> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return { host: '127.0.0.1', port: (this.#server.address() as net.AddressInfo).port };
  }

  get connectionCount(): number {
    return this.#connections.length;
  }

  get openCount(): number {
    return this.#sockets.size;
  }

  ledger(): LedgerEntry[] {
    return this.#connections.map((connection) => ({ ...connection }));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: net.Socket): void {
    const connection = {
      peer: peerKey(socket.remoteAddress, socket.remotePort),
      bodyBytes: 0,
      answerCount: 0,
      cut: false,
    };
    const number = this.#connections.push(connection) - 1;
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {
      connection.cut = true;
    });
    socket.on('close', () => this.#sockets.delete(socket));
    this.#greet(socket);
    let text = '';
    let indexOnConnection = 0;
    socket.on('data', (data) => {
      text += data.toString('latin1');
      for (;;) {
        const end = text.indexOf('\r\n\r\n') + 4;
        if (end < 4) return;
        const head = text.slice(0, end);
        text = text.slice(end);
        if (text !== '') this.pipelinedCount += 1;
        const range = /\r\nRange: bytes=([0-9]+)-([0-9]+)\r\n/.exec(head);
        const request: RawRequest = {
          text: head,
          target: head.split(' ')[1] ?? '',
          start: Number(range?.[1]),
          end: Number(range?.[2]) + 1,
          index: this.requests.length,
          indexOnConnection,
          connection: number,
          atMs: performance.now(),
        };
        indexOnConnection += 1;
        this.requests.push(request);
        this.#answer(request, socket, (bodyBytes) => {
          connection.bodyBytes += bodyBytes;
          connection.answerCount += 1;
        });
      }
    });
  }
}

export const updateId = 'update';

/** The right bytes of a request. */
export function contentOf({ start, end }: { start: number; end: number }, id = updateId, version = 1): Buffer {
  const bytes = Buffer.allocUnsafe(end - start);
  new ContentFunction(id, version).fill(bytes, 0, start, end - start);
  return bytes;
}

/** The head of a right 206, with its empty line; `fields` replaces or adds (undefined takes away). */
export function partHead(
  { start, end }: { start: number; end: number },
  sizeBytes: number,
  fields: Readonly<Record<string, string | undefined>> = {},
  status = '206 Partial Content',
): string {
  const all: Record<string, string | undefined> = {
    'Content-Length': String(end - start),
    'Content-Range': `bytes ${start}-${end - 1}/${sizeBytes}`,
    ETag: etagOf(updateId, 1),
    ...fields,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`;
}

/** Answers rightly. */
export const servesContent =
  (sizeBytes: number): Answer =>
  (request, socket, sent) => {
    socket.write(partHead(request, sizeBytes), 'latin1');
    socket.write(contentOf(request));
    sent(request.end - request.start);
  };
