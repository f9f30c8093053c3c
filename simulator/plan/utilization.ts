// How full the limits of a live run were, second by second, from its own series.

import type { Utilization } from '../judge/bottleneck.ts';
import type { Scenario } from '../scenario/scenario.ts';

export type Columns = Readonly<Record<string, readonly number[]>>;

/** Every limit that the scenario gives, and this machine's processor; `cores`: how many of it there are. */
export function utilizations({ nodes, cdn }: Scenario, columns: Columns, cores: number | undefined): Utilization[] {
  const all: Utilization[] = [];
  const add = (limit: string, column: readonly number[], capacity: number | undefined): void => {
    if (capacity !== undefined) all.push({ limit, ratios: column.map((value) => value / capacity) });
  };
  for (const { id, limit } of nodes) {
    const { egressBytesPerMs } = limit ?? {};
    add(
      `node.${id}.limit`,
      columns[`node.${id}.egressBitsPerSecond`] ?? [],
      egressBytesPerMs && egressBytesPerMs * 8000,
    );
  }
  const ofCdn = cdn.egressBytesPerMs;
  add('cdn.egress', columns['cdn.egressBitsPerSecond'] ?? [], ofCdn && ofCdn * 8000);
  add('machine.cpu', summed(columns, /\.coresInUse$/), cores);
  return all;
}

/** What devices received, second by second. */
export const receivedBitsPerSecond = (columns: Columns): number[] =>
  summed(columns, /^(node\.[^.]+\.egressBitsPerSecond|fleet\.fromCdnBitsPerSecond)$/);

/** Columns of a name, added up second by second. */
export function summed(columns: Columns, name: RegExp): number[] {
  const matching = Object.entries(columns).flatMap(([key, column]) => (name.test(key) ? [column] : []));
  const length = Math.max(0, ...matching.map((column) => column.length));
  return Array.from({ length }, (_, second) => matching.reduce((sum, column) => sum + (column[second] ?? 0), 0));
}
