// From what devices, nodes and CDN say to the metrics of a run, by the contract's definitions. What could not be
// measured is absent, with the reason; never zero.

import type { LedgerEntry } from '../../../common/ledger.ts';
import { fallbackCauses, refetchCauses } from '../../result/metrics.ts';
import type { ProcessReport } from '../../result/result.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { deviceCount } from '../fleet-plan.ts';
import { type Histogram, joinHistograms, percentileMs } from '../histogram.ts';
import { type Bounds, meanRate, peakRate, sustainedRate } from '../rates.ts';
import { type Balance, balance } from './balance.ts';
import type { CdnBooks, NodeBooks, NodeLedger } from './environment.ts';
import { generatorLimits, generatorMetrics, type ProgramTime, processReports } from './generator-metrics.ts';
import type { MergedGroup, MergedReport } from './merge.ts';
import { replayMetrics, replayProblems, withoutDownloads } from './replay-outcome.ts';

/** What the run knows of a node at its end. */
export type NodeOutcome = {
  readonly id: string;
  /** Undefined for a node that we did not start, and for one that is dead or frozen. */
  readonly books: NodeBooks | undefined;
  readonly ledger: NodeLedger | undefined;
  readonly external: boolean;
  /** Whether one of its lives ended without handing its books over. */
  readonly lost: boolean;
  readonly parent: string | undefined;
  /** Processor time since the start of the run. */
  readonly cpuMs: number | undefined;
};

export type Outcome = {
  readonly scenario: Scenario;
  readonly devices: MergedReport;
  readonly nodes: readonly NodeOutcome[];
  /** Undefined when it ended before it could hand over its books. */
  readonly cdn: CdnBooks | undefined;
  readonly cdnLedger: readonly LedgerEntry[];
  readonly cdnPerSecond: readonly number[];
  /** Processor time since the start of the run. */
  readonly cdnCpuMs: number | undefined;
  /** Whether a device process died. */
  readonly devicesLost: boolean;
  /** Seconds of the series in which the fleet was fully at it. */
  readonly bounds: Bounds;
  readonly finished: boolean;
  /** Whether it goes on: no ledger is known. */
  readonly isUnderWay: boolean;
};

export type Measured = {
  readonly metrics: Record<string, number>;
  readonly unavailable: Record<string, string>;
  readonly problems: string[];
  /** Which of the generator's limits were reached; empty when it was not the limit. */
  readonly generatorLimits: readonly string[];
  readonly processes: readonly ProcessReport[];
};

export function measure(outcome: Outcome): Measured {
  const metrics: Record<string, number> = {};
  const unavailable: Record<string, string> = {};
  const problems: string[] = [];
  const put = (name: string, value: number | undefined, reason: string): void => {
    if (value === undefined || !Number.isFinite(value)) unavailable[name] = reason;
    else metrics[name] = value;
  };
  fleetMetrics(outcome, put);
  timeMetrics(outcome.devices, put);
  for (const node of outcome.nodes) nodeMetrics(outcome, node, put);
  cloudMetrics(outcome, put);
  const books = outcome.isUnderWay ? undefined : balanceBooks(outcome, problems);
  const why = 'the run is under way: books are balanced at its end';
  put('accounting.imbalanceBytes', books?.imbalanceBytes, why);
  put('accounting.cutBytes', books?.cutBytes, why);
  put('accounting.lostLedgerBytes', books?.lostBytes, why);
  const programs = programTimes(outcome);
  generatorMetrics(outcome.devices, programs, put);
  replayMetrics(outcome.scenario, outcome.devices.replay, put);
  if (outcome.scenario.replay !== undefined) withoutDownloads(metrics, unavailable);
  problems.push(...replayProblems(outcome.scenario, outcome.devices.replay));
  problems.push(...outcome.devices.corruption);
  const { processes } = outcome.devices;
  return {
    ...{ metrics, unavailable, problems },
    generatorLimits: generatorLimits(processes),
    processes: processReports(processes, programs),
  };
}

/** The nodes and the CDN: processor time of those that told it to their end. */
function programTimes({ nodes, cdn, cdnCpuMs }: Outcome): ProgramTime[] {
  return [
    ...nodes.map(({ id, lost, cpuMs }) => ({ name: `node ${id}`, cpuMs: lost ? undefined : cpuMs })),
    { name: 'the CDN', cpuMs: cdn === undefined ? undefined : cdnCpuMs },
  ];
}

