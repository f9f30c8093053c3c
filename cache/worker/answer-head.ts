// The head of an answer: status and fields, in their usual case (the Linux client compares case).

import { STATUS_CODES } from 'node:http';
import { type ByteRange, contentRangeHeader } from '../../common/byte-range.ts';
import type { LocalGeneration } from './local-catalogue.ts';

export type Fields = Record<string, string>;

/** How the cache took part, in the words of RFC 9211. */
export type CacheStatus = 'hit' | 'fwd=uri-miss; stored' | 'fwd=partial; stored' | 'fwd=bypass';

const statusLines = new Map<number, string>();

/** The whole head, with Date (unless a field of that name is given) and Connection. */
export function headText(
  status: number,
  fields: Readonly<Fields>,
  connection: { readonly keepAlive: boolean },
): string {
  let text = statusLine(status);
  for (const name in fields) text += `${name}: ${fields[name]}\r\n`;
  if (fields['Date'] === undefined) text += dateField();
  return text + connectionField(connection.keepAlive);
}

/** The head of an answer with bytes of a generation: like `headText`, at the cost of three short strings. */
export function contentHeadText(
  generation: LocalGeneration,
  node: { readonly name: string; readonly via: string },
  status: CacheStatus,
  part: ByteRange | undefined,
  keepAlive: boolean,
): string {
  const { sizeBytes } = generation.meta;
  return (
    (part === undefined
      ? `${statusLine(200)}Content-Length: ${sizeBytes}\r\n`
      : `${statusLine(206)}Content-Length: ${part.end - part.start}\r\nContent-Range: ${contentRangeHeader(part, sizeBytes)}\r\n`) +
    (status === 'hit'
      ? generation.hitFields(() => fieldLines(generation, node, status))
      : fieldLines(generation, node, status)) +
    connectionField(keepAlive)
  );
}

/** Fields that 200, 206 and 304 of a generation carry alike. */
export function commonFields(
  generation: LocalGeneration,
  node: { readonly name: string; readonly via: string },
  status: CacheStatus,
): Fields {
  const { meta, freshness } = generation;
  const fields: Fields = {};
  for (const [field, value] of meta.fields) fields[field] = value;
  if (meta.etag !== undefined) fields['ETag'] = meta.etag;
  if (meta.lastModified !== undefined) fields['Last-Modified'] = meta.lastModified;
  fields['Age'] = String(Math.max(0, Math.floor((Date.now() - freshness.generatedAtMs) / 1000)));
  fields['Accept-Ranges'] = 'bytes';
  fields['Cache-Status'] = `${node.name}; ${status}`;
  fields['Via'] = `1.1 ${node.via}`;
  return fields;
}

function fieldLines(
  generation: LocalGeneration,
  node: { readonly name: string; readonly via: string },
  status: CacheStatus,
): string {
  const fields = commonFields(generation, node, status);
  let text = '';
  for (const name in fields) text += `${name}: ${fields[name]}\r\n`;
  return fields['Date'] === undefined ? text + dateField() : text;
}

function statusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
    statusLines.set(status, line);
  }
  return line;
}

const connectionField = (keepAlive: boolean): string =>
  keepAlive ? 'Connection: keep-alive\r\n\r\n' : 'Connection: close\r\n\r\n';

let dateLine = '';
let dateSecond = 0;

/** The time, to the second (RFC 9110, 6.6.1). */
function dateField(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `Date: ${new Date(second * 1000).toUTCString()}\r\n`;
  }
  return dateLine;
}
