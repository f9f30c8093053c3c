// Who may read the summary report at its own address: this machine, who has the key, or everybody.

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { OperationSettings } from '../settings-operations.ts';
import type { AdminAnswer, AdminGuard } from './admin.ts';
import { isFromHere, refusal } from './admin-guard.ts';

export function summaryGuard(
  settings: Pick<OperationSettings, 'summaryAccess' | 'apiKey'>,
  boundHost: string,
): AdminGuard {
  switch (settings.summaryAccess) {
    case 'open':
      return () => undefined;
    case 'key':
      return (request) => keyRefusal(request, settings.apiKey ?? '');
    case 'local':
      return (request) => {
        if (!isFromHere(request.socket.remoteAddress)) {
          return refused(
            403,
            'the summary report is for this machine only (--summary-access key or open changes that)',
          );
        }
        const { host, origin } = request.headers;
        const why = refusal({ host, origin, fetchSite: undefined }, boundHost);
        return why === undefined ? undefined : refused(403, why);
      };
  }
}

function keyRefusal(request: IncomingMessage, key: string): AdminAnswer | undefined {
  const found = keyOf(request);
  if (found === undefined) return refused(401, 'expected an API key: ?apiKey=… or the field X-Api-Key; found none');
  return isSame(found, key) && key !== ''
    ? undefined
    : refused(403, 'expected the API key of this node, found another');
}

function keyOf(request: IncomingMessage): string | undefined {
  const field = request.headers['x-api-key'];
  if (typeof field === 'string') return field;
  const mark = request.url?.indexOf('?') ?? -1;
  const query = mark < 0 ? '' : (request.url?.slice(mark + 1) ?? '');
  const all = new URLSearchParams(query).getAll('apiKey');
  return all.length === 1 ? all[0] : undefined;
}

/** Compares in a time that says nothing of where they differ, nor of the key's length. */
function isSame(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

function refused(status: 401 | 403, error: string): AdminAnswer {
  return { status, body: { error } };
}
