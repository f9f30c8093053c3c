// Where an axis has its marks, and what stands there.

import { type ShownUnit, valueText } from '../../value-text.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Distances of marks that people count time in; ms. */
const niceTimesMs = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * second),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * minute),
  ...[1, 2, 3, 6, 12].map((hours) => hours * hour),
  ...[1, 2, 5, 10, 20, 50, 100].map((days) => days * day),
];

/** The distance of marks on an axis of times, so that there are about `count` of them. */
export function timeInterval(spanMs: number, count: number): number {
  return niceTimesMs.find((interval) => spanMs / interval <= count) ?? spanMs / count;
}

/** Marks at whole multiples of that distance: the axis itself may begin and end between two of them. */
export function timeMarks(minMs: number, maxMs: number, count: number): readonly number[] {
  const interval = timeInterval(maxMs - minMs, count);
  const first = Math.ceil(minMs / interval);
  return Array.from({ length: Math.floor(maxMs / interval) - first + 1 }, (_, index) => (first + index) * interval);
}

/** A mark's text: short, since its neighbours have the same unit. */
export function tickText(value: number, unit: ShownUnit): string {
  if (value === 0) return unit === 'lnRatio' ? 'equal' : '0';
  switch (unit) {
    case 'ms':
      return timeTick(value);
    case 'lnRatio':
      return lnTick(value);
    case 'ratio':
      return `${Number((value * 100).toFixed(3))} %`;
    case 'cores':
      return String(Number(value.toPrecision(3)));
    default:
      // 2.00 Gbit/s → 2 Gbit/s
      return valueText(value, unit).replace(/\.(\d*?)0+(?= |$)/, (_, digits: string) =>
        digits === '' ? '' : `.${digits}`,
      );
  }
}

function timeTick(ms: number): string {
  const size = Math.abs(ms);
  if (size < second) return `${Number(ms.toPrecision(3))} ms`;
  const sign = ms < 0 ? '−' : '';
  const parts = [
    { unit: 'd', value: Math.floor(size / day), from: 2 * day },
    { unit: 'h', value: size >= 2 * day ? Math.floor((size % day) / hour) : Math.floor(size / hour), from: hour },
    { unit: 'min', value: Math.floor((size % hour) / minute), from: 2 * minute },
    { unit: 's', value: Number(((size >= 2 * minute ? size % minute : size) / second).toPrecision(3)), from: 0 },
  ];
  const shown = parts.filter(({ value, from }) => value > 0 && size >= from).slice(0, 2);
  return sign + shown.map(({ unit, value }) => `${value} ${unit}`).join(' ');
}

function lnTick(lnRatio: number): string {
  const times = Math.exp(Math.abs(lnRatio));
  if (times >= 3) return `${lnRatio > 0 ? '×' : '÷'} ${Number(times.toPrecision(2))}`;
  const percent = (Math.exp(lnRatio) - 1) * 100;
  return `${percent > 0 ? '+' : '−'}${Number(Math.abs(percent).toPrecision(2))} %`;
}

/** Twice and half, and what lies between and beyond. */
const niceTimes = [1.01, 1.02, 1.05, 1.1, 1.25, 1.5, 2, 3, 5, 10, 30, 100, 1000];

/** Marks on an axis of logarithms of ratios: `equal`, and nice ratios on both sides, `count` at most but for two. */
export function lnMarks(least: number, most: number, count = 9): readonly number[] {
  const gap = (most - least) / count;
  const side = (end: number): number[] => {
    const marks: number[] = [];
    for (const times of niceTimes) {
      const ln = Math.log(times);
      if (ln <= end && ln - (marks.at(-1) ?? 0) >= gap) marks.push(ln);
    }
    return marks;
  };
  return [
    ...side(-least)
      .map((ln) => -ln)
      .reverse(),
    0,
    ...side(most),
  ];
}
