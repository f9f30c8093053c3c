// What a node is told by its options and the environment, checked once and typed from there. An option wins over the
// variable that says the same; every mistake is told at once, before anything starts.

import { availableParallelism } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Address } from '../common/address.ts';
import { OperatorError } from '../common/errors.ts';
import { openFileLimit } from '../common/open-file-limit.ts';
import { Given, type Source } from './settings-given.ts';
import { type OperationSettings, readOperationSettings } from './settings-operations.ts';
import type { RawOptions } from './settings-options.ts';
import { readOrigins } from './settings-origins.ts';
import * as form from './settings-values.ts';

/** One cache drive: a folder, and how many bytes of it the node may fill (blocks and metadata counted). */
export type DriveSetting = {
  readonly path: string;
  readonly sizeBytes: number;
  /** The option or variable that named it, for messages; default `--drive`. */
  readonly source?: Source;
};

/** A host that the node may fetch from, or `*.` and a name for all below it. */
export type OriginSetting = {
  readonly host: string;
  /** The port of the host; 80 where none was written. */
  readonly port: number;
  /** Where to connect, when that is not what the name resolves to. */
  readonly connect: Address | undefined;
  /** The name that its content is kept under; undefined: its own. */
  readonly canonical: string | undefined;
  /** Whether it may be at a private address: it was listed with or by its address, or all listed hosts may. */
  readonly mayBePrivate: boolean;
  readonly source: Source;
};

/** Which query arguments are part of an object's identity; signed-URL ones (P1 to P4) are by `exact` alone. */
export type KeyQuery = 'none' | 'all' | 'exact' | { readonly except: readonly string[] };

export type Settings = OperationSettings & {
  readonly name: string;
  readonly listen: Address;
  readonly admin: Address;
  readonly drives: readonly DriveSetting[];
  readonly origins: readonly OriginSetting[];
  readonly workerCount: number;
  readonly maxConnections: number;
  /** Connections of one client address held at once; undefined (an office sits behind one address): no such limit. */
  readonly maxConnectionsPerAddress: number | undefined;
  /** Bytes of bodies per ms, over all workers; undefined is no limit. */
  readonly limitEgressBytesPerMs: number | undefined;
  /** A request head must have come this long after its first byte. */
  readonly headTimeoutMs: number;
  /** A connection without a request is closed after this long. */
  readonly idleTimeoutMs: number;
  /** A client that takes fewer bytes per second than this, over 60 s, is cut; 0 is never. */
  readonly readerBytesPerSecondMin: number;
  /** Content that nobody asked for this long is dropped. */
  readonly keepMs: number;
  /** Content is fresh this long, whatever its origin says; undefined: the origin says. */
  readonly forceTtlMs: number | undefined;
  readonly keyQuery: KeyQuery;
  readonly upstreamHost: Address | undefined;
  readonly upstreamProxy: Address | undefined;
  /** Whether redirects to origins are followed; otherwise they are passed on. */
  readonly followRedirects: boolean;
  /** What a client that named its origin by `cacheHostOrigin` gets for a 4xx of the origin: that status, or 502. */
  readonly upstreamClientErrors: 'pass' | '502';
  readonly customerId: string | undefined;
  readonly cacheNodeId: string | undefined;
  readonly exitWithParent: boolean;
  /** Whether closed connections are kept for `GET /ledger` (tests and simulations; unbounded). */
  readonly ledger: boolean;
};

/** Settings, and what an operator may want to know of them. */
export type ReadSettings = {
  readonly settings: Settings;
  /** Where each value came from, by the name of its option: `default`, `--option` or a variable's name. */
  readonly sources: ReadonlyMap<string, Source>;
  readonly warnings: readonly string[];
};

/** Share of the open-file limit that connections of one worker may use: the rest is for files and for a dead sibling's. */
const connectionShareOfOpenFiles = 0.7;
const drivesMax = 9;

