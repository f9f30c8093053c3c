// Responses as servers send them, and as they must not: what a parser makes of each.

import { headBytesMax } from '../../common/http-response-parser.ts';
import type { Outcome } from './response-outcome.ts';

/** Joins the lines of a response. */
export const lines = (...parts: readonly string[]): string => parts.join('\r\n');

/** As servers send them: from the facts (2.1, 3.4) and in the known form of nginx 1.22. */
export const recorded: readonly { name: string; bytes: string; expected: Partial<Outcome> }[] = [
  {
    name: 'a CDN answers a range',
    bytes: lines(
      'HTTP/1.1 206 Partial Content',
      'Content-Type: application/octet-stream',
      'Last-Modified: Tue, 08 Oct 2024 18:30:00 GMT',
      'Accept-Ranges: bytes',
      'ETag: "1d9f3c5a2b"',
      'Server: ECAcc (lhd/35B2)',
      'X-CCC: DE',
      'X-CID: 2',
      'Content-Range: bytes 1048576-1048580/205520896',
      'Content-Length: 5',
      '',
      'abcde',
    ),
    expected: {
      status: 206,
      body: 'abcde',
      end: 'complete',
      keepAlive: true,
      contentRange: 'bytes 1048576-1048580/205520896',
      etag: '"1d9f3c5a2b"',
    },
  },
  {
    name: 'nginx answers with a file',
    bytes: lines(
      'HTTP/1.1 200 OK',
      'Server: nginx/1.22.1',
      'Date: Sat, 21 Nov 2026 05:12:34 GMT',
      'Content-Type: text/plain',
      'Content-Length: 3',
      'Connection: keep-alive',
      'ETag: "656f1c2e-3"',
      'Accept-Ranges: bytes',
      '',
      'ok\n',
    ),
    expected: { status: 200, body: 'ok\n', end: 'complete', keepAlive: true, etag: '"656f1c2e-3"' },
  },
  {
    name: 'IIS with ARR answers, its names in its own case',
    bytes: lines(
      'HTTP/1.1 206 Partial Content',
      'Cache-Control: public,max-age=172800',
      'content-length: 4',
      'Content-Type: application/octet-stream',
      'content-RANGE: bytes 0-3/4',
      'ETag: "80d2a1d4c4d9d81:0"',
      'Server: Microsoft-IIS/10.0',
      'X-HW: 1700000000.dop001.fr8.t,1700000000.cds002.fr8.c',
      'X-CCC: 9ZBZ6Y3Vi0ai3mnpM5Q+gQ==',
      'X-CID: 100',
      'X-Powered-By: ARR/3.0',
      'Date: Sat, 21 Nov 2026 05:12:34 GMT',
      '',
      'mcc!',
    ),
    expected: { status: 206, body: 'mcc!', end: 'complete', contentRange: 'bytes 0-3/4' },
  },
  {
    name: 'nginx refuses a range',
    bytes: lines(
      'HTTP/1.1 416 Requested Range Not Satisfiable',
      'Content-Length: 0',
      'Content-Range: bytes */100',
      '',
      '',
    ),
    expected: { status: 416, body: '', end: 'complete', contentRange: 'bytes */100' },
  },
  {
    name: 'a busy server names a time and closes',
    bytes: lines(
      'HTTP/1.1 503 Service Unavailable',
      'Retry-After: 30',
      'Connection: close',
      'Content-Length: 0',
      '',
      '',
    ),
    expected: { status: 503, end: 'complete', keepAlive: false, retryAfter: '30' },
  },
  {
    name: 'a redirect',
    bytes: lines('HTTP/1.1 302 Found', 'Location: http://download.windowsupdate.com/x', 'Content-Length: 0', '', ''),
    expected: { status: 302, end: 'complete', location: 'http://download.windowsupdate.com/x' },
  },
  {
    name: 'chunks with an extension and a trailer',
    bytes: lines(
      'HTTP/1.1 200 OK',
      'Transfer-Encoding: Chunked',
      '',
      '4;name=value',
      'Wiki',
      'A;q="a b"',
      '0123456789',
      '0',
      'Expires: never',
      '',
      '',
    ),
    expected: { status: 200, body: 'Wiki0123456789', end: 'complete', keepAlive: true },
  },
  {
    name: 'interim answers before the final one',
    bytes: lines(
      'HTTP/1.1 100 Continue',
      '',
      'HTTP/1.1 103 Early Hints',
      'Link: </a>',
      '',
      'HTTP/1.1 200 OK',
      'Content-Length: 1',
      '',
      'x',
    ),
    expected: { status: 200, body: 'x', end: 'complete' },
  },
  {
    name: 'HTTP/1.0 with a body until the connection ends',
    bytes: lines('HTTP/1.0 200 OK', 'Content-Type: text/html', '', '<html>'),
    expected: { status: 200, body: '<html>', end: 'complete', keepAlive: false },
  },
  {
    name: 'HTTP/1.0 that keeps the connection',
    bytes: lines('HTTP/1.0 200 OK', 'Connection: Keep-Alive', 'Content-Length: 2', '', 'ok'),
    expected: { status: 200, body: 'ok', end: 'complete', keepAlive: true },
  },
  {
    name: '304 with the length that a 200 would have',
    bytes: lines('HTTP/1.1 304 Not Modified', 'ETag: "a"', 'Content-Length: 1000', '', ''),
    expected: { status: 304, body: '', end: 'complete', etag: '"a"', contentLength: 1000 },
  },
  {
    name: 'no reason phrase',
    bytes: lines('HTTP/1.1 204', '', ''),
    expected: { status: 204, body: '', end: 'complete' },
  },
  {
    name: 'two equal lengths',
    bytes: lines('HTTP/1.1 200 OK', 'Content-Length: 2', 'Content-Length: 02', '', 'ok'),
    expected: { status: 200, body: 'ok', end: 'complete' },
  },
];

