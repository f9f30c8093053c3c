// Which addresses a name may resolve to. A name is checked when it is connected to, and the addresses that passed are the
// ones connected to: nothing resolves it a second time, so that a name server cannot answer the check with one address
// and the connection with another.

import dns from 'node:dns';
import net from 'node:net';

/** IPv4 that is not somebody's public host (IANA, "IPv4 Special-Purpose Address Registry", and multicast). */
const notPublicV4 = blockList('ipv4', [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // shared by carriers (CGNAT)
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local; clouds serve credentials there
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
]);

/** The part of IPv6 that is given out: mapped (::ffff:), NAT64, local and multicast addresses are all outside of it. */
const globalV6 = blockList('ipv6', ['2000::/3']);
/** What is in that part and yet no public host (IANA, "IPv6 Special-Purpose Address Registry"). */
const notPublicV6 = blockList('ipv6', [
  '2001::/23', // protocol assignments: Teredo, benchmarks, ORCHID
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: an IPv4 address inside
  '3fff::/20', // documentation
]);

/** Whether an address is a public host's. Anything that is no address is not. */
export function isPublicAddress(address: string): boolean {
  switch (net.isIP(address)) {
    case 4:
      return !notPublicV4.check(address, 'ipv4');
    case 6:
      return globalV6.check(address, 'ipv6') && !notPublicV6.check(address, 'ipv6');
    default:
      return false;
  }
}

/** Resolves a name to all its addresses. */
export type Resolve = (
  hostname: string,
  options: dns.LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: dns.LookupAddress[]) => void,
) => void;

/** Resolves for `net.connect`, and leaves out every address that is not public; an error when none is left. */
export function publicLookup(resolve: Resolve = dns.lookup): net.LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const allowed = error === null ? addresses.filter(({ address }) => isPublicAddress(address)) : [];
      const first = allowed[0];
      if (error !== null) callback(error, '');
      else if (first === undefined) callback(new Error(`${hostname} resolves to no public address`), '');
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

function blockList(family: net.IPVersion, subnets: readonly string[]): net.BlockList {
  const list = new net.BlockList();
  for (const subnet of subnets) {
    const [address = '', prefix] = subnet.split('/');
    list.addSubnet(address, Number(prefix), family);
  }
  return list;
}
