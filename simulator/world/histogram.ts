// Times as histograms of a fixed relative error (three digits), which merge exactly over processes.

import * as hdr from 'hdr-histogram-js';
import { assert } from '../../common/errors.ts';

export type Histogram = hdr.Histogram;

/** Records whole µs, up to ten days. `counterBits`: 64 where more than 2^31 - 1 times may fall into one cell. */
export function newHistogram(counterBits: 32 | 64 = 32): Histogram {
  return hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 864_000_000_000,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: counterBits,
    autoResize: true,
  });
}

/** Records a time in ms. */
export function recordMs(histogram: Histogram, ms: number): void {
  histogram.recordValue(Math.max(0, Math.round(ms * 1000)));
}

export const encodeHistogram = (histogram: Histogram): string => hdr.encodeIntoCompressedBase64(histogram);

export function mergeHistograms(encoded: readonly string[]): Histogram {
  return joinHistograms(encoded.map((text) => hdr.decodeFromCompressedBase64(text, 32, false) as Histogram));
}

export function joinHistograms(histograms: readonly Histogram[]): Histogram {
  const joined = newHistogram();
  for (const histogram of histograms) joined.add(histogram);
  return joined;
}

/** For reading only: counters are wide enough for what any world has recorded. */
export const decodeHistogram = (encoded: string): Histogram =>
  hdr.decodeFromCompressedBase64(encoded, 64, false) as Histogram;

/** How many of the recorded times are at most as long as each of these (ms), and their sum in ms; exact to a tenth of a percent. */
export function countsUpTo(
  histogram: Histogram,
  boundsMs: readonly number[],
): { readonly counts: readonly number[]; readonly sumMs: number } {
  assert(histogram instanceof hdr.JsHistogram, 'histograms are kept in JavaScript');
  const counts = boundsMs.map(() => 0);
  let sumMs = 0;
  const cells = histogram.recordedValuesIterator;
  cells.reset();
  while (cells.hasNext()) {
    const { valueIteratedTo, countAtValueIteratedTo } = cells.next();
    const ms = histogram.medianEquivalentValue(valueIteratedTo) / 1000;
    sumMs += ms * countAtValueIteratedTo;
    for (const [place, boundMs] of boundsMs.entries()) {
      if (ms <= boundMs) counts[place] = (counts[place] ?? 0) + countAtValueIteratedTo;
    }
  }
  return { counts, sumMs };
}

/** A percentile (0 to 100) in ms; undefined when nothing was recorded. */
export function percentileMs(histogram: Histogram, percentile: number): number | undefined {
  return histogram.totalCount === 0 ? undefined : histogram.getValueAtPercentile(percentile) / 1000;
}
