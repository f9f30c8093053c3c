// One request for a part of a file, and what came of it: the same answers are right or wrong as in the live world, but
// that bodies are discarded unread, so that only their length is checked.

import { check } from 'k6';
import type { RefinedResponse } from 'k6/http';
import http from 'k6/http';
import { type ByteRange, parseContentRange, rangeHeader } from '../../../../common/byte-range.ts';
import type { SourceFailureCause } from '../../../device/download-policy.ts';
import type { ExportedContent } from './exported-scenario.ts';

export type SourceRequest = {
  readonly server: { readonly id: string; readonly url: string };
  readonly content: ExportedContent;
  /** `undefined`: the whole file, without a Range header. */
  readonly range: ByteRange | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** From the try to connect to the last byte: k6 has no other time-out. */
  readonly timeoutMs: number;
  readonly redirectsMax: number;
  readonly tags: Readonly<Record<string, string>>;
};

export type SourceAnswer = {
  /** `undefined`: it came whole. */
  readonly failure: SourceFailureCause | undefined;
  readonly serviceMs: number;
  readonly firstByteMs: number;
  readonly receivingMs: number;
};

type Response = RefinedResponse<'none'>;

/** Never throws: what goes wrong is an answer. */
export async function askSource(request: SourceRequest): Promise<SourceAnswer> {
  const { server, content, range, headers, timeoutMs, redirectsMax, tags } = request;
  const isCdn = server.id === 'cdn';
  const joint = content.path.includes('?') ? '&' : '?';
  const target = isCdn ? content.path : `${content.path}${joint}cacheHostOrigin=${content.host}`;
  const response = await http.asyncRequest('GET', `${server.url}${target}`, null, {
    headers: {
      ...headers,
      Accept: '*/*',
      ...(range === undefined ? {} : { Range: rangeHeader(range) }),
      ...(isCdn ? { Host: content.host } : {}),
    },
    timeout: timeoutMs,
    redirects: redirectsMax,
    responseType: 'none',
    // One time series for all URLs of a server.
    tags: { ...tags, name: server.id, server: server.id },
  });
  const { duration, sending, waiting, receiving } = response.timings;
  const failure = failureOf(response, content.sizeBytes, range);
  return { failure, serviceMs: duration, firstByteMs: sending + waiting, receivingMs: receiving };
}

function failureOf(
  response: Response,
  sizeBytes: number,
  range: ByteRange | undefined,
): SourceFailureCause | undefined {
  const broken = transportFailure(response.error_code);
  if (broken !== undefined) return broken;
  if (response.status >= 500) return 'status5xx';
  if (response.status >= 400) return 'status4xx';
  const { start, end } = range ?? { start: 0, end: sizeBytes };
  const isWhole = start === 0 && end === sizeBytes;
  const named = parseContentRange(response.headers['Content-Range'] ?? '');
  const length = response.headers['Content-Length'];
  const isRight = check(response, {
    'status is 206, or 200 for a whole file': ({ status }) =>
      (range !== undefined && status === 206) || (status === 200 && isWhole),
    'Content-Range is the range asked for': ({ status }) =>
      status !== 206 || (named?.range?.start === start && named.range.end === end && named.sizeBytes === sizeBytes),
    'Content-Length is that of the range': () => length === undefined || Number(length) === end - start,
  });
  return isRight ? undefined : 'badResponse';
}

/** k6's error codes (its documentation, "Error codes"): 14xx and 15xx are answers, the rest is none. */
function transportFailure(errorCode: number): SourceFailureCause | undefined {
  if (errorCode === 0 || (errorCode >= 1400 && errorCode < 1600)) return undefined;
  if (errorCode === 1050 || errorCode === 1211) return 'timeout';
  const isBeforeConnection = (errorCode >= 1100 && errorCode < 1200) || (errorCode >= 1210 && errorCode < 1220);
  return isBeforeConnection ? 'refused' : 'reset';
}
