// Who may be an origin: the documented content hosts of Delivery Optimization, and what the operator lists. Exact names
// after lower-casing and stripping dot and port, or `*.` for everything below. Anything else is nobody's origin, so that
// a node is never an open proxy.

import type { Address } from '../../common/address.ts';
import type { OriginSetting } from '../settings.ts';

/**
 * Hosts of content that Delivery Optimization downloads over HTTP (Microsoft, "Delivery Optimization endpoints",
 * 2025-07; Connected Cache for Configuration Manager, list of origins).
 */
export const documentedHosts: readonly string[] = [
  '*.download.windowsupdate.com',
  'download.windowsupdate.com',
  '*.dl.delivery.mp.microsoft.com',
  'dl.delivery.mp.microsoft.com',
  '*.delivery.mp.microsoft.com',
  'emdl.ws.microsoft.com',
  '*.windowsupdate.com',
  '*.officecdn.microsoft.com',
  'officecdn.microsoft.com',
  '*.officecdn.microsoft.com.edgesuite.net',
  'officecdn.microsoft.com.edgesuite.net',
  '*.cdn.office.net',
  'fg.tscdn.m365.static.microsoft',
  'bg.tscdn.m365.static.microsoft',
  '*.manage.microsoft.com',
  '*.teams.static.microsoft',
  'statics.teams.cdn.office.net',
  'assets1.xboxlive.com',
  'assets2.xboxlive.com',
  'dlassets.xboxlive.com',
  'dlassets2.xboxlive.com',
  'd1.xboxlive.com',
  'd2.xboxlive.com',
  'xvcb1.xboxlive.com',
  'xvcb2.xboxlive.com',
  'xvcf1.xboxlive.com',
  'xvcf2.xboxlive.com',
  'assets.xbox.com',
  'tlu.dl.adu.microsoft.com',
  'nlu.dl.adu.microsoft.com',
  'dcsfe.prod.adu.microsoft.com',
];

export type Origin = {
  readonly host: string;
  /** Where to connect, when the operator said so; then private addresses are fine. */
  readonly connect: Address | undefined;
};

export class OriginTable {
  readonly #exact = new Map<string, OriginSetting>();
  readonly #below: { readonly suffix: string; readonly setting: OriginSetting }[] = [];

  constructor(listed: readonly OriginSetting[]) {
    const documented = documentedHosts.map((host) => ({ host, connect: undefined }));
    for (const setting of [...documented, ...listed]) {
      if (setting.host.startsWith('*.')) this.#below.unshift({ suffix: setting.host.slice(1), setting });
      else this.#exact.set(setting.host, setting);
    }
  }

  /** The origin of a host that was already brought to its canonical form; `undefined` when it is not allowed. */
  find(host: string): Origin | undefined {
    const setting = this.#exact.get(host) ?? this.#below.find(({ suffix }) => host.endsWith(suffix))?.setting;
    return setting === undefined ? undefined : { host, connect: setting.connect };
  }
}

/** Lower case, without port and trailing dot; `undefined` for what is no plain host name or IPv4 address. */
export function canonicalHost(text: string): string | undefined {
  const host = text
    .toLowerCase()
    .replace(/:[0-9]{1,5}$/, '')
    .replace(/\.$/, '');
  return /^[a-z0-9_]([a-z0-9._-]{0,252}[a-z0-9_])?$/.test(host) && !host.includes('..') ? host : undefined;
}
