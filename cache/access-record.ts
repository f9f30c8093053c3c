// What the access log says of one request, and its line. `Authorization` is no part of it, so that it cannot get there.

import type { Outcome } from './books.ts';

/** One request that is over. Times are of this machine's clock; bytes are body bytes that the kernel took. */
export type AccessRecord = {
  /** When its head had come: epoch ms. */
  readonly atMs: number;
  /** The client's address, without port; as the connection had it. */
  readonly client: string;
  readonly method: string;
  /** The request's target as it came, with its query. */
  readonly target: string;
  /** The Host field as it came. */
  readonly host: string | undefined;
  /** The origin that the request was read to mean; undefined when it was refused before. */
  readonly origin: string | undefined;
  /** 0: the connection ended before a head was sent. */
  readonly status: number;
  /** The Range field that counted (the last one). */
  readonly range: string | undefined;
  /** Body bytes of this answer: hitBytes + missBytes, but for the test object and bodies of errors, which are neither. */
  readonly bodyBytes: number;
  readonly hitBytes: number;
  readonly missBytes: number;
  readonly outcome: Outcome;
  /** From the request's head to the end of its answer. */
  readonly durationMs: number;
  /** From the request's head to the first byte of the answer handed to the kernel; undefined when there was none. */
  readonly firstByteMs: number | undefined;
  readonly userAgent: string | undefined;
  /** Whether the connection ended before the answer did. */
  readonly aborted: boolean;
};

/** Text that clients send is cut here: a line stays below 4,096 bytes, which a pipe takes as a whole. */
const targetLengthMax = 2048;
const fieldLengthMax = 256;

/** The record as a line of JSON, with its line end, in ASCII; fields that are undefined are left out. */
export function accessLine(record: AccessRecord, maskSignatures: boolean): string {
  const { atMs, target, host, origin, range, userAgent, durationMs, firstByteMs } = record;
  const shown = cut(withoutUserInfo(maskSignatures ? masked(target) : target), targetLengthMax);
  const line = JSON.stringify({
    time: new Date(atMs).toISOString(),
    client: record.client,
    method: cut(record.method, 32),
    target: shown,
    host: cut(host, fieldLengthMax),
    origin: cut(origin, fieldLengthMax),
    status: record.status,
    range: cut(range, fieldLengthMax),
    bodyBytes: record.bodyBytes,
    hitBytes: record.hitBytes,
    missBytes: record.missBytes,
    outcome: record.outcome,
    durationMs: rounded(durationMs),
    firstByteMs: firstByteMs === undefined ? undefined : rounded(firstByteMs),
    userAgent: cut(userAgent, fieldLengthMax),
    aborted: record.aborted,
  });
  return `${ascii(line)}\n`;
}

/** Hides the values of signed URLs: who has them may download as that client. */
function masked(target: string): string {
  return target.replaceAll(/([?&]P[1-4]=)[^&#]*/g, '$1*');
}

/** An absolute target may carry a password: `http://user:password@host/`. */
function withoutUserInfo(target: string): string {
  return target.replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1*@');
}

/** Shortens a text so that its escaped form has at most `lengthMax` characters. */
function cut<T extends string | undefined>(text: T, lengthMax: number): T | string {
  if (text === undefined || (text.length <= lengthMax && /^[ !#-[\]-~]*$/.test(text))) return text;
  if (escapedLength(text) <= lengthMax) return text;
  let end = Math.min(text.length, lengthMax);
  while (escapedLength(text.slice(0, end)) > lengthMax) end = Math.floor(end * 0.9);
  return `${text.slice(0, end)}...`;
}

const escapedLength = (text: string): number => ascii(JSON.stringify(text)).length - 2;
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

/** Escapes what is not ASCII, so that a line's length is its bytes and terminals are not written to by clients. */
function ascii(json: string): string {
  return json.replaceAll(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
