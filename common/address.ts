// `address:port` as the command line writes it: 127.0.0.1:8081, [::1]:8081, localhost:0.

/** Where something listens, or what to connect to. Port 0 asks the system for a free one. */
export type Address = { readonly host: string; readonly port: number };

/** Reads `host:port`; `undefined` when it is not of that form or the port is beyond 65,535. */
export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:[\]\s]+)):([0-9]{1,5})$/.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

/** `host:port`, with brackets around an IPv6 literal. */
export function formatAddress(address: Address): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
