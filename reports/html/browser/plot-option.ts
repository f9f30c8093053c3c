// From a plot to what ECharts draws.

import type { EChartsCoreOption } from 'echarts/core';
import { type ShownUnit, valueText } from '../../value-text.ts';
import type { Plot, PlotAxis, PlotLine } from '../plot.ts';
import { dashLengths, type Look } from './look.ts';
import { lnMarks, tickText, timeMarks } from './ticks.ts';

/** Pixels below which there is room for half as many marks. */
const narrowPx = 480;
export const fontFamily = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export function plotOption(plot: Plot, look: Look, widthPx: number): EChartsCoreOption {
  const isNarrow = widthPx < narrowPx;
  const hasBars = plot.lines.some(({ shape }) => shape === 'bars');
  const right =
    plot.right === undefined ? [] : [{ ...axisOption(plot.right, look, false, isNarrow), splitLine: { show: false } }];
  return {
    animation: false,
    textStyle: { fontFamily, color: look.text },
    grid: {
      left: 4,
      right: plot.right === undefined ? 14 : 4,
      top: plot.events.length > 0 ? 24 : 12,
      bottom: 4,
      outerBoundsMode: 'same',
      outerBoundsContain: plot.x.title === undefined && plot.y.title === undefined ? 'axisLabel' : 'all',
    },
    xAxis: hasBars ? lnAxis(plot, look) : axisOption(plot.x, look, true, isNarrow),
    yAxis: [{ ...axisOption(plot.y, look, false, isNarrow), position: 'left' }, ...right],
    tooltip: {
      ...tooltipOption(look),
      trigger: hasBars ? 'item' : 'axis',
      axisPointer: { type: 'line', lineStyle: { color: look.muted, type: 'solid' } },
      formatter: (given: unknown) => tooltip(plot, look, given),
    },
    series: plot.lines.map((line, index) => seriesOption(plot, line, look, index)),
  };
}

/** How every tooltip looks. */
export function tooltipOption(look: Look): Record<string, unknown> {
  return {
    confine: true,
    transitionDuration: 0,
    backgroundColor: look.surface,
    borderColor: look.grid,
    textStyle: { color: look.text, fontSize: 13, fontFamily },
  };
}

function axisOption(axis: PlotAxis, look: Look, isAcross: boolean, isNarrow: boolean): Record<string, unknown> {
  const label = { color: look.muted, fontSize: 12, hideOverlap: true };
  const lines = {
    ...titleOption(axis, look),
    axisLine: { show: isAcross, lineStyle: { color: look.grid } },
    axisTick: { show: isAcross, lineStyle: { color: look.grid } },
    splitLine: { show: !isAcross, lineStyle: { color: look.grid } },
  };
  if (axis.kind === 'names') {
    const wide = isAcross ? {} : { width: isNarrow ? 120 : 280, overflow: 'truncate' };
    return {
      type: 'category',
      data: axis.names,
      boundaryGap: !isAcross,
      axisLabel: { ...label, interval: 0, ...wide },
      ...lines,
      splitLine: { show: false },
    };
  }
  const { unit, min, max, isLog = false, isScaled = false } = axis;
  const count = isNarrow ? 4 : isAcross ? 8 : 5;
  const isTime = unit === 'ms' && max !== undefined;
  const marks = isTime ? { customValues: timeMarks(min ?? 0, max, count) } : {};
  return {
    type: isLog ? 'log' : 'value',
    scale: isScaled,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    splitNumber: count,
    ...lines,
    axisLabel: { ...label, ...marks, formatter: (value: number) => tickText(value, unit) },
    axisTick: { ...lines.axisTick, ...marks },
  };
}

/** What an axis is, beside it. */
export function titleOption({ title }: PlotAxis, look: Look): Record<string, unknown> {
  if (title === undefined) return {};
  return { name: title, nameLocation: 'middle', nameGap: 24, nameTextStyle: { color: look.muted, fontSize: 12 } };
}

/** Bars to both sides of what is equal, with room for their values. */
function lnAxis({ lines }: Plot, look: Look): Record<string, unknown> {
  const values = lines.flatMap(({ points }) => points.map(([x]) => x));
  const span = Math.max(0.01, ...values.map(Math.abs));
  const [least, most] = [Math.min(-span / 4, ...values) * 1.15, Math.max(span / 4, ...values) * 1.3];
  const customValues = lnMarks(least, most);
  return {
    type: 'value',
    min: least,
    max: most,
    axisLabel: {
      color: look.muted,
      customValues,
      hideOverlap: true,
      formatter: (value: number) => tickText(value, 'lnRatio'),
    },
    axisTick: { customValues },
    axisLine: { show: false },
    splitLine: { show: false },
  };
}

