// The head of an HTTP/1.1 response (RFC 9112, sections 4 to 6): from its text to the few values that the load generator
// needs. Strict: what is not of the grammar is an error with a name, never a guess.

import { isBlank, isToken, isValue, trimmed } from './http-characters.ts';

/** What can be wrong with a response, or with the end of its connection. Stable names: they are counted. */
export type ResponseErrorCode =
  | 'BAD_STATUS_LINE'
  | 'BAD_LINE_END'
  | 'BAD_HEADER_NAME'
  | 'BAD_HEADER_VALUE'
  | 'OBSOLETE_FOLD'
  | 'HEAD_TOO_LARGE'
  | 'BAD_CONTENT_LENGTH'
  | 'LENGTH_AND_CODING'
  | 'UNSUPPORTED_TRANSFER_CODING'
  | 'BAD_CHUNK'
  | 'BAD_TRAILER'
  | 'UNEXPECTED_UPGRADE'
  | 'TOO_MANY_INTERIM_ANSWERS'
  | 'CLOSED_BEFORE_HEAD'
  | 'CLOSED_IN_HEAD'
  | 'SHORT_BODY'
  | 'EXTRA_BYTES';

/** A parsed head. Values are as sent, without the white space around them. */
export class ResponseHead {
  statusCode = 0;
  /** HTTP/1.`minorVersion`: 0 or 1. */
  minorVersion = 1;
  /** The declared Content-Length in bytes, also where no body follows (HEAD, 304). */
  contentLength: number | undefined = undefined;
  contentRange: string | undefined = undefined;
  etag: string | undefined = undefined;
  retryAfter: string | undefined = undefined;
  location: string | undefined = undefined;
  /** The body comes in the chunked transfer-coding. */
  chunked = false;
  /** Whether another request may follow on the connection (RFC 9112, 9.3). */
  keepAlive = true;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The head as it came, status line and empty line included. */
  get text(): string {
    return this.#text;
  }

  /** All header lines in their order, names as sent. */
  *fields(): Generator<readonly [name: string, value: string]> {
    let lineStart = this.#text.indexOf('\r\n') + 2;
    for (;;) {
      const lineEnd = this.#text.indexOf('\r\n', lineStart);
      if (lineEnd <= lineStart) return;
      const colon = this.#text.indexOf(':', lineStart);
      yield [this.#text.slice(lineStart, colon), trimmed(this.#text, colon + 1, lineEnd)];
      lineStart = lineEnd + 2;
    }
  }

  /** Any header by its name in any case; several of one name are joined by ", ". Searched for at each call. */
  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    let found: string | undefined;
    let lineStart = this.#text.indexOf('\r\n') + 2;
    for (;;) {
      const lineEnd = this.#text.indexOf('\r\n', lineStart);
      if (lineEnd <= lineStart) return found;
      const colon = this.#text.indexOf(':', lineStart);
      if (colon - lineStart === wanted.length && this.#text.slice(lineStart, colon).toLowerCase() === wanted) {
        const value = trimmed(this.#text, colon + 1, lineEnd);
        found = found === undefined ? value : `${found}, ${value}`;
      }
      lineStart = lineEnd + 2;
    }
  }
}

/**
 * Parses a whole head: `text` is its bytes as Latin-1, from "HTTP/1." to the empty line inclusive, every line ended by
 * CR LF (the caller has checked both).
 */
export function parseResponseHead(text: string): ResponseHead | ResponseErrorCode {
  const head = new ResponseHead(text);
  const statusLineEnd = text.indexOf('\r\n');
  const minor = text.charCodeAt(7);
  const statusCode = threeDigits(text, 9);
  if ((minor !== zero && minor !== zero + 1) || text.charCodeAt(8) !== space || statusCode < 100)
    return 'BAD_STATUS_LINE';
  if (text.charCodeAt(12) !== space && statusLineEnd !== 12) return 'BAD_STATUS_LINE';
  head.statusCode = statusCode;
  head.minorVersion = minor - zero;
  head.keepAlive = minor !== zero;
  return parseHeaderLines(text, statusLineEnd + 2, head) ?? head;
}

/** Checks the lines from `lineStart` to the empty line; with a `head`, takes the known headers into it. */
export function parseHeaderLines(
  text: string,
  start: number,
  head: ResponseHead | undefined,
): ResponseErrorCode | undefined {
  let lineStart = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', lineStart);
    if (lineEnd === lineStart) break;
    const first = text.charCodeAt(lineStart);
    if (isBlank(first)) return 'OBSOLETE_FOLD';
    let colon = lineStart;
    while (colon < lineEnd && isToken(text.charCodeAt(colon))) colon += 1;
    if (colon === lineStart || colon === lineEnd || text.charCodeAt(colon) !== colonCode) return 'BAD_HEADER_NAME';
    for (let i = colon + 1; i < lineEnd; i += 1) if (!isValue(text.charCodeAt(i))) return 'BAD_HEADER_VALUE';
    const error = takeHeader(text, lineStart, colon, lineEnd, head);
    if (error !== undefined) return error;
    lineStart = lineEnd + 2;
  }
  if (head?.chunked && head.contentLength !== undefined) return 'LENGTH_AND_CODING';
  // RFC 9112, 6.1: a transfer-coding in an HTTP/1.0 message is suspect; the connection is not used again.
  if (head?.chunked && head.minorVersion === 0) head.keepAlive = false;
  return undefined;
}

