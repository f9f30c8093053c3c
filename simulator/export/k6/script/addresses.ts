// Where the servers are: environment variables of the run count, then what the export was told.

import type { Source } from '../../../device/download-policy.ts';
import type { ExportedAddress, ExportedGroup, ExportedScenario } from './exported-scenario.ts';

/** `http://host[:port]` of a server; undefined when nobody said. */
export function addressOf({ variable, url }: ExportedAddress): string | undefined {
  const text = __ENV[variable] ?? url ?? undefined;
  return text?.replace(/\/$/, '');
}

/** The server of a source, with its name in tags: the id of the node, or `cdn`. */
export function serverOf(
  exported: ExportedScenario,
  group: ExportedGroup,
  source: Source,
): { readonly id: string; readonly url: string } {
  const id = source.kind === 'cdn' ? 'cdn' : (group.cacheHosts[source.index] ?? '');
  const address = source.kind === 'cdn' ? exported.cdn : exported.nodes[id];
  const url = address === null || address === undefined ? undefined : addressOf(address);
  if (url === undefined) throw new Error(`no address of ${id}`);
  return { id, url };
}

/** What keeps the run from starting, a sentence each. */
export function addressProblems({ nodes, cdn }: ExportedScenario): string[] {
  const servers = Object.entries(nodes).map(([id, address]) => ({ what: `node ${id}`, address }));
  if (cdn !== null) servers.push({ what: 'the CDN', address: cdn });
  return servers.flatMap(({ what, address }) => {
    const url = addressOf(address);
    if (url === undefined) return [`where ${what} is was not said: k6 run -e ${address.variable}=http://host[:port] …`];
    if (/^http:\/\/[^/?#@\s]+$/.test(url)) return [];
    return [`${address.variable}: expected http://host[:port] of ${what}, found "${url}"`];
  });
}
