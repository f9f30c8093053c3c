// Where a request goes, and how it is written there:
//
//                        connects to       request line                                    Host
//   neither              the origin        GET /path?q                                     origin
//   UPSTREAM_HOST        the parent        GET /path?q&cacheHostOrigin=origin              parent
//   UPSTREAM_PROXY       the proxy         GET http://origin/path?q                        origin
//   both                 the proxy         GET http://parent/path?q&cacheHostOrigin=origin parent

import { type Address, formatAddress } from '../common/address.ts';
import type { Origin } from './http/origin-table.ts';
import type { Settings } from './settings.ts';
import type { UpstreamRequest } from './upstream.ts';

export type Route = Pick<Settings, 'upstreamHost' | 'upstreamProxy'>;

/** What to connect to for an origin. */
export function placeOf(origin: Origin, { upstreamProxy, upstreamHost }: Route): Address {
  const host = origin.host.replace(/^\[|\]$/g, '');
  return upstreamProxy ?? upstreamHost ?? origin.connect ?? { host, port: origin.port };
}

/** The request's head, with its empty line. `via` is how this node calls itself. */
export function requestHead(request: UpstreamRequest, { upstreamHost, upstreamProxy }: Route, via: string): string {
  const { origin } = request;
  let { target } = request;
  // A proxy connects by what the request line says: the port is that of the place, the name is the origin's.
  const port = upstreamProxy === undefined ? origin.port : (origin.connect?.port ?? origin.port);
  let host = port === 80 ? origin.host : `${origin.host}:${port}`;
  if (upstreamHost !== undefined) {
    host = upstreamHost.port === 80 ? formatAddress(upstreamHost).replace(/:80$/, '') : formatAddress(upstreamHost);
    target += `${target.includes('?') ? '&' : '?'}cacheHostOrigin=${origin.host}`;
  }
  if (upstreamProxy !== undefined) target = `http://${host}${target}`;
  // Nodes before us stay in Via: a loop over several nodes is seen by the first that finds itself there.
  const path = request.via === undefined || request.via === '' ? `1.1 ${via}` : `${request.via}, 1.1 ${via}`;
  let head = `${request.method} ${target} HTTP/1.1\r\nHost: ${host}\r\nVia: ${path}\r\nAccept: */*\r\n`;
  for (const [name, value] of request.fields) head += `${name}: ${value}\r\n`;
  return `${head}Connection: keep-alive\r\n\r\n`;
}
