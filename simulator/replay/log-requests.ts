// From the records of a log to the requests that a replay makes of them: which are left out, which object each asks for,
// when, and which of its bytes. Both readings of a log (survey.ts, part-requests.ts) go through here line by line, so
// that they agree on every one of them.

import { parseContentRange, parseRangeHeader } from '../../common/byte-range.ts';
import { hashText, mix32 } from '../../common/random.ts';
import type { ReplaySpec } from '../scenario/replay-spec.ts';
import { type ChosenFormat, chooseFormat } from './choose-format.ts';
import type { LogLine } from './log-lines.ts';
import type { LogRecord, UnusableReason } from './log-record.ts';

/** Why a request is not replayed, with the words for it. */
export const leftOutReasons = {
  method: 'not a GET',
  status: 'answered otherwise than by 200 or 206',
  health: 'health checks',
  noBody: 'answered without a byte of content',
  severalRanges: 'several ranges in one request',
  target: 'a target that is no path or http URL',
} as const;

export type LeftOutReason = keyof typeof leftOutReasons;

/** Where the bytes that were sent lie in the object. */
export type Position =
  | { readonly kind: 'at'; readonly start: number }
  /** They were its last ones. */
  | { readonly kind: 'last' }
  /** The log does not say. */
  | { readonly kind: 'unknown' };

/** A request of the log that can be replayed. */
export type LogRequest = {
  /** Names the device: the client's address, with the user agent where the scenario tells devices apart by it. */
  readonly device: string;
  /** When it was made: epoch ms. */
  readonly atMs: number;
  readonly host: string;
  /** Without the query. */
  readonly path: string;
  readonly bytes: number;
  readonly position: Position;
  /** The object's size, where the log says it: of a Content-Range, or the bytes of a 200. */
  readonly sizeBytes: number | undefined;
  /** Of the bytes, those that came from the cache; undefined: the log does not say. */
  readonly hitBytes: number | undefined;
  /** Whether its host is the scenario's, because the line names none. */
  readonly isHostAssumed: boolean;
  /** Whether its query had arguments other than signatures. */
  readonly hadQuery: boolean;
  /** Whether its time was spread over its second. */
  readonly isSpread: boolean;
};

/** What became of a line. */
export type LineOutcome =
  | { readonly kind: 'request'; readonly request: LogRequest }
  | { readonly kind: 'leftOut'; readonly reason: LeftOutReason }
  /** Before `from`, or after `for` has passed. */
  | { readonly kind: 'outside' }
  | { readonly kind: 'unusable'; readonly reason: UnusableReason };

/** Lines come in the order of their requests' ends; one that is so much earlier than another before it is none of them. */
export const runsBackMsMax = 3_600_000;
/** Cut off a URL: signatures are of one client, and the origin is told by the run itself. */
const signatureArgument = /^P[1-4](?:=|$)/i;
const originArgument = /^cacheHostOrigin=/i;
const healthPath = '/mscomtest/wuidt.gif';
const hostPattern = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** What of a scenario decides how lines are read. */
export type ReadingTerms = Pick<ReplaySpec, 'format' | 'host' | 'device' | 'fromEpochMs'>;

export class LogRequests {
  /** Of the first line that has text. */
  format: ChosenFormat | undefined;
  readonly #terms: ReadingTerms;
  /** The scenario's seed: of times within their second. */
  readonly #seed: number;
  /** Of the lines so far: their latest end. */
  latestEndMs = Number.NEGATIVE_INFINITY;

  constructor(terms: ReadingTerms, seed: number) {
    this.#terms = terms;
    this.#seed = mix32(seed);
  }

