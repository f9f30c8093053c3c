// How long an answer is fresh, what a stale one is good for, and what may not be stored: RFC 9111, 5861 and 9213, rule by
// rule.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCacheControl, parseTargetedControl } from '../../cache/http/cache-control.ts';
import { freshnessOf, isOnlyIfCached, keptMs, readerOf, replaced, staleUse } from '../../cache/http/freshness.ts';
import { parseHttpDate } from '../../cache/http/http-date.ts';

type Fields = Readonly<Record<string, string>>;

const nowMs = Date.UTC(2026, 2, 1, 12, 0, 0);
const date = (offsetS: number): string => new Date(nowMs + offsetS * 1000).toUTCString();
const fieldsOf = (fields: Fields): [string, string][] => Object.entries(fields);

/** Seconds from now until the answer is stale (negative: it has been for so long); 'not stored' where it is not. */
function freshForS(fields: Fields, delayMs = 0): number | 'not stored' {
  const times = { requestedAtMs: nowMs - delayMs, receivedAtMs: nowMs };
  const freshness = freshnessOf(readerOf(fieldsOf(fields)), times);
  return freshness === undefined ? 'not stored' : (freshness.freshUntilMs - nowMs) / 1000;
}

describe('an answer is stored', () => {
  it.each<{ fields: Fields; isStored: boolean; why: string }>([
    { why: 'nothing forbids it', fields: {}, isStored: true },
    { why: 'no-store', fields: { 'Cache-Control': 'max-age=60, no-store' }, isStored: false },
    { why: 'no-store in any case', fields: { 'cache-control': 'NO-STORE' }, isStored: false },
    { why: 'private', fields: { 'Cache-Control': 'private' }, isStored: false },
    { why: 'private for some fields', fields: { 'Cache-Control': 'private="x-a, x-b", max-age=9' }, isStored: false },
    { why: 'no-store in a quoted value is no directive', fields: { 'Cache-Control': 'x="no-store"' }, isStored: true },
    { why: 'must-understand lifts no-store', fields: { 'Cache-Control': 'must-understand, no-store' }, isStored: true },
    {
      why: 'no-store for CDNs',
      fields: { 'CDN-Cache-Control': 'no-store', 'Cache-Control': 'public' },
      isStored: false,
    },
    {
      why: 'for CDNs, not for others',
      fields: { 'CDN-Cache-Control': 'max-age=5', 'Cache-Control': 'no-store' },
      isStored: true,
    },
    { why: 'Vary on what we never send', fields: { Vary: 'Accept-Encoding' }, isStored: true },
    { why: 'Vary on what differs', fields: { Vary: 'accept-encoding, User-Agent' }, isStored: false },
    { why: 'Vary on everything', fields: { Vary: '*' }, isStored: false },
    { why: 'a coding', fields: { 'Content-Encoding': 'gzip' }, isStored: false },
    { why: 'no coding, said so', fields: { 'Content-Encoding': 'identity' }, isStored: true },
  ])('$isStored: $why', ({ fields, isStored }) => {
    expect(freshForS(fields) !== 'not stored').toBe(isStored);
  });
});

