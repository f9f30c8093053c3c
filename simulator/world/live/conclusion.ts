// From the parts of a live run to what it measured: the one place where they are joined.

import { assert } from '../../../common/errors.ts';
import { formatBytes, formatCount } from '../../../common/units.ts';
import type { DeviceRow } from '../../result/device-row.ts';
import type { Run } from '../../result/result.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { assumptionNotes } from '../assumption-notes.ts';
import { completionHistograms, type DeviceCourse, deviceStates, hitRatios } from '../course.ts';
import { encodeHistogram, joinHistograms } from '../histogram.ts';
import { type Bounds, steadyBounds } from '../rates.ts';
import { growthPerSecond, growthSince, type Sample } from './counter-samples.ts';
import { generatorLimits } from './generator-metrics.ts';
import { lineNotes } from './line-words.ts';
import { measure, type Outcome } from './live-metrics.ts';
import { type MergedReport, mergeReports } from './merge.ts';
import { type DevicesPart, type LiveParts, shardName } from './parts.ts';
import { replayNotes } from './replay-outcome.ts';

export type LiveRun = {
  readonly run: Omit<Run, 'expectations'>;
  readonly rows: readonly DeviceRow[];
  readonly interrupted: boolean;
  /** Why the run could not be carried to its end. */
  readonly broken: string | undefined;
  /** All that it was made of. */
  readonly parts: LiveParts;
};

/** At least one device process has made its report. */
export function concludeLive(scenario: Scenario, parts: LiveParts): LiveRun {
  const { environment, interrupted, broken } = parts;
  const reports = parts.devices.flatMap((part) => part.reports);
  assert(reports.length > 0, 'a run that is concluded has measured something');
  const devices = mergeReports(reports);
  const measured = measure(outcomeOf(scenario, parts, devices));
  const { histograms } = devices;
  return {
    run: {
      world: 'live',
      purpose: 'measurement',
      metrics: measured.metrics,
      unavailable: measured.unavailable,
      generatorLimits: parts.devices.flatMap(limitsOfShard),
      processes: measured.processes,
      series: { ...seriesOf(scenario, parts, devices), ...steadyOf(scenario, parts, devices) },
      histograms: {
        'range.latencyMs': encodeHistogram(histograms.latency),
        'range.serviceMs': encodeHistogram(histograms.service),
        'range.firstByteMs': encodeHistogram(histograms.firstByte),
        'generator.latenessMs': encodeHistogram(histograms.lateness),
        'generator.eventLoopDelayMs': encodeHistogram(histograms.loopDelay),
        'fallback.timeMs': encodeHistogram(histograms.fallback),
        ...completionHistograms(joinHistograms(devices.groups.map((group) => group.completion)), devices.groups),
      },
      timeline: environment.timeline,
      notes: [...notesOf(scenario, devices), ...shardNotes(parts.devices)],
      problems: [
        ...measured.problems,
        ...failureLines(devices),
        ...refetchLines(devices),
        ...(broken === undefined ? [] : [broken]),
      ],
      durationMs: parts.durationMs,
    },
    rows: reports.flatMap((report) => report.rows).sort((a, b) => a.Device - b.Device),
    interrupted,
    broken,
    parts,
  };
}

/** In words; of one shard of many, with its name. */
function limitsOfShard({ shard, reports }: DevicesPart): string[] {
  if (reports.length === 0) return [];
  const limits = generatorLimits(mergeReports(reports).processes);
  return shard.count === 1 ? limits : limits.map((limit) => `${shardName(shard)}: ${limit}`);
}

function outcomeOf(scenario: Scenario, parts: LiveParts, devices: MergedReport): Outcome {
  const { startEpochMs, environment, interrupted, broken } = parts;
  const { nodes, cdn } = environment;
  const { startSecond, rangesPerSecond } = devices;
  return {
    scenario,
    devices,
    nodes: nodes.map(({ id, parent, external, lost, books, ledger, samples }) => {
      const cpuMs = growthSince(samples, startEpochMs, (counters) => counters.cpuMs);
      return { id, parent, external, lost, books, ledger, cpuMs };
    }),
    cdn: cdn.books,
    cdnLedger: cdn.ledger,
    cdnPerSecond: growthPerSecond(cdn.samples, startSecond, rangesPerSecond.length, (books) => books.bodyBytes),
    cdnCpuMs: growthSince(cdn.samples, startEpochMs, (books) => books.cpuMs),
    devicesLost: parts.devices.some((part) => part.lost) || parts.devices.length < (parts.devices[0]?.shard.count ?? 1),
    bounds: boundsOf(scenario, parts, devices),
    finished: !interrupted && broken === undefined,
    isUnderWay: parts.isUnderWay ?? false,
  };
}

const boundsOf = (scenario: Scenario, { startEpochMs }: LiveParts, devices: MergedReport): Bounds =>
  steadyBounds(devices, scenario, startEpochMs / 1000 - devices.startSecond);

/** Of the series; nothing when the run's clock never began. */
function steadyOf(scenario: Scenario, parts: LiveParts, devices: MergedReport): Pick<Run['series'], 'steady'> {
  if (parts.startEpochMs === 0) return {};
  const { from, to } = boundsOf(scenario, parts, devices);
  return { steady: { from, to: Math.max(from, Math.min(to, devices.rangesPerSecond.length)) } };
}

