// Which hosts the operator listed: `--origin` and `--alias`, and the pairs CACHEABLE_CUSTOM_N_HOST and
// CACHEABLE_CUSTOM_N_CANONICAL. Whoever is listed twice must be the same twice.

import { type Address, formatAddress } from '../common/address.ts';
import { OriginTable } from './http/origin-table.ts';
import type { OriginSetting } from './settings.ts';
import type { Given, Source } from './settings-given.ts';
import { aliasForm, hostAliasForm, hostPatternForm, isAddress, originForm } from './settings-values.ts';

/** An origin while it is put together: the option or variable that gave it, and the alias. */
type Listed = {
  readonly host: string;
  readonly port: number;
  readonly connect: Address | undefined;
  readonly source: Source;
};
type Alias = { readonly host: string; readonly alias: string; readonly source: Source };

export function readOrigins(given: Given, allowPrivateOrigins: boolean): readonly OriginSetting[] {
  const listed = new Map<string, Listed>();
  const aliases = new Map<string, Alias>();
  for (const { host, port, connect } of given.list('origin', originForm)) {
    list(given, listed, { host, port: port ?? 80, connect, source: '--origin' });
  }
  for (const { host, alias } of given.list('alias', hostAliasForm)) {
    name(given, aliases, { host, alias, source: '--alias' });
  }
  for (const number of customNumbers(given)) readCustom(given, number, listed, aliases);
  const origins = [...listed.values()].map(({ host, port, connect, source }) => ({
    host,
    port,
    connect,
    canonical: aliases.get(host)?.alias,
    mayBePrivate: connect !== undefined || isAddress(host) || allowPrivateOrigins,
    source,
  }));
  const table = new OriginTable(origins);
  const more = [...aliases.values()].flatMap(({ host, alias, source }): OriginSetting[] => {
    if (listed.has(host)) return [];
    const origin = table.find(host.replace(/^\*\./, 'any.'));
    if (origin !== undefined) return [{ ...origin, host, canonical: alias, source }];
    given.mistakes.push(
      `${source}: expected a host that may be fetched from, found ${JSON.stringify(host)}. List it with --origin ${host}`,
    );
    return [];
  });
  const all = [...origins, ...more];
  refuseBorrowedNames(given, all, aliases.values());
  return all;
}

function customNumbers(given: Given): readonly string[] {
  const numbers = [...given.variables.keys()].flatMap(
    (name) => /^CACHEABLE_CUSTOM_([1-9][0-9]*)_(?:HOST|CANONICAL)$/.exec(name)?.[1] ?? [],
  );
  return [...new Set(numbers)].sort((a, b) => Number(a) - Number(b));
}

function readCustom(given: Given, number: string, listed: Map<string, Listed>, aliases: Map<string, Alias>): void {
  const hostName = `CACHEABLE_CUSTOM_${number}_HOST`;
  const aliasName = `CACHEABLE_CUSTOM_${number}_CANONICAL`;
  for (const [has, lacks] of [
    [hostName, aliasName],
    [aliasName, hostName],
  ] as const) {
    if (given.variables.has(has) && !given.variables.has(lacks)) {
      given.mistakes.push(`${lacks}: expected a value since ${has} has one, found none. Set both, or neither`);
    }
  }
  const pattern = given.variable(hostName, hostPatternForm);
  const alias = given.variable(aliasName, aliasForm);
  if (pattern === undefined) return;
  const { host, port = 80 } = pattern;
  list(given, listed, { host, port, connect: undefined, source: hostName });
  if (alias !== undefined) name(given, aliases, { host, alias, source: aliasName });
}

function list(given: Given, listed: Map<string, Listed>, next: Listed): void {
  const known = listed.get(next.host);
  const text = (each: Listed): string =>
    `${each.host}:${each.port}${each.connect === undefined ? '' : `=${formatAddress(each.connect)}`}`;
  if (known === undefined) listed.set(next.host, next);
  else if (text(known) === text(next)) return;
  else if (known.source === '--origin' && next.source !== '--origin') {
    given.overruled(`--origin ${text(known)}`, `${next.source} (${text(next)})`);
  } else {
    given.mistakes.push(
      `${next.source}: expected each host once, found ${text(next)} beside ${text(known)} of ${known.source}`,
    );
  }
}

function name(given: Given, aliases: Map<string, Alias>, next: Alias): void {
  const known = aliases.get(next.host);
  if (known === undefined) aliases.set(next.host, next);
  else if (known.alias === next.alias) return;
  else if (known.source === '--alias' && next.source !== '--alias') {
    given.overruled(`--alias ${next.host}=${known.alias}`, `${next.source}=${next.alias}`);
  } else {
    given.mistakes.push(
      `${next.source}: expected one alias for ${next.host}, found ${JSON.stringify(next.alias)} ` +
        `beside ${JSON.stringify(known.alias)} of ${known.source}`,
    );
  }
}

/** An alias that is another origin's own name would let one host's content pass for the other's. */
function refuseBorrowedNames(given: Given, origins: readonly OriginSetting[], aliases: Iterable<Alias>): void {
  const table = new OriginTable(origins);
  for (const { host, alias, source } of aliases) {
    const isShared = origins.some((other) => other.host === alias && other.canonical === alias);
    if (alias === host || isShared || table.find(alias) === undefined) continue;
    given.mistakes.push(
      `${source}: expected an alias for ${host} that is no other origin's name, found ${JSON.stringify(alias)}. ` +
        `Choose another, or give ${alias} the same alias`,
    );
  }
}
