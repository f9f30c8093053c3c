import { describe, expect, it } from 'vitest';
import { combinedFormat } from '../../simulator/replay/log-format.ts';
import { isOfPart, type LineOutcome, LogRequests } from '../../simulator/replay/log-requests.ts';
import { combinedLine, logStartMs, type WrittenRequest } from './written-log.ts';

const terms = { format: 'auto', host: 'default.test', device: 'address' } as const;

/** What becomes of a line of the node's log. */
function ofNode(
  line: Readonly<Record<string, unknown>>,
  more: Partial<typeof terms> | Record<string, unknown> = {},
): LineOutcome {
  const whole = {
    time: '2026-11-20T08:00:00.000Z',
    client: '10.0.0.1',
    method: 'GET',
    target: '/a',
    status: 206,
    bodyBytes: 10,
  };
  const text = JSON.stringify({ ...whole, ...line });
  return new LogRequests({ ...terms, ...more }, 1).take({ number: 1, text, flaw: undefined }, Number.POSITIVE_INFINITY);
}
const ofCombined = (requests: LogRequests, number: number, request: WrittenRequest): LineOutcome =>
  requests.take({ number, text: combinedLine(request).trimEnd(), flaw: undefined }, Number.POSITIVE_INFINITY);
const requestOf = (outcome: LineOutcome) => (outcome.kind === 'request' ? outcome.request : outcome);

describe('a request of a log', () => {
  it.each([
    ['a path', '/files/a', { host: 'default.test', path: '/files/a', isHostAssumed: true, hadQuery: false }],
    ['signatures', '/a?P1=1&P4=x', { path: '/a', hadQuery: false }],
    ['other arguments', '/a?id=7&P1=1', { path: '/a', hadQuery: true }],
    ['the origin in its query', '/a?P1=1&cacheHostOrigin=B.Test', { host: 'b.test', isHostAssumed: false }],
    ['that origin percent-encoded', '/a?cacheHostOrigin=b%2Etest%3A80', { host: 'b.test' }],
    ['two origins, of which the last counts', '/a?cacheHostOrigin=b.test&cacheHostOrigin=c.test', { host: 'c.test' }],
    ['a whole URL', 'http://user:pw@C.test:8080/a/b?x', { host: 'c.test', path: '/a/b', hadQuery: true }],
    ['a whole URL without a path', 'http://c.test', { host: 'c.test', path: '/' }],
    ['the address of the node', 'http://192.0.2.7/a', { host: 'default.test', isHostAssumed: true }],
    ['escapes, which stay', '/a%20b%2F', { path: '/a%20b%2F' }],
    ['characters that no request line has', '/a b"<\u00e9', { path: '/a%20b%22%3C%E9' }],
  ])('names its object by %s', (_what, target, expected) => {
    expect(requestOf(ofNode({ target }))).toMatchObject(expected);
  });

  it('takes the origin that the node understood', () => {
    expect(requestOf(ofNode({ origin: 'o.test' }))).toMatchObject({ host: 'o.test', isHostAssumed: false });
  });

  it.each([
    ['the whole object', { status: 200 }, { position: { kind: 'at', start: 0 }, sizeBytes: 10 }],
    [
      'an answer that broke off',
      { status: 200, aborted: true },
      { position: { kind: 'at', start: 0 }, sizeBytes: undefined },
    ],
    ['a range', { range: 'bytes=5-14' }, { position: { kind: 'at', start: 5 }, bytes: 10, sizeBytes: undefined }],
    ['an open range', { range: 'bytes=5-' }, { position: { kind: 'at', start: 5 } }],
    ['the last bytes', { range: 'bytes=-10' }, { position: { kind: 'last' } }],
    ['the last bytes, cut short', { range: 'bytes=-20', aborted: true }, { position: { kind: 'unknown' } }],
    ['no range that can be read', { range: 'lines=1-2' }, { position: { kind: 'unknown' } }],
  ])('says where its bytes lie, as far as the log does: %s', (_what, line, expected) => {
    expect(requestOf(ofNode(line))).toMatchObject(expected);
  });

  it('takes place and size of the answer before those of the request', () => {
    const format = `${combinedFormat} "$http_range" "$sent_http_content_range"`;
    const text = `${combinedLine({ bytes: 10 }).trimEnd()} "bytes=-10" "bytes 90-99/100"`;
    const outcome = new LogRequests({ ...terms, format }, 1).take({ number: 1, text, flaw: undefined }, Infinity);
    expect(requestOf(outcome)).toMatchObject({ position: { kind: 'at', start: 90 }, sizeBytes: 100 });
  });

  it.each([
    [{ method: 'HEAD' }, 'method'],
    [{ method: 'POST' }, 'method'],
    [{ status: 404 }, 'status'],
    [{ status: 304, bodyBytes: 0 }, 'status'],
    [{ status: 0, method: '', target: '' }, 'status'],
    [{ target: '/mscomtest/wuidt.gif?x=1' }, 'health'],
    [{ bodyBytes: 0 }, 'noBody'],
    [{ range: 'bytes=0-1,4-5' }, 'severalRanges'],
    [{ target: '*' }, 'target'],
    [{ target: 'ftp://h.test/a' }, 'target'],
  ])('is left out when it is one of %j', (line, reason) => {
    expect(ofNode(line)).toEqual({ kind: 'leftOut', reason });
  });

  it('is of the device that the address names, or the address with the agent', () => {
    expect(requestOf(ofNode({ userAgent: 'x' }))).toMatchObject({ device: '10.0.0.1' });
    expect(requestOf(ofNode({ userAgent: 'x' }, { device: 'addressAndAgent' }))).toMatchObject({
      device: '10.0.0.1 x',
    });
  });

  it('is outside before the part that is replayed, and from its end on', () => {
    const requests = new LogRequests({ ...terms, fromEpochMs: logStartMs + 1000 }, 1);
    const kinds = [0.5, 1.5, 2.5, 3.5].map((second) => {
      const line = { number: 1, text: combinedLine({ second }).trimEnd(), flaw: undefined };
      return requests.take(line, logStartMs + 3000).kind;
    });
    expect(kinds).toEqual(['outside', 'request', 'request', 'outside']);
  });
});

