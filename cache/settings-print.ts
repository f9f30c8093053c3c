// `--print-config`: what the node understood, as YAML that a person reads and a script parses; behind each value, in a
// comment, where it came from. Secrets are masked.

import { Document, isScalar } from 'yaml';
import { formatAddress } from '../common/address.ts';
import { formatBitsPerSecond, formatBytes } from '../common/units.ts';
import type { ReadSettings, Settings } from './settings.ts';
import { type OptionName, optionSpecs } from './settings-options.ts';

type Printed = string | number | boolean | null;
/** A value with the comment behind it. */
type Row = { readonly value: Printed; readonly from: string };

export function printSettings({ settings, sources }: ReadSettings): string {
  const rows = new Map<string, Row | readonly Readonly<Record<string, Row>>[]>();
  for (const { name } of optionSpecs) {
    const value = printed(settings, name as OptionName, sources.get(name) ?? 'default');
    if (value !== undefined) rows.set(name, value);
  }
  return render(rows);
}

/** Undefined for options that are no setting, or shown with another. */
function printed(
  settings: Settings,
  name: OptionName,
  from: string,
): Row | readonly Readonly<Record<string, Row>>[] | undefined {
  const row = (value: Printed): Row => ({ value, from });
  switch (name) {
    case 'listen':
      return row(formatAddress(settings.listen));
    case 'admin':
      return row(formatAddress(settings.admin));
    case 'name':
      return row(settings.name);
    case 'workers':
      return row(settings.workerCount);
    case 'max-connections':
      return row(settings.maxConnections);
    case 'max-connections-per-address':
      return row(settings.maxConnectionsPerAddress ?? 'off');
    case 'limit-egress': {
      const rate = settings.limitEgressBytesPerMs;
      return row(rate === undefined ? null : formatBitsPerSecond(rate * 8000));
    }
    case 'header-timeout':
      return row(asDuration(settings.headTimeoutMs));
    case 'idle-timeout':
      return row(asDuration(settings.idleTimeoutMs));
    case 'min-rate':
      return row(settings.readerBytesPerSecondMin === 0 ? 'off' : `${settings.readerBytesPerSecondMin} B/s`);
    case 'drain':
      return row(asDuration(settings.drainMs));
    case 'drive':
      return settings.drives.map(({ path, sizeBytes, source }) => ({
        path: { value: path, from: source ?? from },
        size: { value: `${sizeBytes} B`, from: formatBytes(sizeBytes) },
      }));
    case 'keep':
      return row(asDuration(settings.keepMs));
    case 'force-ttl':
      return row(settings.forceTtlMs === undefined ? 'off' : asDuration(settings.forceTtlMs));
    case 'key-query':
      return row(
        typeof settings.keyQuery === 'string' ? settings.keyQuery : `except:${settings.keyQuery.except.join(',')}`,
      );
    case 'origin':
      return settings.origins.map(({ host, port, connect, canonical, mayBePrivate, source }) => ({
        host: { value: host, from: source },
        port: { value: port, from: '' },
        ...(connect === undefined ? {} : { connect: { value: formatAddress(connect), from: '' } }),
        ...(canonical === undefined ? {} : { alias: { value: canonical, from: '' } }),
        'private-address': { value: mayBePrivate ? 'allowed' : 'refused', from: '' },
      }));
    case 'allow-private-origins':
      return row(from !== 'default');
    case 'upstream-host':
      return row(settings.upstreamHost === undefined ? null : formatAddress(settings.upstreamHost));
    case 'upstream-proxy':
      return row(settings.upstreamProxy === undefined ? null : formatAddress(settings.upstreamProxy));
    case 'follow-redirects':
      return row(settings.followRedirects);
    case 'upstream-client-errors':
      return row(settings.upstreamClientErrors);
    case 'customer-id':
      return row(masked(settings.customerId));
    case 'cache-node-id':
      return row(settings.cacheNodeId ?? null);
    case 'customer-key':
      return row(from === 'default' ? null : '********');
    case 'summary-access':
      return row(settings.summaryAccess);
    case 'summary':
      return row(settings.summary === undefined ? null : formatAddress(settings.summary));
    case 'summary-key':
      return row(settings.apiKey === undefined ? null : '********');
    case 'access-log':
      return row(settings.accessLog?.path ?? null);
    case 'access-log-signatures':
      return row(from !== 'default');
    case 'ledger':
      return row(settings.ledger);
    case 'exit-with-parent':
      return row(settings.exitWithParent);
    case 'alias':
    case 'storage-base':
    case 'print-config':
    case 'ignore-environment':
      return undefined;
  }
}

/** The API key is made of the customer id: enough of it is shown to know it again, and no more. */
function masked(id: string | undefined): string | null {
  return id === undefined ? null : `${id.slice(0, 8)}-****`;
}

/** As an option takes it, without loss: the largest unit that divides it. */
function asDuration(ms: number): string {
  for (const [unit, unitMs] of [
    ['d', 86_400e3],
    ['h', 3600e3],
    ['min', 60e3],
    ['s', 1000],
  ] as const) {
    if (ms > 0 && ms % unitMs === 0) return `${ms / unitMs} ${unit}`;
  }
  return `${ms} ms`;
}

function render(rows: ReadonlyMap<string, Row | readonly Readonly<Record<string, Row>>[]>): string {
  const plain = [...rows].map(([name, row]) => [name, isRow(row) ? row.value : row.map(valuesOf)] as const);
  const document = new Document(Object.fromEntries(plain));
  const comment = (path: readonly (string | number)[], { from }: Row): void => {
    const node: unknown = document.getIn(path, true);
    if (isScalar(node) && from !== '') node.comment = ` ${from}`;
  };
  for (const [name, row] of rows) {
    if (isRow(row)) comment([name], row);
    else {
      row.forEach((item, index) => {
        for (const [field, each] of Object.entries(item)) comment([name, index, field], each);
      });
    }
  }
  return document.toString({ lineWidth: 0 });
}

function valuesOf(item: Readonly<Record<string, Row>>): Record<string, Printed> {
  return Object.fromEntries(Object.entries(item).map(([field, { value }]) => [field, value]));
}

function isRow(row: Row | readonly Readonly<Record<string, Row>>[]): row is Row {
  return !Array.isArray(row);
}
