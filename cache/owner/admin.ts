// What operators and the simulator ask the node: its numbers, its ledger, whether it is well.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Address, formatAddress } from '../../common/address.ts';
import { errorCode, OperatorError } from '../../common/errors.ts';

export type AdminSources = {
  books(): Promise<unknown>;
  ledger(): Promise<unknown>;
  readonly listen: string;
};

/** Starts the admin server; resolves to where it listens. Routes: GET /books, /ledger, /health. */
export async function serveAdmin(address: Address, sources: AdminSources): Promise<Address> {
  const server = http.createServer((request, response) => {
    const route = `${request.method} ${request.url}`;
    const answer = (body: unknown, status = 200): void => {
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
    };
    const give = (promise: Promise<unknown>): void => {
      promise.then(
        (body) => answer(body),
        (error: unknown) => answer({ error: errorCode(error) }, 500),
      );
    };
    if (route === 'GET /books') give(sources.books());
    else if (route === 'GET /ledger') give(sources.ledger());
    else if (route === 'GET /health') answer({ healthy: true, listen: sources.listen });
    else answer({ error: `expected GET /books, /ledger or /health, found ${route}` }, 404);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      const where = formatAddress(address);
      reject(new OperatorError('CANNOT_LISTEN', `--admin ${where}: cannot listen there (${errorCode(error)}).`, 3));
    });
    server.listen(address.port, address.host, resolve);
  });
  return { host: address.host, port: (server.address() as AddressInfo).port };
}