describe('the time of a request', () => {
  it('in whole seconds is spread over its second, the same in every reading', () => {
    const times = [1, 2].map(() => {
      const requests = new LogRequests(terms, 7);
      return Array.from({ length: 1000 }, (_, i) => requestOf(ofCombined(requests, i + 1, { second: 5 }))).map(
        (request) => ('atMs' in request ? request.atMs - logStartMs - 5000 : Number.NaN),
      );
    });
    const [first = [], second] = times;
    expect(first).toEqual(second);
    expect(Math.min(...first)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...first)).toBeLessThan(1000);
    const mean = first.reduce((sum, ms) => sum + ms, 0) / first.length;
    expect(mean).toBeGreaterThan(450);
    expect(mean).toBeLessThan(550);
  });

  it('is its beginning, where the log says how long it took', () => {
    const format = `${combinedFormat.replace('$time_local', '$msec')} $request_time`;
    const text = '10.0.0.1 - - [1763625605.500] "GET /a HTTP/1.1" 206 10 "-" "x" 2.250';
    const outcome = new LogRequests({ ...terms, format }, 1).take({ number: 1, text, flaw: undefined }, Infinity);
    expect(requestOf(outcome)).toMatchObject({ atMs: 1_763_625_603_250, isSpread: false });
  });

  it('may run back by a request that took long, not by a day: such lines are unusable', () => {
    const requests = new LogRequests(terms, 1);
    const day = 86_400;
    const kinds = [day, day - 3000, 0, day + 1].map((second, i) => ofCombined(requests, i + 1, { second }));
    expect(kinds.map(({ kind }) => kind)).toEqual(['request', 'request', 'unusable', 'request']);
    expect(kinds[2]).toEqual({ kind: 'unusable', reason: 'runsBack' });
  });
});

it('every device is of one part, whatever the process, and parts are of about one size', () => {
  const counts = [0, 0, 0];
  for (let i = 0; i < 3000; i += 1) {
    const parts = [0, 1, 2].filter((index) => isOfPart(`10.0.${i >> 8}.${i & 255}`, index, 3));
    expect(parts).toHaveLength(1);
    counts[parts[0] ?? 0] = (counts[parts[0] ?? 0] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
