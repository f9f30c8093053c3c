// The fields of an origin's answer that are for the client: not those of one connection (RFC 9110, 7.6.1), and not the two
// that every node writes itself.

import type { ResponseHead } from '../../common/http-response-parser.ts';

export type EndToEndFields = readonly (readonly [string, string])[];

const ofOneConnection: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization'],
  ...['via', 'cache-status'],
]);

/** In their order, names in their usual case; lines of one name are one list, or one text of several lines. */
export function endToEndFields(head: ResponseHead): EndToEndFields {
  const named = new Set((head.header('connection') ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const byName = new Map<string, [string, string]>();
  for (const [name, value] of head.fields()) {
    const lower = name.toLowerCase();
    if (ofOneConnection.has(lower) || named.has(lower)) continue;
    const known = byName.get(lower);
    if (known === undefined) byName.set(lower, [usualCase(name), value]);
    // Cookies have commas of their own: each keeps its line (RFC 9110, 5.3).
    else known[1] += lower === 'set-cookie' ? `\r\n${known[0]}: ${value}` : `, ${value}`;
  }
  return [...byName.values()];
}

const written = new Map(['Date', 'ETag', 'Last-Modified', 'Content-Length'].map((name) => [name.toLowerCase(), name]));

/** Names that the node writes too are written one way; others in small letters as they usually are: some clients compare case. */
function usualCase(name: string): string {
  const known = written.get(name.toLowerCase());
  if (known !== undefined) return known;
  return name === name.toLowerCase() ? name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase()) : name;
}