describe('an answer is fresh for so many seconds', () => {
  const modified = { 'Last-Modified': date(-1000) };
  it.each<{ fields: Fields; freshS: number; why: string; delayMs?: number }>([
    { why: 'max-age', fields: { 'Cache-Control': 'max-age=60' }, freshS: 60 },
    { why: 's-maxage over max-age', fields: { 'Cache-Control': 'max-age=60, s-maxage=30' }, freshS: 30 },
    { why: 's-maxage over max-age, in any order', fields: { 'Cache-Control': 's-maxage=90, max-age=60' }, freshS: 90 },
    { why: 'max-age over Expires', fields: { 'Cache-Control': 'max-age=60', Expires: date(7) }, freshS: 60 },
    { why: 'Expires less Date', fields: { Date: date(0), Expires: date(7) }, freshS: 7 },
    { why: 'Expires less now, without a Date', fields: { Expires: date(7) }, freshS: 7 },
    { why: 'a clock ahead of ours', fields: { Date: date(500), Expires: date(507) }, freshS: 7 },
    { why: 'a clock behind ours has aged', fields: { Date: date(-5), 'Cache-Control': 'max-age=60' }, freshS: 55 },
    { why: 'a Date that is none', fields: { Date: 'yesterday', 'Cache-Control': 'max-age=60' }, freshS: 60 },
    { why: 'Expires: 0', fields: { Expires: '0', ...modified }, freshS: 0 },
    { why: 'Expires: -1', fields: { Expires: '-1', ...modified }, freshS: 0 },
    { why: 'Expires twice', fields: { Expires: `${date(7)}, ${date(9)}` }, freshS: 0 },
    { why: 'Expires in another zone', fields: { Expires: date(7).replace('GMT', 'UTC') }, freshS: 0 },
    { why: 'Expires in the past', fields: { Expires: date(-7) }, freshS: 0 },
    { why: 'max-age=0', fields: { 'Cache-Control': 'max-age=0', ...modified }, freshS: 0 },
    { why: 'max-age in quotes', fields: { 'Cache-Control': 'max-age="60"' }, freshS: 60 },
    { why: 'max-age that is no number', fields: { 'Cache-Control': 'max-age=6x', Expires: date(7) }, freshS: 0 },
    { why: 'max-age with a fraction', fields: { 'Cache-Control': 'max-age=60.5' }, freshS: 0 },
    { why: 'max-age below zero', fields: { 'Cache-Control': 'max-age=-60' }, freshS: 0 },
    { why: 'max-age without a value', fields: { 'Cache-Control': 'max-age' }, freshS: 0 },
    { why: 'max-age with a space', fields: { 'Cache-Control': 'max-age =60' }, freshS: 0 },
    { why: 's-maxage that is no number', fields: { 'Cache-Control': 's-maxage=x, max-age=60' }, freshS: 0 },
    { why: 'the first of two', fields: { 'Cache-Control': 'max-age=5, max-age=60' }, freshS: 5 },
    { why: 'a number of any length', fields: { 'Cache-Control': `max-age=${'9'.repeat(40)}` }, freshS: 2 ** 31 },
    { why: 'names in any case', fields: { 'Cache-Control': 'Max-AGE=60' }, freshS: 60 },
    { why: 'another directive that ends alike', fields: { 'Cache-Control': 'x-max-age=60' }, freshS: 0 },
    { why: 'a quoted value that holds one', fields: { 'Cache-Control': 'x="a, max-age=60"' }, freshS: 0 },
    { why: 'no-cache over max-age', fields: { 'Cache-Control': 'max-age=60, no-cache' }, freshS: 0 },
    { why: 'Age', fields: { 'Cache-Control': 'max-age=60', Age: '20' }, freshS: 40 },
    {
      why: 'Age and the delay of the answer',
      fields: { 'Cache-Control': 'max-age=60', Age: '20' },
      delayMs: 3000,
      freshS: 37,
    },
    { why: 'Date older than Age', fields: { 'Cache-Control': 'max-age=60', Age: '20', Date: date(-30) }, freshS: 30 },
    { why: 'Age older than Date', fields: { 'Cache-Control': 'max-age=60', Age: '30', Date: date(-20) }, freshS: 30 },
    { why: 'the first of two Ages', fields: { 'Cache-Control': 'max-age=60', Age: '20, 50' }, freshS: 40 },
    { why: 'an Age that is no number', fields: { 'Cache-Control': 'max-age=60', Age: '-20' }, freshS: 60 },
    { why: 'Age beyond the lifetime', fields: { 'Cache-Control': 'max-age=60', Age: '100' }, freshS: -40 },
    { why: 'a tenth of the time since the last change', fields: { ...modified, Date: date(0) }, freshS: 100 },
    { why: 'a tenth, a day at most', fields: { 'Last-Modified': date(-1e8) }, freshS: 86_400 },
    { why: 'nothing, changed in the future', fields: { 'Last-Modified': date(1000) }, freshS: 0 },
    { why: 'nothing, when nothing is said', fields: {}, freshS: 0 },
    {
      why: 'CDN-Cache-Control over all',
      fields: { 'CDN-Cache-Control': 'max-age=5', 'Cache-Control': 's-maxage=60' },
      freshS: 5,
    },
    { why: 'CDN-Cache-Control: its s-maxage', fields: { 'CDN-Cache-Control': 'max-age=5, s-maxage=8' }, freshS: 8 },
    {
      why: 'CDN-Cache-Control without a time: not Expires',
      fields: { 'CDN-Cache-Control': 'public', Expires: date(60) },
      freshS: 0,
    },
    { why: 'CDN-Cache-Control with parameters', fields: { 'CDN-Cache-Control': 'max-age=5;a=b;c' }, freshS: 5 },
    {
      why: 'CDN-Cache-Control that is invalid',
      fields: { 'CDN-Cache-Control': 'max-age=5,,', 'Cache-Control': 'max-age=60' },
      freshS: 60,
    },
    {
      why: 'CDN-Cache-Control in capitals: invalid',
      fields: { 'CDN-Cache-Control': 'MAX-AGE=5', 'Cache-Control': 'max-age=60' },
      freshS: 60,
    },
    {
      why: 'CDN-Cache-Control that is empty',
      fields: { 'CDN-Cache-Control': '', 'Cache-Control': 'max-age=60' },
      freshS: 60,
    },
    { why: 'CDN-Cache-Control of the wrong type', fields: { 'CDN-Cache-Control': 'max-age="5"' }, freshS: 0 },
  ])('$freshS: $why', ({ fields, freshS, delayMs }) => {
    const found = freshForS(fields, delayMs);
    // A stale answer may be stale since a moment ago: never by the mark of a replaced one.
    expect(found).toBeCloseTo(freshS, 5);
  });

  it('its age counts from when it was made, by Date, Age and delay', () => {
    const field = readerOf([['Age', '20']]);
    const times = { requestedAtMs: nowMs - 1500, receivedAtMs: nowMs };
    expect(freshnessOf(field, times)?.generatedAtMs).toBe(nowMs - 21_500);
  });

  it('a forced lifetime counts from now, and stores nothing that must not be stored', () => {
    const times = { requestedAtMs: nowMs, receivedAtMs: nowMs };
    const forced = (fields: Fields): number | undefined =>
      freshnessOf(readerOf(fieldsOf(fields)), times, 5000)?.freshUntilMs;
    expect(forced({ 'Cache-Control': 'max-age=0', Age: '100' })).toBe(nowMs + 5000);
    expect(forced({ 'Cache-Control': 'no-cache' })).toBe(nowMs + 5000);
    expect(forced({ 'Cache-Control': 'no-store' })).toBe(undefined);
  });
});

