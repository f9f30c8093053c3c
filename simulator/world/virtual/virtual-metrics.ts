// From what a virtual run has added up to the metrics of a run, by the contract's definitions: whole bytes, and books that are
// held against each other. What the model does not know is absent, with the reason.

import { fallbackCauses, refetchCauses } from '../../result/metrics.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { deviceCount } from '../fleet-plan.ts';
import { percentileMs } from '../histogram.ts';
import { meanRate, peakRate } from '../rates.ts';
import type { GroupTally, NodeTally, Tally } from './tally.ts';
import { WeightedHistogram } from './weighted-histogram.ts';

export type VirtualMeasured = {
  readonly metrics: Record<string, number>;
  readonly unavailable: Record<string, string>;
  readonly problems: string[];
};

type Put = (name: string, value: number | undefined, reason: string) => void;

/** Sums of rates over time and sums of sizes may differ by their rounding: this share of what moved, and never a byte less. */
const roundingRatio = 1e-10;

export function measureVirtual(scenario: Scenario, tally: Tally, isWindow: boolean): VirtualMeasured {
  const metrics: Record<string, number> = {};
  const unavailable: Record<string, string> = {};
  const problems: string[] = [];
  const put: Put = (name, value, reason) => {
    if (value === undefined || !Number.isFinite(value)) unavailable[name] = reason;
    else metrics[name] = value;
  };
  for (const group of tally.groups) putGroup(`group.${group.id}.`, [group], put);
  putGroup('', tally.groups, put);
  putTimes(tally, put);
  for (const node of tally.nodes) putNode(tally, node, scenario.nodes.find(({ id }) => id === node.id)?.url, put);
  put('cdn.requestCount', Math.round(tally.cdnRequestCount), '');
  put('cdn.egressBytes', cdnBytes(scenario, tally, metrics), '');
  const cdnPeak = tally.cdnMeter?.peakBitsPerSecond ?? peakRate(tally.grid.perSecond('cdn'));
  put('cdn.egressBitsPerSecond.peak', cdnPeak, 'the CDN sent nothing');
  putFallback(scenario, tally, put);
  putBooks(tally, put, problems);
  if (isWindow) {
    for (const name of Object.keys(metrics)) if (/completionMs/.test(name)) delete metrics[name];
  }
  for (const name of ['integrity.verifiedBytes', 'integrity.uncheckedBytes', 'integrity.corruptBytes']) {
    unavailable[name] = 'bytes have no content in the virtual world';
  }
  return { metrics, unavailable, problems };
}

/** What its receivers say, whose bytes are whole; unless the books do not balance, which shows there. */
function cdnBytes(scenario: Scenario, tally: Tally, metrics: Readonly<Record<string, number>>): number {
  const received = scenario.nodes.reduce(
    (sum, { id, parent }) => sum + (parent === undefined ? (metrics[`node.${id}.upstreamBytes`] ?? 0) : 0),
    metrics['fleet.bytesFromCdn'] ?? 0,
  );
  return isRounding(received, tally.cdnBytes) ? received : Math.round(tally.cdnBytes);
}

function isRounding(a: number, b: number): boolean {
  return Math.abs(a - b) <= Math.max(0.5, roundingRatio * Math.max(a, b));
}

const statisticNames = { p50: 50, p90: 90, p95: 95, p99: 99, p999: 99.9, max: 100 } as const;

function putDistribution(
  name: string,
  weighted: WeightedHistogram,
  statistics: readonly (keyof typeof statisticNames)[],
  put: Put,
  reason: string,
): void {
  const histogram = weighted.toHistogram();
  for (const statistic of statistics) {
    put(`${name}.${statistic}`, percentileMs(histogram, statisticNames[statistic]), reason);
  }
}

function putGroup(prefix: string, groups: readonly GroupTally[], put: Put): void {
  const sum = (of: (group: GroupTally) => number): number => groups.reduce((total, group) => total + of(group), 0);
  const count = sum((group) => group.deviceCount);
  const completed = sum((group) => group.completedCount);
  put(`${prefix}devices.count`, count, '');
  put(`${prefix}devices.connectedCountMax`, undefined, 'the model has flows, not connections');
  put(`${prefix}devices.completedCount`, completed, '');
  put(`${prefix}devices.completedRatio`, completed / count, '');
  put(
    `${prefix}devices.failedCount`,
    sum((group) => group.failedCount),
    '',
  );
  const completion = new WeightedHistogram();
  for (const group of groups) completion.addAll(group.completion);
  const statistics = ['p50', 'p90', 'p95', 'p99', 'max'] as const;
  putDistribution(`${prefix}devices.completionMs`, completion, statistics, put, 'no device completed');
  const firstMs = Math.min(...groups.map((group) => group.firstArrivalMs));
  const lastMs = Math.max(...groups.map((group) => group.lastCompletionMs));
  put(`${prefix}fleet.finishMs`, completed === count ? lastMs - firstMs : undefined, 'not every device completed');
  const wanted = sum((group) => group.wantedBytes);
  const unfetched = Math.round(sum((group) => group.unfetchedBytes));
  const refetched = Math.round(sum((group) => group.refetchedBytes));
  const received = wanted - unfetched + refetched;
  // Of the two, the smaller has the smaller rounding.
  const ofCache = sum((group) => group.bytesFromCacheServer);
  const ofCdn = sum((group) => group.bytesFromCdn);
  const fromCache = ofCache <= ofCdn ? Math.round(ofCache) : received - Math.round(ofCdn);
  put(`${prefix}fleet.bytesFromCacheServer`, fromCache, '');
  put(`${prefix}fleet.bytesFromCdn`, received - fromCache, '');
  put(`${prefix}fleet.rangeCount`, Math.round(sum((group) => group.rangeCount)), '');
  put(`${prefix}fleet.refetchedBytes`, refetched, '');
  put(`${prefix}fleet.usefulBytes`, wanted - unfetched, '');
  put(`${prefix}fleet.wantedBytes`, wanted, '');
  put(`${prefix}fleet.unfetchedBytes`, unfetched, '');
}

