// Following redirects, for who wants that (`--follow-redirects`): each hop must lead by plain HTTP to a host of the
// table, and is connected to by the same rules as a host that a client named. A redirect to anywhere else is passed on.

import type { ResponseHead } from '../common/http-response-parser.ts';
import { canonicalHost } from './http/host-name.ts';
import type { OriginTable } from './http/origin-table.ts';
import type { UpstreamExchange, UpstreamRequest } from './upstream.ts';

/** As many as the Linux client follows. */
export const redirectsMax = 10;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** A redirect's body up to this size is read to its end, so that its connection can be used again. */
const unwantedBytesMax = 64 * 1024;

/** Makes a request, and again wherever it is redirected to; its sink hears only of the answer at the end. */
export function followRedirects(
  request: UpstreamRequest,
  origins: OriginTable,
  start: (request: UpstreamRequest) => UpstreamExchange,
): UpstreamExchange {
  let redirectCount = 0;
  let isPaused = false;
  let isOver = false;
  const attempt = (hop: UpstreamRequest): UpstreamExchange => {
    let next: UpstreamRequest | undefined;
    const goOn = (target: UpstreamRequest): void => {
      if (isOver) return;
      current = attempt(target);
      if (isPaused) current.pause();
    };
    return start({
      ...hop,
      sink: {
        onHead: (head) => {
          next = redirectOf(head, hop, origins);
          if (next === undefined) request.sink.onHead(head);
          else if (redirectCount++ >= redirectsMax) {
            isOver = true;
            current.abort();
            request.sink.onFailure({ cause: 'badResponse', detail: `more than ${redirectsMax} redirects` });
          } else if (head.contentLength === undefined || head.contentLength > unwantedBytesMax) {
            current.abort();
            goOn(next);
          }
        },
        onBody: (buffer, from, to) => {
          if (next === undefined) request.sink.onBody(buffer, from, to);
        },
        onEnd: () => {
          if (next === undefined) request.sink.onEnd();
          else goOn(next);
        },
        onFailure: (failure) => {
          // The redirect itself has come: how its body ends does not matter.
          if (next === undefined) request.sink.onFailure(failure);
          else goOn(next);
        },
      },
    });
  };
  let current = attempt(request);
  return {
    abort: () => {
      isOver = true;
      current.abort();
    },
    pause: () => {
      isPaused = true;
      current.pause();
    },
    resume: () => {
      isPaused = false;
      current.resume();
    },
  };
}

/** The request that a redirect asks for; undefined when the answer is none, or leads where this node may not go. */
function redirectOf(head: ResponseHead, request: UpstreamRequest, origins: OriginTable): UpstreamRequest | undefined {
  const location = head.header('location');
  if (!redirectStatuses.has(head.statusCode) || location === undefined) return undefined;
  const base = `http://${request.origin.host}:${request.origin.port}${request.target}`;
  if (!URL.canParse(location, base)) return undefined;
  const url = new URL(location, base);
  const host = canonicalHost(url.hostname);
  const origin = host === undefined ? undefined : origins.find(host);
  const port = url.port === '' ? 80 : Number(url.port);
  if (url.protocol !== 'http:' || url.username !== '' || url.password !== '') return undefined;
  if (origin === undefined || origin.port !== port) return undefined;
  // Credentials are for the host that they were meant for.
  const fields =
    origin.host === request.origin.host
      ? request.fields
      : request.fields.filter(([name]) => name.toLowerCase() !== 'authorization');
  return { ...request, origin, target: url.pathname + url.search, fields };
}
