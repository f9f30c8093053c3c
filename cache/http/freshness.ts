// Whether a shared cache may store an answer, how long it is fresh, and what a stale one may still be used for (RFC 9111,
// sections 3, 4.2 and 5.2; RFC 5861; RFC 9213 for CDN-Cache-Control).

import type { Freshness } from '../protocol.ts';
import { type Directives, directivesOf, durationMs, type FieldReader, parseDeltaSeconds } from './cache-control.ts';
import { parseHttpDate } from './http-date.ts';

/** When the request for an answer was made, and when its head came (epoch ms). */
export type AnswerTimes = { readonly requestedAtMs: number; readonly receivedAtMs: number };

type StoredFields = readonly (readonly [string, string])[];

/** A heuristic lifetime is a tenth of the age since the last change (RFC 9111, 4.2.2), at most this long. */
const heuristicMsMax = 24 * 3600e3;
const heuristicShare = 0.1;
/** Content stays usable this long past its freshness, where its origin does not say otherwise (Microsoft's node: 30 days). */
export const keptMs = 30 * 24 * 3600e3;
/** `freshUntilMs` of a generation that its origin has replaced: it is used by nobody before the origin was asked. */
export const replaced = 0;

/**
 * The freshness of a 200 or 206; `undefined`: it must not be stored. `forceTtlMs` replaces what the origin says of time,
 * and not what it says of storing.
 */
export function freshnessOf(field: FieldReader, times: AnswerTimes, forceTtlMs?: number): Freshness | undefined {
  const { directives, isTargeted } = directivesOf(field);
  if (!isStorable(directives, field)) return undefined;
  const generatedAtMs = times.receivedAtMs - initialAgeMs(field, times);
  if (forceTtlMs !== undefined) return { generatedAtMs, freshUntilMs: times.receivedAtMs + forceTtlMs };
  const lifetimeMs = directives.has('no-cache') ? 0 : lifetime(directives, isTargeted, field, times);
  // Never the mark of a replaced generation, however old the answer says it is.
  return { generatedAtMs, freshUntilMs: Math.max(replaced + 1, generatedAtMs + lifetimeMs) };
}

/**
 * no-store and private forbid it, unless must-understand lifts no-store (the status codes that come here are understood).
 * We ask for identity only: a Vary on Accept-Encoding has one variant; another Vary, or another coding, is not stored.
 */
function isStorable(directives: Directives, field: FieldReader): boolean {
  if (directives.has('private')) return false;
  if (directives.has('no-store') && !directives.has('must-understand')) return false;
  const vary = field('vary')?.split(',') ?? [];
  if (vary.some((name) => !['accept-encoding', ''].includes(name.trim().toLowerCase()))) return false;
  const coding = field('content-encoding')?.trim().toLowerCase() ?? '';
  return coding === '' || coding === 'identity';
}

/** RFC 9111, 4.2.3. */
function initialAgeMs(field: FieldReader, { requestedAtMs, receivedAtMs }: AnswerTimes): number {
  const apparentMs = Math.max(0, receivedAtMs - (parseHttpDate(field('date')) ?? receivedAtMs));
  const toldMs = parseDeltaSeconds(field('age')?.split(',')[0]?.trim() ?? '') ?? 0;
  return Math.max(apparentMs, toldMs + Math.max(0, receivedAtMs - requestedAtMs));
}

/** RFC 9111, 4.2.1; what is there but says no number, or no date, is stale. */
function lifetime(
  directives: Directives,
  isTargeted: boolean,
  field: FieldReader,
  { receivedAtMs }: AnswerTimes,
): number {
  const told = durationMs(directives, 's-maxage') ?? durationMs(directives, 'max-age');
  if (told !== undefined) return told === 'invalid' ? 0 : told;
  const dateMs = parseHttpDate(field('date')) ?? receivedAtMs;
  const expires = isTargeted ? undefined : field('expires');
  if (expires !== undefined) return Math.max(0, (parseHttpDate(expires) ?? 0) - dateMs);
  const modifiedMs = parseHttpDate(field('last-modified'));
  if (modifiedMs === undefined) return 0;
  return Math.min(heuristicMsMax, Math.max(0, (dateMs - modifiedMs) * heuristicShare));
}

/**
 * What a stale generation may be used for at `nowMs`: to serve while its origin is asked, to serve when its origin cannot
 * be asked, or nothing before the origin has answered.
 *
 * Where the origin says nothing, both for 30 days. stale-while-revalidate and stale-if-error bound it (RFC 5861);
 * no-cache, must-revalidate, proxy-revalidate and s-maxage forbid it (RFC 9111, 4.2.4).
 */
export function staleUse(
  fields: StoredFields,
  freshness: Freshness,
  nowMs: number,
): 'whileRefreshing' | 'onError' | 'never' {
  if (freshness.freshUntilMs === replaced) return 'never';
  const { directives } = directivesOf(readerOf(fields));
  if (['no-cache', 'must-revalidate', 'proxy-revalidate', 's-maxage'].some((name) => directives.has(name)))
    return 'never';
  const bound = (name: string): number | undefined => {
    const ms = durationMs(directives, name);
    return ms === 'invalid' ? 0 : ms;
  };
  const onErrorMs = bound('stale-if-error');
  const whileRefreshingMs = bound('stale-while-revalidate') ?? (onErrorMs === undefined ? keptMs : 0);
  const staleMs = nowMs - freshness.freshUntilMs;
  if (staleMs < whileRefreshingMs) return 'whileRefreshing';
  return staleMs < (onErrorMs ?? keptMs) ? 'onError' : 'never';
}

/** Whether a generation, if there is one, may be served now although its origin could not be asked. */
export function isOnErrorUsable(
  of: { readonly meta: { readonly fields: StoredFields }; readonly freshness: Freshness } | undefined,
): boolean {
  return of !== undefined && staleUse(of.meta.fields, of.freshness, Date.now()) !== 'never';
}

/** Reads fields by their lower-case names; several of one name are joined by ", ". */
export function readerOf(fields: StoredFields): FieldReader {
  return (name) => {
    const values = fields.flatMap(([other, value]) => (other.toLowerCase() === name ? [value] : []));
    return values.length === 0 ? undefined : values.join(', ');
  };
}

/** Whether a request's Cache-Control asks for what is stored, or 504 (RFC 9111, 5.2.1.7); the other request directives are ignored. */
export function isOnlyIfCached(cacheControl: string | undefined): boolean {
  return cacheControl !== undefined && /(?:^|,)\s*only-if-cached\s*(?:,|$)/i.test(cacheControl);
}
