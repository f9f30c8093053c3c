// Mann and Whitney's test of whether values of one sample tend to be larger than those of another. No shape of the
// distributions is assumed, and ties (counts, times read from a histogram) are taken as they are.

/** Up to so many values in both samples together the distribution is computed exactly (some milliseconds). */
const exactCountMax = 60;

export type MannWhitney = {
  /** Pairs (a, b) with a < b, ties half: 0 to the number of pairs; half of it where neither tends to be larger. */
  readonly u: number;
  /** Two-sided: chance of a `u` as far from the middle, or farther, if both samples are of one distribution. */
  readonly pValue: number;
};

/**
 * Two-sided. The p-value is exact given the ties, by counting all ways to choose ranks, up to {@link exactCountMax} values;
 * beyond by the normal approximation with correction for ties and continuity. (H. B. Mann, D. R. Whitney, "On a test of
 * whether one of two random variables is stochastically larger than the other", Annals of Mathematical Statistics 18, 1947.)
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): MannWhitney {
  const ranks = doubledRanks([...a, ...b]);
  const sumOfB = ranks.slice(a.length).reduce((sum, rank) => sum + rank, 0);
  const u = sumOfB / 2 - (b.length * (b.length + 1)) / 2;
  const isExact = ranks.length <= exactCountMax;
  const pValue = isExact ? exactPValue(ranks, b.length, sumOfB) : normalPValue(ranks, a.length, b.length, u);
  return { u, pValue: Math.min(1, pValue) };
}

/** Twice the mean rank of each value, so that ranks of ties are whole. */
function doubledRanks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).sort((x, y) => (values[x] as number) - (values[y] as number));
  const ranks = new Array<number>(values.length).fill(0);
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && values[order[to] as number] === values[order[from] as number]) to += 1;
    // Ranks from + 1 to `to`: twice their mean is their first and last one together.
    for (const index of order.slice(from, to)) ranks[index] = from + 1 + to;
  }
  return ranks;
}

/** Share of all choices of `count` of the ranks whose sum is as far from the mean as `sum`, or farther. */
function exactPValue(ranks: readonly number[], count: number, sum: number): number {
  const sumMax = ranks.reduce((all, rank) => all + rank, 0);
  // ways[n][s]: choices of n of the ranks so far with the sum s.
  const ways = Array.from({ length: count + 1 }, () => new Float64Array(sumMax + 1));
  (ways[0] as Float64Array)[0] = 1;
  for (const rank of ranks) {
    for (let n = count; n >= 1; n -= 1) {
      const [to, from] = [ways[n] as Float64Array, ways[n - 1] as Float64Array];
      for (let s = sumMax; s >= rank; s -= 1) to[s] = (to[s] as number) + (from[s - rank] as number);
    }
  }
  const distance = Math.abs(sum - (sumMax * count) / ranks.length);
  let all = 0;
  let far = 0;
  for (const [s, choices] of (ways[count] as Float64Array).entries()) {
    all += choices;
    if (Math.abs(s - (sumMax * count) / ranks.length) >= distance - 1e-9) far += choices;
  }
  return far / all;
}

function normalPValue(ranks: readonly number[], countA: number, countB: number, u: number): number {
  const count = ranks.length;
  const tied = new Map<number, number>();
  for (const rank of ranks) tied.set(rank, (tied.get(rank) ?? 0) + 1);
  const ties = [...tied.values()].reduce((sum, each) => sum + each ** 3 - each, 0);
  const variance = ((countA * countB) / 12) * (count + 1 - ties / (count * (count - 1)));
  if (variance === 0) return 1;
  const distance = Math.max(0, Math.abs(u - (countA * countB) / 2) - 0.5);
  return complementaryError(distance / Math.sqrt(2 * variance));
}

/** erfc(x) of x >= 0, to 1.5e-7 (M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions, 7.1.26). */
function complementaryError(x: number): number {
  const t = 1 / (1 + 0.3275911 * x);
  const factors = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  return factors.reduce((sum, factor) => (sum + factor) * t, 0) * Math.exp(-x * x);
}
