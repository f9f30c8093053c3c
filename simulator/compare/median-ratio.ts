// How much larger the median of one sample is than that of another, and how sure that is: the percentile bootstrap, computed
// rather than drawn. Which values a resample's median can have, and how often, follows from counting, so that there is no
// seed, no number of resamples, and always the same answer for the same runs.

import { assert } from '../../common/errors.ts';

export type RatioInterval = {
  /** Median of the candidate by that of the base. 0 by 0 is 1; anything else by 0 is infinite. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
};

/** A value that the median of a resample can have, and how often it has. */
type Atom = { readonly value: number; readonly probability: number };

/**
 * The ratio of the medians, with its bootstrap interval of this confidence (0..1). Values are not negative.
 * (B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979, has the median's distribution
 * over resamples in closed form; for even counts, the joint one of both middle values is meant here.)
 */
export function medianRatio(base: readonly number[], candidate: readonly number[], confidence = 0.95): RatioInterval {
  assert(base.length > 0 && candidate.length > 0, 'both samples have values');
  const below = medianAtoms(base);
  const above = medianAtoms(candidate);
  return {
    ratio: quotient(median(candidate), median(base)),
    low: ratioQuantile(above, below, (1 - confidence) / 2),
    high: ratioQuantile(above, below, (1 + confidence) / 2),
  };
}

/** Half of the values are not above it. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] as number;
  return Number.isInteger(middle) ? ((sorted[middle - 1] as number) + upper) / 2 : upper;
}

function quotient(a: number, b: number): number {
  return a === 0 && b === 0 ? 1 : a / b;
}

/** Chances below it change no digit of a quantile. */
const negligible = 1e-16;

/** The distribution of the median of a resample (as many values, drawn with replacement), ascending by value. */
function medianAtoms(values: readonly number[]): Atom[] {
  const sorted = [...values].sort((a, b) => a - b);
  const atoms = sorted.length % 2 === 1 ? oddAtoms(sorted) : evenAtoms(sorted);
  return atoms.filter(({ probability }) => probability > negligible).sort((a, b) => a.value - b.value);
}

/** The median is the ith value when at least half of the draws are among the first i, and not among the first i − 1. */
function oddAtoms(sorted: readonly number[]): Atom[] {
  const count = sorted.length;
  const half = (count + 1) / 2;
  const upTo = sorted.map((_, index) => atLeast(half, count, (index + 1) / count));
  return sorted.map((value, index) => ({ value, probability: (upTo[index] as number) - (upTo[index - 1] ?? 0) }));
}

/**
 * With 2h draws, the lower middle one is the ith and the upper one the jth value, i < j, when h draws are among the first i
 * (not all of them among the first i − 1) and h among the last from j (not all from j + 1).
 */
function evenAtoms(sorted: readonly number[]): Atom[] {
  const count = sorted.length;
  const half = count / 2;
  const ways = Math.exp(logChoose(count, half));
  const first = (drawn: number): number => (drawn / count) ** half;
  const atoms: Atom[] = [];
  for (let i = 1; i <= count; i += 1) {
    const low = sorted[i - 1] as number;
    const lower = ways * (first(i) - first(i - 1));
    for (let j = i + 1; j <= count; j += 1) {
      const upper = first(count - j + 1) - first(count - j);
      atoms.push({ value: (low + (sorted[j - 1] as number)) / 2, probability: lower * upper });
    }
    const isLowerMiddle = atLeast(half, count, i / count) - atLeast(half, count, (i - 1) / count);
    atoms.push({ value: low, probability: Math.max(0, isLowerMiddle - lower * first(count - i)) });
  }
  return atoms;
}

/** Chance of at least `least` successes in `count` draws of chance `p`. */
function atLeast(least: number, count: number, p: number): number {
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  let sum = 0;
  for (let k = least; k <= count; k += 1) {
    sum += Math.exp(logChoose(count, k) + k * Math.log(p) + (count - k) * Math.log1p(-p));
  }
  return sum;
}

function logChoose(count: number, chosen: number): number {
  let log = 0;
  for (let k = 1; k <= chosen; k += 1) log += Math.log((count - chosen + k) / k);
  return log;
}

/**
 * The least ratio of a value of `above` by one of `below` that the ratio does not exceed with this chance: found by halving
 * ratio ÷ (1 + ratio), which runs from 0 to 1, and counting, as all pairs would be too many for a sort.
 */
function ratioQuantile(above: readonly Atom[], below: readonly Atom[], chance: number): number {
  let [low, high] = [0, 1];
  if (upTo(0, above, below).chance >= chance) return 0;
  for (let step = 0; step < halvings; step += 1) {
    const middle = (low + high) / 2;
    if (upTo(middle / (1 - middle), above, below).chance >= chance) high = middle;
    else low = middle;
  }
  return upTo(high / (1 - high), above, below).largest;
}

/** A double has no more digits. */
const halvings = 60;
/** Chances are sums of some thousand numbers. */
const chanceTolerance = 1e-12;

/** The chance of a ratio of at most `limit`, and the largest such ratio. Ratios fall with `below`, and rise with `above`. */
function upTo(limit: number, above: readonly Atom[], below: readonly Atom[]): { chance: number; largest: number } {
  let chance = chanceTolerance;
  let largest = 0;
  let rest = below.reduce((sum, { probability }) => sum + probability, 0);
  let from = 0;
  for (const a of above) {
    for (; from < below.length; from += 1) {
      const b = below[from] as Atom;
      const ratio = quotient(a.value, b.value);
      if (ratio <= limit) {
        largest = Math.max(largest, ratio);
        break;
      }
      rest -= b.probability;
    }
    if (from === below.length) break;
    chance += a.probability * rest;
  }
  return { chance, largest };
}