type Put = (name: string, value: number | undefined, reason: string) => void;

function fleetMetrics({ devices, scenario, finished, isUnderWay }: Outcome, put: Put): void {
  const ended = finished ? 'a device failed' : 'the run ended before every device completed';
  const whyUnfinished = isUnderWay ? 'the run is under way' : ended;
  // Of the scenario: a device process that died says nothing of its part.
  const countOf = (id: string): number => scenario.fleet.find((group) => group.id === id)?.devices ?? 0;
  for (const group of devices.groups) {
    groupMetrics(`group.${group.id}.`, [group], countOf(group.id), whyUnfinished, put);
  }
  groupMetrics('', devices.groups, deviceCount(scenario), whyUnfinished, put);
  put('devices.connectedCountMax', Math.max(0, ...devices.connectedPerSecond), '');
  put('integrity.verifiedBytes', devices.verifiedBytes, '');
  put('integrity.uncheckedBytes', devices.uncheckedBytes, '');
  const isCompared = scenario.bodies === 'verify';
  put('integrity.corruptBytes', isCompared ? devices.corruptBytes : undefined, 'bodies were discarded, not compared');
  put('range.failedCount', sum(Object.values(devices.failedRanges)), '');
  const received = sum(devices.groups.map((group) => group.bytesFromCacheServer + group.bytesFromCdn));
  const fromCdn = sum(devices.groups.map((group) => group.bytesFromCdn));
  put('fallback.deviceCount', sum(Object.values(devices.fallbackDevices)), '');
  put('fallback.cdnByteRatio', received === 0 ? undefined : fromCdn / received, 'no byte was received');
  for (const cause of fallbackCauses) put(`fallback.byCause.${cause}`, devices.fallbackDevices[cause] ?? 0, '');
  for (const cause of refetchCauses) put(`refetched.bytesByCause.${cause}`, devices.refetchedBytes[cause] ?? 0, '');
}

function groupMetrics(
  prefix: string,
  groups: readonly MergedGroup[],
  count: number,
  whyUnfinished: string,
  put: Put,
): void {
  const of = (pick: (group: MergedGroup) => number): number => sum(groups.map(pick));
  const completed = of((group) => group.completedCount);
  put(`${prefix}devices.count`, count, '');
  if (prefix !== '') put(`${prefix}devices.connectedCountMax`, undefined, 'measured for the whole fleet only');
  put(`${prefix}devices.completedCount`, completed, '');
  put(`${prefix}devices.completedRatio`, completed / count, '');
  put(
    `${prefix}devices.failedCount`,
    of((group) => group.failedCount),
    '',
  );
  const completion = joinHistograms(groups.map((group) => group.completion));
  for (const [name, percentile] of percentiles(['p50', 'p90', 'p95', 'p99', 'max'])) {
    put(`${prefix}devices.completionMs.${name}`, percentileMs(completion, percentile), 'no device completed');
  }
  const finishMs =
    Math.max(...groups.map((g) => g.lastCompletionMs)) - Math.min(...groups.map((g) => g.firstArrivalMs));
  put(`${prefix}fleet.finishMs`, completed === count ? finishMs : undefined, whyUnfinished);
  put(
    `${prefix}fleet.bytesFromCacheServer`,
    of((group) => group.bytesFromCacheServer),
    '',
  );
  put(
    `${prefix}fleet.bytesFromCdn`,
    of((group) => group.bytesFromCdn),
    '',
  );
  put(
    `${prefix}fleet.rangeCount`,
    of((group) => group.rangeCount),
    '',
  );
  put(
    `${prefix}fleet.refetchedBytes`,
    of((group) => group.refetchedBytes),
    '',
  );
  put(
    `${prefix}fleet.usefulBytes`,
    of((group) => group.usefulBytes),
    '',
  );
  put(
    `${prefix}fleet.wantedBytes`,
    of((group) => group.wantedBytes),
    '',
  );
  put(
    `${prefix}fleet.unfetchedBytes`,
    of((group) => group.wantedBytes - group.usefulBytes),
    '',
  );
}

