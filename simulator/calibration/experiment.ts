// What a calibration runs: small live runs, one thing at a time.
//
//   hits          N connections, each asks for the next 1 MiB as soon as the last has come     capacity against N; costs
//   small hits    files of 64 KiB, one range each, at a high rate                              costs of a request, of a byte
//   calm hits     the same at a low rate: no request waits for another                         latency against size
//   connections   devices that connect, get 64 KiB and are done, all at once     costs of a connection
//   misses        nothing is stored: 16 connections; 1                                         costs of a fetch; latency
//   small misses  files of 64 KiB of which nothing is stored, at a low rate                    both, against size
//
// Elsewhere devices hold their connections before the window begins: connecting is in no other figure. Costs are read
// where the processor is busy, for there they bind: at 500 requests a second one costs three times as much as at 4,000.

import type { ContentSpec, FleetGroup, Scenario } from '../scenario/scenario.ts';

export type Experiment = {
  /** For people, e.g. `hits, 1 MiB, 16 connections`. */
  readonly what: string;
  readonly tells: readonly ('capacity' | 'costs' | 'latency')[];
  readonly kind: 'hits' | 'misses';
  /** That ask at the same time, about. */
  readonly connections: number;
  readonly rangeBytes: number;
  /** New connections of the whole run, which then counts as one measurement; 0: connections are there before its window. */
  readonly newConnections: number;
  readonly scenario: Scenario;
};

export type Plan = {
  readonly experiments: readonly Experiment[];
  /** How many that other programs disturbed may be run again. */
  readonly repeatsMax: number;
};

export const nodeId = 'node';

const kib = 1024;
const mib = 1024 * kib;
/** What a Windows device asks for. */
const pieceBytes = mib;
const smallBytes = 64 * kib;
const connectionsOfAll = [1, 4, 16, 64, 256, 1000];
const connectionsOfFew = [1, 16, 256];
/** Enough connections to keep all cores busy, few enough not to crowd: here costs and cores are read. */
const costsFrom = 4;
const costsTo = 256;
/** From here on there is time for every experiment. */
const secondsForAll = 45;
/** Starting and ending a run, about. */
const overheadSeconds = 2;
/** Two whole seconds: the first is for compilers and empty caches, the second is measured. */
const windowSecondsMin = 2;
const windowSecondsMax = 30;
/** Paced experiments need a device a request. */
const pacedSecondsMax = 3;
/** Small enough to be stored within the first second, large enough that devices seldom begin it anew. */
const hitContentBytes = 128 * mib;
/** More than a machine sends: devices must not be done before the window ends. */
const hitBytesPerSecondMax = 8e9;
/** What a node may fetch in one experiment: its drive must hold it. */
const missContentBytes = 2048 * mib;

/** The experiments for about so many seconds; the least they take is about 20. */
export function planExperiments(seconds: number): Plan {
  const runs = seconds >= secondsForAll ? 12 : 6;
  const share = Math.floor(seconds / runs - overheadSeconds);
  const windowSeconds = Math.min(windowSecondsMax, Math.max(windowSecondsMin, share));
  const pacedSeconds = Math.min(pacedSecondsMax, windowSeconds);
  const few = [
    ...connectionsOfFew.map((connections) => hits(connections, windowSeconds)),
    pacedHits(smallBytes, 4000, pacedSeconds, 'costs'),
    pacedHits(smallBytes, 200, windowSecondsMin, 'latency'),
    connecting(1500),
    misses(1, windowSeconds, ['costs', 'latency']),
  ];
  if (seconds < secondsForAll) return { experiments: few, repeatsMax: 0 };
  const all = [
    ...connectionsOfAll.map((connections) => hits(connections, windowSeconds)),
    pacedHits(smallBytes, 4000, pacedSeconds, 'costs'),
    pacedHits(smallBytes, 200, windowSecondsMin, 'latency'),
    pacedHits(4 * smallBytes, 200, windowSecondsMin, 'latency'),
    connecting(1500),
    connecting(3000),
    misses(16, windowSeconds, ['costs']),
    misses(1, windowSecondsMin, ['latency']),
    smallMisses(200, windowSecondsMin),
  ];
  return { experiments: all, repeatsMax: 3 };
}

