// The head of an answer: status and fields, in their usual case (the Linux client compares case).

import { type ByteRange, contentRangeHeader } from '../../common/byte-range.ts';
import type { LocalGeneration } from './local-catalogue.ts';

export type Fields = Record<string, string>;

/** How the cache took part, in the words of RFC 9211. */
export type CacheStatus = 'hit' | 'fwd=uri-miss; stored' | 'fwd=partial; stored' | 'fwd=stale' | 'fwd=bypass';

/** Fields that 200, 206 and 304 of a generation carry alike. */
export function commonFields(generation: LocalGeneration, name: string, via: string, status: CacheStatus): Fields {
  const { meta, freshness } = generation;
  const fields: Fields = {};
  for (const [field, value] of meta.fields) fields[field] = value;
  if (meta.etag !== undefined) fields['ETag'] = meta.etag;
  if (meta.lastModified !== undefined) fields['Last-Modified'] = meta.lastModified;
  fields['Age'] = String(Math.max(0, Math.floor((Date.now() - freshness.generatedAtMs) / 1000)));
  fields['Accept-Ranges'] = 'bytes';
  fields['Cache-Status'] = `${name}; ${status}`;
  fields['Via'] = `1.1 ${via}`;
  return fields;
}

/** Adds what says how long the body is: 200 with the whole, or 206 with a part. Returns the status. */
export function lengthFields(fields: Fields, sizeBytes: number, part: ByteRange | undefined): 200 | 206 {
  if (part === undefined) {
    fields['Content-Length'] = String(sizeBytes);
    return 200;
  }
  fields['Content-Length'] = String(part.end - part.start);
  fields['Content-Range'] = contentRangeHeader(part, sizeBytes);
  return 206;
}
