// nginx's `log_format`: a text with $variables, turned into a reader of the lines that it writes. Between two variables
// stands a literal text, and a value ends where that text next stands: nginx escapes quotes and what is not printable
// within values (as \x22, or \" with escape=json), so that a quote that ends a value cannot be within it.

import type { LineParser, LogRecord } from './log-record.ts';

/** What nginx writes when nothing is configured. */
export const combinedFormat =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';

type Part = { readonly literal: string } | { readonly variable: string };

/** A format that was understood, or what is wrong with it: what was expected. */
export type CompiledFormat =
  | { readonly kind: 'parser'; readonly parse: LineParser; readonly saysDuration: boolean; readonly saysRange: boolean }
  | { readonly kind: 'problem'; readonly expected: string };

/** Of each list the first that the format has counts. */
const timeVariables = ['msec', 'time_iso8601', 'time_local'] as const;
const hostVariables = ['host', 'http_host'] as const;

/** Compiles the text of a `log_format`. Variables that say nothing of use are skipped over. */
export function compileLogFormat(format: string): CompiledFormat {
  const parts = partsOf(format);
  const names = parts.flatMap((part) => ('variable' in part ? [part.variable] : []));
  const has = (name: string): boolean => names.includes(name);
  const missing = [
    ...['remote_addr', 'status', 'body_bytes_sent'].filter((name) => !has(name)).map((name) => `$${name}`),
    ...(timeVariables.some(has) ? [] : ['$time_local, $time_iso8601 or $msec']),
    ...(has('request') || (has('request_method') && has('request_uri')) ? [] : ['$request']),
  ];
  if (missing.length > 0) return { kind: 'problem', expected: `a log_format with ${missing.join(', ')}` };
  const joined = parts.findIndex((part, index) => 'variable' in part && 'variable' in (parts[index + 1] ?? {}));
  if (joined >= 0) {
    const [first, second] = names.slice(names.indexOf((parts[joined] as { variable: string }).variable));
    return { kind: 'problem', expected: `a text between $${first} and $${second}, so that they can be told apart` };
  }
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated !== undefined) return { kind: 'problem', expected: `$${repeated} once` };
  return {
    kind: 'parser',
    parse: parserOf(parts),
    saysDuration: has('request_time'),
    saysRange: has('http_range') || has('sent_http_content_range'),
  };
}

function partsOf(format: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const match of format.matchAll(/\$(?:\{([a-z0-9_]+)\}|([a-z0-9_]+))/g)) {
    if (match.index > at) parts.push({ literal: format.slice(at, match.index) });
    parts.push({ variable: match[1] ?? match[2] ?? '' });
    at = match.index + match[0].length;
  }
  if (at < format.length) parts.push({ literal: format.slice(at) });
  return parts;
}

function parserOf(parts: readonly Part[]): LineParser {
  const clock = new LogClock();
  /** A variable's place among the values; -1: the format has none of these. */
  const placeOf = (...names: string[]): number => {
    const variables = parts.flatMap((part) => ('variable' in part ? [part.variable] : []));
    return variables.indexOf(names.find((name) => variables.includes(name)) ?? '');
  };
  const timeName = timeVariables.find((name) => placeOf(name) >= 0) ?? 'time_local';
  const [time, client, status, bytes] = [timeName, 'remote_addr', 'status', 'body_bytes_sent'].map((n) => placeOf(n));
  const request = placeOf('request');
  const method = placeOf('request_method');
  const uri = placeOf('request_uri');
  const [host, agent, duration] = [placeOf(...hostVariables), placeOf('http_user_agent'), placeOf('request_time')];
  const [range, contentRange] = [placeOf('http_range'), placeOf('sent_http_content_range')];
  const [cacheStatus, completion] = [placeOf('upstream_cache_status'), placeOf('request_completion')];
  const values: string[] = [];
  /** nginx writes `-` for what is not there, and nothing with escape=json or none. */
  const value = (place: number | undefined): string | undefined => {
    const found = values[place ?? -1];
    return found === undefined || found === '-' || found === '' ? undefined : unescaped(found);
  };
  return (text) => {
    if (!split(text, parts, values)) return 'format';
    const timeMs = clock.read(timeName, values[time ?? -1] ?? '');
    if (timeMs === undefined) return 'time';
    const address = value(client);
    if (address === undefined) return 'format';
    const statusCode = wholeNumber(value(status));
    const bodyBytes = wholeNumber(value(bytes) ?? '0');
    if (statusCode === undefined || bodyBytes === undefined) return 'number';
    const requestLine = value(request)?.split(' ') ?? [];
    const seconds = Number(value(duration) ?? Number.NaN);
    const isHit = hitOf(value(cacheStatus));
    const record: LogRecord = {
      client: address,
      userAgent: value(agent),
      timeMs,
      resolutionMs: timeName === 'msec' ? 1 : 1000,
      timeIs: 'end',
      durationMs: seconds >= 0 ? seconds * 1000 : undefined,
      method: value(method) ?? requestLine[0] ?? '',
      target: value(uri) ?? requestLine[1] ?? '',
      host: value(host),
      status: statusCode,
      bodyBytes,
      range: value(range),
      contentRange: value(contentRange),
      isAborted: values[completion] === '',
      hitBytes: isHit === undefined ? undefined : isHit ? bodyBytes : 0,
    };
    return record;
  };
}