describe('a stale answer', () => {
  const use = (fields: Fields, staleS: number): string =>
    staleUse(fieldsOf(fields), { generatedAtMs: 0, freshUntilMs: nowMs - staleS * 1000 }, nowMs);
  const keptS = keptMs / 1000;

  it.each<{ control: string; staleS: number; is: string }>([
    { control: '', staleS: 1, is: 'whileRefreshing' },
    { control: 'max-age=5', staleS: keptS - 1, is: 'whileRefreshing' },
    { control: 'max-age=5', staleS: keptS, is: 'never' },
    { control: 'must-revalidate', staleS: 1, is: 'never' },
    { control: 'proxy-revalidate', staleS: 1, is: 'never' },
    { control: 's-maxage=5', staleS: 1, is: 'never' },
    { control: 'no-cache', staleS: 1, is: 'never' },
    { control: 'no-cache="set-cookie"', staleS: 1, is: 'never' },
    { control: 'stale-while-revalidate=10', staleS: 9, is: 'whileRefreshing' },
    { control: 'stale-while-revalidate=10', staleS: 11, is: 'onError' },
    { control: 'stale-while-revalidate=0', staleS: 1, is: 'onError' },
    { control: 'stale-while-revalidate=x', staleS: 1, is: 'onError' },
    { control: 'stale-if-error=10', staleS: 9, is: 'onError' },
    { control: 'stale-if-error=10', staleS: 11, is: 'never' },
    { control: 'stale-while-revalidate=5, stale-if-error=10', staleS: 4, is: 'whileRefreshing' },
    { control: 'stale-while-revalidate=5, stale-if-error=10', staleS: 7, is: 'onError' },
    { control: 'must-revalidate, stale-while-revalidate=10, stale-if-error=10', staleS: 1, is: 'never' },
  ])('$control, $staleS s past its time: $is', ({ control, staleS, is }) => {
    expect(use({ 'Cache-Control': control }, staleS)).toBe(is);
  });

  it('is judged by CDN-Cache-Control alone where there is one', () => {
    expect(use({ 'CDN-Cache-Control': 'max-age=5', 'Cache-Control': 'no-cache' }, 1)).toBe('whileRefreshing');
    expect(use({ 'CDN-Cache-Control': 'must-revalidate', 'Cache-Control': 'max-age=5' }, 1)).toBe('never');
  });

  it('that its origin has replaced is good for nothing', () => {
    expect(staleUse([], { generatedAtMs: nowMs, freshUntilMs: replaced }, nowMs)).toBe('never');
  });
});