/** Names are compared where they stand, and told apart by their length first: most lines cost nothing. */
function takeHeader(
  text: string,
  start: number,
  colon: number,
  end: number,
  head: ResponseHead | undefined,
): ResponseErrorCode | undefined {
  const name = knownNames[colon - start];
  if (name === undefined || !isNamed(text, start, name)) return undefined;
  if (head === undefined) return name === 'content-length' || name === 'transfer-encoding' ? 'BAD_TRAILER' : undefined;
  const value = trimmed(text, colon + 1, end);
  switch (name) {
    case 'content-length':
      return takeContentLength(value, head);
    case 'transfer-encoding':
      if (head.chunked || value.toLowerCase() !== 'chunked') return 'UNSUPPORTED_TRANSFER_CODING';
      head.chunked = true;
      return undefined;
    case 'connection':
      takeConnection(value, head);
      return undefined;
    case 'content-range':
      head.contentRange = value;
      return undefined;
    case 'etag':
      head.etag = value;
      return undefined;
    case 'retry-after':
      head.retryAfter = value;
      return undefined;
    case 'location':
      head.location = value;
      return undefined;
  }
}

// biome-ignore format: one line a length
const taken = ['etag', 'location', 'connection', 'retry-after', 'content-range', 'content-length', 'transfer-encoding'] as const;

/** The headers that are taken, by the length of their name: no two have the same. */
const knownNames: readonly ((typeof taken)[number] | undefined)[] = Array.from({ length: 18 }, (_, length) =>
  taken.find((name) => name.length === length),
);

/** Whether the token at `start` is `name` in any case. Setting the bit of lower case changes letters only, among token characters. */
function isNamed(text: string, start: number, name: string): boolean {
  for (let i = 0; i < name.length; i += 1) {
    if ((text.charCodeAt(start + i) | 0x20) !== name.charCodeAt(i)) return false;
  }
  return true;
}

function takeContentLength(value: string, head: ResponseHead): ResponseErrorCode | undefined {
  if (value.length === 0 || value.length > 16) return 'BAD_CONTENT_LENGTH';
  let length = 0;
  for (let i = 0; i < value.length; i += 1) {
    const digit = value.charCodeAt(i) - zero;
    if (digit < 0 || digit > 9) return 'BAD_CONTENT_LENGTH';
    length = length * 10 + digit;
  }
  if (length > Number.MAX_SAFE_INTEGER) return 'BAD_CONTENT_LENGTH';
  if (head.contentLength !== undefined && head.contentLength !== length) return 'BAD_CONTENT_LENGTH';
  head.contentLength = length;
  return undefined;
}

function takeConnection(value: string, head: ResponseHead): void {
  if (value === 'keep-alive') {
    head.keepAlive = true;
    return;
  }
  for (const option of value.toLowerCase().split(',')) {
    const name = option.trim();
    if (name === 'close') {
      head.keepAlive = false;
      return;
    }
    if (name === 'keep-alive') head.keepAlive = true;
  }
}

const space = 0x20;
const zero = 0x30;
const colonCode = 0x3a;

function threeDigits(text: string, at: number): number {
  let value = 0;
  for (let i = at; i < at + 3; i += 1) {
    const digit = text.charCodeAt(i) - zero;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}
