// How a value is said in its unit: the same words in the console, in Markdown, in pages and (in the browser) in their charts.

import { formatBitsPerSecond, formatBytes, formatCount, formatDuration } from '../common/units.ts';
import type { MetricUnit } from '../simulator/result/metrics.ts';

/**
 * What a chart can show: values of metrics; `cores` in use; events `perSecond`; `lnRatio`, the logarithm of one value by
 * another.
 */
export type ShownUnit = MetricUnit | 'cores' | 'perSecond' | 'lnRatio';

/** A value in its unit, for people. */
export function valueText(value: number, unit: ShownUnit): string {
  switch (unit) {
    case 'bytes':
      return formatBytes(value);
    case 'ms':
      return formatDuration(value);
    case 'bitsPerSecond':
      return formatBitsPerSecond(value);
    case 'ratio':
      return ratioText(value);
    case 'count':
      return formatCount(value);
    case 'boolean':
      return value === 1 ? 'yes' : 'no';
    case 'cores':
      return `${formatCount(Number(value.toPrecision(3)))} ${value === 1 ? 'core' : 'cores'}`;
    case 'perSecond':
      return `${formatCount(Number(value.toPrecision(4)))}/s`;
    case 'lnRatio':
      return differenceByLn(value);
  }
}

/** `96.19 %`; with more digits where two would make a whole of what is none: 2 GB of 70 TB are not 0.00 %. */
function ratioText(value: number): string {
  const percent = value * 100;
  if (value === 0 || value === 1) return `${percent} %`;
  const texts = [2, 3, 4, 5, 6].map((digits) => percent.toFixed(digits));
  return `${texts.find((text) => Number(text) !== 0 && Number(text) !== 100) ?? percent} %`;
}

/** `+7.7 %` of a ratio of 0.077. */
export function differenceByRatio(ratio: number): string {
  const percent = ratio * 100;
  const text = Math.abs(percent) < 100 ? percent.toFixed(1) : formatCount(Math.round(percent));
  return `${percent >= 0 ? '+' : ''}${text} %`;
}

/** `+1.2 %` of ln(1.012); `× 6,700` and `÷ 68` where two values are an order of magnitude apart. */
export function differenceByLn(lnRatio: number): string {
  const times = Math.exp(Math.abs(lnRatio));
  if (times >= 10) return `${lnRatio > 0 ? '×' : '÷'} ${formatCount(Number(times.toPrecision(2)))}`;
  return differenceByRatio(Math.exp(lnRatio) - 1);
}
