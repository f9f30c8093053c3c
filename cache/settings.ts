// What a node is told on its command line, checked once and typed from there.

import { availableParallelism } from 'node:os';
import { type Address, parseAddress } from '../common/address.ts';
import { OperatorError } from '../common/errors.ts';
import { openFileLimit } from '../common/open-file-limit.ts';
import { parseQuantity, quantityExamples } from '../common/units.ts';

/** One cache drive: a folder, and how many bytes of it the node may fill (blocks and metadata counted). */
export type DriveSetting = { readonly path: string; readonly sizeBytes: number };

/** A host that the node may fetch from; `connect` says where, when that is not what the name resolves to. */
export type OriginSetting = { readonly host: string; readonly connect: Address | undefined };

/** Which query arguments are part of an object's identity, beside the signed-URL ones that never are. */
export type KeyQuery = 'none' | 'all' | { readonly except: readonly string[] };

export type Settings = {
  readonly name: string;
  readonly listen: Address;
  readonly admin: Address;
  readonly drives: readonly DriveSetting[];
  readonly origins: readonly OriginSetting[];
  readonly workerCount: number;
  readonly maxConnections: number;
  /** Connections of one client address held at once; undefined (an office sits behind one address): no such limit. */
  readonly maxConnectionsPerAddress: number | undefined;
  /** See `ConnectionLimits` (worker/client-connection.ts). */
  readonly headTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly readerBytesPerSecondMin: number;
  /** Bytes of bodies per ms, over all workers; undefined is no limit. */
  readonly limitEgressBytesPerMs: number | undefined;
  readonly upstreamHost: Address | undefined;
  readonly upstreamProxy: Address | undefined;
  readonly keyQuery: KeyQuery;
  /** What a client that named its origin by `cacheHostOrigin` gets for a 4xx of the origin: that status, or 502. */
  readonly upstreamClientErrors: 'pass' | '502';
  /** How long answers are fresh whatever their origin says of it; undefined: as it says. */
  readonly forceTtlMs: number | undefined;
  readonly exitWithParent: boolean;
  /** Whether closed connections are kept for `GET /ledger` (tests and simulations; unbounded). */
  readonly ledger: boolean;
};

/** The options as the command line has them. */
export type RawOptions = {
  readonly name: string;
  readonly listen: string;
  readonly admin: string;
  readonly drive: readonly string[];
  readonly origin: readonly string[];
  readonly workers?: string;
  readonly maxConnections: string;
  readonly limitEgress?: string;
  readonly upstreamHost?: string;
  readonly upstreamProxy?: string;
  readonly keyQuery: string;
  readonly upstreamClientErrors: string;
  readonly forceTtl?: string;
  readonly exitWithParent: boolean;
  readonly ledger: boolean;
};

/** Share of the open-file limit that connections of one worker may use: the rest is for files and for a dead sibling's. */
const connectionShareOfOpenFiles = 0.7;