function hits(connections: number, windowSeconds: number): Experiment {
  const content = contentOf('stored', hitContentBytes);
  const times = 1 + Math.ceil((hitBytesPerSecondMax * windowSeconds) / connections / hitContentBytes);
  const fleet = [groupOf('devices', connections, new Array<string>(times).fill(content.id))];
  const tells: Experiment['tells'] = [
    'capacity',
    ...(connections === 1 ? (['latency'] as const) : []),
    ...(connections >= costsFrom && connections <= costsTo ? (['costs'] as const) : []),
  ];
  return {
    what: `hits, 1 MiB, ${connectionText(connections)}`,
    ...{ tells, kind: 'hits', connections, rangeBytes: pieceBytes, newConnections: 0 },
    scenario: scenarioOf([content], fleet, windowSeconds, 'max'),
  };
}

function pacedHits(sizeBytes: number, perSecond: number, seconds: number, tells: 'costs' | 'latency'): Experiment {
  const content = contentOf('small', sizeBytes);
  const fleet = [groupOf('devices', perSecond * seconds, [content.id])];
  return {
    what: `hits, ${sizeBytes / kib} KiB, ${perSecond} a second`,
    ...{ tells: [tells], kind: 'hits', connections: 1, rangeBytes: sizeBytes, newConnections: 0 },
    scenario: scenarioOf([content], fleet, seconds, (perSecond * sizeBytes) / 1000),
  };
}

/** In real time, not in a window: a window's devices have connected before. */
function connecting(devices: number): Experiment {
  const content = contentOf('small', smallBytes);
  const { live: _, ...scenario } = scenarioOf([content], [groupOf('devices', devices, [content.id])], 1, 'max');
  return {
    what: `${devices} devices that connect, for ${smallBytes / kib} KiB each`,
    ...{ tells: ['costs'], kind: 'hits', connections: 1, rangeBytes: smallBytes, newConnections: devices },
    scenario,
  };
}

/** A file of its own for each connection. */
function misses(connections: number, windowSeconds: number, tells: Experiment['tells']): Experiment {
  const contents = missing(connections, missContentBytes / connections);
  return {
    what: `misses, 1 MiB, ${connectionText(connections)}`,
    ...{ tells, kind: 'misses', connections, rangeBytes: pieceBytes, newConnections: 0 },
    scenario: scenarioOf(contents, oneEach(contents), windowSeconds, 'max'),
  };
}

function smallMisses(perSecond: number, seconds: number): Experiment {
  const contents = missing(perSecond * seconds, smallBytes);
  return {
    what: `misses, ${smallBytes / kib} KiB, ${perSecond} a second`,
    ...{ tells: ['costs', 'latency'], kind: 'misses', connections: 1, rangeBytes: smallBytes, newConnections: 0 },
    scenario: scenarioOf(contents, oneEach(contents), seconds, (perSecond * smallBytes) / 1000),
  };
}

/** `1 connection`, `16 connections`. */
export const connectionText = (count: number): string => `${count} connection${count === 1 ? '' : 's'}`;

const missing = (count: number, sizeBytes: number): readonly ContentSpec[] =>
  Array.from({ length: count }, (_, i) => contentOf(`missing-${i}`, sizeBytes));

const oneEach = (contents: readonly ContentSpec[]): readonly FleetGroup[] =>
  contents.map(({ id }, i) => groupOf(`device-${i}`, 1, [id]));

const contentOf = (id: string, sizeBytes: number): ContentSpec => ({
  ...{ id, sizeBytes, host: 'calibration.test', path: `/files/${id}` },
});

/** `wants` may name a file more than once: it is downloaded again. */
const groupOf = (id: string, devices: number, wants: readonly string[]): FleetGroup => ({
  ...{ id, devices, wants, client: 'windows', cacheHosts: [nodeId], connectionsPerFile: 1 },
  arrive: { atMs: 0, overMs: 0 },
  policy: { priority: 'background' },
});

const scenarioOf = (
  content: readonly ContentSpec[],
  fleet: readonly FleetGroup[],
  windowSeconds: number,
  demandBytesPerMs: number | 'max',
): Scenario => ({
  ...{ name: 'Calibration', seed: 1, content, cdn: { latencyMs: 0 }, sites: [], nodes: [{ id: nodeId }], fleet },
  ...{ events: [], startsAtMs: 0, live: { windowMs: windowSeconds * 1000, demandBytesPerMs }, expect: [] },
  ...{ expected: 'pass' as const, worlds: ['live'] as const, bodies: 'verify' as const },
});
