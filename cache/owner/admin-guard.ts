// Who may talk to an operator's interface, by what the request says of itself. It can purge, and it listens where
// browsers of the same machine reach it: a page of a foreign site must not (CSRF), nor a name that its owner points here
// (DNS rebinding).

import { hostname, networkInterfaces } from 'node:os';
import { parseAddress } from '../../common/address.ts';

/** What of a request's head counts. */
export type Caller = {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
};

/** Why a request is refused; undefined: it is not. `boundHost` is where the interface listens. */
export function refusal(caller: Caller, boundHost: string): string | undefined {
  const host = hostOf(caller.host ?? '');
  if (host === undefined) return 'expected a Host field with a name or an address, found none';
  if (!isOwnName(host, boundHost)) {
    return `expected a Host of this machine (localhost, ${boundHost} or its other addresses), found ${host}`;
  }
  const { origin, fetchSite } = caller;
  if (origin !== undefined && origin.replace(/^https?:\/\//, '').toLowerCase() !== caller.host?.toLowerCase()) {
    return `expected no request of another site, found Origin ${origin}`;
  }
  if (fetchSite === 'cross-site' || fetchSite === 'same-site') {
    return `expected no request of another site, found Sec-Fetch-Site ${fetchSite}`;
  }
  return undefined;
}

/** Whether a connection comes from this machine: from a loopback address, or from one of its own. */
export function isFromHere(remoteAddress: string | undefined): boolean {
  const address = plain(remoteAddress ?? '');
  return isLoopback(address) || ownAddresses().has(address);
}

function isOwnName(host: string, boundHost: string): boolean {
  if (host === 'localhost' || isLoopback(host) || host === boundHost.toLowerCase()) return true;
  const isEverywhere = boundHost === '0.0.0.0' || boundHost === '::';
  return isEverywhere && (host === hostname().toLowerCase() || ownAddresses().has(host));
}

function hostOf(field: string): string | undefined {
  const text = field.trim().toLowerCase();
  const host = parseAddress(text)?.host ?? parseAddress(`${text}:0`)?.host;
  return host === undefined ? undefined : plain(host.replace(/\.$/, ''));
}

const isLoopback = (address: string): boolean => address === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(address);

/** An IPv4 address as IPv4, also where an IPv6 socket received it; without the zone. */
const plain = (address: string): string => address.replace(/^::ffff:(?=[0-9.]+$)/i, '').replace(/%.*$/, '');

function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return new Set(all.map(({ address }) => plain(address.toLowerCase())));
}
