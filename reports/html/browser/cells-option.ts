// From a plot of cells to a heat map: numbers stand in the cells where they fit, in black or white, whichever is read better there.

import type { EChartsCoreOption } from 'echarts/core';
import { valueText } from '../../value-text.ts';
import type { Plot, PlotAxis, PlotCell, PlotCells } from '../plot.ts';
import { mixed, textOn } from './heat-colours.ts';
import type { Look } from './look.ts';
import { axisText, fontFamily, titleOption, tooltipOption } from './plot-option.ts';

/** Of a letter of 12 px, about. */
const letterPx = 6.7;
const rowPxMin = 15;
/** Beside the cells: the scale of colours, and the names of the axis across. */
const belowPx = 92;

export function cellsOption(
  plot: Plot,
  cells: PlotCells,
  look: Look,
  { widthPx, heightPx }: { readonly widthPx: number; readonly heightPx: number },
): EChartsCoreOption {
  const [low, high] = [scaled(cells.min, cells), scaled(cells.max, cells)];
  const roomPx = roomOf(plot, widthPx, heightPx);
  return {
    animation: false,
    textStyle: { fontFamily, color: look.text },
    grid: { left: 4, right: 8, top: 8, bottom: 44, outerBoundsMode: 'same', outerBoundsContain: 'all' },
    xAxis: namesOption(plot.x, look, widthPx),
    yAxis: namesOption(plot.y, look, widthPx),
    visualMap: {
      type: 'continuous',
      min: low,
      // All alike: any other end will do.
      max: high === low ? low + 1 : high,
      orient: 'horizontal',
      left: 'center',
      bottom: 0,
      itemWidth: 12,
      itemHeight: Math.min(220, widthPx / 2.5),
      inRange: { color: look.heat },
      text: [valueText(cells.max, cells.unit), valueText(cells.min, cells.unit)],
      textStyle: { color: look.muted, fontSize: 12 },
      hoverLink: false,
    },
    tooltip: {
      ...tooltipOption(look),
      trigger: 'item',
      formatter: (given: unknown) => tooltip(plot, cells, given),
    },
    series: [
      {
        type: 'heatmap',
        name: cells.name,
        data: cells.cells.map((cell) => cellOption(cell, cells, look, roomPx)),
        itemStyle: { borderColor: look.surface, borderWidth: 1 },
        emphasis: { itemStyle: { borderColor: look.text, borderWidth: 2 } },
      },
    ],
  };
}

/** A cell in words: where it is, and what is there. */
export function cellWords(plot: Plot, cells: PlotCells, cell: PlotCell): string {
  return `${placeWords(plot, cell)}: ${contentWords(cells, cell)}`;
}

const placeWords = ({ x, y }: Plot, cell: PlotCell): string => {
  const parts = [x, y].map((axis, index) => `${axis.title ?? ''} ${axisText(axis, index === 0 ? cell.x : cell.y)}`);
  return parts.map((part) => part.trim()).join(', ');
};

function contentWords({ unit }: PlotCells, { value, words }: PlotCell): string {
  return [value === undefined ? '' : valueText(value, unit), words].filter((part) => part !== '').join(', ');
}

function scaled(value: number, { isLog }: PlotCells): number {
  return isLog ? Math.log10(value) : value;
}

type Room = { readonly widthPx: number; readonly heightPx: number };

/** About how large a cell is: names of the axis upwards take their part. */
function roomOf({ x, y }: Plot, widthPx: number, heightPx: number): Room {
  const [columns, rows] = [x, y].map((axis) => (axis.kind === 'names' ? axis.names.length : 1));
  const names = y.kind === 'names' ? y.names : [];
  const besidePx = 40 + Math.min(labelPxMax(widthPx), letterPx * Math.max(0, ...names.map((name) => name.length)));
  return { widthPx: (widthPx - besidePx) / (columns ?? 1), heightPx: (heightPx - belowPx) / (rows ?? 1) };
}

const labelPxMax = (widthPx: number): number => Math.max(60, widthPx * 0.28);

function namesOption(axis: PlotAxis, look: Look, widthPx: number): Record<string, unknown> {
  return {
    type: 'category',
    data: axis.kind === 'names' ? axis.names : [],
    ...titleOption(axis, look),
    axisLabel: { color: look.muted, fontSize: 12, hideOverlap: true, width: labelPxMax(widthPx), overflow: 'truncate' },
    axisLine: { show: false },
    axisTick: { show: false },
  };
}

function cellOption(cell: PlotCell, cells: PlotCells, look: Look, room: Room): Record<string, unknown> {
  const { x, y, value, sign } = cell;
  const text = value === undefined ? sign : `${valueText(value, cells.unit)} ${sign}`.trim();
  const shown = [text, sign].find((each) => each.length * letterPx + 6 <= room.widthPx) ?? '';
  const isShown = shown !== '' && room.heightPx >= rowPxMin;
  if (value === undefined) {
    const label = { show: isShown, formatter: shown, color: look.muted, fontSize: 12 };
    return { value: [x, y, scaled(cells.min, cells)], visualMap: false, itemStyle: { color: look.grid }, label };
  }
  const at = scaled(value, cells);
  const [low, high] = [scaled(cells.min, cells), scaled(cells.max, cells)];
  const color = textOn(mixed(look.heat, high === low ? 0 : (at - low) / (high - low)));
  return { value: [x, y, at], label: { show: isShown, formatter: shown, color, fontSize: 12 } };
}

/** As an element, never as text to be parsed: names come from the scenario. */
function tooltip(plot: Plot, cells: PlotCells, given: unknown): HTMLElement {
  const box = document.createElement('div');
  const cell = cells.cells[(given as { readonly dataIndex: number }).dataIndex];
  if (cell === undefined) return box;
  const head = document.createElement('strong');
  head.textContent = placeWords(plot, cell);
  const row = document.createElement('div');
  row.textContent = `${cells.name}: ${contentWords(cells, cell)}`;
  box.append(head, row);
  return box;
}
