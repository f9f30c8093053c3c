// What limited a live run, as far as its own numbers show: the limit that was nearest to full. For holding the model's answer
// against something that does not come from the model.

/** A limit as the model names it, and how much of it a run used, second by second: 0 to about 1. */
export type Utilization = { readonly limit: string; readonly ratios: readonly number[] };

/** Below this nothing was full: what the devices asked for, or the time that requests took, was the limit. */
const fullRatio = 0.85;

/**
 * The limit that was the fullest while most bytes moved; undefined when that was none. `moved`: bytes second by second.
 * Limits of the same fullness (to a hundredth) count for the first of them.
 */
export function measuredBottleneck(utilizations: readonly Utilization[], moved: readonly number[]): string | undefined {
  const bytesByLimit = new Map<string | undefined, number>();
  for (const [second, bytes] of moved.entries()) {
    let fullest: string | undefined;
    let most = fullRatio;
    for (const { limit, ratios } of utilizations) {
      if ((ratios[second] ?? 0) <= most + 0.01) continue;
      most = ratios[second] ?? 0;
      fullest = limit;
    }
    bytesByLimit.set(fullest, (bytesByLimit.get(fullest) ?? 0) + bytes);
  }
  const [first] = [...bytesByLimit].sort(([, a], [, b]) => b - a);
  return first?.[0];
}

/** Median, 95th percentile and worst of |ln(predicted ÷ measured)|, and the mean of ln: above 0 the model promises too much. */
export type PredictionError = {
  readonly count: number;
  readonly median: number;
  readonly p95: number;
  readonly worst: number;
  readonly bias: number;
};

/** Undefined without a value. Percentiles by the nearest rank. */
export function predictionError(lnRatios: readonly number[]): PredictionError | undefined {
  if (lnRatios.length === 0) return undefined;
  const sizes = lnRatios.map(Math.abs).sort((a, b) => a - b);
  const rank = (share: number): number => sizes[Math.max(0, Math.ceil(share * sizes.length) - 1)] as number;
  const bias = lnRatios.reduce((sum, value) => sum + value, 0) / lnRatios.length;
  return { count: sizes.length, median: rank(0.5), p95: rank(0.95), worst: rank(1), bias };
}
