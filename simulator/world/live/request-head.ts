// The head of a request as the Windows client sends it: order and case of the fields as captured from Windows 11
// (facts, 2.1).

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
  const joint = content.path.includes('?') ? '&' : '?';
  const target = isCdn ? content.path : `${content.path}${joint}cacheHostOrigin=${content.host}`;
  const host = isCdn ? content.host : endpoint.port === 80 ? endpoint.host : `${endpoint.host}:${endpoint.port}`;
  const rangeField = range === undefined ? '' : `Range: ${rangeHeader(range)}\r\n`;
  return (
    `GET ${target} HTTP/1.1\r\nConnection: Keep-Alive\r\nAccept: */*\r\n${rangeField}` +
    `User-Agent: Microsoft-Delivery-Optimization/10.1\r\nMS-CV: ${correlationVector}\r\n` +
    `Content-Length: 0\r\nHost: ${host}\r\n\r\n`
  );
}
