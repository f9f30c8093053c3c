// What limited a live run, as far as its own numbers show: the limit that was nearest to full. For holding the model's answer
// against something that does not come from the model.

/** Limits as the model names them, and how much of each a run used: 0 to about 1. */
export type Utilization = { readonly limit: string; readonly ratio: number };

/** Below this nothing was full: what the devices asked for, or the time that requests took, was the limit. */
const fullRatio = 0.85;

/** The limit that was nearest to full; undefined when none was. */
export function measuredBottleneck(utilizations: readonly Utilization[]): Utilization | undefined {
  const [first] = [...utilizations].sort((a, b) => b.ratio - a.ratio);
  return first !== undefined && first.ratio >= fullRatio ? first : undefined;
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