/** Each outcome has a name of its own. */
export const refused: readonly { name: string; bytes: string; code: string }[] = [
  { name: 'garbage', bytes: '\x16\x03\x01\x02\x00', code: 'BAD_STATUS_LINE' },
  { name: 'HTTP/2 to an HTTP/1.1 request', bytes: lines('HTTP/2 200', '', ''), code: 'BAD_STATUS_LINE' },
  { name: 'an unknown minor version', bytes: lines('HTTP/1.2 200 OK', '', ''), code: 'BAD_STATUS_LINE' },
  { name: 'a status of two digits', bytes: lines('HTTP/1.1 20 OK', '', ''), code: 'BAD_STATUS_LINE' },
  { name: 'a status of four digits', bytes: lines('HTTP/1.1 2000 OK', '', ''), code: 'BAD_STATUS_LINE' },
  { name: 'a status below 100', bytes: lines('HTTP/1.1 099 OK', '', ''), code: 'BAD_STATUS_LINE' },
  { name: 'lines that end in LF alone', bytes: 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', code: 'BAD_LINE_END' },
  { name: 'a CR inside a line', bytes: 'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n', code: 'BAD_LINE_END' },
  { name: 'white space before the colon', bytes: lines('HTTP/1.1 200 OK', 'X : y', '', ''), code: 'BAD_HEADER_NAME' },
  { name: 'a line without a colon', bytes: lines('HTTP/1.1 200 OK', 'nonsense', '', ''), code: 'BAD_HEADER_NAME' },
  {
    name: 'a control character in a value',
    bytes: lines('HTTP/1.1 200 OK', 'X: a\x00b', '', ''),
    code: 'BAD_HEADER_VALUE',
  },
  { name: 'a folded line', bytes: lines('HTTP/1.1 200 OK', 'X: a', ' b', '', ''), code: 'OBSOLETE_FOLD' },
  {
    name: 'a head past the limit',
    bytes: `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(headBytesMax)}\r\n\r\n`,
    code: 'HEAD_TOO_LARGE',
  },
  {
    name: 'a negative length',
    bytes: lines('HTTP/1.1 200 OK', 'Content-Length: -1', '', ''),
    code: 'BAD_CONTENT_LENGTH',
  },
  {
    name: 'a length of several numbers',
    bytes: lines('HTTP/1.1 200 OK', 'Content-Length: 2, 2', '', 'ok'),
    code: 'BAD_CONTENT_LENGTH',
  },
  {
    name: 'a length past 2^53',
    bytes: lines('HTTP/1.1 200 OK', 'Content-Length: 9007199254740993', '', ''),
    code: 'BAD_CONTENT_LENGTH',
  },
  {
    name: 'two different lengths',
    bytes: lines('HTTP/1.1 200 OK', 'Content-Length: 2', 'Content-Length: 3', '', 'ok'),
    code: 'BAD_CONTENT_LENGTH',
  },
  {
    name: 'length and chunks',
    bytes: lines('HTTP/1.1 200 OK', 'Content-Length: 2', 'Transfer-Encoding: chunked', '', '0', '', ''),
    code: 'LENGTH_AND_CODING',
  },
  {
    name: 'an unknown transfer-coding',
    bytes: lines('HTTP/1.1 200 OK', 'Transfer-Encoding: gzip, chunked', '', '0', '', ''),
    code: 'UNSUPPORTED_TRANSFER_CODING',
  },
  {
    name: 'a chunk size that is no number',
    bytes: lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', 'xyz', ''),
    code: 'BAD_CHUNK',
  },
  {
    name: 'a chunk that is longer than it says',
    bytes: lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '2', 'abc', '0', '', ''),
    code: 'BAD_CHUNK',
  },
  {
    name: 'framing in a trailer',
    bytes: lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '0', 'Content-Length: 4', '', ''),
    code: 'BAD_TRAILER',
  },
  {
    name: 'another protocol',
    bytes: lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', '', ''),
    code: 'UNEXPECTED_UPGRADE',
  },
  {
    name: 'interim answers without end',
    bytes: lines('HTTP/1.1 100 Continue', '', '').repeat(17),
    code: 'TOO_MANY_INTERIM_ANSWERS',
  },
  { name: 'nothing at all', bytes: '', code: 'CLOSED_BEFORE_HEAD' },
  { name: 'half a head', bytes: 'HTTP/1.1 200 O', code: 'CLOSED_IN_HEAD' },
  { name: 'a short body', bytes: lines('HTTP/1.1 200 OK', 'Content-Length: 3', '', 'ok'), code: 'SHORT_BODY' },
  {
    name: 'chunks that break off',
    bytes: lines('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', '5', 'ab'),
    code: 'SHORT_BODY',
  },
  {
    name: 'bytes after the body',
    bytes: lines('HTTP/1.1 200 OK', 'Content-Length: 2', '', 'ok!'),
    code: 'EXTRA_BYTES',
  },
  { name: 'bytes after a body of no length', bytes: lines('HTTP/1.1 204 No Content', '', 'x'), code: 'EXTRA_BYTES' },
];