/** Checks all options; throws one OperatorError (exit code 2) that lists every mistake. */
export function readSettings(raw: RawOptions): Settings {
  const mistakes: string[] = [];
  const wrong = (option: string, expected: string, found: string): undefined => {
    mistakes.push(`${option}: expected ${expected}, found ${JSON.stringify(found)}`);
    return undefined;
  };
  const address = (option: string, text: string): Address =>
    parseAddress(text) ??
    wrong(option, 'ADDRESS:PORT such as 127.0.0.1:8081 (port 0 picks a free one)', text) ??
    nowhere;
  const count = (option: string, text: string): number =>
    /^[1-9][0-9]{0,6}$/.test(text) ? Number(text) : (wrong(option, 'a whole number of at least 1', text) ?? 1);

  const maxConnections = count('--max-connections', raw.maxConnections);
  const settings: Settings = {
    name: /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(raw.name)
      ? raw.name
      : (wrong('--name', 'letters, digits, dots and dashes', raw.name) ?? ''),
    listen: address('--listen', raw.listen),
    admin: address('--admin', raw.admin),
    drives: raw.drive.flatMap((text) => readDrive(text) ?? wrong('--drive', driveExpected, text) ?? []),
    origins: raw.origin.flatMap((text) => readOrigin(text) ?? wrong('--origin', originExpected, text) ?? []),
    workerCount: raw.workers === undefined ? defaultWorkerCount(maxConnections) : count('--workers', raw.workers),
    maxConnections,
    maxConnectionsPerAddress: undefined,
    headTimeoutMs: 20_000,
    idleTimeoutMs: 120_000,
    readerBytesPerSecondMin: 1000,
    limitEgressBytesPerMs:
      raw.limitEgress === undefined
        ? undefined
        : (positive(parseQuantity(raw.limitEgress, 'rate')) ??
          wrong('--limit-egress', quantityExamples.rate, raw.limitEgress)),
    upstreamHost: raw.upstreamHost === undefined ? undefined : upstream('--upstream-host', raw.upstreamHost, wrong),
    upstreamProxy: raw.upstreamProxy === undefined ? undefined : upstream('--upstream-proxy', raw.upstreamProxy, wrong),
    keyQuery: readKeyQuery(raw.keyQuery) ?? wrong('--key-query', 'none, all or except:NAME,…', raw.keyQuery) ?? 'all',
    upstreamClientErrors:
      raw.upstreamClientErrors === 'pass' || raw.upstreamClientErrors === '502'
        ? raw.upstreamClientErrors
        : (wrong('--upstream-client-errors', 'pass or 502', raw.upstreamClientErrors) ?? '502'),
    forceTtlMs:
      raw.forceTtl === undefined
        ? undefined
        : (positive(parseQuantity(raw.forceTtl, 'duration')) ??
          wrong('--force-ttl', quantityExamples.duration, raw.forceTtl)),
    exitWithParent: raw.exitWithParent,
    ledger: raw.ledger,
  };
  if (raw.drive.length === 0) mistakes.push('--drive: expected at least one, such as --drive /var/cache/do=200GB');
  if (raw.drive.length > 9) mistakes.push(`--drive: expected at most nine, found ${raw.drive.length}`);
  if (mistakes.length > 0) throw new OperatorError('BAD_OPTIONS', mistakes.join('\n'));
  return settings;
}

const nowhere: Address = { host: '127.0.0.1', port: 0 };
const driveExpected = 'PATH=SIZE with a unit, such as /var/cache/do=200GB or D:\\cache=50GB';
const originExpected = 'HOST or HOST=ADDRESS:PORT, such as download.windowsupdate.com=127.0.0.1:9000';

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}

function readDrive(text: string): DriveSetting | undefined {
  const split = text.lastIndexOf('=');
  const sizeBytes = positive(parseQuantity(text.slice(split + 1), 'bytes'));
  return split <= 0 || sizeBytes === undefined ? undefined : { path: text.slice(0, split), sizeBytes };
}

function readOrigin(text: string): OriginSetting | undefined {
  const split = text.indexOf('=');
  const host = (split < 0 ? text : text.slice(0, split)).toLowerCase().replace(/\.$/, '');
  if (!/^(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/.test(host)) return undefined;
  if (split < 0) return { host, connect: undefined };
  const connect = parseAddress(text.slice(split + 1));
  return connect === undefined ? undefined : { host, connect };
}

function upstream(option: string, text: string, wrong: (o: string, e: string, f: string) => undefined): Address {
  const found = parseAddress(text) ?? parseAddress(`${text}:80`);
  return found ?? wrong(option, 'HOST or HOST:PORT', text) ?? nowhere;
}

function readKeyQuery(text: string): KeyQuery | undefined {
  if (text === 'none' || text === 'all') return text;
  const names = text.startsWith('except:') ? text.slice('except:'.length).split(',').filter(Boolean) : [];
  return names.length === 0 ? undefined : { except: names };
}

/** Enough workers for the cores, and for the connections: one worker's death must not end in EMFILE at the others. */
export function defaultWorkerCount(maxConnections: number): number {
  const limit = openFileLimit();
  const forConnections = Number.isFinite(limit) ? Math.ceil(maxConnections / (connectionShareOfOpenFiles * limit)) : 1;
  return Math.max(availableParallelism(), forConnections);
}
