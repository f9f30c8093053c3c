// What the Linux client makes of the heads of answers (do-client 8362e36: download.cpp, http_agent.cpp).

import type { ResponseHead } from '../../../common/http-response-parser.ts';
import type { SourceFailureCause } from '../../device/download-policy.ts';

/** What the client does with an answer, by its status; a cause: it has failed. */
export function statusKind({ statusCode, location }: ResponseHead): 'success' | 'redirect' | SourceFailureCause {
  if (statusCode >= 500) return 'status5xx';
  if (statusCode >= 400) return 'status4xx';
  if (statusCode >= 300) return location === undefined ? 'badResponse' : 'redirect';
  return statusCode <= 204 || statusCode === 206 ? 'success' : 'badResponse';
}

/**
 * The size of the file by an answer of success: Content-Length of a 200 (0 without one), what follows the slash of a
 * 206's Content-Range; undefined: the client gives up. It knows the fields in this capitalisation only.
 */
export function contentTotalOf(head: ResponseHead): number | undefined {
  if (head.statusCode !== 206) return Number.parseInt(exactField(head, 'Content-Length') ?? '0', 10);
  const total = Number.parseInt(exactField(head, 'Content-Range')?.split('/')[1] ?? '', 10);
  return Number.isNaN(total) ? undefined : total;
}

/** The last one counts. */
function exactField(head: ResponseHead, wanted: string): string | undefined {
  let found: string | undefined;
  for (const [name, value] of head.fields()) if (name === wanted) found = value;
  return found;
}
