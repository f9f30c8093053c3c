// The head of an HTTP/1.1 request (RFC 9112, sections 3 to 6): from its text to what the node acts on. Strict: whatever
// two readers could understand differently is refused, so that nothing is smuggled past the node.

import { isBlank, isToken, isValue, trimmed } from '../../common/http-characters.ts';

/** Longest head in bytes (its request line included), longest request line, and most fields. */
export const headBytesMax = 16 * 1024;
const requestLineBytesMax = 8 * 1024;
const fieldsMax = 100;

/** Why a head is refused, with the status that says so. */
export type HeadRefusal = { readonly status: 400 | 408 | 413 | 414 | 431 | 505; readonly reason: string };

/** A request's head. Values are as sent, without the white space around them; lists in several lines are joined. */
export class RequestHead {
  method = '';
  target = '';
  /** HTTP/1.`minorVersion`: 0 or 1. */
  minorVersion: 0 | 1 = 1;
  /** Whether the client lets another request follow on the connection (RFC 9112, 9.3). */
  keepAlive = true;
  host: string | undefined = undefined;
  /** Of repeated `Range` lines the last counts: the Linux client repeats old ones before it. */
  range: string | undefined = undefined;
  ifRange: string | undefined = undefined;
  ifMatch: string | undefined = undefined;
  ifNoneMatch: string | undefined = undefined;
  ifModifiedSince: string | undefined = undefined;
  ifUnmodifiedSince: string | undefined = undefined;
  cacheControl: string | undefined = undefined;
  authorization: string | undefined = undefined;
  via: string | undefined = undefined;
  userAgent: string | undefined = undefined;

  /** Whether the client states a condition that an origin alone can judge of an object not known here. */
  get hasConditions(): boolean {
    return (
      this.ifRange !== undefined ||
      this.ifMatch !== undefined ||
      this.ifNoneMatch !== undefined ||
      this.ifModifiedSince !== undefined ||
      this.ifUnmodifiedSince !== undefined
    );
  }
}

const refuse = (status: HeadRefusal['status'], reason: string): HeadRefusal => ({ status, reason });

/** Reads a whole head: `text` is its bytes as Latin-1, from the request line to the empty line inclusive. */
export function parseRequestHead(text: string): RequestHead | HeadRefusal {
  const head = new RequestHead();
  const lineEnd = text.indexOf('\r\n');
  const mistake = readRequestLine(text, lineEnd, head) ?? readFields(text, lineEnd + 2, head);
  if (mistake !== undefined) return mistake;
  if (head.host === undefined && head.minorVersion === 1) return refuse(400, 'no Host');
  return head;
}

/** `method SP target SP HTTP/1.x` */
function readRequestLine(text: string, end: number, head: RequestHead): HeadRefusal | undefined {
  if (end > requestLineBytesMax) return refuse(414, `a request line of more than ${requestLineBytesMax} bytes`);
  let methodEnd = 0;
  while (isToken(text.charCodeAt(methodEnd))) methodEnd += 1;
  const targetEnd = text.indexOf(' ', methodEnd + 1);
  if (methodEnd === 0 || text[methodEnd] !== ' ' || targetEnd < 0 || targetEnd === methodEnd + 1 || targetEnd > end) {
    return refuse(400, 'the request line is no METHOD TARGET VERSION');
  }
  for (let i = methodEnd + 1; i < targetEnd; i += 1) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f) return refuse(400, 'the target has characters that no URL has');
  }
  const version = text.slice(targetEnd + 1, end);
  if (version === 'HTTP/1.0') {
    head.minorVersion = 0;
    head.keepAlive = false;
  } else if (version !== 'HTTP/1.1') {
    return /^HTTP\/[0-9]\.[0-9]$/.test(version)
      ? refuse(505, `${version} is not spoken here`)
      : refuse(400, 'the request line names no HTTP version');
  }
  head.method = text.slice(0, methodEnd);
  head.target = text.slice(methodEnd + 1, targetEnd);
  return undefined;
}

