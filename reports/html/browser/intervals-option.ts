// From a plot of intervals to a forest plot: each row has its margin as a band, its interval as a line, and where it is itself as
// a sign; what lies beyond the axis is an arrow at its end.

import type { EChartsCoreOption } from 'echarts/core';
import type { IntervalKind, Plot, PlotInterval } from '../plot.ts';
import type { Look } from './look.ts';
import { axisText, fontFamily } from './plot-option.ts';
import { lnMarks } from './ticks.ts';

/** Past it rows that differ by a few percent would all be one point: three times as much. */
const reachMax = Math.log(3);
const reachMin = Math.log(1.02);
const narrowPx = 480;
/** Of a mark's text, with its gap. */
const markPx = 84;

export function intervalsOption(
  plot: Plot,
  intervals: readonly PlotInterval[],
  look: Look,
  widthPx: number,
): EChartsCoreOption {
  const isNarrow = widthPx < narrowPx;
  const nameWidthPx = isNarrow ? 118 : 270;
  const [least, most] = reach(intervals);
  const customValues = lnMarks(least, most, Math.max(4, Math.floor((widthPx - nameWidthPx) / markPx)));
  const label = { color: look.muted, fontSize: 12 };
  return {
    animation: false,
    textStyle: { fontFamily, color: look.text },
    grid: { left: 4, right: 14, top: 6, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
    xAxis: {
      type: 'value',
      min: least,
      max: most,
      axisLabel: { ...label, customValues, hideOverlap: true, formatter: changeText },
      axisTick: { customValues },
      splitLine: { show: false },
    },
    yAxis: {
      type: 'category',
      inverse: true,
      data: plot.y.kind === 'names' ? plot.y.names : [],
      axisLabel: {
        ...label,
        interval: 0,
        ...(isNarrow ? { fontSize: 11, lineHeight: 11, formatter: brokenName } : {}),
      },
      axisLine: { show: false },
      axisTick: { show: false },
    },
    tooltip: {
      trigger: 'item',
      confine: true,
      transitionDuration: 0,
      backgroundColor: look.surface,
      borderColor: look.grid,
      textStyle: { color: look.text, fontSize: 13, fontFamily },
      formatter: ({ dataIndex }: { readonly dataIndex: number }) => tooltip(plot, dataIndex, intervals[dataIndex]),
    },
    series: [
      {
        type: 'custom',
        data: intervals.map(({ lnRatio }, place) => [within(lnRatio, least, most), place]),
        markLine: {
          silent: true,
          symbol: 'none',
          data: [{ xAxis: 0, label: { show: false }, lineStyle: { color: look.muted, type: 'solid', width: 1 } }],
        },
        renderItem: ({ dataIndex }: { readonly dataIndex: number }, api: Api) => {
          const interval = intervals[dataIndex];
          return interval === undefined ? undefined : row(interval, dataIndex, { api, look, least, most });
        },
      },
    ],
  };
}

/** The ends of the axis: as far as anything reaches, with some room, and margins are seen. */
function reach(intervals: readonly PlotInterval[]): readonly [least: number, most: number] {
  const margins = intervals.map(({ margin }) => 1.6 * margin);
  const ends = intervals.flatMap(({ lnRatio, low = lnRatio, high = lnRatio }) => [lnRatio, low, high]);
  const least = -Math.min(reachMax, 1.12 * Math.max(reachMin, ...margins, ...ends.map((end) => -end)));
  const most = Math.min(reachMax, 1.12 * Math.max(reachMin, ...margins, ...ends));
  return [least, most];
}

/** Broken behind its dots, where there is little room. */
function brokenName(name: string): string {
  const lines = [''];
  for (const part of name.match(/[^.]+\.?/g) ?? [name]) {
    const last = lines.length - 1;
    if (lines[last] === '' || `${lines[last]}${part}`.length <= 17) lines[last] += part;
    else lines.push(part);
  }
  return lines.join('\n');
}

const within = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value));

