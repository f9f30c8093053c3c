// Conditions and ranges, rule by rule (RFC 9110, sections 13 and 14).

import { describe, expect, it } from 'vitest';
import {
  type ConditionFields,
  type Decision,
  decide,
  parseHttpDate,
} from '../../simulator/cloud/conditional-request.ts';

const found = { sizeBytes: 1000, etag: '"e-1"', lastModifiedMs: Date.UTC(2024, 0, 1) };
const at = 'Mon, 01 Jan 2024 00:00:00 GMT';
const before = 'Sun, 31 Dec 2023 23:59:59 GMT';
const after = 'Mon, 01 Jan 2024 00:00:01 GMT';

const whole: Decision = { kind: 'whole' };
const part = (start: number, end: number): Decision => ({ kind: 'part', range: { start, end } });
const notModified: Decision = { kind: 'notModified' };
const failed: Decision = { kind: 'preconditionFailed' };
const unsatisfiable: Decision = { kind: 'rangeNotSatisfiable' };

type Row = {
  readonly name: string;
  readonly fields: ConditionFields;
  readonly method?: 'GET' | 'HEAD';
  readonly decision: Decision;
};

describe('ranges', () => {
  const rows: readonly Row[] = [
    { name: 'the first byte', fields: { range: 'bytes=0-0' }, decision: part(0, 1) },
    { name: 'a middle part', fields: { range: 'bytes=100-199' }, decision: part(100, 200) },
    {
      name: 'a range that ends past the object is clamped',
      fields: { range: 'bytes=900-5000' },
      decision: part(900, 1000),
    },
    { name: 'an open end', fields: { range: 'bytes=990-' }, decision: part(990, 1000) },
    { name: 'all of it by an open end', fields: { range: 'bytes=0-' }, decision: part(0, 1000) },
    { name: 'the last bytes', fields: { range: 'bytes=-10' }, decision: part(990, 1000) },
    { name: 'more last bytes than there are', fields: { range: 'bytes=-5000' }, decision: part(0, 1000) },
    { name: 'no last bytes', fields: { range: 'bytes=-0' }, decision: unsatisfiable },
    { name: 'a start at the end of the object', fields: { range: 'bytes=1000-' }, decision: unsatisfiable },
    { name: 'a start past 2^53', fields: { range: 'bytes=99999999999999999999-' }, decision: unsatisfiable },
    { name: 'several ranges get the whole', fields: { range: 'bytes=0-1,5-6' }, decision: whole },
    { name: 'another unit is ignored', fields: { range: 'pieces=0-1' }, decision: whole },
    { name: 'a malformed set is ignored', fields: { range: 'bytes=5-1' }, decision: whole },
    { name: 'HEAD has no range', fields: { range: 'bytes=0-0' }, method: 'HEAD', decision: whole },
  ];
  it.each(rows)('$name', ({ fields, method, decision }) =>
    expect(decide(method ?? 'GET', fields, found)).toEqual(decision),
  );

  it('of an empty object there is no range', () => {
    const empty = { ...found, sizeBytes: 0 };
    expect(decide('GET', { range: 'bytes=0-' }, empty)).toEqual(unsatisfiable);
    expect(decide('GET', { range: 'bytes=-1' }, empty)).toEqual(unsatisfiable);
  });
});

describe('conditions', () => {
  const rows: readonly Row[] = [
    { name: 'If-Match with the tag', fields: { 'if-match': '"x", "e-1"' }, decision: whole },
    { name: 'If-Match with *', fields: { 'if-match': '*' }, decision: whole },
    { name: 'If-Match with another tag', fields: { 'if-match': '"x"' }, decision: failed },
    { name: 'If-Match compares strongly', fields: { 'if-match': 'W/"e-1"' }, decision: failed },
    {
      name: 'If-Match goes before If-Unmodified-Since',
      fields: { 'if-match': '"e-1"', 'if-unmodified-since': before },
      decision: whole,
    },
    { name: 'If-Unmodified-Since its date', fields: { 'if-unmodified-since': at }, decision: whole },
    { name: 'If-Unmodified-Since before', fields: { 'if-unmodified-since': before }, decision: failed },
    { name: 'If-Unmodified-Since no date', fields: { 'if-unmodified-since': 'yesterday' }, decision: whole },
    { name: 'If-None-Match with the tag', fields: { 'if-none-match': '"e-1"' }, decision: notModified },
    { name: 'If-None-Match compares weakly', fields: { 'if-none-match': 'W/"e-1"' }, decision: notModified },
    { name: 'If-None-Match with *', fields: { 'if-none-match': '*' }, decision: notModified },
    { name: 'If-None-Match with another tag', fields: { 'if-none-match': '"x"' }, decision: whole },
    {
      name: 'If-None-Match goes before If-Modified-Since',
      fields: { 'if-none-match': '"x"', 'if-modified-since': after },
      decision: whole,
    },
    { name: 'If-Modified-Since its date', fields: { 'if-modified-since': at }, decision: notModified },
    { name: 'If-Modified-Since before', fields: { 'if-modified-since': before }, decision: whole },
    {
      name: 'a failed If-Match beats If-None-Match',
      fields: { 'if-match': '"x"', 'if-none-match': '"e-1"' },
      decision: failed,
    },
    {
      name: 'If-None-Match beats a range',
      fields: { 'if-none-match': '"e-1"', range: 'bytes=0-0' },
      decision: notModified,
    },
    { name: 'If-Range with the tag', fields: { 'if-range': '"e-1"', range: 'bytes=0-0' }, decision: part(0, 1) },
    { name: 'If-Range with another tag', fields: { 'if-range': '"x"', range: 'bytes=0-0' }, decision: whole },
    { name: 'If-Range with a weak tag', fields: { 'if-range': 'W/"e-1"', range: 'bytes=0-0' }, decision: whole },
    { name: 'If-Range with its date', fields: { 'if-range': at, range: 'bytes=0-0' }, decision: part(0, 1) },
    { name: 'If-Range with a later date', fields: { 'if-range': after, range: 'bytes=0-0' }, decision: whole },
    {
      name: 'a failed If-Range hides a bad range',
      fields: { 'if-range': '"x"', range: 'bytes=5000-' },
      decision: whole,
    },
    { name: 'If-Range without a range', fields: { 'if-range': '"x"' }, decision: whole },
    {
      name: 'HEAD is conditional as well',
      fields: { 'if-none-match': '"e-1"' },
      method: 'HEAD',
      decision: notModified,
    },
  ];
  it.each(rows)('$name', ({ fields, method, decision }) =>
    expect(decide(method ?? 'GET', fields, found)).toEqual(decision),
  );
});

describe('HTTP dates', () => {
  const rows: readonly { text: string; ms: number | undefined }[] = [
    { text: 'Sun, 06 Nov 1994 08:49:37 GMT', ms: 784_111_777_000 },
    { text: 'Sunday, 06-Nov-94 08:49:37 GMT', ms: 784_111_777_000 },
    { text: 'Sun Nov  6 08:49:37 1994', ms: 784_111_777_000 },
    { text: '1994-11-06T08:49:37Z', ms: undefined },
    { text: 'Sun, 06 Nov 1994 08:49:37 CET', ms: undefined },
    { text: 'now', ms: undefined },
  ];
  it.each(rows)('$text', ({ text, ms }) => expect(parseHttpDate(text)).toBe(ms));
});
