// What a plan reads from a virtual run of one site: the end, what came over its WAN, what its busiest node sent and stored, and what
// bound the bytes.

import type { Binding, CourseLine, Figures } from '../result/capacity-plan.ts';
import type { LimitReport, Run, Series } from '../result/result.ts';

export type FigureTerms = {
  /** Whether all that was expected holds. */
  readonly holds: boolean;
  readonly arriveOverMs: number;
};

/** From this share of the time on, it is the arrivals that the end waits for. */
const arrivalsRatioMin = 0.9;

export function figuresOf(
  { metrics, limits = [], series }: Pick<Run, 'metrics' | 'limits' | 'series'>,
  { holds, arriveOverMs }: FigureTerms,
): Figures {
  const metric = (name: string): number => metrics[name] ?? 0;
  const finishMs = metrics['fleet.finishMs'];
  const nodePeaks = valuesOf(metrics, /^node\..+\.egressBitsPerSecond\.peak$/);
  const wan = series.columns['cdn.egressBitsPerSecond'] ?? [];
  const stored = Object.entries(series.columns).flatMap(([name, column]) =>
    /^node\..+\.storedBytes$/.test(name) ? [maxOf(column)] : [],
  );
  const arrivals: Binding[] =
    finishMs !== undefined && arriveOverMs / finishMs >= arrivalsRatioMin
      ? [{ kind: 'arrivals', unit: 'bitsPerSecond', basis: 'given', boundRatio: Math.min(1, arriveOverMs / finishMs) }]
      : [];
  return {
    holds,
    ...(finishMs === undefined ? {} : { finishMs }),
    devices: metric('devices.count'),
    completedCount: metric('devices.completedCount'),
    wantedBytes: metric('fleet.wantedBytes'),
    cdnBytes: metric('cdn.egressBytes'),
    wanPeakBitsPerSecond: metric('cdn.egressBitsPerSecond.peak'),
    wanP95BitsPerSecond: percentile95(untilEnd(wan, series, finishMs)),
    stepSeconds: series.stepSeconds ?? 1,
    ...(nodePeaks.length === 0 ? {} : { nodePeakBitsPerSecond: maxOf(nodePeaks) }),
    ...(stored.length === 0 ? {} : { storedBytes: maxOf(stored) }),
    binds: [...arrivals, ...bindings(limits, series, finishMs)],
  };
}

/** The steps until the last device was served. */
function untilEnd(
  column: readonly number[],
  { stepSeconds = 1 }: Series,
  finishMs: number | undefined,
): readonly number[] {
  return finishMs === undefined ? column : column.slice(0, Math.max(1, Math.ceil(finishMs / 1000 / stepSeconds)));
}

/** The value that 95 % of the values do not exceed (nearest rank); 0 without any. */
export function percentile95(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(0.95 * sorted.length) - 1] ?? 0;
}

/**
 * Limits of all nodes, and of all groups, that are of a kind count as one. In each step that limit counts that bound most of what moved:
 * a fill over a narrow link takes long and moves little.
 */
function bindings(limits: readonly LimitReport[], series: Series, finishMs: number | undefined): Binding[] {
  const byKind = new Map<string, Binding>();
  const steps = untilEnd(series.columns['limitIndex'] ?? [], series, finishMs);
  for (const index of steps) {
    const limit = limits[index];
    if (limit === undefined) continue; // nothing moved
    const { name, boundRatio: _, ...rest } = limit;
    const kind = name === 'cdn.egress' ? 'cdn' : (name.split('.').at(-1) ?? name);
    const known = byKind.get(kind);
    byKind.set(kind, { kind, ...rest, boundRatio: (known?.boundRatio ?? 0) + 1 / steps.length });
  }
  return [...byKind.values()].sort((a, b) => b.boundRatio - a.boundRatio);
}

/** The course of a run, for pictures. */
export function courseOf({ columns, stepSeconds = 1 }: Series): Omit<CourseLine, 'name'> {
  const wan = columns['cdn.egressBitsPerSecond'] ?? [];
  const nodes = Object.entries(columns).flatMap(([key, column]) =>
    /^node\..+\.egressBitsPerSecond$/.test(key) ? [column] : [],
  );
  return {
    stepSeconds,
    wanBitsPerSecond: wan,
    nodesBitsPerSecond: wan.map((_, step) => nodes.reduce((sum, column) => sum + (column[step] ?? 0), 0)),
    completedCount: columns['devices.completedCount'] ?? [],
  };
}

function valuesOf(metrics: Readonly<Record<string, number>>, name: RegExp): number[] {
  return Object.entries(metrics).flatMap(([key, value]) => (name.test(key) ? [value] : []));
}

const maxOf = (values: readonly number[]): number => values.reduce((most, value) => Math.max(most, value), 0);
