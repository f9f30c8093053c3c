// The content delivery network: one HTTP server for clients, one for its administration, and the books between them.

import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Address, formatAddress } from '../../common/address.ts';
import { errorCode, OperatorError } from '../../common/errors.ts';
import type { LedgerEntry } from '../../common/ledger.ts';
import { administer } from './admin.ts';
import { ChunkPool } from './body.ts';
import { Books, type CdnBooks, type ConnectionBook } from './books.ts';
import { EgressLimiter } from './egress-limiter.ts';
import { FaultTable } from './faults.ts';
import { ObjectTable } from './objects.ts';
import { type Serving, serve } from './serving.ts';

/** How a CDN runs. */
export type CdnOptions = {
  /** Where clients ask; default 127.0.0.1:0 (a free port). */
  readonly listen?: Address | undefined;
  /** Where the admin interface listens; default 127.0.0.1:0. */
  readonly admin?: Address | undefined;
  /** Delay before each answer's head, milliseconds; default 0. */
  readonly latencyMs?: number | undefined;
  /** Cap over all body bytes, bytes/ms; default none. */
  readonly egressBytesPerMs?: number | undefined;
  /** Keep closed connections for GET /ledger; default false, so that memory stays bounded. */
  readonly ledger?: boolean | undefined;
  /** Name in `Server` and in the log; default `cdn`. */
  readonly name?: string | undefined;
  /** Value of `Cache-Control`; default `public, max-age=86400`. */
  readonly cacheControl?: string | undefined;
};

/** A CDN that serves. */
export type Cdn = {
  /** `host:port` that clients ask, with the real port. */
  readonly listen: string;
  readonly admin: string;
  readonly objects: ObjectTable;
  readonly faults: FaultTable;
  books(): CdnBooks;
  ledger(): LedgerEntry[];
  /** Closes everything at once, answers under way included (they are booked as cut). Safe to call twice. */
  stop(): Promise<void>;
};

const anyPort: Address = { host: '127.0.0.1', port: 0 };
const keepAliveTimeoutMs = 120_000;

/** Starts a CDN; an address that cannot be had is an `OperatorError` with exit code 3. */
export async function startCdn(options: CdnOptions = {}): Promise<Cdn> {
  const serving: Serving = {
    objects: new ObjectTable(),
    faults: new FaultTable(),
    books: new Books(options.ledger ?? false),
    pool: new ChunkPool(),
    limiter: options.egressBytesPerMs === undefined ? undefined : new EgressLimiter(options.egressBytesPerMs),
    latencyMs: options.latencyMs ?? 0,
    cacheControl: options.cacheControl ?? 'public, max-age=86400',
    name: options.name ?? 'cdn',
  };
  const { objects, faults, books, name } = serving;
  const connections = new Map<Socket, ConnectionBook>();
  const content = contentServer(serving, connections);
  const administration = createServer((request, response) => {
    administer({ name, objects, faults, books, ledger: options.ledger ?? false }, request, response).catch(() =>
      response.destroy(),
    );
  });
  const listen = await listening(content, options.listen ?? anyPort, '--listen');
  let admin: string;
  try {
    admin = await listening(administration, options.admin ?? anyPort, '--admin');
  } catch (error) {
    await closed(content);
    throw error;
  }
  const stop = async (): Promise<void> => {
    faults.clear();
    const done = Promise.all([closed(content), closed(administration)]);
    for (const [socket, connection] of connections) {
      connection.noteQueue();
      socket.destroy();
    }
    administration.closeAllConnections();
    await done;
    while (books.connections.size > 0) await new Promise(setImmediate);
  };
  return { listen, admin, objects, faults, books: () => books.snapshot(), ledger: () => books.ledger(), stop };
}

function contentServer(serving: Serving, connections: Map<Socket, ConnectionBook>): Server {
  const { books } = serving;
  const server = createServer((request, response) => {
    const connection = connections.get(request.socket);
    if (connection !== undefined) serve(serving, connection, request, response);
  });
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.headersTimeout = keepAliveTimeoutMs + 10_000;
  server.requestTimeout = 0;
  server.on('connection', (socket: Socket) => {
    const connection = books.open(socket);
    connections.set(socket, connection);
    // Emitted before libuv forgets what it had queued: see ConnectionBook.takenOf.
    socket.on('error', () => connection.noteQueue());
    socket.once('close', () => {
      connections.delete(socket);
      // After the answers' own 'close', which still count into the connection.
      setImmediate(() => books.close(connection));
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    connections.get(socket as Socket)?.noteQueue();
    if (error.code !== 'ECONNRESET' && socket.writable && (socket as Socket).bytesWritten === 0) {
      books.errorCount += 1;
      const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    } else socket.destroy();
  });
  return server;
}

function listening(server: Server, address: Address, option: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(error, address, option)));
    server.listen({ host: address.host, port: address.port, backlog: 8192 }, () => {
      const bound = server.address() as AddressInfo;
      resolve(formatAddress({ host: bound.address, port: bound.port }));
    });
  });
}

function cannotListen(error: Error, address: Address, option: string): OperatorError {
  const code = errorCode(error);
  const where = `${option} ${formatAddress(address)}`;
  const advice =
    code === 'EADDRINUSE'
      ? 'another program listens there: stop it, or choose another port (0 picks a free one)'
      : code === 'EACCES'
        ? 'this user may not listen there: choose a port above 1023'
        : code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND'
          ? 'this machine has no such address: use one of its own, such as 127.0.0.1'
          : `the system answered ${code}`;
  const name = code === 'EADDRINUSE' ? 'PORT_TAKEN' : 'CANNOT_LISTEN';
  return new OperatorError(name, `${where}: cannot listen (${code}); ${advice}`, 3, { cause: error });
}

const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
