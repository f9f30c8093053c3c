// The one registry of metrics: what a run may report, an expectation may judge and a report may show, under one name.
// Names are dotted with the unit last; `<id>` stands for the id of a node or of a fleet group of the scenario.

import { distance } from 'fastest-levenshtein';

/** The two worlds a scenario runs in: real sockets on the wall's clock, or a model in virtual time. */
export type WorldName = 'live' | 'virtual';

/**
 * What a metric's numbers count. Bytes are HTTP body bytes; ratios run from 0 to 1; a boolean is 0 or 1.
 */
export type MetricUnit = 'bytes' | 'ms' | 'bitsPerSecond' | 'ratio' | 'count' | 'boolean';

/** One metric, or a family of them when the name holds `<id>`. */
export type MetricDefinition = {
  /** E.g. `fleet.finishMs` or `node.<id>.hitBytes`. */
  readonly name: string;
  readonly unit: MetricUnit;
  /** One sentence. */
  readonly meaning: string;
  /** The worlds that can measure it, each under its own conditions. */
  readonly worlds: readonly WorldName[];
  /** `exact`: compared to the byte or count. `measured`: rates and times, compared with a tolerance of 1e-9. */
  readonly noise: 'exact' | 'measured';
  /**
   * What the number is worth when the load generator was the limit: `valid` as it is; `lowerBound` (rates: a node that
   * was asked for more might have given more); `void` (times: the generator's own delay is in them).
   */
  readonly whenSaturated: 'valid' | 'lowerBound' | 'void';
};

/** Whose metric it is, when it is not the whole run's. */
export type MetricScope = { readonly kind: 'node' | 'group'; readonly id: string };

/** A definition together with the node or group that a concrete name speaks of. */
export type FoundMetric = { readonly definition: MetricDefinition; readonly scope: MetricScope | undefined };

/** Why a device left its cache host for the next source; the last part of `fallback.byCause.<cause>`. */
export const fallbackCauses = [
  'refused',
  'reset',
  'timeout',
  'stall',
  'status4xx',
  'status5xx',
  'badResponse',
  'corrupt',
] as const;

/** One of {@link fallbackCauses}. */
export type FallbackCause = (typeof fallbackCauses)[number];

const causeMeanings: Readonly<Record<FallbackCause, string>> = {
  refused: 'the connection was refused or could not be made',
  reset: 'the connection broke before the body was complete',
  timeout: 'no answer came in time',
  stall: 'the body stopped coming',
  status4xx: 'the answer was a 4xx',
  status5xx: 'the answer was a 5xx',
  badResponse: 'the answer was not what was asked for (framing, Content-Range, length)',
  corrupt: 'a byte of the body was wrong',
};

/** What a definition needs beyond its unit; everything else follows from the unit. */
type Exception = Partial<Pick<MetricDefinition, 'worlds' | 'noise' | 'whenSaturated'>>;

const liveOnly: Exception = { worlds: ['live'] };
/** Processor time: noisy, but it stays what it was when the generator was the limit. */
const processorTime: Exception = { worlds: ['live'], whenSaturated: 'valid' };
/** The generator's own figures say whether it was the limit, so they stay valid when it was. */
const ofGenerator: Exception = { worlds: ['live'], whenSaturated: 'valid' };
const generatorRatio: Exception = { ...ofGenerator, noise: 'measured' };

function metric(name: string, unit: MetricUnit, meaning: string, exception: Exception = {}): MetricDefinition {
  const isRate = unit === 'bitsPerSecond';
  const isTime = unit === 'ms';
  return {
    name,
    unit,
    meaning,
    worlds: ['live', 'virtual'],
    noise: isRate || isTime ? 'measured' : 'exact',
    whenSaturated: isRate ? 'lowerBound' : isTime ? 'void' : 'valid',
    ...exception,
  };
}

const statisticNames: Readonly<Record<string, string>> = {
  p50: 'median',
  p90: '90th percentile',
  p95: '95th percentile',
  p99: '99th percentile',
  p999: '99.9th percentile',
  max: 'largest',
};

/** `name.{p50,max…}`, one definition each. */
function distribution(name: string, statistics: readonly string[], meaning: string, exception: Exception = {}) {
  return statistics.map((statistic) =>
    metric(`${name}.${statistic}`, 'ms', `${meaning}: ${statisticNames[statistic] ?? statistic}`, exception),
  );
}

