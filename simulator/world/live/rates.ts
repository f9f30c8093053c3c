// Rates from bytes per second, in bit/s.

/** First second of a span, and the second after its last, as places in a series. */
export type Bounds = { readonly from: number; readonly to: number };

/** Length of the window whose lowest mean is the sustained rate (the contract's definition). */
export const sustainedSeconds = 10;

/** Highest one-second mean; undefined without a byte. */
export function peakRate(bytesPerSecond: readonly number[]): number | undefined {
  const peak = bytesPerSecond.reduce((most, bytes) => Math.max(most, bytes), 0);
  return peak === 0 ? undefined : peak * 8;
}

/** Mean over the bounds, or (without) from the first second with a byte to the last one; undefined without a byte. */
export function meanRate(bytesPerSecond: readonly number[], bounds: Bounds | undefined): number | undefined {
  const first = bytesPerSecond.findIndex((bytes) => bytes > 0);
  const last = bytesPerSecond.findLastIndex((bytes) => bytes > 0);
  const within = bytesPerSecond.slice(bounds?.from ?? first, bounds?.to ?? last + 1);
  const bytes = within.reduce((sum, value) => sum + value, 0);
  return bytes === 0 ? undefined : (bytes * 8) / within.length;
}

/** Lowest mean of any ten seconds in a row within the bounds and the series; undefined when these are shorter. */
export function sustainedRate(bytesPerSecond: readonly number[], bounds: Bounds): number | undefined {
  const from = Math.max(0, bounds.from);
  const to = Math.min(bounds.to, bytesPerSecond.length);
  if (to - from < sustainedSeconds) return undefined;
  let lowest = Number.POSITIVE_INFINITY;
  for (let start = from; start + sustainedSeconds <= to; start += 1) {
    let bytes = 0;
    for (let second = start; second < start + sustainedSeconds; second += 1) bytes += bytesPerSecond[second] ?? 0;
    lowest = Math.min(lowest, bytes);
  }
  return (lowest * 8) / sustainedSeconds;
}
