// From the request line and Host to: which object, at which origin, under which name in the cache.
//
//   GET /path?P1=…&a=b&cacheHostOrigin=au.download.windowsupdate.com    Host: cache.corp
//     origin    au.download.windowsupdate.com   (the last cacheHostOrigin counts, else Host)
//     target    /path?P1=…&a=b                  (what the origin is asked; cacheHostOrigin never goes there)
//     key       au.download.windowsupdate.com/path?a=b
//
// Path and query go on as they came, byte for byte. A key is a name in an index and never a path of a file; its first
// part is a host or an alias, neither of which holds a slash, so that no two objects have one key.

import type { KeyQuery } from '../settings.ts';
import { canonicalHost } from './host-name.ts';
import type { Origin, OriginTable } from './origin-table.ts';

export type RequestTarget = {
  readonly origin: Origin;
  readonly key: string;
  readonly target: string;
  readonly namedOrigin: boolean;
};

/** Why a request is refused, with the status that says so. */
export type Refusal = { readonly status: number; readonly reason: string };

/** Arguments of signed URLs (seen on Delivery Optimization's content hosts): never part of an object's identity. */
const signatureArguments: ReadonlySet<string> = new Set(['P1', 'P2', 'P3', 'P4']);

/** Longest request target, in characters (RFC 9110 asks for at least 8,000; the Linux client stops at 1,800). */
export const targetLengthMax = 8192;

export function readRequestTarget(
  url: string,
  hostHeader: string | undefined,
  origins: OriginTable,
  keyQuery: KeyQuery,
): RequestTarget | Refusal {
  if (url.length > targetLengthMax) return { status: 414, reason: 'the target is too long' };
  const split = splitUrl(url);
  if (split === undefined) return { status: 400, reason: 'the target is no path' };
  const { path, query, authority } = split;
  const { named, rest } = takeOrigin(query);
  const namedOrigin = named !== undefined;
  const host = canonicalHost(named ?? authority ?? hostHeader ?? '');
  if (host === undefined) return { status: namedOrigin ? 403 : 400, reason: 'no origin is named' };
  const origin = origins.find(host);
  if (origin === undefined) return { status: 403, reason: `${host} is not an origin of this node` };
  const keyArguments = rest.filter((argument) => isKeyArgument(argument, keyQuery));
  const asQuery = (all: readonly string[]): string => (all.length === 0 ? '' : `?${all.join('&')}`);
  return {
    origin,
    key: origin.canonical + path + asQuery(keyArguments),
    target: path + asQuery(rest),
    namedOrigin,
  };
}

/** `query` is undefined when there is no question mark. */
function splitUrl(url: string): { path: string; query: string | undefined; authority: string | undefined } | undefined {
  let rest = url;
  let authority: string | undefined;
  const absolute = /^http:\/\/([^/?#]*)/i.exec(url);
  if (absolute?.[1] !== undefined) {
    authority = absolute[1];
    rest = url.slice(absolute[0].length);
    if (!rest.startsWith('/')) rest = `/${rest}`;
  }
  if (!rest.startsWith('/')) return undefined;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x20\x7f#\\]/.test(rest)) return undefined;
  const mark = rest.indexOf('?');
  const path = mark < 0 ? rest : rest.slice(0, mark);
  // Some server behind us may take an encoded separator for one.
  if (path.split(/\/|%2f|%5c/i).some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) return undefined;
  return { path, query: mark < 0 ? undefined : rest.slice(mark + 1), authority };
}

function takeOrigin(query: string | undefined): { named: string | undefined; rest: string[] } {
  let named: string | undefined;
  const rest: string[] = [];
  for (const argument of query === undefined ? [] : query.split('&')) {
    const equals = argument.indexOf('=');
    const name = equals < 0 ? argument : argument.slice(0, equals);
    if (name.toLowerCase() === 'cachehostorigin') named = decode(equals < 0 ? '' : argument.slice(equals + 1));
    else rest.push(argument);
  }
  return { named, rest };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

function isKeyArgument(argument: string, keyQuery: KeyQuery): boolean {
  const name = argument.split('=', 1)[0] ?? '';
  if (keyQuery === 'exact') return true;
  if (signatureArguments.has(name) || keyQuery === 'none') return false;
  return keyQuery === 'all' || !keyQuery.except.includes(name);
}
