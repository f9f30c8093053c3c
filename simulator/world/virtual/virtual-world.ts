// The virtual world: a scenario in virtual time, by a model of everything around the policy (docs/model.md). From a scenario
// to what came of it, as the live world gives it.
//
//   lay out copies and populations ─▶ fall into components ─▶ simulate each ─▶ measure

import { setImmediate } from 'node:timers/promises';
import { OperatorError } from '../../../common/errors.ts';
import { formatCount, formatDuration } from '../../../common/units.ts';
import type { DeviceRow } from '../../result/device-row.ts';
import type { LimitReport, Run } from '../../result/result.ts';
import type { HardwareProfile } from '../../scenario/profile.ts';
import type { FleetGroup, Scenario } from '../../scenario/scenario.ts';
import { assumptionNotes } from '../assumption-notes.ts';
import { completionHistograms } from '../course.ts';
import { speedClassesMax } from '../device-rates.ts';
import { describeEvent } from '../event-words.ts';
import { arrivalsOf } from '../fleet-plan.ts';
import { encodeHistogram } from '../histogram.ts';
import { Limits } from './limits.ts';
import { SeriesGrid } from './series-grid.ts';
import { Simulation } from './simulation.ts';
import { Tally } from './tally.ts';
import { components, layOut } from './topology.ts';
import { measureVirtual } from './virtual-metrics.ts';
import { seriesOf } from './virtual-series.ts';
import { WeightedHistogram } from './weighted-histogram.ts';

export type VirtualProgress = { readonly virtualMs: number; readonly doneRatio: number };

export type VirtualOptions = {
  /** Of a prediction: the machine on which the live world runs. */
  readonly machine?: HardwareProfile | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether to give a row for each device. */
  readonly deviceRows?: boolean;
  readonly onProgress?: ((progress: VirtualProgress) => void) | undefined;
};

export type VirtualRun = {
  readonly run: Omit<Run, 'expectations'>;
  readonly eventCount: number;
  readonly interrupted: boolean;
  readonly rows: readonly DeviceRow[];
  /** Events after the end, in words: they tested nothing. */
  readonly lateEvents: readonly string[];
};

/** Events between two looks at the clock and the signal. */
const eventsPerTurn = 20_000;
const quietMs = 1000;

/** Why a scenario cannot run in the virtual world; undefined when it can. */
export function whyNotVirtual(scenario: Scenario): string | undefined {
  const problems = [
    ...(scenario.replay === undefined
      ? []
      : ['replay: a log has requests for single ranges, and the virtual world moves whole downloads']),
    ...scenario.nodes.flatMap(({ id, url }) =>
      url === undefined ? [] : [`node ${id} is a real one (${url}): the virtual world has models only`],
    ),
    ...scenario.events.flatMap((event) =>
      event.kind === 'cdn' && event.count !== undefined
        ? [`events: ${describeEvent(event)}: single requests (count) exist in the live world only`]
        : [],
    ),
    ...scenario.fleet.flatMap(({ id, line }) =>
      line === undefined ? [] : [`fleet ${id}: a line (latency, loss, resets) exists in the live world only`],
    ),
  ];
  return problems.length === 0 ? undefined : problems.join('; ');
}

