// Who may be an origin: the documented content hosts of Delivery Optimization, and what the operator lists. Exact names
// after lower-casing and stripping dot and port, or `*.` for everything below. Anything else is nobody's origin, so that
// a node is never an open proxy.

import type { Address } from '../../common/address.ts';
import type { OriginSetting } from '../settings.ts';

/**
 * Hosts of content that Delivery Optimization downloads over HTTP (Microsoft, "Delivery Optimization endpoints",
 * 2025-07; Connected Cache for Configuration Manager, list of origins, 2026).
 */
export const documentedHosts: readonly string[] = [
  // Windows Update, Defender, drivers, Store (with the regional names below them: au., b1., au.b1.)
  'download.windowsupdate.com',
  '*.download.windowsupdate.com',
  'ctldl.windowsupdate.com',
  '*.ctldl.windowsupdate.com',
  'emdl.ws.microsoft.com',
  // Windows Update, Store, Edge (dl., tlu.dl. and all others)
  '*.delivery.mp.microsoft.com',
  // Office
  'officecdn.microsoft.com',
  '*.officecdn.microsoft.com',
  'officecdn.microsoft.com.edgesuite.net',
  '*.officecdn.microsoft.com.edgesuite.net',
  '*.cdn.office.net',
  'fg.tscdn.m365.static.microsoft',
  'bg.tscdn.m365.static.microsoft',
  // Intune (swda01 to swdd02, swdin, swdsw, with and without -mscdn)
  '*.manage.microsoft.com',
  // Teams, Outlook (statics.teams.cdn.office.net and res.cdn.office.net are below cdn.office.net)
  'installer.teams.static.microsoft',
  'sf.teams.static.microsoft',
  'sb.teams.static.microsoft',
  // Xbox
  'assets1.xboxlive.com',
  'assets2.xboxlive.com',
  'assets1-origin.xboxlive.com',
  'assets2-origin.xboxlive.com',
  'dlassets.xboxlive.com',
  'dlassets2.xboxlive.com',
  'dlassets-origin.xboxlive.com',
  'dlassets2-origin.xboxlive.com',
  'd1.xboxlive.com',
  'd2.xboxlive.com',
  'd1-origin.xboxlive.com',
  'd2-origin.xboxlive.com',
  'xvcb1.xboxlive.com',
  'xvcb2.xboxlive.com',
  'xvcf1.xboxlive.com',
  'xvcf2.xboxlive.com',
  'assets.xbox.com',
  'assets-origin.xbox.com',
  // Device Update for IoT Hub
  'tlu.dl.adu.microsoft.com',
  'nlu.dl.adu.microsoft.com',
  'dcsfe.prod.adu.microsoft.com',
];

export type Origin = {
  readonly host: string;
  readonly port: number;
  /** Where to connect, when the operator said so; then private addresses are fine. */
  readonly connect: Address | undefined;
  /** The name its content is kept under in keys: the host, or the alias that several hosts share. */
  readonly canonical: string;
  /** Whether a private address is fine: the operator listed the host by or with its address, or allowed it. */
  readonly mayBePrivate: boolean;
};

type Entry = Omit<OriginSetting, 'source'>;

/** Exact names before patterns, long patterns before short ones. */
class Names {
  readonly #exact = new Map<string, Entry>();
  readonly #below: { readonly suffix: string; readonly entry: Entry }[] = [];

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) {
      if (entry.host.startsWith('*.')) this.#below.push({ suffix: entry.host.slice(1), entry });
      else this.#exact.set(entry.host, entry);
    }
    this.#below.sort((a, b) => b.suffix.length - a.suffix.length);
  }

  find(host: string): Entry | undefined {
    return this.#exact.get(host) ?? this.#below.find(({ suffix }) => host.endsWith(suffix))?.entry;
  }
}

const documented = new Names(
  documentedHosts.map((host) => ({ host, port: 80, connect: undefined, canonical: undefined, mayBePrivate: false })),
);

export class OriginTable {
  readonly #listed: Names;

  constructor(listed: readonly Entry[]) {
    this.#listed = new Names(listed);
  }

  /**
   * The origin of a host that was already brought to its canonical form; undefined when it is not allowed. What the
   * operator listed counts before what is documented, also when it is a pattern.
   */
  find(host: string): Origin | undefined {
    const entry = this.#listed.find(host) ?? documented.find(host);
    if (entry === undefined) return undefined;
    const { port, connect, canonical = host, mayBePrivate } = entry;
    return { host, port, connect, canonical, mayBePrivate };
  }
}
