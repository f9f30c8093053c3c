// Conditions of a request against a representation: RFC 9110, section 13, rule by rule.

import { describe, expect, it } from 'vitest';
import { type ConditionFields, evaluateConditions, ifRangeHolds } from '../../cache/http/preconditions.ts';

const modified = 'Sun, 06 Nov 1994 08:49:37 GMT';
const before = 'Sun, 06 Nov 1994 08:49:36 GMT';
const after = 'Sun, 06 Nov 1994 08:49:38 GMT';
const strong = { etag: '"a"', lastModified: modified };
const weak = { etag: 'W/"a"', lastModified: modified };
const bare = { etag: undefined, lastModified: undefined };

describe('conditions', () => {
  it.each<{ fields: ConditionFields; of?: typeof bare | typeof strong; is: 'proceed' | 304 | 412; why: string }>([
    { why: 'none', fields: {}, is: 'proceed' },
    { why: 'the same', fields: { 'if-match': '"a"' }, is: 'proceed' },
    { why: 'one of a list', fields: { 'if-match': '"b", "a"' }, is: 'proceed' },
    { why: 'one of a list with empty elements', fields: { 'if-match': ', "b" ,, "a"' }, is: 'proceed' },
    { why: 'none of a list', fields: { 'if-match': '"b", "c"' }, is: 412 },
    { why: 'a comma inside a tag', fields: { 'if-match': '"x,"a",y"' }, is: 412 },
    { why: '*', fields: { 'if-match': '*' }, of: bare, is: 'proceed' },
    { why: 'weak against strong', fields: { 'if-match': 'W/"a"' }, is: 412 },
    { why: 'weak against weak is not strong', fields: { 'if-match': 'W/"a"' }, of: weak, is: 412 },
    { why: 'no tag to match', fields: { 'if-match': '"a"' }, of: bare, is: 412 },
    { why: 'without quotes', fields: { 'if-match': 'a' }, is: 412 },
    { why: 'If-Match outweighs the date', fields: { 'if-match': '"a"', 'if-unmodified-since': before }, is: 'proceed' },
    { why: 'unmodified', fields: { 'if-unmodified-since': modified }, is: 'proceed' },
    { why: 'modified', fields: { 'if-unmodified-since': before }, is: 412 },
    { why: 'a date that is none', fields: { 'if-unmodified-since': '0' }, is: 'proceed' },
    { why: 'nothing known of the date', fields: { 'if-unmodified-since': before }, of: bare, is: 'proceed' },
    { why: 'known', fields: { 'if-none-match': '"a"' }, is: 304 },
    { why: 'known weakly', fields: { 'if-none-match': 'W/"a"' }, is: 304 },
    { why: 'a weak one that is known', fields: { 'if-none-match': '"a"' }, of: weak, is: 304 },
    { why: 'known in a list', fields: { 'if-none-match': '"b",W/"a"' }, is: 304 },
    { why: 'not known', fields: { 'if-none-match': '"b"' }, is: 'proceed' },
    { why: 'anything is known', fields: { 'if-none-match': '*' }, of: bare, is: 304 },
    { why: 'a tag outweighs the date', fields: { 'if-none-match': '"b"', 'if-modified-since': after }, is: 'proceed' },
    { why: 'not modified', fields: { 'if-modified-since': modified }, is: 304 },
    { why: 'not modified since later', fields: { 'if-modified-since': after }, is: 304 },
    { why: 'modified since', fields: { 'if-modified-since': before }, is: 'proceed' },
    { why: 'modified since no date', fields: { 'if-modified-since': 'Sunday' }, is: 'proceed' },
    { why: 'If-Match comes first', fields: { 'if-match': '"b"', 'if-none-match': '"a"' }, is: 412 },
    { why: 'and then If-None-Match', fields: { 'if-match': '"a"', 'if-none-match': '"a"' }, is: 304 },
    { why: 'the date first', fields: { 'if-unmodified-since': before, 'if-modified-since': after }, is: 412 },
  ])('$fields of $of: $is ($why)', ({ fields, of, is }) => {
    expect(evaluateConditions(fields, of ?? strong)).toBe(is);
  });
});

describe('a range is honoured', () => {
  const day = 'Mon, 07 Nov 1994 08:49:37 GMT';
  it.each<{ ifRange: string | undefined; of: Parameters<typeof ifRangeHolds>[1]; holds: boolean; why: string }>([
    { why: 'no condition', ifRange: undefined, of: bare, holds: true },
    { why: 'the same tag', ifRange: '"a"', of: strong, holds: true },
    { why: 'another tag', ifRange: '"b"', of: strong, holds: false },
    { why: 'a list is no tag', ifRange: '"a", "b"', of: strong, holds: false },
    { why: 'a weak tag', ifRange: 'W/"a"', of: strong, holds: false },
    { why: 'weak against weak', ifRange: 'W/"a"', of: weak, holds: false },
    { why: 'no tag to compare', ifRange: '"a"', of: bare, holds: false },
    { why: 'exactly the date', ifRange: modified, of: { ...strong, date: day }, holds: true },
    { why: 'a later date', ifRange: after, of: { ...strong, date: day }, holds: false },
    { why: 'an earlier date', ifRange: before, of: { ...strong, date: day }, holds: false },
    {
      why: 'a date of the second of the answer is weak',
      ifRange: modified,
      of: { ...strong, date: modified },
      holds: false,
    },
    {
      why: 'a date a second before the answer is strong',
      ifRange: modified,
      of: { ...strong, date: after },
      holds: true,
    },
    { why: 'what is neither', ifRange: 'a', of: strong, holds: false },
  ])('$holds: $why', ({ ifRange, of, holds }) => {
    expect(ifRangeHolds(ifRange, of)).toBe(holds);
  });
});
