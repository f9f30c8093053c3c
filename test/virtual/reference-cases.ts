// Small scenarios that both the model and the piece-exact reference can run, and what both say. ORACLE_TABLE=1 prints the table
// of docs/model.md.

import type { HardwareProfile } from '../../simulator/scenario/profile.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import { runVirtual } from '../../simulator/world/virtual/virtual-world.ts';
import { parse } from '../scenario/scenario-text.ts';
import { ReferenceWorld } from './reference-world.ts';

/**
 * Why model and reference differ.
 *
 *     exact      they do not, but for the cells of histograms (0.34 %)
 *     lockstep   equal connections that begin together stay together: they wait, and load the link, at the same time, so that it
 *                rests meanwhile. The model has them evenly spread (docs/model.md, "Requests"); out of step they agree.
 *     fewPieces  at the end of a file some connections have nothing left to ask for, and a device has a smaller share
 *     inFlight   pieces under way: all fetched together at the start of a crowd, they end together, while the model has their
 *                ages evenly spread; and all devices of a class get the same share of what is stored, early or late
 */
export type ModelError = 'exact' | 'lockstep' | 'fewPieces' | 'inFlight';

export type ReferenceCase = {
  readonly name: string;
  readonly error: ModelError;
  /** |ln(predicted ÷ reference)| of every time is at most this: what was achieved, and a little. */
  readonly within: number;
  readonly yaml: string;
  /** Of every node. */
  readonly latency?: { readonly hitMs: number; readonly missMs: number };
  readonly diskWriteBytesPerMs?: number;
  /** Of the reference: so much later each connection asks for the first time. */
  readonly staggerMs?: number;
};

export function scenarioOfCase({ yaml, latency, diskWriteBytesPerMs }: ReferenceCase): Scenario {
  const scenario = parse(`name: Case\nworlds: [virtual]\n${yaml}`);
  if (latency === undefined && diskWriteBytesPerMs === undefined) return scenario;
  const hardware: HardwareProfile = {
    id: 'case',
    name: 'Case',
    source: 'test',
    basis: {},
    bodyPerWireRatio: 1,
    pageCacheRatio: 0.5,
    latency,
    diskWriteBytesPerMs,
  };
  return { ...scenario, nodes: scenario.nodes.map((node) => ({ ...node, hardware })) };
}

export type Comparison = {
  readonly name: string;
  /** By metric. */
  readonly figures: ReadonlyMap<
    string,
    { readonly predicted: number; readonly reference: number; readonly logRatio: number }
  >;
};

const times = ['p50', 'p95', 'max'] as const;

export async function compare(one: ReferenceCase): Promise<Comparison> {
  const scenario = scenarioOfCase(one);
  const reference = new ReferenceWorld(scenario, one.staggerMs).run();
  const { metrics, problems } = (await runVirtual(scenario)).run;
  if (problems.length > 0) throw new Error(problems.join('\n'));
  const figures: Comparison['figures'] extends ReadonlyMap<infer Key, infer Value> ? Map<Key, Value> : never =
    new Map();
  const put = (metric: string, exact: number): void => {
    const predicted = metrics[metric] ?? Number.NaN;
    figures.set(metric, {
      predicted,
      reference: exact,
      logRatio: predicted === exact ? 0 : Math.log(predicted / exact),
    });
  };
  put('cdn.egressBytes', reference.cdnBytes);
  put('fleet.bytesFromCdn', reference.directBytes);
  put('fleet.rangeCount', reference.rangeCount);
  for (const [id, { egressBytes, upstreamBytes }] of reference.nodes) {
    put(`node.${id}.egressBytes`, egressBytes);
    put(`node.${id}.missBytes`, upstreamBytes);
  }
  put('fleet.finishMs', reference.finishMs);
  const sorted = [...reference.completionMs].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
  const exact = { p50: at(0.5), p95: at(0.95), max: at(1) };
  for (const time of times) put(`devices.completionMs.${time}`, exact[time]);
  return { name: one.name, figures };
}