/** Runs a scenario in the virtual world. Throws an OperatorError when it asks for what the model does not have. */
export async function runVirtual(scenario: Scenario, options: VirtualOptions = {}): Promise<VirtualRun> {
  const problem = whyNotVirtual(scenario);
  if (problem !== undefined)
    throw new OperatorError('NOT_VIRTUAL', `This scenario cannot run in the virtual world: ${problem}`);
  const startedMs = performance.now();
  const topology = layOut(scenario);
  const { machine } = options;
  const parts = components(topology, scenario.cdn.egressBytesPerMs !== undefined || machine !== undefined);
  const limits = new Limits();
  const grid = new SeriesGrid(expectedSpanMs(scenario));
  const copies = (id: string): number => topology.nodes.filter(({ spec }) => spec.id === id).length;
  const tally = new Tally(scenario, grid, parts.length === 1, copies);
  const isWindow = machine !== undefined && scenario.live !== undefined;
  boundMeters(scenario, tally, isWindow);
  const arrivals = arrivalsByGroup(scenario);
  let eventCount = 0;
  let interrupted = false;
  const rows: DeviceRow[] | undefined = options.deviceRows === true ? [] : undefined;
  for (const [index, component] of parts.entries()) {
    const simulation = new Simulation({ scenario, topology, limits, tally, arrivals, machine, rows }, component);
    while (!simulation.advance(eventsPerTurn)) {
      await setImmediate();
      interrupted = options.signal?.aborted === true;
      if (interrupted) {
        simulation.stop();
        break;
      }
      // What is over at once needs no progress.
      if (performance.now() - startedMs < quietMs) continue;
      options.onProgress?.({ virtualMs: simulation.clock.nowMs, doneRatio: index / parts.length });
    }
    eventCount += simulation.eventCount;
    if (interrupted) break;
  }
  const { metrics, unavailable, problems } = measureVirtual(scenario, tally, isWindow);
  for (const { group, devices, why } of tally.stuck) {
    problems.push(`${formatCount(devices)} devices of ${group} can never finish: they ${why}`);
  }
  const late = interrupted || isWindow ? [] : eventsAfterEnd(scenario, tally);
  const run: Omit<Run, 'expectations'> = {
    world: 'virtual',
    purpose: machine === undefined ? 'claim' : 'prediction',
    metrics,
    unavailable,
    series: seriesOf(scenario, tally),
    histograms: histogramsOf(tally, isWindow),
    limits: limitReports(limits, tally),
    timeline: scenario.events
      .filter((event) => event.atMs <= tally.endMs)
      .map((event) => ({ atMs: event.atMs, what: describeEvent(event) })),
    notes: notesOf(scenario, machine),
    problems: [...problems, ...failureLines(tally), ...late],
    durationMs: tally.endMs,
  };
  return { run, eventCount, interrupted, rows: (rows ?? []).sort((a, b) => a.Device - b.Device), lateEvents: late };
}

/** An event after the end tests nothing, and only the run can tell where the end is. Throws an OperatorError that names them. */
export function refuseLateEvents({ lateEvents, run }: VirtualRun): void {
  if (lateEvents.length === 0) return;
  const end = formatDuration(run.durationMs);
  const lines = lateEvents.map((what) => `events: ${what}. Everybody has ended after ${end}.`);
  throw new OperatorError('EVENT_AFTER_END', lines.join('\n'));
}

/** Arrivals of a group are drawn once, for all its sites. */
function arrivalsByGroup(scenario: Scenario): (groupIndex: number) => Float64Array {
  const drawn = new Map<number, Float64Array>();
  return (groupIndex) => {
    const known = drawn.get(groupIndex);
    if (known !== undefined) return known;
    const times = arrivalsOf(scenario, scenario.fleet[groupIndex] as FleetGroup);
    drawn.set(groupIndex, times);
    return times;
  };
}

/** A guess, for the step of the series: arrivals, and the bytes of each group through its own links or its first node. */
function expectedSpanMs(scenario: Scenario): number {
  const sizes = new Map(scenario.content.map(({ id, sizeBytes }) => [id, sizeBytes]));
  return scenario.fleet.reduce((span, { arrive, devices, wants, downlink, cacheHosts }) => {
    const bytes = wants.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0);
    const node = scenario.nodes.find(({ id }) => id === cacheHosts[0]);
    const egress = node?.limit?.egressBytesPerMs ?? node?.egressBytesPerMs ?? scenario.cdn.egressBytesPerMs;
    const ownMs = downlink === undefined ? 0 : bytes / downlink.bytesPerMsMin;
    const sharedMs = egress === undefined ? 0 : (devices * bytes) / egress;
    return Math.max(span, arrive.atMs + arrive.overMs + Math.max(ownMs, sharedMs));
  }, 0);
}

