// The heads of requests, byte for byte as the two real clients send them: order and case of the fields as captured from
// Windows 11, and as the open-source Linux agent and its libcurl send them (facts, 2.1 and on the Linux client).

import { type ByteRange, rangeHeader } from '../../../common/byte-range.ts';
import type { ContentSpec } from '../../scenario/scenario.ts';
import type { Endpoint } from './range-transfer.ts';

/** What a request is about. */
export type RequestSubject = {
  readonly content: Pick<ContentSpec, 'host' | 'path'>;
  /** Undefined: the whole object, without a Range field. */
  readonly range: ByteRange | undefined;
  readonly endpoint: Endpoint;
  /** Whether the endpoint is the CDN, which is asked under the content's own host. */
  readonly isCdn: boolean;
  /** The value of MS-CV. */
  readonly correlationVector: string;
};

/** The head with its empty line. A cache host is told the content's host in the query. */
export function windowsRequestHead({ content, range, endpoint, isCdn, correlationVector }: RequestSubject): string {
  const { host, target } = isCdn ? { host: content.host, target: content.path } : cacheHostTarget(content, endpoint);
  const rangeField = range === undefined ? '' : `Range: ${rangeHeader(range)}\r\n`;
  return (
    `GET ${target} HTTP/1.1\r\nConnection: Keep-Alive\r\nAccept: */*\r\n${rangeField}` +
    `User-Agent: Microsoft-Delivery-Optimization/10.1\r\nMS-CV: ${correlationVector}\r\n` +
    `Content-Length: 0\r\nHost: ${host}\r\n\r\n`
  );
}

/** Where a request goes. */
export type Target = { readonly endpoint: Endpoint; readonly host: string; readonly target: string };

/** The head with its empty line. `rangeLines`: none, or Range fields with their line ends. */
export function linuxRequestHead({ host, target }: Target, rangeLines: string): string {
  return (
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: Microsoft-Delivery-Optimization-Lite/10.0.0.1\r\n` +
    `Accept: */*\r\n${rangeLines}\r\n`
  );
}

/** The content's own URL with its host swapped for the cache host's. */
export function cacheHostTarget(
  content: Pick<ContentSpec, 'host' | 'path'>,
  endpoint: Endpoint,
): { readonly host: string; readonly target: string } {
  const joint = content.path.includes('?') ? '&' : '?';
  return {
    host: endpoint.port === 80 ? endpoint.host : `${endpoint.host}:${endpoint.port}`,
    target: `${content.path}${joint}cacheHostOrigin=${content.host}`,
  };
}
