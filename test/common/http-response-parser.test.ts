// The response parser: recorded answers, every way to split them, errors by name.

import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ResponseParser } from '../../common/http-response-parser.ts';
import { cases, mutatedCases, noiseCases } from './random-response.ts';
import { lines, recorded, refused } from './recorded-responses.ts';
import { type Outcome, OutcomeSink, parseChunks } from './response-outcome.ts';

const parse = (text: string, sizes: readonly number[] = [], method: 'GET' | 'HEAD' = 'GET'): Outcome =>
  parseChunks(Buffer.from(text, 'latin1'), sizes, method);

describe('recorded responses', () => {
  it.each(recorded)('$name, split at every byte', ({ bytes, expected }) => {
    const whole = parse(bytes);
    expect(whole).toMatchObject(expected);
    for (let at = 1; at < bytes.length; at += 1) expect(parse(bytes, [at])).toEqual(whole);
    expect(
      parse(
        bytes,
        Array.from(bytes, () => 1),
      ),
    ).toEqual(whole);
  });
});

describe('responses that are refused', () => {
  it.each(refused)('$name is $code, however it is split', ({ bytes, code }) => {
    const whole = parse(bytes);
    expect(whole.error).toBe(code);
    const step = Math.max(1, Math.floor(bytes.length / 200));
    for (let at = 1; at < bytes.length; at += step) expect(parse(bytes, [at])).toEqual(whole);
    if (bytes.length < 2000)
      expect(
        parse(
          bytes,
          Array.from(bytes, () => 1),
        ),
      ).toEqual(whole);
  });
});

describe('the parser', () => {
  it('gives no body to a HEAD, and keeps the length', () => {
    const outcome = parse(lines('HTTP/1.1 200 OK', 'Content-Length: 969710', '', ''), [], 'HEAD');
    expect(outcome).toMatchObject({ status: 200, body: '', end: 'complete', contentLength: 969_710 });
  });

  it('reads several responses of one connection, one after the other', () => {
    const sink = new OutcomeSink();
    const parser = new ResponseParser(sink);
    for (const [body, method] of [
      ['one', 'GET'],
      ['', 'HEAD'],
      ['three', 'GET'],
    ] as const) {
      parser.next(method);
      const bytes = Buffer.from(lines('HTTP/1.1 200 OK', `Content-Length: ${body.length}`, '', body));
      expect(parser.feed(bytes, 0, bytes.length)).toBe(bytes.length);
      expect(sink.outcome).toMatchObject({ body, end: 'complete' });
      expect(parser.isIdle).toBe(true);
      sink.outcome = { body: '' };
    }
    parser.finish();
    expect(sink.outcome.error).toBeUndefined();
  });

  it('finds an answer that nobody asked for', () => {
    const sink = new OutcomeSink();
    const parser = new ResponseParser(sink);
    parser.feed(Buffer.from('HTTP/1.1 408 Request Timeout\r\n\r\n'), 0, 10);
    expect(sink.outcome.error).toBe('EXTRA_BYTES');
  });

  it('takes an answer that came before its request for what it is, also when the sink asks again at once', () => {
    const codes: string[] = [];
    const parser: ResponseParser = new ResponseParser({
      onHead: () => undefined,
      onBody: () => undefined,
      onEnd: () => parser.next('GET'),
      onError: (code) => codes.push(code),
    });
    parser.next('GET');
    const twice = Buffer.from(lines('HTTP/1.1 200 OK', 'Content-Length: 0', '', '').repeat(2));
    parser.feed(twice, 0, twice.length);
    expect(codes).toEqual(['EXTRA_BYTES']);
  });

  it('hands body bytes on as spans of the buffer they came in', () => {
    const head = lines('HTTP/1.1 200 OK', 'Content-Length: 6', '', '');
    const buffer = Buffer.from(`....${head}abcdef....`);
    const spans: [Buffer, number, number][] = [];
    const parser = new ResponseParser({
      onHead: () => undefined,
      onBody: (source, start, end) => spans.push([source, start, end]),
      onEnd: () => undefined,
      onError: (code) => expect.unreachable(code),
    });
    parser.next('GET');
    const bodyStart = 4 + head.length;
    parser.feed(buffer, 4, bodyStart + 2);
    expect(parser.bodyBytesLeft).toBe(4);
    parser.feed(buffer, bodyStart + 2, bodyStart + 6);
    expect(spans.map(([, start, end]) => [start, end])).toEqual([
      [bodyStart, bodyStart + 2],
      [bodyStart + 2, bodyStart + 6],
    ]);
    expect(spans.every(([source]) => source === buffer)).toBe(true);
  });

  it('counts body bytes that were dropped in the kernel', () => {
    const sink = new OutcomeSink();
    const parser = new ResponseParser(sink);
    parser.next('GET');
    const bytes = Buffer.from(lines('HTTP/1.1 200 OK', 'Content-Length: 1000', '', 'ab'));
    parser.feed(bytes, 0, bytes.length);
    parser.skipBody(900);
    expect(parser.bodyBytesLeft).toBe(98);
    parser.skipBody(98);
    expect(sink.outcome).toMatchObject({ body: 'ab', end: 'complete' });
    expect(parser.isIdle).toBe(true);
  });

  it('is silent once it was given up', () => {
    const sink = new OutcomeSink();
    const parser = new ResponseParser(sink);
    parser.next('GET');
    parser.abandon();
    parser.feed(Buffer.from('nonsense'), 0, 8);
    parser.finish();
    expect(sink.outcome).toEqual({ body: '' });
  });

  it('finds any header in any case, and joins several of one name', () => {
    const values: (string | undefined)[] = [];
    const parser = new ResponseParser({
      onHead: (head) =>
        values.push(head.header('via'), head.header('X-CID'), head.header('HTTP'), head.header('absent')),
      onBody: () => undefined,
      onEnd: () => undefined,
      onError: (code) => expect.unreachable(code),
    });
    parser.next('GET');
    const bytes = Buffer.from(
      lines('HTTP/1.1 200 OK', 'Via:1.1 a', 'x-cid:\t100 ', 'VIA: 1.1 b', 'Content-Length: 0', '', ''),
    );
    parser.feed(bytes, 0, bytes.length);
    expect(values).toEqual(['1.1 a, 1.1 b', '100', undefined, undefined]);
  });

  it('comes to one outcome for any bytes, however they are split', () => {
    const pieces = fc.constantFrom(
      'HTTP/1.1 200 OK',
      '\r\n',
      '\r',
      '\n',
      ' ',
      'Content-Length: 3',
      'Transfer-Encoding: chunked',
      '3',
      'abc',
      '0',
      ';x',
      'X: y',
      '\x00',
    );
    const text = fc.oneof(
      fc.array(pieces, { maxLength: 20 }).map((parts) => `HTTP/1.1 200 OK\r\n${parts.join('')}`),
      fc.oneof(cases, mutatedCases, noiseCases).map((each) => each.text),
    );
    const splits = fc.array(fc.integer({ min: 1, max: 20 }));
    fc.assert(
      fc.property(text, splits, fc.constantFrom('GET', 'HEAD'), (bytes, sizes, method) => {
        expect(parse(bytes, sizes, method)).toEqual(parse(bytes, [], method));
      }),
      { numRuns: 4000, seed: 20_261_128 },
    );
  });
});
