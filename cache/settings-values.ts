// How single values are written on the command line and in the environment: each reader gives the value, or undefined
// when the text is not of the form that its `expected` sentence describes.

import net from 'node:net';
import { type Address, parseAddress } from '../common/address.ts';
import { parseQuantity, quantityExamples } from '../common/units.ts';
import { canonicalHost } from './http/host-name.ts';
import type { KeyQuery } from './settings.ts';

/** A form that a value may have: what to tell who got it wrong, and how it is read. */
export type Form<T> = { readonly expected: string; readonly read: (text: string) => T | undefined };

/** A host with the port it serves on; `port` is undefined when none was written. */
export type HostAndPort = { readonly host: string; readonly port: number | undefined };

export const addressForm: Form<Address> = {
  expected: 'ADDRESS:PORT such as 127.0.0.1:8081 (port 0 picks a free one)',
  read: parseAddress,
};

export const nameForm: Form<string> = {
  expected: 'letters, digits, dots and dashes',
  read: (text) => (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text) ? text : undefined),
};

export const countForm: Form<number> = {
  expected: 'a whole number of at least 1',
  read: (text) => (/^[1-9][0-9]{0,6}$/.test(text) ? Number(text) : undefined),
};

export const countOrOffForm: Form<number | 'off'> = {
  expected: `${countForm.expected}; or off`,
  read: (text) => (text === 'off' ? 'off' : countForm.read(text)),
};

/** Bytes per ms; a rate of nothing is none. */
export const rateForm: Form<number> = {
  expected: quantityExamples.rate,
  read: (text) => positive(parseQuantity(text, 'rate')),
};

/** Bytes per ms, or `off`, which is 0. */
export const rateOrOffForm: Form<number> = {
  expected: `${quantityExamples.rate}; or off`,
  read: (text) => (text === 'off' ? 0 : rateForm.read(text)),
};

/** Milliseconds, more than none. */
export const durationForm: Form<number> = {
  expected: quantityExamples.duration,
  read: (text) => positive(parseQuantity(text, 'duration')),
};

/** Milliseconds, none included. */
export const durationOrNoneForm: Form<number> = {
  expected: `${quantityExamples.duration}; 0 s is none`,
  read: (text) => {
    const ms = parseQuantity(text, 'duration');
    return ms !== undefined && ms >= 0 ? ms : undefined;
  },
};

/** Milliseconds, or `off`. */
export const durationOrOffForm: Form<number | 'off'> = {
  expected: `${quantityExamples.duration}; or off`,
  read: (text) => (text === 'off' ? 'off' : durationForm.read(text)),
};

export const driveForm: Form<{ readonly path: string; readonly sizeBytes: number }> = {
  expected: 'PATH=SIZE with a unit, such as /var/cache/do=200GB or D:\\cache=50GB',
  read: (text) => {
    const split = text.lastIndexOf('=');
    const sizeBytes = positive(parseQuantity(text.slice(split + 1), 'bytes'));
    if (split <= 0 || sizeBytes === undefined || !Number.isSafeInteger(sizeBytes)) return undefined;
    return { path: text.slice(0, split), sizeBytes };
  },
};

/** Whole gigabytes of a module's drive, as bytes (a GB is 10^9 bytes, as everywhere here). */
export const storageForm: Form<number> = {
  expected: 'a whole number of GB, at least 10, without a unit, such as 150',
  read: (text) => (/^[1-9][0-9]{1,6}$/.test(text) ? Number(text) * 1e9 : undefined),
};

/** A host name, `*.` and a name, or an address; with a port where it is not 80. */
export const hostPatternForm: Form<HostAndPort> = {
  expected: 'HOST or HOST:PORT (*.HOST for all hosts below it), such as packages.example.com:8080',
  read: (text) => {
    const port = portOf(text);
    const isBelow = text.startsWith('*.');
    const host = canonicalHost(isBelow ? text.slice(2) : text);
    if (host === undefined || port === 'wrong' || (isBelow && isAddress(host))) return undefined;
    return { host: isBelow ? `*.${host}` : host, port };
  },
};

