// From what experiments showed to a machine's profile, each figure with how well it fits.
//
//   seconds of hits and misses ──▶ cost of a request, a byte, a fetch, a fetched byte, for node, clients and CDN apart
//   seconds at saturation      ──▶ cores: processor time of all parts by wall time
//   throughput against N       ──▶ concurrency
//   service time against size  ──▶ latency: what is left at no bytes

import os from 'node:os';
import { assert } from '../../common/errors.ts';
import type { CpuCosts, HardwareProfile, HarnessCosts, NodeLatency } from '../scenario/profile.ts';
import { bestConnections, relativeCapacity } from '../scenario/scalability-law.ts';
import { type Fit, fitCosts, median, type Residuals, type Row, residualsOf } from './fit.ts';
import { coresInUse, type Observation, type Second, throughput } from './observation.ts';
import { capacityBytesPerMs } from './prediction.ts';
import { fitScalability, type ScalabilityFit } from './scalability.ts';

/** A fitted figure of the profile: how well it fits, and what else a reader should know. */
export type FigureNote = {
  /** Key of the profile. */
  readonly key: 'egress' | 'cores' | 'cpu' | 'latency' | 'concurrency' | 'harness';
  readonly residuals?: Residuals | undefined;
  readonly note?: string | undefined;
};

/** A throughput that was measured beside what the profile makes of it. */
export type Comparison = {
  readonly what: string;
  readonly measuredBytesPerMs: number;
  readonly fittedBytesPerMs: number;
};

export type Calibration = {
  readonly profile: HardwareProfile;
  readonly figures: readonly FigureNote[];
  readonly comparisons: readonly Comparison[];
  /** What the figures do not say by themselves. */
  readonly notes: readonly string[];
};

/** Other work of this many cores is told. */
const otherCoresMin = 0.1;

export function calibrate(observations: readonly Observation[], id: string, source: string): Calibration {
  const costs = fitParts(observations);
  const scalability = fitScalability(
    telling(observations, 'capacity').map((each) => ({
      connections: each.experiment.connections,
      bytesPerMs: throughput(each),
    })),
  );
  assert(scalability !== undefined, 'every plan has three numbers of connections');
  const cores = effectiveCores(observations, scalability);
  const latency = fitLatency(observations);
  const profile: HardwareProfile = {
    ...{ id, name: `This machine (${os.hostname()})`, source },
    basis: { cores: 'measured', cpu: 'measured', latency: 'measured', concurrency: 'measured', harness: 'measured' },
    ...{ bodyPerWireRatio: 0.941, pageCacheRatio: 0.5, memoryBytes: os.totalmem() },
    ...{ cores: cores.value, cpu: costs.cpu, harness: costs.harness, latency: latency.value },
    concurrency: scalability.concurrency,
  };
  const comparisons = compare(observations, profile);
  return {
    profile,
    figures: [
      { key: 'cores', residuals: cores.residuals, note: cores.note },
      { key: 'cpu', residuals: costs.node.residuals, note: 'one core, the node alone; 1 MiB hits, from memory' },
      { key: 'latency', residuals: latency.hit.residuals, note: latencyNote(latency) },
      { key: 'concurrency', residuals: scalability.residuals, note: concurrencyNote(scalability) },
      { key: 'harness', residuals: costs.client.residuals, note: cdnNote(costs.cdn.residuals) },
    ],
    comparisons,
    notes: notesOf(observations),
  };
}

type PartCosts = {
  readonly cpu: CpuCosts;
  readonly harness: HarnessCosts;
  readonly node: Fit;
  readonly client: Fit;
  readonly cdn: Fit;
};

function fitParts(observations: readonly Observation[]): PartCosts {
  const used = telling(observations, 'costs');
  const ofKind = (kind: 'hits' | 'misses'): readonly Observation[] =>
    used.filter(({ experiment }) => experiment.kind === kind);
  /** With one size only, what a fetch costs and what its bytes cost cannot be told apart: all is the fetch's. */
  const fetchSizes = new Set(ofKind('misses').map(({ experiment }) => experiment.rangeBytes));
  const perFetchedByte = fetchSizes.size > 1 ? 1 : 0;
  const node = fitCosts(
    rows(used, ({ nodeBytes, nodeFetchedBytes, nodeCpuMs, newConnections }, { experiment, fetchBytes }) => ({
      terms: [
        nodeBytes / experiment.rangeBytes,
        nodeBytes,
        fetchBytes === 0 ? 0 : nodeFetchedBytes / fetchBytes,
        perFetchedByte * nodeFetchedBytes,
        newConnections,
      ],
      measured: nodeCpuMs,
    })),
  );
  // To a client a miss is a hit that takes longer; but while it waits it is not busy, and busy is what counts.
  const client = fitCosts(
    rows(ofKind('hits'), ({ clientBytes, clientCpuMs, newConnections }, { experiment }) => ({
      terms: [clientBytes / experiment.rangeBytes, clientBytes, newConnections],
      measured: clientCpuMs,
    })),
  );
  const cdn = fitCosts(
    rows(ofKind('misses'), ({ cdnBytes, cdnCpuMs }, { fetchBytes }) => ({
      terms: [cdnBytes / fetchBytes, perFetchedByte * cdnBytes],
      measured: cdnCpuMs,
    })),
  );
  const [msPerRequest = 0, msPerByte = 0, msPerFetch = 0, msPerByteFetched = 0, msPerConnection = 0] =
    node.coefficients;
  const [clientMsPerRequest = 0, clientMsPerByte = 0, clientMsPerConnection = 0] = client.coefficients;
  const [cdnMsPerRequest = 0, cdnMsPerByte = 0] = cdn.coefficients;
  return {
    cpu: { msPerConnection, msPerRequest, msPerByte, msPerByteRead: 0, msPerFetch, msPerByteFetched },
    harness: { clientMsPerConnection, clientMsPerRequest, clientMsPerByte, cdnMsPerRequest, cdnMsPerByte },
    ...{ node, client, cdn },
  };
}