  /** Reads the next line of the log; lines must come in the file's order. `untilMs`: where the replayed part ends. */
  take(line: LogLine, untilMs: number): LineOutcome {
    if (line.flaw !== undefined) return { kind: 'unusable', reason: line.flaw };
    if (line.text === '') return { kind: 'unusable', reason: 'format' };
    this.format ??= chooseFormat(this.#terms.format, line.text);
    const record = this.format.parse(line.text);
    if (typeof record === 'string') return { kind: 'unusable', reason: record };
    const durationMs = record.durationMs ?? 0;
    const endMs = record.timeIs === 'end' ? record.timeMs : record.timeMs + durationMs;
    if (endMs < this.latestEndMs - runsBackMsMax) return { kind: 'unusable', reason: 'runsBack' };
    this.latestEndMs = Math.max(this.latestEndMs, endMs);
    const isSpread = record.resolutionMs > 1;
    const withinMs = isSpread ? (mix32(this.#seed ^ line.number) / 2 ** 32) * record.resolutionMs : 0;
    const atMs = record.timeMs + withinMs - (record.timeIs === 'end' ? durationMs : 0);
    const { fromEpochMs } = this.#terms;
    if ((fromEpochMs !== undefined && atMs < fromEpochMs) || atMs >= untilMs) return { kind: 'outside' };
    return this.#request(record, atMs, isSpread);
  }

  #request(record: LogRecord, atMs: number, isSpread: boolean): LineOutcome {
    const { method, status, bodyBytes } = record;
    if (status !== 200 && status !== 206) return leftOut('status');
    if (method !== 'GET') return leftOut('method');
    const object = objectOf(record);
    if (object === undefined) return leftOut('target');
    if (object.path === healthPath) return leftOut('health');
    if (bodyBytes === 0) return leftOut('noBody');
    const where = whereOf(record);
    if (where === undefined) return leftOut('severalRanges');
    const { device, host } = this.#terms;
    const agent = device === 'addressAndAgent' ? ` ${record.userAgent ?? ''}` : '';
    const request: LogRequest = {
      device: `${record.client}${agent}`,
      atMs,
      host: object.host ?? host,
      path: object.path,
      bytes: bodyBytes,
      ...where,
      hitBytes: record.hitBytes,
      isHostAssumed: object.host === undefined,
      hadQuery: object.hadQuery,
      isSpread,
    };
    return { kind: 'request', request };
  }
}

const leftOut = (reason: LeftOutReason): LineOutcome => ({ kind: 'leftOut', reason });

/** Part `index` of `count` of the devices, by what names them: the same in every process and shard. */
export function isOfPart(device: string, index: number, count: number): boolean {
  return count === 1 || hashText(device) % count === index;
}

type ObjectName = { readonly host: string | undefined; readonly path: string; readonly hadQuery: boolean };

/** What a target names: a path, or a whole URL; the origin in its query counts before the host beside it. */
function objectOf({ target, host }: LogRecord): ObjectName | undefined {
  let authority: string | undefined;
  let rest = target;
  if (!target.startsWith('/')) {
    const url = /^https?:\/\/([^/?#]*)/i.exec(target);
    if (url === null) return undefined;
    authority = url[1];
    rest = target.slice(url[0].length);
  }
  const fragment = rest.indexOf('#');
  if (fragment >= 0) rest = rest.slice(0, fragment);
  const query = rest.indexOf('?');
  let named: string | undefined;
  let hadQuery = false;
  if (query >= 0) {
    for (const argument of rest.slice(query + 1).split('&')) {
      if (originArgument.test(argument)) named = argument.slice(argument.indexOf('=') + 1);
      else if (argument !== '' && !signatureArgument.test(argument)) hadQuery = true;
    }
  }
  const path = asPath(query < 0 ? rest : rest.slice(0, query));
  return { host: asHost(named) ?? asHost(authority) ?? asHost(host), path, hadQuery };
}

const notOfPaths = /[^!$-;=?-Z[\]_a-z~]/;

/** What a request line may hold: everything else is written as %XX. */
function asPath(written: string): string {
  if (written === '') return '/';
  if (!notOfPaths.test(written)) return written;
  return written.replaceAll(
    new RegExp(notOfPaths, 'g'),
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** A log has few hosts: each is looked at once. */
const knownHosts = new Map<string, string | undefined>();
const knownHostsMax = 10_000;

/** A host name in lower case without its port; undefined for an address (the node's own) and for what is none. */
function asHost(written: string | undefined): string | undefined {
  if (written === undefined) return undefined;
  if (knownHosts.has(written)) return knownHosts.get(written);
  const name = decoded(written)
    .toLowerCase()
    .replace(/^.*@/, '')
    .replace(/:[0-9]*$/, '')
    .replace(/\.$/, '');
  const host = /^[0-9.]+$/.test(name) || !hostPattern.test(name) ? undefined : name;
  if (knownHosts.size === knownHostsMax) knownHosts.clear();
  knownHosts.set(written, host);
  return host;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a broken escape: as it stands
  }
}

type Where = Pick<LogRequest, 'position' | 'sizeBytes'>;

/** Undefined: the answer was of several ranges, whose bytes are not content alone. */
function whereOf({ status, bodyBytes, range, contentRange, isAborted }: LogRecord): Where | undefined {
  if (status === 200) return { position: at(0), sizeBytes: isAborted ? undefined : bodyBytes };
  const named = contentRange === undefined ? undefined : parseContentRange(contentRange);
  if (named?.range !== undefined) return { position: at(named.range.start), sizeBytes: named.sizeBytes };
  const specs = range === undefined ? undefined : parseRangeHeader(range);
  if (specs === undefined) return { position: { kind: 'unknown' }, sizeBytes: undefined };
  const [spec] = specs;
  if (spec === undefined || specs.length > 1) return undefined;
  if (spec.kind !== 'suffix') return { position: at(spec.first), sizeBytes: undefined };
  // Of one that was cut short nobody knows where its first byte lay.
  return { position: { kind: isAborted ? 'unknown' : 'last' }, sizeBytes: undefined };
}

const at = (start: number): Position => ({ kind: 'at', start });