export const originForm: Form<HostAndPort & { readonly connect: Address | undefined }> = {
  expected: 'HOST, HOST:PORT or HOST=ADDRESS:PORT, such as download.windowsupdate.com=127.0.0.1:9000',
  read: (text) => {
    const split = text.indexOf('=');
    const host = hostPatternForm.read(split < 0 ? text : text.slice(0, split));
    if (host === undefined) return undefined;
    if (split < 0) return { ...host, connect: undefined };
    const connect = placeForm.read(text.slice(split + 1));
    return connect === undefined ? undefined : { ...host, connect };
  },
};

/** A place to connect to: a name or an address, and a port that is not 0. */
export const placeForm: Form<Address> = {
  expected: 'HOST:PORT without a scheme, such as proxy.example.com:3128',
  read: (text) => {
    const place = parseAddress(text);
    if (place === undefined || place.port === 0) return undefined;
    return net.isIP(place.host) !== 0 || canonicalHost(place.host) !== undefined ? place : undefined;
  },
};

/** A parent node: port 80 where none is written, as the module's documents have it. */
export const parentForm: Form<Address> = {
  expected: 'HOST, or HOST:PORT when it is not 80, without a scheme, such as parent.example.com',
  read: (text) => placeForm.read(text) ?? placeForm.read(`${text}:80`),
};

/** The free name under which content of several hosts is kept as one. */
export const aliasForm: Form<string> = {
  expected: 'a name of letters, digits, dots, dashes and underscores, such as foo-packages',
  read: (text) => (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/.test(text) ? text.toLowerCase() : undefined),
};

export const hostAliasForm: Form<{ readonly host: string; readonly alias: string }> = {
  expected: 'HOST=ALIAS, such as eu.packages.example.com=packages',
  read: (text) => {
    const split = text.indexOf('=');
    const pattern = split < 0 ? undefined : hostPatternForm.read(text.slice(0, split));
    const alias = aliasForm.read(text.slice(split + 1));
    return pattern === undefined || pattern.port !== undefined || alias === undefined
      ? undefined
      : { host: pattern.host, alias };
  },
};

export const keyQueryForm: Form<KeyQuery> = {
  expected: 'none, all, exact or except:NAME,…',
  read: (text) => {
    if (text === 'none' || text === 'all' || text === 'exact') return text;
    const names = text.startsWith('except:') ? text.slice('except:'.length).split(',').filter(Boolean) : [];
    return names.length === 0 ? undefined : { except: names };
  },
};

export const booleanForm: Form<boolean> = {
  expected: 'True or False',
  read: (text) => (/^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined),
};

/** Lower case, so that one GUID has one spelling. */
export const guidForm: Form<string> = {
  expected: 'a GUID such as 01234567-89ab-cdef-0123-456789abcdef',
  read: (text) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text) ? text.toLowerCase() : undefined),
};

/** A file, or `-` for standard output. */
export const pathForm: Form<string> = {
  expected: 'a file, or - for standard output',
  read: (text) => (text === '' ? undefined : text),
};

export function oneOf<T extends string>(...all: readonly T[]): Form<T> {
  return {
    expected: `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`,
    read: (text) => all.find((each) => each === text),
  };
}

/** Whether a canonical host is an address, and no name. */
export function isAddress(host: string): boolean {
  return net.isIP(host.replace(/^\[|\]$/g, '')) !== 0;
}

function portOf(text: string): number | undefined | 'wrong' {
  const digits = /:([0-9]+)$/.exec(text.replace(/^\[[^\]]*\]/, ''))?.[1];
  if (digits === undefined) return undefined;
  const port = Number(digits);
  return port >= 1 && port <= 65_535 ? port : 'wrong';
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value > 0 ? value : undefined;
}