/** `5 % worse` of ln(1.05); `equal` of zero. */
function changeText(lnRatio: number): string {
  const times = Math.exp(Math.abs(lnRatio));
  if (times - 1 < 1e-6) return 'equal';
  const word = lnRatio > 0 ? 'worse' : 'better';
  return times >= 2
    ? `${Number(times.toPrecision(2))} × ${word}`
    : `${Number(((times - 1) * 100).toPrecision(2))} % ${word}`;
}

/** What ECharts gives to whoever draws a series. */
type Api = {
  readonly coord: (value: readonly number[]) => readonly [number, number];
  readonly size: (value: readonly number[]) => readonly [number, number];
};

type Drawing = { readonly api: Api; readonly look: Look; readonly least: number; readonly most: number };

function row(interval: PlotInterval, place: number, { api, look, least, most }: Drawing): object {
  const { kind, lnRatio, low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY, margin } = interval;
  const x = (value: number): number => api.coord([within(value, least, most), place])[0];
  const y = api.coord([0, place])[1];
  const height = api.size([0, 1])[1];
  const color = look.verdict(kind);
  const stroke = { stroke: color, lineWidth: 2, fill: 'none' };
  const line = (from: number, to: number, up: number): object => ({
    type: 'line',
    shape: { x1: from, y1: y - up, x2: to, y2: y + up },
    style: stroke,
  });
  const end = (value: number, isBeyond: boolean, side: 1 | -1): object =>
    isBeyond ? sign('arrow', x(value), y, color, side) : line(x(value), x(value), 5);
  const band = { x: x(-margin), y: y - height / 2, width: x(margin) - x(-margin), height };
  const isThere = lnRatio >= least && lnRatio <= most;
  return {
    type: 'group',
    children: [
      { type: 'rect', shape: band, style: { fill: look.grid, opacity: 0.5 }, silent: true },
      line(x(low), x(high), 0),
      ...(high > low ? [end(low, low < least, -1), end(high, high > most, 1)] : []),
      sign(isThere ? kind : 'arrow', x(lnRatio), y, color, lnRatio > 0 ? 1 : -1),
      ...(isThere ? [] : [beyondText(changeText(lnRatio), x(lnRatio), y, look, lnRatio > 0 ? 'right' : 'left')]),
    ],
  };
}

/** Told apart by their form, too. */
const corners: Readonly<Record<Exclude<IntervalKind, 'pass'> | 'arrow', readonly (readonly [number, number])[]>> = {
  fail: [
    [0, -7],
    [7, 0],
    [0, 7],
    [-7, 0],
  ],
  doubt: [
    [0, -7],
    [7, 6],
    [-7, 6],
  ],
  arrow: [
    [0, 0],
    [-10, -6],
    [-10, 6],
  ],
};

function sign(kind: IntervalKind | 'arrow', x: number, y: number, fill: string, side: 1 | -1): object {
  if (kind === 'pass') return { type: 'circle', shape: { cx: x, cy: y, r: 5 }, style: { fill } };
  const points = corners[kind].map(([across, down]) => [x + side * across, y + down]);
  return { type: 'polygon', shape: { points }, style: { fill } };
}

function beyondText(text: string, x: number, y: number, look: Look, align: 'left' | 'right'): object {
  const style = { text, x: x + (align === 'right' ? -15 : 15), y, align, verticalAlign: 'middle', fill: look.text };
  return { type: 'text', style: { ...style, font: `12px ${fontFamily}` }, silent: true };
}

/** As an element, never as text to be parsed. */
function tooltip(plot: Plot, place: number, interval: PlotInterval | undefined): HTMLElement {
  const box = document.createElement('div');
  const head = document.createElement('strong');
  head.textContent = axisText(plot.y, place);
  const words = document.createElement('div');
  words.textContent = interval?.words ?? '';
  box.append(head, words);
  return box;
}
