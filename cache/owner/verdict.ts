// What an answer of upstream says about a generation, and what a generation says about itself.

import { parseContentRange } from '../../common/byte-range.ts';
import type { ResponseHead } from '../../common/http-response-parser.ts';
import { readerOf } from '../http/freshness.ts';
import type { Generation } from '../store/generation.ts';
import type { Answer, FetchFailure, Validator } from './fetch.ts';

/** The object's size by a 416; undefined when it does not say. */
export function sizeOf416(head: ResponseHead): number | undefined {
  return head.contentRange === undefined ? undefined : parseContentRange(head.contentRange)?.sizeBytes;
}

/** What an answer without usable bytes is called. */
export function unwanted(answer: Answer): FetchFailure {
  if (answer.kind !== 'status') {
    return { cause: 'badResponse', detail: answer.kind === 'invalid' ? answer.reason : answer.kind };
  }
  const detail = `status ${answer.status}`;
  if (isOfOneClient(answer.status)) return { cause: 'denied', detail };
  if (answer.status === 508) return { cause: 'loop', detail };
  const cause = [408, 429, 503].includes(answer.status) ? 'unavailable' : 'badResponse';
  return answer.status >= 500 ? { cause, detail, status: answer.status } : { cause, detail };
}

/** A 3xx or 4xx is the asking client's own (its signature has expired …), unless it speaks of the origin's load. */
export function isOfOneClient(status: number): boolean {
  const isOtherSuccess = status > 200 && status < 300 && status !== 206;
  return isOtherSuccess || (status >= 300 && status < 500 && status !== 408 && status !== 429);
}

/** Whether bytes of this validator and size are bytes of the generation. */
export function isOf(generation: Generation, validator: Validator, sizeBytes: number): boolean {
  const { etag, lastModified } = generation.meta;
  if (generation.meta.sizeBytes !== sizeBytes) return false;
  if (etag !== undefined || validator.etag !== undefined) return etag === validator.etag;
  return lastModified === validator.lastModified && etagOf(generation) === validator.weakEtag;
}

/** The ETag that a generation came with, strong or weak. */
export function etagOf({ meta }: Generation): string | undefined {
  return meta.etag ?? readerOf(meta.fields)('etag');
}

/** Which of the generations named in a request's conditions a 304 confirms; `undefined` when it does not tell. */
export function confirmed(candidates: readonly Generation[], head: ResponseHead): Generation | undefined {
  const { etag } = head;
  if (etag !== undefined && !etag.startsWith('W/')) return candidates.find(({ meta }) => meta.etag === etag);
  const opaque = (tag: string | undefined): string | undefined => tag?.replace(/^W\//, '');
  const possible = candidates.filter((candidate) => {
    const own = etagOf(candidate);
    return etag === undefined || own === undefined || opaque(own) === opaque(etag);
  });
  return possible.length === 1 ? possible[0] : undefined;
}

/** Whether the generation is past its time. */
export function isStale(generation: Generation): boolean {
  return Date.now() >= generation.freshness.freshUntilMs;
}