/** As received by devices, second by second; the CDN's and the nodes' own numbers beside them where they were polled. */
function seriesOf(
  scenario: Scenario,
  { startEpochMs, environment: { nodes, cdn } }: LiveParts,
  devices: MergedReport,
): Run['series'] {
  const runStartSecond = startEpochMs / 1000;
  const count = devices.groups.reduce((sum, group) => sum + group.count, 0);
  const columns: Record<string, readonly number[]> = {
    'range.rangesPerSecond': devices.rangesPerSecond,
    'range.failuresPerSecond': devices.failuresPerSecond,
    'devices.connectedCount': devices.connectedPerSecond,
    ...deviceStates(count, deviceCourse(scenario, devices, runStartSecond, count)),
    'generator.coresInUse': devices.cpuMsPerSecond.map((ms) => ms / 1000),
  };
  for (const [server, bytes] of Object.entries(devices.bytesPerSecond)) {
    const name = server === 'cdn' ? 'fleet.fromCdnBitsPerSecond' : `node.${server}.egressBitsPerSecond`;
    columns[name] = bytes.map((value) => value * 8);
  }
  const { startSecond, rangesPerSecond } = devices;
  const scaled = <Counters>(
    samples: readonly Sample<Counters>[],
    factor: number,
    pick: (counters: Counters) => number,
  ): readonly number[] =>
    growthPerSecond(samples, startSecond, rangesPerSecond.length, pick).map((growth) => growth * factor);
  columns['cdn.egressBitsPerSecond'] = scaled(cdn.samples, 8, (books) => books.bodyBytes);
  columns['cdn.coresInUse'] = scaled(cdn.samples, 1 / 1000, (books) => books.cpuMs);
  for (const { id, external, samples } of nodes) {
    if (external) continue;
    columns[`node.${id}.hitBitsPerSecond`] = scaled(samples, 8, (books) => books.hitBytes);
    columns[`node.${id}.missBitsPerSecond`] = scaled(samples, 8, (books) => books.missBytes);
    columns[`node.${id}.upstreamBitsPerSecond`] = scaled(samples, 8, (books) => books.upstreamBytes);
    columns[`node.${id}.hitRatioBytes`] = hitRatios(
      scaled(samples, 1, (books) => books.egressBytes),
      scaled(samples, 1, (books) => books.missBytes),
    );
    columns[`node.${id}.hitRatioRequests`] = hitRatios(
      scaled(samples, 1, (books) => books.hitRequestCount + books.missRequestCount),
      scaled(samples, 1, (books) => books.missRequestCount),
    );
    columns[`node.${id}.coresInUse`] = scaled(samples, 1 / 1000, (books) => books.cpuMs);
  }
  return { startSecond, ...(startEpochMs > 0 ? { runStartSecond } : {}), columns };
}

/** In a window everybody is there from its start. */
function deviceCourse(
  { live }: Scenario,
  { startSecond, startedPerSecond, completedPerSecond: completed }: MergedReport,
  runStartSecond: number,
  count: number,
): DeviceCourse {
  if (live === undefined) return { started: startedPerSecond, completed };
  return { started: completed.map((_, i) => (startSecond + i === runStartSecond ? count : 0)), completed };
}

function notesOf(scenario: Scenario, devices: MergedReport): string[] {
  const { nodes, live, bodies } = scenario;
  const notes: string[] = [];
  if (bodies === 'discard') notes.push(discardNote(devices));
  const modelled = nodes.filter(
    (node) => node.profile ?? node.egressBytesPerMs ?? node.wanBytesPerMs ?? node.drivesBytes ?? node.cores,
  );
  if (modelled.length > 0) {
    const names = modelled.map((node) => node.id).join(', ');
    notes.push(
      `profile, egress, wan, drives and cores of ${names} describe the modelled machine; here this machine binds`,
    );
  }
  if (live !== undefined) {
    notes.push('live window: every device connects first, arrivals are ignored, idle connections stay open');
  }
  notes.push(...lineNotes(scenario), ...replayNotes(scenario), ...assumptionNotes(scenario));
  return notes;
}

/** By which path the bytes went that nobody looked at. */
function discardNote({ uncheckedBytes, droppedBytes }: MergedReport): string {
  const path =
    droppedBytes === 0
      ? 'read and dropped'
      : `${formatBytes(droppedBytes)} dropped in the kernel, ${formatBytes(uncheckedBytes - droppedBytes)} read and dropped`;
  return `bodies: discard: ${formatBytes(uncheckedBytes)} were discarded, none compared (${path})`;
}

function shardNotes(devices: readonly DevicesPart[]): string[] {
  const clocks = devices.flatMap(({ clock }) => clock ?? []);
  if (clocks.length === 0) return [];
  const aheadMsMax = Math.max(...clocks.map(({ aheadMs }) => Math.abs(aheadMs)));
  const errorMsMax = Math.max(...clocks.map(({ errorMs }) => errorMs));
  const count = devices[0]?.shard.count ?? 0;
  return [
    `run in ${count} shards; their clocks were within ${aheadMsMax.toFixed(1)} ms of the environment's, measured to ± ${errorMsMax.toFixed(1)} ms`,
  ];
}

function failureLines(devices: MergedReport): string[] {
  return Object.entries(devices.failureDetails).map(([kind, count]) => `${formatCount(count)} × ${kind}`);
}

function refetchLines({ refetchedBytes }: MergedReport): string[] {
  return Object.entries(refetchedBytes).flatMap(([cause, bytes]) =>
    bytes === 0 ? [] : [`${formatBytes(bytes)} received for nothing (${cause}): fetched again`],
  );
}