const warmUp = '{ id: first, devices: 1, cacheHosts: [hq], wants: [a], downlink: 1 Gbit/s }';
const group = (id: string, devices: number, rest: string): string => `{ id: ${id}, devices: ${devices}, ${rest} }`;

export const referenceCases: readonly ReferenceCase[] = [
  {
    name: 'direct: 20 devices, CDN-bound, arrivals spread',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 64 MiB }]
cdn: { egress: 200 Mbit/s }
fleet: [${group('g', 20, 'downlink: 50 Mbit/s, wants: [a], arrive: { over: 20 s }')}]`,
  },
  {
    name: 'direct: downlink-bound with a latency',
    error: 'lockstep',
    within: 0.08,
    yaml: `
content: [{ id: a, size: 150 MiB }]
cdn: { latency: 20 ms }
fleet: [${group('g', 5, 'downlink: 100 Mbit/s, wants: [a], arrive: { over: 5 s }')}]`,
  },
  {
    name: 'direct: the same, connections not in step',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 150 MiB }]
cdn: { latency: 20 ms }
fleet: [${group('g', 5, 'downlink: 100 Mbit/s, wants: [a], arrive: { over: 5 s }')}]`,
    staggerMs: 50,
  },
  {
    name: 'direct: latency-bound, one connection',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 40 MiB }]
cdn: { latency: 100 ms }
fleet: [${group('g', 5, 'downlink: 100 Mbit/s, connectionsPerFile: 1, wants: [a], arrive: { over: 5 s }')}]`,
  },
  {
    name: 'warm: 50 devices, NIC-bound, at once',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 64 MiB }]
nodes: [{ id: hq, egress: 500 Mbit/s }]
fleet: [${warmUp}, ${group('g', 50, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { at: 60 s }')}]`,
  },
  {
    name: 'warm: 50 devices, NIC-bound, spread',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 64 MiB }]
