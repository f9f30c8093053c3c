// Which header fields of the origin a stored answer repeats: all end-to-end ones (RFC 9111, 3.1), but those that speak of
// one connection or one transfer, those that the node writes itself, and Set-Cookie, which was meant for one client.

import type { ResponseHead } from '../../common/http-response-parser.ts';

export type Fields = readonly (readonly [string, string])[];

const notStored: ReadonlySet<string> = new Set([
  // hop by hop
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authentication-info', 'proxy-authorization'],
  // of this transfer, or written for every answer
  ...['content-length', 'content-range', 'content-encoding', 'accept-ranges', 'age', 'via', 'cache-status'],
  // kept beside the fields (a weak ETag is one of them)
  'last-modified',
  // for one client
  ...['set-cookie', 'set-cookie2'],
]);

/** Fields of one answer are bounded: an origin must not fill the memory of owner and workers. */
export const storedFieldsBytesMax = 8 * 1024;
/** What is kept of an answer whose fields are more than that. */
const essential: ReadonlySet<string> = new Set([
  ...['content-type', 'content-disposition', 'content-language', 'cache-control', 'cdn-cache-control', 'expires'],
  ...['date', 'etag', 'vary', 'x-hw'],
]);

/** The fields of a head that are stored, in their order; lines of one name as one list. */
export function storedFields(head: ResponseHead): Fields {
  const named = new Set((head.header('connection') ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const all = [...head.fields()].filter(([name, value]) => {
    const lower = name.toLowerCase();
    if (lower === 'etag' && !value.startsWith('W/')) return false;
    return !notStored.has(lower) && !named.has(lower);
  });
  const lists = joined(all);
  if (bytesOf(lists) <= storedFieldsBytesMax) return lists;
  const few = lists.filter(([name]) => essential.has(name.toLowerCase()));
  return bytesOf(few) <= storedFieldsBytesMax ? few : [];
}

/** What is stored after an origin confirmed a generation (RFC 9111, 3.2): its new fields in place of the old ones. */
export function updatedFields(stored: Fields, head: ResponseHead): Fields {
  // A 304 says nothing of the content: what it claims of it is of another message.
  const fresh = storedFields(head).filter(([name]) => !['content-type', 'etag'].includes(name.toLowerCase()));
  const names = new Set(fresh.map(([name]) => name.toLowerCase()));
  const merged = [...stored.filter(([name]) => !names.has(name.toLowerCase())), ...fresh];
  return bytesOf(merged) <= storedFieldsBytesMax ? merged : stored;
}

function bytesOf(fields: Fields): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
}

/** An answer's fields are kept by name: lines of one name are one list. */
function joined(fields: Fields): Fields {
  const byName = new Map<string, [string, string]>();
  for (const [name, value] of fields) {
    const known = byName.get(name.toLowerCase());
    if (known === undefined) byName.set(name.toLowerCase(), [usualCase(name), value]);
    else known[1] += `, ${value}`;
  }
  return [...byName.values()];
}

/** A name in small letters as it is usually written: clients are known that compare case. */
function usualCase(name: string): string {
  if (name.toLowerCase() === 'etag') return 'ETag';
  return name === name.toLowerCase() ? name.replace(/(?:^|-)[a-z]/g, (letter) => letter.toUpperCase()) : name;
}
