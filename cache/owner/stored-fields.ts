// Which header fields of the origin a stored answer repeats: all end-to-end ones (RFC 9111, 3.1), but those that speak of
// one transfer, those that the node writes itself, and Set-Cookie, which was meant for one client.

import type { ResponseHead } from '../../common/http-response-parser.ts';
import { type EndToEndFields, endToEndFields } from '../http/end-to-end-fields.ts';

const notStored: ReadonlySet<string> = new Set([
  // of one transfer, or written for every answer
  ...['content-length', 'content-range', 'content-encoding', 'accept-ranges', 'age'],
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

/** The fields of a head that are stored, in their order; `undefined` when even the essential ones are too much. */
export function storedFields(head: ResponseHead): EndToEndFields | undefined {
  const all = endToEndFields(head).filter(
    ([name, value]) => !notStored.has(name.toLowerCase()) && (name !== 'ETag' || value.startsWith('W/')),
  );
  if (bytesOf(all) <= storedFieldsBytesMax) return all;
  const few = all.filter(([name]) => essential.has(name.toLowerCase()));
  return bytesOf(few) <= storedFieldsBytesMax ? few : undefined;
}

/** What is stored after an origin confirmed a generation (RFC 9111, 3.2): its new fields in place of the old ones. */
export function updatedFields(stored: EndToEndFields, head: ResponseHead): EndToEndFields {
  // A 304 says nothing of the content: what it claims of it is of another message.
  const fresh = (storedFields(head) ?? []).filter(([name]) => !['content-type', 'etag'].includes(name.toLowerCase()));
  const names = new Set(fresh.map(([name]) => name.toLowerCase()));
  const merged = [...stored.filter(([name]) => !names.has(name.toLowerCase())), ...fresh];
  return bytesOf(merged) <= storedFieldsBytesMax ? merged : stored;
}

function bytesOf(fields: EndToEndFields): number {
  return fields.reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
}