const fleetMetrics: readonly MetricDefinition[] = [
  metric('devices.count', 'count', 'Devices that the run had'),
  metric('devices.connectedCountMax', 'count', 'Most devices that were connected to a source at one moment'),
  metric('devices.completedCount', 'count', 'Devices that got everything they wanted'),
  metric('devices.completedRatio', 'ratio', 'Share of the devices that got everything they wanted'),
  metric('devices.failedCount', 'count', 'Devices that gave up'),
  ...distribution(
    'devices.completionMs',
    ['p50', 'p90', 'p95', 'p99', 'max'],
    'From the arrival of a device to its last wanted byte, over completed devices',
  ),
  metric('fleet.finishMs', 'ms', 'From the first arrival to the last completion'),
  metric('fleet.bytesFromCacheServer', 'bytes', 'Body bytes that devices received from cache nodes'),
  metric('fleet.bytesFromCdn', 'bytes', 'Body bytes that devices received straight from the CDN'),
  metric('fleet.rangeCount', 'count', 'Ranges that devices received in full'),
  metric('fleet.refetchedBytes', 'bytes', 'Body bytes received that the device already had, or had to throw away'),
  metric('fleet.usefulBytes', 'bytes', 'Body bytes received that the device kept (received = useful + refetched)'),
  metric('fleet.wantedBytes', 'bytes', 'Bytes that the devices wanted (wanted = useful + unfetched)'),
  metric('fleet.unfetchedBytes', 'bytes', 'Wanted bytes that had not come when the run ended'),
];

const rangeMetrics: readonly MetricDefinition[] = [
  ...distribution('range.latencyMs', ['p50', 'p99', 'p999', 'max'], 'From the moment a range was due to its last byte'),
  ...distribution('range.serviceMs', ['p50', 'p99', 'p999', 'max'], 'From the request sent to the last byte'),
  ...distribution('range.firstByteMs', ['p50', 'p99', 'p999', 'max'], 'From the request sent to the first body byte'),
  metric('range.failedCount', 'count', 'Ranges that did not come whole, whatever the cause'),
];

const nodeMetrics: readonly MetricDefinition[] = [
  metric('node.<id>.requestCount', 'count', 'Requests for content that the node answered, errors included'),
  metric('node.<id>.hitBytes', 'bytes', 'Body bytes sent that this request did not cause the node to fetch'),
  metric('node.<id>.missBytes', 'bytes', 'Body bytes sent that this request caused the node to fetch'),
  metric('node.<id>.egressBytes', 'bytes', 'Body bytes sent to clients (egress = hit + miss)'),
  metric('node.<id>.upstreamBytes', 'bytes', 'Body bytes that the node received from its parent or the CDN'),
  metric('node.<id>.cpuMs', 'ms', 'Processor time (of one core) that the node took during the run', processorTime),
  metric('node.<id>.hitRatioBytes', 'ratio', 'Hit bytes by egress bytes'),
  metric('node.<id>.hitRatioRequests', 'ratio', 'Share of the requests answered without any fetch of their own'),
  metric('node.<id>.egressBitsPerSecond.peak', 'bitsPerSecond', 'Highest one-second mean of the egress'),
  metric('node.<id>.egressBitsPerSecond.mean', 'bitsPerSecond', 'Mean egress from first to last byte, or the window'),
  metric(
    'node.<id>.egressBitsPerSecond.sustained',
    'bitsPerSecond',
    'Lowest 10-second mean, as received by devices, from 90 % of the fleet started until 10 % done or the window ends',
  ),
];

const cloudMetrics: readonly MetricDefinition[] = [
  metric('cdn.requestCount', 'count', 'Requests for content that the CDN answered, errors included'),
  metric('cdn.egressBytes', 'bytes', 'Body bytes that the CDN sent to nodes and devices'),
  metric('cdn.cpuMs', 'ms', 'Processor time (of one core) that the CDN took during the run', processorTime),
  metric('cdn.egressBitsPerSecond.peak', 'bitsPerSecond', 'Highest one-second mean of the CDN egress'),
];

const bookMetrics: readonly MetricDefinition[] = [
  metric('integrity.verifiedBytes', 'bytes', 'Received bytes compared with the true content', liveOnly),
  metric('integrity.uncheckedBytes', 'bytes', 'Received bytes that were not compared', liveOnly),
  metric('integrity.corruptBytes', 'bytes', 'Received bytes that differ from the true content', liveOnly),
  metric('accounting.imbalanceBytes', 'bytes', 'Bytes by which the books of senders and receivers disagree'),
  metric('accounting.cutBytes', 'bytes', 'Bytes sent on cut connections that never arrived', liveOnly),
  metric('accounting.lostLedgerBytes', 'bytes', 'Bytes reconstructed for processes that were killed', liveOnly),
];

const fallbackMetrics: readonly MetricDefinition[] = [
  metric('fallback.deviceCount', 'count', 'Devices that left a cache host for the CDN at least once'),
  metric('fallback.cdnByteRatio', 'ratio', 'Share of all bytes received that came straight from the CDN'),
  ...distribution(
    'fallback.timeMs',
    ['p50', 'max'],
    'From the last byte of a cache host (or the start of the download) to the first byte of the CDN',
  ),
  ...fallbackCauses.map((cause) =>
    metric(`fallback.byCause.${cause}`, 'count', `Devices that fell back because ${causeMeanings[cause]}`),
  ),
];