function timeMetrics({ histograms }: MergedReport, put: Put): void {
  const of = (name: string, histogram: Histogram, statistics: readonly Statistic[], reason: string): void => {
    for (const [statistic, percentile] of percentiles(statistics)) {
      put(`${name}.${statistic}`, percentileMs(histogram, percentile), reason);
    }
  };
  const statistics = ['p50', 'p99', 'p999', 'max'] as const;
  of('range.latencyMs', histograms.latency, statistics, 'no range was received');
  of('range.serviceMs', histograms.service, statistics, 'no range was received');
  of('range.firstByteMs', histograms.firstByte, statistics, 'no range was received');
  of('fallback.timeMs', histograms.fallback, ['p50', 'max'], 'no device fell back');
}

function nodeMetrics(outcome: Outcome, node: NodeOutcome, put: Put): void {
  const { devices, bounds } = outcome;
  const prefix = `node.${node.id}`;
  const why = node.external
    ? 'only a node that this run started tells its books'
    : 'the node was killed or did not answer at the end: its books are gone';
  const books = node.books === undefined ? undefined : withLostLife(outcome, node, node.books);
  put(`${prefix}.requestCount`, node.lost ? undefined : books?.requestCount, why);
  put(`${prefix}.hitBytes`, books?.hitBytes, why);
  put(`${prefix}.missBytes`, books?.missBytes, why);
  put(`${prefix}.egressBytes`, books?.egressBytes, why);
  put(`${prefix}.upstreamBytes`, books?.upstreamBytes, why);
  put(`${prefix}.cpuMs`, node.lost ? undefined : node.cpuMs, why);
  const requests = books === undefined ? 0 : books.hitRequestCount + books.missRequestCount;
  const idle = books === undefined ? why : 'it answered nothing';
  put(`${prefix}.hitRatioBytes`, books === undefined ? undefined : books.hitBytes / books.egressBytes, idle);
  const requestRatio = books === undefined || node.lost ? undefined : books.hitRequestCount / requests;
  put(`${prefix}.hitRatioRequests`, requestRatio, node.lost ? why : idle);
  const received = devices.bytesPerSecond[node.id] ?? [];
  put(`${prefix}.egressBitsPerSecond.peak`, peakRate(received), 'nothing was received from it');
  put(
    `${prefix}.egressBitsPerSecond.mean`,
    meanRate(received, outcome.scenario.live === undefined ? undefined : bounds),
    'nothing was received from it',
  );
  const short = 'the fleet was fully at it for less than 10 s';
  put(`${prefix}.egressBitsPerSecond.sustained`, sustainedRate(received, bounds), short);
}

/** Adds what a killed life sent, as the other sides saw it: devices received it, the CDN sent its misses. */
function withLostLife(outcome: Outcome, node: NodeOutcome, books: NodeBooks): NodeBooks {
  if (!node.lost) return books;
  const known = new Set((node.ledger?.served ?? []).map((entry) => entry.peer));
  const lostEgress = sum(
    (outcome.devices.ledgers[node.id] ?? []).filter((entry) => !known.has(entry.peer)).map((entry) => entry.bodyBytes),
  );
  const lostUpstream = sum(unclaimed(outcome, outcome.cdnLedger).map((entry) => entry.bodyBytes));
  const lostNodes = outcome.nodes.filter((other) => other.lost).length;
  const upstreamBytes = lostNodes === 1 ? lostUpstream : 0;
  const missBytes = Math.min(lostEgress, upstreamBytes);
  return {
    ...books,
    egressBytes: books.egressBytes + lostEgress,
    missBytes: books.missBytes + missBytes,
    hitBytes: books.hitBytes + lostEgress - missBytes,
    upstreamBytes: books.upstreamBytes + upstreamBytes,
  };
}

function cloudMetrics(outcome: Outcome, put: Put): void {
  const { cdn, cdnPerSecond } = outcome;
  const why = 'the CDN ended before it could hand over its books';
  put('cdn.requestCount', cdn?.requestCount, why);
  put('cdn.egressBytes', cdn?.bodyBytes, why);
  put('cdn.cpuMs', cdn === undefined ? undefined : outcome.cdnCpuMs, why);
  const peak = cdn === undefined ? undefined : peakRate(cdnPerSecond);
  put('cdn.egressBitsPerSecond.peak', peak, cdn === undefined ? why : 'the CDN sent nothing');
}

