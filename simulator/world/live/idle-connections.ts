// Connections that a Linux device keeps for its next request, whichever download that is of (libcurl's connection cache).

import type { HttpConnection } from '../../../common/http-connection.ts';
import type { Endpoint } from './range-transfer.ts';

/** An older one is not used again (libcurl's CURLOPT_MAXAGE_CONN; measured: used after 60 s idle, not after 125 s). */
const idleMsMax = 118_000;

type Idle = { readonly connection: HttpConnection; readonly endpoint: Endpoint; readonly sinceMs: number };

export class IdleConnections {
  #idle: Idle[] = [];

  /** Takes one to that server out; those that are too old, or have ended, go. */
  take(endpoint: Endpoint, nowMs: number): HttpConnection | undefined {
    let taken: HttpConnection | undefined;
    this.#idle = this.#idle.filter(({ connection, endpoint: { host, port }, sinceMs }) => {
      if (!connection.isOpen) return false;
      if (nowMs - sinceMs > idleMsMax) {
        connection.close();
        return false;
      }
      if (taken !== undefined || host !== endpoint.host || port !== endpoint.port) return true;
      taken = connection;
      return false;
    });
    return taken;
  }

  keep(connection: HttpConnection, endpoint: Endpoint, nowMs: number): void {
    this.#idle.push({ connection, endpoint, sinceMs: nowMs });
  }

  closeAll(): void {
    for (const { connection } of this.#idle.splice(0)) connection.close();
  }
}
