// What a benchmark says: samples of one figure, or why there are none.

export type Measurement =
  | { readonly name: string; readonly values: readonly number[] }
  | { readonly name: string; readonly skipped: string };

/** How long a benchmark may take: `quick` has fewer and shorter rounds, to see that all is in order; `full` has all cases. */
export type Effort = { readonly quick: boolean; readonly full: boolean };

/** A benchmark of `npm run bench`. */
export type Benchmark = (effort: Effort) => Promise<readonly Measurement[]>;

/** Minimum, median and maximum. */
export function spread(values: readonly number[]): { min: number; median: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  return { min: sorted[0] ?? Number.NaN, median, max: sorted.at(-1) ?? Number.NaN };
}

/** The value that a share of all is not above, 0 < share <= 1. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Each value beside its peer's of the same round. */
export function ratios(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value / (b[i] ?? Number.NaN));
}

/** The samples of several peers by name, in rounds that are interleaved: every other one in reverse order. */
export async function inRounds<P extends { readonly name: string }, S>(
  peers: readonly P[],
  rounds: number,
  sample: (peer: P, round: number) => Promise<S>,
): Promise<Map<string, S[]>> {
  const samples = new Map<string, S[]>(peers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const peer of round % 2 === 0 ? peers : [...peers].reverse()) {
      samples.get(peer.name)?.push(await sample(peer, round));
    }
  }
  return samples;
}
