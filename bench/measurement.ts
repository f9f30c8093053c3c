// What a benchmark says: samples of one figure, or why there are none.

export type Measurement =
  | { readonly name: string; readonly values: readonly number[] }
  | { readonly name: string; readonly skipped: string };

/** Minimum, median and maximum. */
export function spread(values: readonly number[]): { min: number; median: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
  return { min: sorted[0] ?? Number.NaN, median, max: sorted.at(-1) ?? Number.NaN };
}
