// What an answer of upstream says about a generation, and what a generation says about itself.

import { parseContentRange } from '../../common/byte-range.ts';
import type { ResponseHead } from '../../common/http-response-parser.ts';
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
  if (answer.status >= 300 && answer.status < 500) return { cause: 'denied', detail };
  if (answer.status === 508) return { cause: 'loop', detail };
  return { cause: answer.status === 503 ? 'unavailable' : 'badResponse', detail };
}

/** Whether bytes of this validator and size are bytes of the generation. */
export function isOf(generation: Generation, validator: Validator, sizeBytes: number): boolean {
  const { etag, lastModified } = generation.meta;
  if (generation.meta.sizeBytes !== sizeBytes) return false;
  return etag === undefined && validator.etag === undefined
    ? lastModified === validator.lastModified
    : etag === validator.etag;
}

/** Whether the generation is past its time. */
export function isStale(generation: Generation): boolean {
  return Date.now() >= generation.freshness.freshUntilMs;
}