describe('a date', () => {
  const at = Date.UTC(1994, 10, 6, 8, 49, 37);
  it.each<{ text: string; ms: number | undefined }>([
    { text: 'Sun, 06 Nov 1994 08:49:37 GMT', ms: at },
    { text: 'Sunday, 06-Nov-94 08:49:37 GMT', ms: at },
    { text: 'Sun Nov  6 08:49:37 1994', ms: at },
    { text: 'Sun, 06 Nov 1994 08:49:60 GMT', ms: Date.UTC(1994, 10, 6, 8, 49, 59) },
    { text: 'Sun, 06 Nov 1994 08:49:37 UTC', ms: undefined },
    { text: 'Sun, 06 Nov 1994 08:49:37', ms: undefined },
    { text: 'Sun, 06 Nov 1994 8:49:37 GMT', ms: undefined },
    { text: 'Sun, 6 Nov 1994 08:49:37 GMT', ms: undefined },
    { text: 'Sun, 31 Feb 1994 08:49:37 GMT', ms: undefined },
    { text: 'Sun, 06 Nov 1994 24:49:37 GMT', ms: undefined },
    { text: '1994-11-06T08:49:37Z', ms: undefined },
    { text: '0', ms: undefined },
    { text: '', ms: undefined },
  ])('$text is $ms', ({ text, ms }) => {
    expect(parseHttpDate(text, nowMs)).toBe(ms);
  });

  it('of a year in two digits is at most 50 years ahead', () => {
    expect(parseHttpDate('Friday, 06-Nov-76 08:49:37 GMT', nowMs)).toBe(Date.UTC(2076, 10, 6, 8, 49, 37));
    expect(parseHttpDate('Saturday, 06-Nov-77 08:49:37 GMT', nowMs)).toBe(Date.UTC(1977, 10, 6, 8, 49, 37));
  });

  it('that is written is read (property)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e9 }), (s) => {
        expect(parseHttpDate(new Date(s * 1000).toUTCString(), nowMs)).toBe(s * 1000);
      }),
    );
  });
});

describe('directives', () => {
  it('of any text are read without an error, in time that its length bounds (property)', () => {
    const unit = fc.constantFrom('max-age', '=', '"', ',', ' ', '\\', '5', 'no-store', ';', '?1', '-', '*', '\t', ':');
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 200 }), (parts) => {
        const startedAtMs = performance.now();
        parseCacheControl(parts.join(''));
        parseTargetedControl(parts.join(''));
        expect(performance.now() - startedAtMs).toBeLessThan(500);
      }),
    );
  });

  it('of a request that count: only-if-cached', () => {
    expect(isOnlyIfCached('max-stale=5, Only-If-Cached')).toBe(true);
    expect(isOnlyIfCached('x-only-if-cached')).toBe(false);
    expect(isOnlyIfCached(undefined)).toBe(false);
  });
});