function seriesOption(plot: Plot, line: PlotLine, look: Look, index: number): Record<string, unknown> {
  const color = look.tone(line.tone);
  if (line.shape === 'bars') {
    return {
      type: 'bar',
      name: line.name,
      data: line.points,
      itemStyle: { color },
      barMaxWidth: 16,
      label: barLabel(plot, look),
    };
  }
  const isFilled = line.shape === 'area' || line.shape === 'stack';
  return {
    type: 'line',
    name: line.name,
    data: line.points,
    yAxisIndex: line.onRight === true ? 1 : 0,
    showSymbol: line.points.length <= 30 || line.shape === 'dots',
    symbol: line.dash === 'solid' ? 'circle' : line.dash === 'dashed' ? 'rect' : 'triangle',
    symbolSize: line.shape === 'dots' ? 9 : 6,
    lineStyle: { color, width: line.shape === 'dots' ? 0 : 2, type: dashLengths[line.dash] },
    itemStyle: { color },
    ...(isFilled ? { areaStyle: { color, opacity: line.shape === 'stack' ? 0.35 : 0.16 } } : {}),
    ...(line.shape === 'stack' ? { stack: 'all' } : {}),
    ...(line.shape === 'steps' ? { step: 'end' } : {}),
    ...(index === 0 ? { markLine: markLines(plot, look) } : {}),
  };
}

function barLabel({ x }: Plot, look: Look): Record<string, unknown> {
  const unit = x.kind === 'value' ? x.unit : 'count';
  return {
    show: true,
    position: 'right',
    color: look.text,
    formatter: ({ value }: { value: readonly number[] }) => valueText(value[0] ?? 0, unit),
  };
}

function markLines({ events, limits }: Plot, look: Look): Record<string, unknown> {
  const halo = { textBorderColor: look.surface, textBorderWidth: 3, fontSize: 12 };
  return {
    silent: true,
    symbol: 'none',
    animation: false,
    data: [
      ...events.map(({ at, label }) => ({
        xAxis: at,
        lineStyle: { color: look.text, type: [4, 4], width: 1 },
        label: { ...halo, formatter: label, position: 'end', color: look.text, distance: 4 },
      })),
      ...limits.map(({ at, label }) => ({
        yAxis: at,
        lineStyle: { color: look.text, type: 'solid', width: 1 },
        label: { ...halo, formatter: label, position: 'insideStartBottom', color: look.text },
      })),
    ],
  };
}

type TooltipPoint = { readonly seriesIndex: number; readonly dataIndex: number };

/** As an element, never as text to be parsed: names come from the scenario. */
function tooltip(plot: Plot, look: Look, given: unknown): HTMLElement {
  const points = (Array.isArray(given) ? given : [given]) as readonly TooltipPoint[];
  const box = document.createElement('div');
  const first = points[0];
  const at = first === undefined ? undefined : plot.lines[first.seriesIndex]?.points[first.dataIndex];
  if (at === undefined) return box;
  const isBars = plot.lines[0]?.shape === 'bars';
  const head = document.createElement('strong');
  head.textContent = isBars ? axisText(plot.y, at[1]) : axisText(plot.x, at[0]);
  box.append(head);
  for (const { seriesIndex, dataIndex } of points) {
    const line = plot.lines[seriesIndex];
    const point = line?.points[dataIndex];
    if (line === undefined || point === undefined) continue;
    const row = document.createElement('div');
    const swatch = document.createElement('span');
    swatch.style.cssText = `display:inline-block;width:16px;margin-right:6px;vertical-align:middle;border-top:3px ${line.dash} ${look.tone(line.tone)}`;
    row.append(swatch, `${line.name}: ${pointText(plot, line, point)}`);
    box.append(row);
  }
  return box;
}

/** What a point stands for, in words. */
export function pointText(plot: Plot, line: PlotLine, [x, y]: readonly [number, number]): string {
  if (line.shape === 'bars') return axisText(plot.x, x);
  return axisText(line.onRight === true && plot.right !== undefined ? plot.right : plot.y, y);
}

/** A value on an axis, in words. */
export function axisText(axis: PlotAxis, value: number): string {
  if (axis.kind === 'names') return axis.names[value] ?? '';
  const unit: ShownUnit = axis.unit;
  return valueText(value, unit);
}
