// What the runs of two sides say of one metric, before anybody judges: that nothing changed, an exact ratio, a ratio with an
// interval, or why nothing can be told.

import { isDeepStrictEqual } from 'node:util';
import { invariants } from '../judge/invariants.ts';
import type { MetricDefinition, WorldName } from '../result/metrics.ts';
import type { Result, Run } from '../result/result.ts';
import { mannWhitney } from './mann-whitney.ts';
import { median, medianRatio, type RatioInterval } from './median-ratio.ts';

/** Of what differs from run to run, fewer runs a side say nothing. */
export const runCountMin = 10;

/** Times and rates of the virtual world are the same for the same seed but for the last digits of a processor's functions. */
const virtualTolerance = 1e-9;

export type Finding =
  | { readonly kind: 'same' }
  /** Both values are certain. */
  | { readonly kind: 'exact'; readonly ratio: number }
  | { readonly kind: 'interval'; readonly interval: RatioInterval; readonly pValue: number }
  | { readonly kind: 'untold'; readonly reason: string; readonly ratio?: number };

/** One world's run of a result, with what is needed beside it. */
export type RunOfSide = { readonly run: Run; readonly seed: number; readonly machine: Result['machine'] };

/** The values of a metric in the runs of both sides, in their order. */
export type BothValues = { readonly base: readonly number[]; readonly candidate: readonly number[] };

/** The metric must be in one run at least. */
export function findingOf(
  name: string,
  { noise, whenSaturated }: MetricDefinition,
  world: WorldName,
  base: readonly RunOfSide[],
  candidate: readonly RunOfSide[],
): Finding {
  const values = { base: valuesOf(name, base), candidate: valuesOf(name, candidate) };
  const missing = missingText(name, 'base', base) ?? missingText(name, 'candidate', candidate);
  if (missing !== undefined) return { kind: 'untold', reason: missing };
  if (world === 'virtual') return virtualFinding(name, noise, base, candidate);
  if (isInvariant(name)) return invariantFinding(values);
  if (isConstant([...values.base, ...values.candidate], 0)) return { kind: 'same' };
  const ratio = median(values.candidate) / median(values.base);
  const untold =
    (whenSaturated === 'valid' ? undefined : saturatedText(base, candidate)) ??
    (noise === 'measured' ? otherMachineText(base, candidate) : undefined) ??
    tooFewText(base.length, candidate.length, 'runs');
  if (untold !== undefined) return { kind: 'untold', reason: untold, ratio };
  // A count that no run has any other of, ten times over, is not chance.
  const isCertain = noise === 'exact' && isConstant(values.base, 0) && isConstant(values.candidate, 0);
  return isCertain ? { kind: 'exact', ratio } : intervalFinding(values);
}

export function valuesOf(name: string, runs: readonly RunOfSide[]): number[] {
  return runs.flatMap(({ run }) => run.metrics[name] ?? []);
}

function intervalFinding({ base, candidate }: BothValues): Finding {
  return { kind: 'interval', interval: medianRatio(base, candidate), pValue: mannWhitney(base, candidate).pValue };
}

/** The same for the same seed, always: one run is all, and other seeds are other draws. */
function virtualFinding(
  name: string,
  noise: MetricDefinition['noise'],
  base: readonly RunOfSide[],
  candidate: readonly RunOfSide[],
): Finding {
  const tolerance = noise === 'exact' ? 0 : virtualTolerance;
  const bySeed = [valuesBySeed(name, base), valuesBySeed(name, candidate)] as const;
  const seeds = [...bySeed[0].keys()];
  if (seeds.every((seed) => isClose(bySeed[0].get(seed), bySeed[1].get(seed), tolerance))) return { kind: 'same' };
  const values = { base: [...bySeed[0].values()], candidate: [...bySeed[1].values()] };
  const ratio = median(values.candidate) / median(values.base);
  if (seeds.length === 1) return { kind: 'exact', ratio };
  const reason = tooFewText(seeds.length, seeds.length, 'seeds');
  return reason === undefined ? intervalFinding(values) : { kind: 'untold', reason, ratio };
}

function valuesBySeed(name: string, runs: readonly RunOfSide[]): Map<number, number> {
  return new Map(runs.map(({ run, seed }) => [seed, run.metrics[name] ?? Number.NaN]));
}

/** What must be zero in every run: the worst run counts. */
function invariantFinding({ base, candidate }: BothValues): Finding {
  const [before, after] = [Math.max(...base), Math.max(...candidate)];
  return before === after ? { kind: 'same' } : { kind: 'exact', ratio: after / before };
}

const invariantNames: ReadonlySet<string> = new Set(invariants.map((text) => text.split(' ')[0] ?? ''));

function isInvariant(name: string): boolean {
  return invariantNames.has(name);
}

function isConstant(values: readonly number[], tolerance: number): boolean {
  return values.every((value) => isClose(value, values[0], tolerance));
}

function isClose(a: number | undefined, b: number | undefined, tolerance: number): boolean {
  if (a === b) return true;
  return a !== undefined && b !== undefined && Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}

function missingText(name: string, side: string, runs: readonly RunOfSide[]): string | undefined {
  const without = runs.filter(({ run }) => run.metrics[name] === undefined);
  const why = without[0]?.run.unavailable[name];
  if (without.length === 0) return undefined;
  return `not measured in ${without.length} of ${runs.length} runs of the ${side}${why === undefined ? '' : ` (${why})`}`;
}

function saturatedText(base: readonly RunOfSide[], candidate: readonly RunOfSide[]): string | undefined {
  const all = [...base, ...candidate];
  const count = all.filter(({ run }) => run.metrics['generator.saturated'] === 1).length;
  return count === 0 ? undefined : `the load generator was the limit in ${count} of ${all.length} runs`;
}

function otherMachineText(base: readonly RunOfSide[], candidate: readonly RunOfSide[]): string | undefined {
  const [first, ...others] = [...base, ...candidate].map(({ machine: { cpu, cores, memoryBytes } }) => ({
    cpu,
    cores,
    memoryBytes,
  }));
  return others.every((other) => isDeepStrictEqual(first, other)) ? undefined : 'measured on different machines';
}

function tooFewText(base: number, candidate: number, what: 'runs' | 'seeds'): string | undefined {
  if (Math.min(base, candidate) >= runCountMin) return undefined;
  const found = base === candidate ? `${base}` : `${base} and ${candidate}`;
  return `it differs, and ${found} ${base === 1 && candidate === 1 ? 'run' : what} a side cannot tell whether by chance: that takes ${runCountMin}`;
}