nodes: [{ id: hq, egress: 500 Mbit/s }]
fleet: [${warmUp}, ${group('g', 50, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { at: 60 s, over: 40 s }')}]`,
  },
  {
    name: 'warm: two downlinks and connection counts, NIC-bound',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 64 MiB }]
nodes: [{ id: hq, egress: 300 Mbit/s }]
fleet:
  - ${warmUp}
  - ${group('slow', 20, 'downlink: 10 Mbit/s, connectionsPerFile: 1, cacheHosts: [hq], wants: [a], arrive: { at: 60 s, over: 20 s }')}
  - ${group('fast', 20, 'downlink: 200 Mbit/s, connectionsPerFile: 4, cacheHosts: [hq], wants: [a], arrive: { at: 60 s, over: 20 s }')}`,
  },
  {
    name: 'warm: hit overhead, NIC-bound in part',
    error: 'lockstep',
    within: 0.03,
    yaml: `
content: [{ id: a, size: 64 MiB }]
nodes: [{ id: hq, egress: 500 Mbit/s }]
fleet: [${warmUp}, ${group('g', 30, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { at: 60 s, over: 30 s }')}]`,
    latency: { hitMs: 20, missMs: 0 },
  },
  {
    name: 'warm: the same, connections not in step',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 64 MiB }]
nodes: [{ id: hq, egress: 500 Mbit/s }]
fleet: [${warmUp}, ${group('g', 30, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { at: 60 s, over: 30 s }')}]`,
    latency: { hitMs: 20, missMs: 0 },
    staggerMs: 60,
  },
  {
    name: 'cold: one device, WAN-bound',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, wan: 50 Mbit/s }]
fleet: [${group('g', 1, 'downlink: 1 Gbit/s, cacheHosts: [hq], wants: [a]')}]`,
  },
  {
    name: 'cold: one device, downlink-bound, with latencies',
    error: 'lockstep',
    within: 0.13,
    yaml: `
content: [{ id: a, size: 150 MiB }]
cdn: { latency: 30 ms }
nodes: [{ id: hq, wan: 500 Mbit/s }]
fleet: [${group('g', 1, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
    latency: { hitMs: 1, missMs: 2 },
  },
  {
    name: 'cold: one device, one connection, WAN-bound, with a latency',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 100 MiB }]
cdn: { latency: 200 ms }
nodes: [{ id: hq, egress: 10 Gbit/s, wan: 100 Mbit/s }]
fleet: [${group('g', 1, 'connectionsPerFile: 1, downlink: 200 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
  },
  {
    name: 'cold: three connections, not in step',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 150 MiB }]
cdn: { latency: 30 ms }
nodes: [{ id: hq, wan: 500 Mbit/s }]
fleet: [${group('g', 1, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
    latency: { hitMs: 1, missMs: 2 },
    staggerMs: 60,
  },
  {
    name: 'cold: 50 devices at once, WAN-bound',
    error: 'inFlight',
    within: 0.026,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 100 Mbit/s }]
fleet: [${group('g', 50, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
  },
  {
    name: 'cold: 50 devices at once, NIC-bound after a while',
    error: 'inFlight',
    within: 0.01,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 500 Mbit/s, wan: 200 Mbit/s }]
fleet: [${group('g', 50, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
  },
  {
    name: 'cold: 50 devices at once, only downlinks bind',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, wan: 20 Gbit/s }]
fleet: [${group('g', 50, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
  },
  {
    name: 'cold: 40 devices spread, WAN-bound',
    error: 'inFlight',
    within: 0.05,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }]
fleet: [${group('g', 40, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 60 s }')}]`,
  },
  {
    name: 'cold: 40 devices spread, CDN-bound, 10 of them direct',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 100 MiB }]
cdn: { egress: 100 Mbit/s }
nodes: [{ id: hq, egress: 1 Gbit/s }]
fleet:
  - ${group('g', 30, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 60 s }')}
  - ${group('direct', 10, 'downlink: 100 Mbit/s, wants: [a], arrive: { over: 60 s }')}`,
  },
  {
    name: 'cold: disk-bound fill, 30 devices at once',
    error: 'inFlight',
    within: 0.015,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s }]
fleet: [${group('g', 30, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
    diskWriteBytesPerMs: 10_000,
  },
  {
    name: 'cold: two downlinks at once, WAN between them',
    error: 'inFlight',
    within: 0.04,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 60 Mbit/s }]
fleet:
  - ${group('slow', 20, 'downlink: 10 Mbit/s, cacheHosts: [hq], wants: [a]')}
  - ${group('fast', 20, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}`,
  },
  {
    name: 'cold: miss overhead, 20 devices at once, latency-bound',
    error: 'inFlight',
    within: 0.048,
    yaml: `
content: [{ id: a, size: 100 MiB }]
cdn: { latency: 200 ms }
nodes: [{ id: hq, egress: 10 Gbit/s, wan: 10 Gbit/s }]
fleet: [${group('g', 20, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
  },
  {
    name: 'cold: three objects a device, WAN-bound',
    error: 'inFlight',
    within: 0.032,
    yaml: `
content: [{ id: a, size: 20 MiB }, { id: b, size: 50 MiB }, { id: c, size: 5 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }]
fleet: [${group('g', 20, 'downlink: 50 Mbit/s, cacheHosts: [hq], wants: [a, b, c], arrive: { over: 30 s }')}]`,
  },
  {
    name: 'warm: three objects a device, downlink-bound',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 20 MiB }, { id: b, size: 50 MiB }, { id: c, size: 5 MiB }]
nodes: [{ id: hq, egress: 10 Gbit/s }]
fleet:
  - { id: first, devices: 1, cacheHosts: [hq], wants: [a, b, c], downlink: 1 Gbit/s }
  - ${group('g', 20, 'downlink: 50 Mbit/s, cacheHosts: [hq], wants: [a, b, c], arrive: { at: 60 s, over: 30 s }')}`,
  },
  {
    name: 'cold: nested nodes, the upper WAN binds',
    error: 'inFlight',
    within: 0.08,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }, { id: cell, parent: hq, egress: 1 Gbit/s, wan: 500 Mbit/s }]
fleet:
  - ${group('up', 15, 'downlink: 50 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 30 s }')}
  - ${group('down', 15, 'downlink: 50 Mbit/s, cacheHosts: [cell], wants: [a], arrive: { over: 30 s }')}`,
  },
  {
    name: 'cold: nested nodes, the lower WAN binds',
    error: 'inFlight',
    within: 0.027,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 500 Mbit/s }, { id: cell, parent: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }]
fleet:
  - ${group('up', 15, 'downlink: 50 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 30 s }')}
  - ${group('down', 15, 'downlink: 50 Mbit/s, cacheHosts: [cell], wants: [a], arrive: { over: 30 s }')}`,
  },
  {
    name: 'cold: behind one site link, node at the centre',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 60 MiB }]
sites: [{ id: branch, link: 100 Mbit/s }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 200 Mbit/s }]
fleet: [${group('g', 20, 'site: branch, downlink: 50 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 30 s }')}]`,
  },
  {
    name: 'cold: node in a branch whose link also carries direct downloads',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 60 MiB }]
sites: [{ id: branch, link: 100 Mbit/s }]
nodes: [{ id: hq, site: branch, egress: 1 Gbit/s }]
fleet:
  - ${group('g', 20, 'site: branch, downlink: 50 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 30 s }')}
  - ${group('direct', 5, 'site: branch, downlink: 50 Mbit/s, wants: [a], arrive: { over: 30 s }')}`,
  },
  {
    name: 'cold: 400 pieces, 40 devices spread, WAN-bound',
    error: 'inFlight',
    within: 0.028,
    yaml: `
content: [{ id: a, size: 400 MiB }]
nodes: [{ id: hq, egress: 10 Gbit/s, wan: 50 Mbit/s }]
fleet: [${group('g', 40, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 60 s }')}]`,
  },
  {
    name: 'cold: 200 devices at once, 60 pieces, WAN-bound',
    error: 'inFlight',
    within: 0.03,
    yaml: `
content: [{ id: a, size: 60 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }]
fleet: [${group('g', 200, 'downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
  },
  {
    name: 'linux: cold, followers at once, WAN-bound',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }]
fleet: [${group('g', 20, 'client: linux, downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a]')}]`,
  },
  {
    name: 'linux: cold, follow the leader, spread',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }]
fleet: [${group('g', 20, 'client: linux, downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 25 s }')}]`,
  },
  {
    name: 'linux: cold, slow and fast followers',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }]
fleet:
  - ${group('slow', 10, 'client: linux, downlink: 20 Mbit/s, cacheHosts: [hq], wants: [a]')}
  - ${group('fast', 10, 'client: linux, downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { at: 10 s, over: 20 s }')}`,
  },
  {
    name: 'linux: cold, nested nodes, spread',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 100 MiB }]
nodes: [{ id: hq, egress: 1 Gbit/s, wan: 50 Mbit/s }, { id: cell, parent: hq, egress: 1 Gbit/s, wan: 200 Mbit/s }]
fleet:
  - ${group('up', 10, 'client: linux, downlink: 100 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 20 s }')}
  - ${group('down', 10, 'client: linux, downlink: 100 Mbit/s, cacheHosts: [cell], wants: [a], arrive: { over: 20 s }')}`,
  },
  {
    name: 'small files: 4 pieces, cold, spread',
    error: 'exact',
    within: 0.005,
    yaml: `
content: [{ id: a, size: 4 MiB }]
nodes: [{ id: hq, egress: 100 Mbit/s, wan: 20 Mbit/s }]
fleet: [${group('g', 50, 'downlink: 20 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { over: 30 s }')}]`,
  },
  {
    name: 'odd size: a short last piece, NIC-bound',
    error: 'fewPieces',
    within: 0.04,
    yaml: `
content: [{ id: a, size: 10.1 MB }]
nodes: [{ id: hq, egress: 100 Mbit/s }]
fleet: [${warmUp}, ${group('g', 30, 'downlink: 50 Mbit/s, cacheHosts: [hq], wants: [a], arrive: { at: 30 s, over: 10 s }')}]`,
  },
];