function putTimes(tally: Tally, put: Put): void {
  const statistics = ['p50', 'p99', 'p999', 'max'] as const;
  putDistribution('range.serviceMs', tally.service, statistics, put, 'no range was received');
  putDistribution('range.latencyMs', tally.latency, statistics, put, 'no range was received');
  for (const statistic of statistics) {
    put(`range.firstByteMs.${statistic}`, undefined, 'the model has the time of whole ranges only');
  }
  put('range.failedCount', tally.failedRangeCount, '');
}

function putNode(tally: Tally, node: NodeTally, url: string | undefined, put: Put): void {
  const prefix = `node.${node.id}`;
  const egress = Math.round(node.egressBytes);
  const miss = Math.min(egress, Math.round(node.missBytes));
  put(`${prefix}.requestCount`, Math.round(node.requestCount), '');
  put(`${prefix}.hitBytes`, egress - miss, '');
  put(`${prefix}.missBytes`, miss, '');
  put(`${prefix}.egressBytes`, egress, '');
  put(`${prefix}.upstreamBytes`, miss, '');
  const idle = url === undefined ? 'it answered nothing' : 'it is real, and modelled without a profile';
  put(`${prefix}.hitRatioBytes`, egress === 0 ? undefined : (egress - miss) / egress, idle);
  const { requestCount, missRequestCount } = node;
  put(`${prefix}.hitRatioRequests`, requestCount === 0 ? undefined : 1 - missRequestCount / requestCount, idle);
  const series = tally.grid.perSecond(`node.${node.id}.egress`);
  const { meter } = node;
  put(`${prefix}.egressBitsPerSecond.peak`, meter?.peakBitsPerSecond ?? peakRate(series), idle);
  put(`${prefix}.egressBitsPerSecond.mean`, meter?.meanBitsPerSecond ?? meanRate(series, undefined), idle);
  const why =
    meter === undefined
      ? 'of several copies of a node, or of fleets that nothing couples, only the series are known'
      : 'the fleet was fully at it for less than 10 s';
  put(`${prefix}.egressBitsPerSecond.sustained`, meter?.sustainedBitsPerSecond, why);
}

function putFallback(scenario: Scenario, tally: Tally, put: Put): void {
  const devices = [...tally.fallbackDevices.values()].reduce((sum, count) => sum + count, 0);
  put('fallback.deviceCount', Math.min(devices, deviceCount(scenario)), '');
  const fromCdn = tally.groups.reduce((sum, group) => sum + group.bytesFromCdn, 0);
  const received = fromCdn + tally.groups.reduce((sum, group) => sum + group.bytesFromCacheServer, 0);
  put('fallback.cdnByteRatio', received === 0 ? undefined : fromCdn / received, 'no byte was received');
  putDistribution('fallback.timeMs', tally.fallbackTime, ['p50', 'max'], put, 'no device fell back');
  for (const cause of fallbackCauses) put(`fallback.byCause.${cause}`, tally.fallbackDevices.get(cause) ?? 0, '');
  for (const cause of refetchCauses)
    put(`refetched.bytesByCause.${cause}`, Math.round(tally.refetched.get(cause) ?? 0), '');
}

/** Devices by sizes and what was left, the network by rates and time: both ways have to come to the same. */
function putBooks(tally: Tally, put: Put, problems: string[]): void {
  let imbalanceBytes = 0;
  const check = (what: string, a: number, b: number): void => {
    if (isRounding(a, b)) return;
    imbalanceBytes += Math.ceil(Math.abs(a - b));
    problems.push(`${what}: ${Math.round(a)} against ${Math.round(b)} bytes`);
  };
  let received = 0;
  for (const group of tally.groups) {
    const moved = group.bytesFromCacheServer + group.bytesFromCdn;
    received += moved;
    check(
      `group ${group.id}: wanted + refetched - unfetched against moved`,
      group.wantedBytes + group.refetchedBytes - group.unfetchedBytes,
      moved,
    );
  }
  const fromNodes = tally.groups.reduce((sum, group) => sum + group.bytesFromCacheServer, 0);
  const fromCdn = received - fromNodes;
  const sent = tally.nodes.reduce((sum, node) => sum + node.egressBytes, 0);
  const fetched = tally.nodes.reduce((sum, node) => sum + node.missBytes, 0);
  check(
    'nodes: sent against received by devices and children, and fetched from the CDN',
    sent + tally.cdnBytes,
    fromNodes + fetched + fromCdn,
  );
  put('accounting.imbalanceBytes', imbalanceBytes, '');
}