/** All edges of the run, and each side's own sums. */
function balanceBooks(outcome: Outcome, problems: string[]): Omit<Balance, 'examples'> {
  const { devices, nodes } = outcome;
  let imbalanceBytes = 0;
  let cutBytes = 0;
  let lostBytes = 0;
  const add = (result: Balance): void => {
    imbalanceBytes += result.imbalanceBytes;
    cutBytes += result.cutBytes;
    lostBytes += result.lostBytes;
    problems.push(...result.examples);
  };
  const check = (what: string, a: number, b: number): void => {
    if (a === b) return;
    imbalanceBytes += Math.abs(a - b);
    problems.push(`${what}: ${a} against ${b} bytes`);
  };
  for (const node of nodes) {
    if (node.external) continue;
    const served = node.ledger?.served ?? [];
    const children = nodes.filter((other) => other.parent === node.id);
    add(
      balance({
        name: `node ${node.id} to its clients`,
        sent: served,
        received: [...(devices.ledgers[node.id] ?? []), ...children.flatMap((child) => child.ledger?.upstream ?? [])],
        senderLost: node.lost,
        receiverLost: outcome.devicesLost || children.some((child) => child.lost),
      }),
    );
    if (node.books === undefined) continue;
    const { hitBytes, missBytes, egressBytes, healthBytes, upstreamBytes } = node.books;
    check(`node ${node.id}: hit + miss against egress`, hitBytes + missBytes, egressBytes);
    // The connections of a worker that was killed are lost; what it counted until shortly before is not.
    const least = (bytes: number): number => (node.lost ? bytes : 0);
    const sentBytes = egressBytes + healthBytes;
    const fetchedBytes = bytesOf(node.ledger?.upstream ?? []);
    check(`node ${node.id}: egress against its connections`, sentBytes, Math.max(bytesOf(served), least(sentBytes)));
    check(
      `node ${node.id}: fetched against its connections`,
      upstreamBytes,
      Math.max(fetchedBytes, least(upstreamBytes)),
    );
  }
  const { cdn, cdnLedger } = outcome;
  const external = nodes.some((node) => node.external);
  const fromCdn = [...(devices.ledgers['cdn'] ?? [])];
  for (const node of nodes) if (node.parent === undefined) fromCdn.push(...(node.ledger?.upstream ?? []));
  const claimed = new Set(fromCdn.map((entry) => entry.peer));
  add(
    balance({
      name: 'the CDN to its clients',
      // Connections of a node that we did not start have no other side in our books.
      sent: external ? cdnLedger.filter((entry) => claimed.has(entry.peer)) : cdnLedger,
      received: fromCdn,
      senderLost: cdn === undefined,
      receiverLost: outcome.devicesLost || nodes.some((node) => node.lost),
    }),
  );
  if (cdn !== undefined) {
    const what = 'the CDN to its clients: sent against its connections';
    check(what, cdn.bodyBytes + cdn.healthBytes, bytesOf(cdnLedger));
  }
  const received = sum(devices.groups.map((group) => group.bytesFromCacheServer + group.bytesFromCdn));
  const kept = sum(devices.groups.map((group) => group.usefulBytes + group.refetchedBytes));
  check('devices: received against useful + refetched', received, kept);
  const refetched = sum(devices.groups.map((group) => group.refetchedBytes));
  check('devices: refetched against its causes', refetched, sum(Object.values(devices.refetchedBytes)));
  check('devices: received against their connections', received, bytesOf(Object.values(devices.ledgers).flat()));
  check('devices: received against checked', received, devices.verifiedBytes + devices.uncheckedBytes);
  return { imbalanceBytes, cutBytes, lostBytes };
}

/** Connections of the CDN that neither a device nor a living node speaks of. */
function unclaimed(outcome: Outcome, cdnLedger: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const claimed = new Set((outcome.devices.ledgers['cdn'] ?? []).map((entry) => entry.peer));
  for (const node of outcome.nodes) for (const entry of node.ledger?.upstream ?? []) claimed.add(entry.peer);
  return cdnLedger.filter((entry) => !claimed.has(entry.peer));
}

type Statistic = 'p50' | 'p90' | 'p95' | 'p99' | 'p999' | 'max';
const percentileOf: Readonly<Record<Statistic, number>> = { p50: 50, p90: 90, p95: 95, p99: 99, p999: 99.9, max: 100 };

function percentiles(statistics: readonly Statistic[]): (readonly [Statistic, number])[] {
  return statistics.map((statistic) => [statistic, percentileOf[statistic]]);
}

const bytesOf = (entries: readonly LedgerEntry[]): number => sum(entries.map((entry) => entry.bodyBytes));

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