/** A row for each second in which the part did something. */
const rows = (
  observations: readonly Observation[],
  of: (second: Second, observation: Observation) => Row,
): readonly Row[] =>
  observations.flatMap((each) => each.seconds.map((second) => of(second, each))).filter(({ measured }) => measured > 0);

const telling = (
  observations: readonly Observation[],
  what: Observation['experiment']['tells'][number],
): readonly Observation[] => observations.filter(({ experiment }) => experiment.tells.includes(what));

/** At the number of connections where the capacity is highest; the seconds that were measured lie near it. */
function effectiveCores(
  observations: readonly Observation[],
  { concurrency }: ScalabilityFit,
): { readonly value: number; readonly residuals: Residuals; readonly note: string } {
  const used = telling(telling(observations, 'capacity'), 'costs');
  const cores = used.flatMap(({ experiment, seconds }) =>
    seconds.map((second) => coresInUse(second) / relativeCapacity(concurrency, experiment.connections)),
  );
  const value = median(cores);
  const others = used.flatMap(({ otherCores }) => otherCores ?? []);
  return {
    value,
    residuals: residualsOf(cores.map((measured) => ({ fitted: value, measured }))),
    note:
      'processor time of node, clients and CDN by wall time' +
      (others.length === 0 ? '' : `; other programs used ${median(others).toFixed(2)} cores beside`),
  };
}

type LatencyFit = { readonly value: NodeLatency; readonly hit: Fit; readonly miss: Fit };

function fitLatency(observations: readonly Observation[]): LatencyFit {
  const of = (kind: 'hits' | 'misses'): Fit =>
    fitCosts(
      telling(observations, 'latency')
        .filter(({ experiment }) => experiment.kind === kind)
        .map(({ experiment, serviceMs }) => ({ terms: [1, experiment.rangeBytes], measured: serviceMs })),
    );
  const hit = of('hits');
  const miss = of('misses');
  const [hitMs = 0, hitMsPerByte = 0] = hit.coefficients;
  const [only, ...more] = telling(observations, 'latency').filter(({ experiment }) => experiment.kind === 'misses');
  assert(only !== undefined, 'every plan has misses');
  // With one size, its bytes are taken to need as long as those of hits.
  const wholeMissMs =
    more.length > 0
      ? (miss.coefficients[0] ?? 0)
      : Math.max(0, only.serviceMs - hitMsPerByte * only.experiment.rangeBytes);
  return { value: { hitMs, missMs: Math.max(0, wholeMissMs - hitMs) }, hit, miss };
}

function compare(observations: readonly Observation[], profile: HardwareProfile): Comparison[] {
  return telling(observations, 'capacity').map((each) => ({
    what: each.experiment.what,
    measuredBytesPerMs: throughput(each),
    fittedBytesPerMs: capacityBytesPerMs(profile, each.experiment.connections, each.experiment.rangeBytes),
  }));
}

function latencyNote({ hit, miss }: LatencyFit): string {
  const perMiB = (fit: Fit): string => `${((fit.coefficients[1] ?? 0) * 2 ** 20).toFixed(3)} ms a MiB`;
  return `at no bytes, a miss beside the hit that it would have been; for the bytes ${perMiB(hit)} for hits, ${perMiB(miss)} for misses (${miss.residuals.count} sizes)`;
}

function concurrencyNote({ concurrency, bytesPerMsOfOne }: ScalabilityFit): string {
  const gigabits = (bytesPerMsOfOne * 8000) / 1e9;
  const best = Math.round(bestConnections(concurrency));
  return `X(1) = ${gigabits.toFixed(2)} Gbit/s of 1 MiB hits; most with ${best} connections`;
}

const cdnNote = ({ count, medianLn, worstLn }: Residuals): string =>
  `the clients'; the CDN's: median ${medianLn.toFixed(3)}, worst ${worstLn.toFixed(3)}, n = ${count}`;

function notesOf(observations: readonly Observation[]): string[] {
  const others = observations.flatMap(({ otherCores }) => otherCores ?? []);
  const other = others.length === 0 ? 0 : median(others);
  return [
    ...(other < otherCoresMin ? [] : [otherWorkNote(other)]),
    'all content was in the page cache: disk and readPerGB are not measured',
    'clients, node and CDN share this machine by loopback: nic and wan are not measured',
  ];
}

const otherWorkNote = (cores: number): string =>
  `other programs used ${cores.toFixed(2)} cores meanwhile (median over the runs): the figures are noisy, and "cores" is ` +
  'what was left; calibrate again on a quiet machine';