/** Why received bytes were thrown away: a failure of the source, or a new version of the object. */
export const refetchCauses = [...fallbackCauses, 'version'] as const;

const refetchMetrics: readonly MetricDefinition[] = refetchCauses.map((cause) =>
  metric(
    `refetched.bytesByCause.${cause}`,
    'bytes',
    `Bytes received for nothing because ${cause === 'version' ? 'the object changed at its origin' : causeMeanings[cause]}`,
  ),
);

const generatorMetrics: readonly MetricDefinition[] = [
  ...distribution(
    'generator.latenessMs',
    ['p50', 'p99', 'p999', 'max'],
    'How late the generator sent a range (or let a device arrive) that was due',
    ofGenerator,
  ),
  ...distribution(
    'generator.eventLoopDelayMs',
    ['p50', 'p99', 'p999', 'max'],
    'How long a moment of the run waited for the event loop of its device process',
    ofGenerator,
  ),
  metric('generator.saturated', 'boolean', '1 when the generator itself was the limit, else 0', ofGenerator),
  metric(
    'generator.cpuMs',
    'ms',
    'Processor time (of one core) that the device processes took during the run',
    processorTime,
  ),
  metric('generator.cpuRatio', 'ratio', 'Share of one core that the busiest device process used', generatorRatio),
  metric(
    'generator.cpuWaitRatio',
    'ratio',
    'Share of the time that a device process had work and no processor: of the one that waited most',
    generatorRatio,
  ),
  metric(
    'generator.cpuShareRatio',
    'ratio',
    'Share of the device processes in the processor time of devices, nodes and CDN',
    generatorRatio,
  ),
];

const replayMetrics: readonly MetricDefinition[] = [
  metric('replay.requestCount', 'count', 'Requests of the log that were made', liveOnly),
  metric('replay.leftOutCount', 'count', 'Requests of the log that are not replayed (no GET, errors …)', liveOnly),
  metric('replay.unusableCount', 'count', 'Lines of the log that could not be read', liveOnly),
  metric('replay.logHitRatioBytes', 'ratio', 'Share of the bytes that came from the cache in the log', liveOnly),
  metric('replay.logHitRatioRequests', 'ratio', 'Share of the requests that the log says were hits', liveOnly),
];

const definitions: readonly MetricDefinition[] = [
  ...fleetMetrics,
  ...fleetMetrics.map((of) => ({ ...of, name: `group.<id>.${of.name}`, meaning: `${of.meaning}, in one group` })),
  ...rangeMetrics,
  ...nodeMetrics,
  ...cloudMetrics,
  ...bookMetrics,
  ...fallbackMetrics,
  ...refetchMetrics,
  ...generatorMetrics,
  ...replayMetrics,
];

const definitionByName: ReadonlyMap<string, MetricDefinition> = new Map(definitions.map((each) => [each.name, each]));

/** Every metric, in the order in which reports show them. */
export function allMetrics(): readonly MetricDefinition[] {
  return definitions;
}

/** The definition of a concrete name (`node.hq.hitBytes`), or `undefined` when there is no such metric. */
export function findMetric(name: string): MetricDefinition | undefined {
  return findScopedMetric(name)?.definition;
}

/** Like {@link findMetric}, with the node or group that the name speaks of. A pattern itself is not a metric. */
export function findScopedMetric(name: string): FoundMetric | undefined {
  const match = /^(node|group)\.([^.<>]+)\.(.+)$/.exec(name);
  const kind = match?.[1];
  const id = match?.[2];
  if ((kind === 'node' || kind === 'group') && id !== undefined) {
    const definition = definitionByName.get(`${kind}.<id>.${match?.[3]}`);
    return definition === undefined ? undefined : { definition, scope: { kind, id } };
  }
  const definition = name.includes('<') ? undefined : definitionByName.get(name);
  return definition === undefined ? undefined : { definition, scope: undefined };
}

/** The metric that a wrong name probably meant, with the id as written; `undefined` when none is near. */
export function suggestMetric(name: string): string | undefined {
  const id = name.split('.')[1] ?? '';
  let best: string | undefined;
  let bestDistance = Math.max(3, Math.floor(name.length * 0.4)) + 1;
  for (const definition of definitions) {
    if (definition.name.includes('<id>') && id === '') continue;
    const candidate = definition.name.replace('<id>', id);
    const candidateDistance = distance(name.toLowerCase(), candidate.toLowerCase());
    if (candidateDistance < bestDistance) {
      best = candidate;
      bestDistance = candidateDistance;
    }
  }
  return best;
}