/** Fills `values`, in the order of the variables; false when the line is not of the format. */
function split(text: string, parts: readonly Part[], values: string[]): boolean {
  let at = 0;
  let place = 0;
  for (let index = 0; index < parts.length; index += 1) {
    const part = parts[index] as Part;
    if ('literal' in part) {
      if (!text.startsWith(part.literal, at)) return false;
      at += part.literal.length;
      continue;
    }
    const next = parts[index + 1];
    const end = next === undefined ? text.length : endOfValue(text, at, (next as { literal: string }).literal);
    if (end < 0) return false;
    values[place] = text.slice(at, end);
    place += 1;
    at = end;
  }
  return at === text.length;
}

/** Where the literal next stands; a quote behind a backslash is part of the value (escape=json). */
function endOfValue(text: string, from: number, literal: string): number {
  let end = text.indexOf(literal, from);
  while (end > from && literal.startsWith('"') && isEscaped(text, end)) end = text.indexOf(literal, end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 1;
}

function unescaped(value: string): string {
  if (!value.includes('\\')) return value;
  return value.replaceAll(/\\(?:x([0-9A-Fa-f]{2})|u00([0-9A-Fa-f]{2})|(["\\/]))/g, (_, hex, unicode, plain: string) =>
    plain === undefined ? String.fromCharCode(Number.parseInt((hex ?? unicode) as string, 16)) : plain,
  );
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** Whether the content came from the cache; undefined: the word says nothing of that. */
function hitOf(cacheStatus: string | undefined): boolean | undefined {
  if (cacheStatus === undefined) return undefined;
  return /^(HIT|STALE|UPDATING|REVALIDATED)$/.test(cacheStatus);
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const localPattern = /^(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/;
const isoPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** Reads times; lines of one second, which follow each other, are read once. */
class LogClock {
  #text = '';
  #timeMs: number | undefined;

  read(name: (typeof timeVariables)[number], text: string): number | undefined {
    if (name === 'msec') return /^\d{1,12}\.\d{3}$/.test(text) ? Math.round(Number(text) * 1000) : undefined;
    if (text !== this.#text) {
      this.#text = text;
      this.#timeMs = name === 'time_local' ? readLocal(text) : isoPattern.test(text) ? Date.parse(text) : undefined;
    }
    return this.#timeMs === undefined || Number.isNaN(this.#timeMs) ? undefined : this.#timeMs;
  }
}

/** `20/Nov/2026:08:00:01 +0100` as epoch ms. */
function readLocal(text: string): number | undefined {
  const [, day, month = '', year, hour, minute, second, sign, zoneHour, zoneMinute] = localPattern.exec(text) ?? [];
  const monthIndex = months.indexOf(month);
  if (day === undefined || monthIndex < 0) return undefined;
  const offsetMs = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000 * (sign === '-' ? -1 : 1);
  const utcMs = Date.UTC(Number(year), monthIndex, Number(day), Number(hour), Number(minute), Number(second));
  const isReal = new Date(utcMs).getUTCDate() === Number(day) && Number(hour) < 24 && Number(minute) < 60;
  return isReal && Number(second) <= 60 ? utcMs - offsetMs : undefined;
}