/** Seconds in which the fleet is fully at it: from when 90 % has arrived (a window: from the end of its warm-up). */
function boundMeters(scenario: Scenario, tally: Tally, isWindow: boolean): void {
  const warmUpMs = scenario.live?.warmUpMs ?? 0;
  if (isWindow) tally.timesFromMs = warmUpMs;
  const fromSecond = isWindow ? Math.ceil(warmUpMs / 1000) : secondOfShare(scenario, 0.9) + 1;
  for (const { meter } of tally.nodes) {
    meter?.boundFrom(fromSecond);
    if (isWindow) meter?.meanFrom(warmUpMs);
  }
}

/** The second by which a share of the devices is expected to have arrived: arrivals are spread evenly. */
function secondOfShare(scenario: Scenario, share: number): number {
  const total = scenario.fleet.reduce((sum, { devices }) => sum + devices, 0);
  const arrivedBy = (ms: number): number =>
    scenario.fleet.reduce((sum, { devices, arrive: { atMs, overMs } }) => {
      if (ms < atMs) return sum;
      return sum + devices * (overMs === 0 ? 1 : Math.min(1, (ms - atMs) / overMs));
    }, 0);
  let low = 0;
  let high = Math.max(...scenario.fleet.map(({ arrive }) => arrive.atMs + arrive.overMs));
  while (high - low > 100) {
    const middle = (low + high) / 2;
    if (arrivedBy(middle) >= share * total) high = middle;
    else low = middle;
  }
  return Math.floor(high / 1000);
}

/** A window is too short for downloads: what completed in it says nothing. */
function histogramsOf(tally: Tally, isWindow: boolean): Run['histograms'] {
  const all = new WeightedHistogram();
  for (const { completion } of tally.groups) all.addAll(completion);
  const groups = tally.groups.map(({ id, completion }) => ({ id, completion: completion.toHistogram() }));
  const fallback = tally.fallbackTime.toHistogram();
  return {
    'range.serviceMs': encodeHistogram(tally.service.toHistogram()),
    'range.latencyMs': encodeHistogram(tally.latency.toHistogram()),
    ...(fallback.totalCount === 0 ? {} : { 'fallback.timeMs': encodeHistogram(fallback) }),
    ...(isWindow ? {} : completionHistograms(all.toHistogram(), groups)),
  };
}

function limitReports(limits: Limits, tally: Tally): LimitReport[] {
  const total = tally.boundBytes.reduce((sum, bytes) => sum + (bytes ?? 0), 0);
  return limits.all.map(({ name, capacity, unit, basis }, index) => ({
    name,
    ...(capacity === undefined ? {} : { capacity }),
    unit,
    basis,
    boundRatio: total === 0 ? 0 : (tally.boundBytes[index] ?? 0) / total,
  }));
}

function failureLines(tally: Tally): string[] {
  return [...tally.failures].map(([what, count]) => `${formatCount(count)} × ${what}`);
}

function eventsAfterEnd(scenario: Scenario, tally: Tally): string[] {
  return scenario.events
    .filter((event) => event.atMs > tally.endMs)
    .map((event) => `${describeEvent(event)} at ${formatDuration(event.atMs)} came after the end: it tested nothing`);
}

function notesOf(scenario: Scenario, machine: HardwareProfile | undefined): string[] {
  const notes: string[] = [];
  if (machine !== undefined) notes.push(`predicted for this machine: ${machine.source}`);
  else {
    for (const { id, hardware } of scenario.nodes) {
      if (hardware === undefined) continue;
      notes.push(`${id} is modelled as ${hardware.name} (${hardware.source})`);
      if (hardware.cpu === undefined) notes.push(`the processor of ${id} does not limit: its profile has no costs`);
    }
  }
  for (const { id, downlink } of machine === undefined ? scenario.fleet : []) {
    if (downlink === undefined || downlink.bytesPerMsMin === downlink.bytesPerMsMax) continue;
    // Each class has its geometric mean: half a class, in logarithms, is the most that a device is off by.
    const offRatio = (downlink.bytesPerMsMax / downlink.bytesPerMsMin) ** (1 / (2 * speedClassesMax)) - 1;
    const off = (offRatio * 100).toFixed(1);
    notes.push(
      `downlinks of ${id} are cut into ${speedClassesMax} speeds where there are as many devices: off by at most ${off} %`,
    );
  }
  notes.push(...assumptionNotes(scenario));
  return notes;
}
