// A step in a few numbers: what was asked, what came, and what it took of the machine. Live: over the measured seconds.

import type { Run } from '../result/result.ts';
import type { StepLoad } from '../result/saturation.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { meanRangeBytes } from '../world/fleet-plan.ts';
import type { BusyTime } from '../world/live/busy-time.ts';
import { type Columns, receivedBitsPerSecond, summed } from './utilization.ts';

type Unjudged = Omit<Run, 'expectations'>;
type Key = Exclude<keyof StepLoad, 'devices'>;

export function liveLoad(scenario: Scenario, run: Unjudged, busy: BusyTime): StepLoad {
  const { columns } = measuredColumns(run);
  const demand = scenario.live?.demandBytesPerMs;
  const hit = mean(summed(columns, /^node\.[^.]+\.hitBitsPerSecond$/));
  const miss = mean(summed(columns, /^node\.[^.]+\.missBitsPerSecond$/));
  const ownMs = Object.entries(run.metrics).reduce(
    (sum, [name, value]) => (/\.cpuMs$/.test(name) ? sum + value : sum),
    0,
  );
  return loadOf(scenario, {
    askedBitsPerSecond: typeof demand === 'number' ? demand * 8000 : undefined,
    receivedBitsPerSecond: mean(receivedBitsPerSecond(columns)),
    receivedRatio: typeof demand === 'number' ? receivedRatio(scenario, columns, demand) : undefined,
    hitRatioBytes: hit === undefined || miss === undefined || hit + miss === 0 ? undefined : hit / (hit + miss),
    nodeCores: mean(summed(columns, /^node\.[^.]+\.coresInUse$/)),
    cdnCores: mean(columns['cdn.coresInUse'] ?? []),
    generatorCores: mean(columns['generator.coresInUse'] ?? []),
    otherCores: busy.coresBeside(ownMs),
  });
}

export function virtualLoad(scenario: Scenario, { metrics, durationMs }: Unjudged): StepLoad {
  const bytes = (metrics['fleet.bytesFromCacheServer'] ?? 0) + (metrics['fleet.bytesFromCdn'] ?? 0);
  const spanMs = metrics['fleet.finishMs'] ?? durationMs;
  const ratio = /^node\.[^.]+\.(hitBytes|egressBytes)$/;
  const sums = { hitBytes: 0, egressBytes: 0 };
  for (const [name, value] of Object.entries(metrics)) {
    const which = ratio.exec(name)?.[1];
    if (which === 'hitBytes' || which === 'egressBytes') sums[which] += value;
  }
  return loadOf(scenario, {
    receivedBitsPerSecond: spanMs === 0 ? undefined : (bytes * 8000) / spanMs,
    hitRatioBytes: sums.egressBytes === 0 ? undefined : sums.hitBytes / sums.egressBytes,
  });
}

/** The columns of a run within the seconds in which its fleet was fully at it. */
export function measuredColumns({ series }: Unjudged): { readonly columns: Columns } {
  const { columns, steady } = series;
  if (steady === undefined) return { columns };
  const from = Math.max(0, steady.from);
  const cut = Object.entries(columns).map(([name, column]) => [name, column.slice(from, steady.to)] as const);
  return { columns: Object.fromEntries(cut) };
}

function loadOf({ fleet }: Scenario, values: Readonly<Partial<Record<Key, number | undefined>>>): StepLoad {
  const known = Object.entries(values).filter(([, value]) => value !== undefined && Number.isFinite(value));
  return { devices: fleet.reduce((sum, { devices }) => sum + devices, 0), ...Object.fromEntries(known) };
}

/**
 * Of ranges, not bytes: the last one of a file is shorter than the others, and how many of those are due in a while is chance.
 */
function receivedRatio(scenario: Scenario, columns: Columns, demandBytesPerMs: number): number | undefined {
  const ranges = mean(columns['range.rangesPerSecond'] ?? []);
  const duePerSecond = (demandBytesPerMs * 1000) / meanRangeBytes(scenario);
  return ranges === undefined ? undefined : ranges / duePerSecond;
}

/** Undefined without a value. */
function mean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
