// A server at an address that a command line has named.

import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import { type Address, formatAddress } from './address.ts';
import { errorCode, OperatorError } from './errors.ts';

/**
 * Listens, and returns where: port 0 takes a free one. Throws an OperatorError (PORT_TAKEN, exit code 3) when it cannot; `option`:
 * what has named the address.
 */
export async function listenAt(server: Server, listen: Address, option: string): Promise<Address> {
  try {
    await once(server.listen(listen.port, listen.host), 'listening');
  } catch (error) {
    const found = `expected an address of this machine that is free, found ${errorCode(error)}`;
    const message = `${option} ${formatAddress(listen)}: ${found}. Choose another one; port 0 takes any.`;
    throw new OperatorError('PORT_TAKEN', message, 3);
  }
  return { host: listen.host, port: (server.address() as AddressInfo).port };
}