/** What the framing fields said; a node takes no bodies, so that nothing else of them is kept. */
type Framing = { contentLength: string | undefined; hasCoding: boolean };

function readFields(text: string, start: number, head: RequestHead): HeadRefusal | undefined {
  const framing: Framing = { contentLength: undefined, hasCoding: false };
  let lineStart = start;
  for (let count = 0; ; count += 1) {
    const lineEnd = text.indexOf('\r\n', lineStart);
    if (lineEnd === lineStart) break;
    if (count === fieldsMax) return refuse(431, `more than ${fieldsMax} fields`);
    if (isBlank(text.charCodeAt(lineStart))) return refuse(400, 'a folded field');
    let colon = lineStart;
    while (isToken(text.charCodeAt(colon))) colon += 1;
    if (colon === lineStart || text[colon] !== ':') return refuse(400, 'a field without a proper name');
    for (let i = colon + 1; i < lineEnd; i += 1) {
      if (!isValue(text.charCodeAt(i))) return refuse(400, 'a control character in a field');
    }
    const mistake = takeField(text, lineStart, colon, lineEnd, head, framing);
    if (mistake !== undefined) return mistake;
    lineStart = lineEnd + 2;
  }
  if (framing.hasCoding && (framing.contentLength !== undefined || head.minorVersion === 0)) {
    return refuse(400, 'a Transfer-Encoding beside a Content-Length, or in HTTP/1.0');
  }
  if (framing.hasCoding) return refuse(413, 'a request with a body');
  if (framing.contentLength !== undefined && !/^0+$/.test(framing.contentLength)) {
    return /^[0-9]+$/.test(framing.contentLength)
      ? refuse(413, 'a request with a body')
      : refuse(400, 'a Content-Length that is no number');
  }
  return undefined;
}

/** By the length of its name first: a name of another length is none of interest, and costs nothing. */
function takeField(
  text: string,
  start: number,
  colon: number,
  end: number,
  head: RequestHead,
  framing: Framing,
): HeadRefusal | undefined {
  switch (colon - start) {
    case 3:
    case 4:
    case 5:
    case 8:
    case 10:
    case 13:
    case 14:
    case 17:
    case 19:
      break;
    default:
      return undefined;
  }
  const value = trimmed(text, colon + 1, end);
  switch (text.slice(start, colon).toLowerCase()) {
    case 'host':
      if (head.host !== undefined) return refuse(400, 'more than one Host');
      head.host = value;
      break;
    case 'range':
      head.range = value;
      break;
    case 'connection':
      takeConnection(value, head);
      break;
    case 'user-agent':
      head.userAgent = value;
      break;
    case 'content-length':
      if (framing.contentLength !== undefined) return refuse(400, 'more than one Content-Length');
      framing.contentLength = value;
      break;
    case 'transfer-encoding':
      framing.hasCoding = true;
      break;
    case 'if-range':
      head.ifRange = value;
      break;
    case 'if-match':
      head.ifMatch = joined(head.ifMatch, value);
      break;
    case 'if-none-match':
      head.ifNoneMatch = joined(head.ifNoneMatch, value);
      break;
    case 'if-modified-since':
      head.ifModifiedSince = value;
      break;
    case 'if-unmodified-since':
      head.ifUnmodifiedSince = value;
      break;
    case 'cache-control':
      head.cacheControl = joined(head.cacheControl, value);
      break;
    case 'authorization':
      head.authorization = value;
      break;
    case 'via':
      head.via = joined(head.via, value);
      break;
    default:
      break;
  }
  return undefined;
}

const joined = (before: string | undefined, value: string): string =>
  before === undefined ? value : `${before}, ${value}`;

/** `close` counts more than `keep-alive`, which only an HTTP/1.0 client needs to say. */
function takeConnection(value: string, head: RequestHead): void {
  const options = value
    .toLowerCase()
    .split(',')
    .map((option) => option.trim());
  if (options.includes('close')) head.keepAlive = false;
  else if (head.minorVersion === 0 && options.includes('keep-alive')) head.keepAlive = true;
}