/** Checks all options and variables; throws one OperatorError (exit code 2) that lists every mistake. */
export function readSettings(options: RawOptions, environment: NodeJS.ProcessEnv): ReadSettings {
  // Where a value is wrong something of its type stands in: the mistake is noted, and ends the start below.
  const given = new Given(options, environment);
  const maxConnections = given.required('max-connections', form.countForm) ?? 1;
  const customerId = given.optional('customer-id', form.guidForm);
  const perAddress = given.required('max-connections-per-address', form.countOrOffForm) ?? 'off';
  const forceTtl = given.required('force-ttl', form.durationOrOffForm) ?? 'off';
  const settings: Settings = {
    name: given.required('name', form.nameForm) ?? '',
    listen: given.required('listen', form.addressForm) ?? nowhere,
    admin: given.required('admin', form.addressForm) ?? nowhere,
    drives: readDrives(given),
    origins: readOrigins(given, given.switch('allow-private-origins')),
    workerCount: given.optional('workers', form.countForm) ?? defaultWorkerCount(maxConnections),
    maxConnections,
    maxConnectionsPerAddress: perAddress === 'off' ? undefined : perAddress,
    limitEgressBytesPerMs: given.optional('limit-egress', form.rateForm),
    headTimeoutMs: given.required('header-timeout', form.durationForm) ?? 1,
    idleTimeoutMs: given.required('idle-timeout', form.durationForm) ?? 1,
    readerBytesPerSecondMin: Math.round((given.required('min-rate', form.rateOrOffForm) ?? 0) * 1000),
    keepMs: given.required('keep', form.durationForm) ?? 1,
    forceTtlMs: forceTtl === 'off' ? undefined : forceTtl,
    keyQuery: given.required('key-query', form.keyQueryForm) ?? 'all',
    upstreamHost: given.optional('upstream-host', form.parentForm),
    upstreamProxy: given.optional('upstream-proxy', form.placeForm),
    followRedirects: given.switch('follow-redirects'),
    upstreamClientErrors: given.required('upstream-client-errors', form.oneOf('pass', '502')) ?? '502',
    customerId,
    cacheNodeId: given.optional('cache-node-id', form.guidForm),
    exitWithParent: given.switch('exit-with-parent'),
    ledger: given.switch('ledger'),
    ...readOperationSettings(given, customerId),
  };
  given.optional('customer-key', form.guidForm);
  warnOfMissingIdentity(given);
  if (given.mistakes.length > 0) throw new OperatorError('BAD_OPTIONS', given.mistakes.join('\n'));
  return { settings, sources: given.sources, warnings: given.warnings };
}

const nowhere: Address = { host: '127.0.0.1', port: 0 };

function readDrives(given: Given): readonly DriveSetting[] {
  const drives = given.list('drive', form.driveForm).map((drive) => ({ ...drive, source: '--drive' }));
  const base = given.required('storage-base', baseForm) ?? '';
  const ofModule = Array.from({ length: drivesMax }, (_, index) => index + 1).flatMap((number) => {
    const name = `STORAGE_${number}_SIZE_GB`;
    const sizeBytes = given.variable(name, form.storageForm);
    return sizeBytes === undefined ? [] : [{ path: join(base, `cache${number}`), sizeBytes, source: name }];
  });
  if (!given.has('drive')) {
    given.sources.set('drive', given.isModule ? 'STORAGE_N_SIZE_GB' : 'default');
    if (!given.isModule) {
      given.mistakes.push(
        '--drive: expected at least one, such as --drive /var/cache/do=200GB (or STORAGE_1_SIZE_GB=200), found none',
      );
    }
    return ofModule;
  }
  given.sources.set('drive', '--drive');
  for (const { source } of ofModule) given.overruled('--drive', `${source}=${given.variables.get(source)}`);
  if (drives.length > drivesMax) given.mistakes.push(`--drive: expected at most nine, found ${drives.length}`);
  return drives;
}

const baseForm: form.Form<string> = {
  expected: 'a folder by its whole path, such as /nginx',
  read: (text) => (isAbsolute(text) ? text : undefined),
};

/** The module's documents require them, for Microsoft's services; this node serves without them, and says so. */
function warnOfMissingIdentity(given: Given): void {
  const missing = (
    [
      ['CUSTOMER_ID', 'customer-id'],
      ['CACHE_NODE_ID', 'cache-node-id'],
      ['CUSTOMER_KEY', 'customer-key'],
    ] as const
  ).filter(([, option]) => given.sources.get(option) === 'default');
  if (!given.isModule || missing.length === 0) return;
  const names = missing.map(([variable]) => variable).join(', ');
  given.warnings.push(`not set: ${names}. The node serves without; Microsoft's module requires all three`);
}

/** Enough workers for the cores, and for the connections: one worker's death must not end in EMFILE at the others. */
export function defaultWorkerCount(maxConnections: number): number {
  const limit = openFileLimit();
  const forConnections = Number.isFinite(limit) ? Math.ceil(maxConnections / (connectionShareOfOpenFiles * limit)) : 1;
  return Math.max(availableParallelism(), forConnections);
}
