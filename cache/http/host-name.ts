// One spelling for a host: what clients, operators and redirects write is brought to it before anything is looked up or
// compared. Whatever is not plainly a name or an address is no host, however some resolver would read it.

import net from 'node:net';

const nameLengthMax = 253;
const labelPattern = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Lower case, without port and trailing dot, IPv6 in its shortest form in brackets; undefined for anything else: user
 * info, other scripts (a Kelvin sign is no k), numbers that only some resolvers take for addresses (`2130706433`,
 * `0x7f.1`, `0177.0.0.1`), empty labels, names of more than 253 characters.
 */
export function canonicalHost(text: string): string | undefined {
  if (text.length > nameLengthMax + 16) return undefined;
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?$/.exec(text)?.[1];
  if (bracketed !== undefined) return net.isIPv6(bracketed) ? new URL(`http://[${bracketed}]`).hostname : undefined;
  if (!/^[\x21-\x7e]+$/.test(text)) return undefined;
  const host = text
    .toLowerCase()
    .replace(/:[0-9]{1,5}$/, '')
    .replace(/\.$/, '');
  const labels = host.split('.');
  if (host.length > nameLengthMax || !labels.every((label) => labelPattern.test(label))) return undefined;
  // A last label that is a number makes resolvers take the whole for an address: only one spelling of it will do.
  if (/^([0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') && !net.isIPv4(host)) return undefined;
  return host;
}
