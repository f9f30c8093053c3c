// A plot in the page: drawn, drawn again when its width or the theme change, and walked through with the arrow keys.

import { BarChart, CustomChart, HeatmapChart, LineChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent, TooltipComponent, VisualMapContinuousComponent } from 'echarts/components';
import { type EChartsCoreOption, type EChartsType, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Plot, PlotCells, PlotPoint } from '../plot.ts';
import { cellsOption, cellWords } from './cells-option.ts';
import { intervalsOption } from './intervals-option.ts';
import { currentLook } from './look.ts';
import { axisText, plotOption, pointText } from './plot-option.ts';

use([
  ...[BarChart, CustomChart, HeatmapChart, LineChart],
  ...[GridComponent, MarkLineComponent, TooltipComponent, VisualMapContinuousComponent],
  SVGRenderer,
]);

const cellSteps: Readonly<Record<string, readonly [x: number, y: number]>> = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

export class PlotView {
  readonly #element: HTMLElement;
  readonly #chart: EChartsType;
  readonly #spoken: HTMLElement | undefined;
  readonly #observer: ResizeObserver;
  #plot: Plot;
  #place = -1;
  /** As it was drawn; 0 before. */
  #widthPx = 0;

  /**
   * Not yet drawn. `spoken`: a live region, in which a screen reader hears the point that the arrow keys have come to.
   */
  constructor(element: HTMLElement, plot: Plot, spoken?: HTMLElement) {
    this.#element = element;
    this.#plot = plot;
    this.#spoken = spoken;
    this.#chart = init(element, null, { renderer: 'svg', width: 300, height: 200 });
    // It reports first when it begins: then it is drawn already.
    this.#observer = new ResizeObserver(() => {
      if (element.clientWidth !== this.#widthPx) this.draw();
    });
    this.#observer.observe(element);
    element.addEventListener('keydown', (event) => this.#onKey(event));
    element.addEventListener('blur', () => this.#leave());
  }

  /** In the present theme and width. */
  draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#element;
    this.#widthPx = width;
    if (width === 0) return; // in a closed part of the page: drawn when it opens
    this.#chart.resize({ width, height });
    this.#chart.setOption(optionOf(this.#plot, width, height), { notMerge: true });
    // On paper it is scaled: no script runs when the page gets the paper's width.
    this.#element.querySelector('svg')?.setAttribute('viewBox', `0 0 ${width} ${height}`);
  }

  /** Another plot of the same thing: a reader stays where they are, at the same moment or name. */
  update(plot: Plot): void {
    if (JSON.stringify(plot) === JSON.stringify(this.#plot)) return;
    const isRead = this.#place >= 0;
    if (isRead) this.#place = samePlace(this.#plot, plot, this.#place);
    // Otherwise the tooltip would stay at the same pixel, where another moment is now.
    if (isRead) this.#chart.dispatchAction({ type: 'hideTip' });
    this.#plot = plot;
    this.draw();
    if (isRead) this.#chart.dispatchAction({ type: 'showTip', seriesIndex: 0, dataIndex: this.#place });
  }

  /** Its element has gone. */
  end(): void {
    this.#observer.disconnect();
    this.#chart.dispose();
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key === 'Escape') this.#leave();
    const { cells } = this.#plot;
    const wanted = cells === undefined ? this.#pointAfter(event.key) : this.#cellAfter(cells, event.key);
    if (wanted === undefined) return;
    event.preventDefault();
    this.#chart.dispatchAction({ type: 'downplay', seriesIndex: 0, dataIndex: this.#place });
    this.#place = wanted;
    this.#chart.dispatchAction({ type: 'showTip', seriesIndex: 0, dataIndex: this.#place });
    if (cells !== undefined) this.#chart.dispatchAction({ type: 'highlight', seriesIndex: 0, dataIndex: this.#place });
    if (this.#spoken !== undefined) this.#spoken.textContent = this.#words(this.#place);
  }

  /** Along the first line, or from interval to interval, in at most 60 steps. */
  #pointAfter(key: string): number | undefined {
    const { lines, intervals } = this.#plot;
    const last = (intervals ?? lines[0]?.points ?? []).length - 1;
    if (last < 0) return undefined;
    const step = Math.max(1, Math.round(last / 60));
    const places: Readonly<Record<string, number>> = {
      ArrowRight: this.#place + step,
      ArrowLeft: this.#place < 0 ? last : this.#place - step,
      Home: 0,
      End: last,
    };
    const wanted = places[key];
    return wanted === undefined ? undefined : Math.min(last, Math.max(0, wanted));
  }

  /** In all four directions; where there is no cell, the place stays. */
  #cellAfter({ cells }: PlotCells, key: string): number | undefined {
    if (key === 'Home') return 0;
    if (key === 'End') return cells.length - 1;
    const step = cellSteps[key];
    if (step === undefined) return undefined;
    const at = cells[this.#place];
    if (at === undefined) return 0;
    const next = cells.findIndex(({ x, y }) => x === at.x + step[0] && y === at.y + step[1]);
    return next < 0 ? this.#place : next;
  }

  #leave(): void {
    this.#place = -1;
    this.#chart.dispatchAction({ type: 'hideTip' });
    this.#chart.dispatchAction({ type: 'downplay' });
  }

  /** The lines at a place of the first one: those of a plot over time share their places. */
  #words(place: number): string {
    const { lines, x, y, cells, intervals } = this.#plot;
    const interval = intervals?.[place];
    if (interval !== undefined) return `${axisText(y, place)}: ${interval.words}`;
    const cell = cells?.cells[place];
    if (cells !== undefined && cell !== undefined) return cellWords(this.#plot, cells, cell);
    const at = lines[0]?.points[place];
    if (at === undefined) return '';
    const values = lines.flatMap((line) => {
      // Dots are some of the points of the first line.
      const point = line.shape === 'dots' ? line.points.find((dot) => isSame(dot, at)) : line.points[place];
      return point === undefined ? [] : [`${line.name} ${pointText(this.#plot, line, point)}`];
    });
    return `${lines[0]?.shape === 'bars' ? axisText(y, at[1]) : axisText(x, at[0])}: ${values.join(', ')}`;
  }
}

const isSame = (a: PlotPoint, b: PlotPoint): boolean => a[0] === b[0] && a[1] === b[1];

/** The point that is nearest to where a place was; among names, the same place. */
function samePlace(before: Plot, after: Plot, place: number): number {
  const [old, line] = [before.lines[0], after.lines[0]];
  const last = (line?.points.length ?? 1) - 1;
  const at = old?.points[place]?.[0];
  if (line === undefined || at === undefined || after.x.kind === 'names' || line.shape === 'bars') {
    return Math.min(place, last);
  }
  const distance = (index: number): number => Math.abs((line.points[index]?.[0] ?? Number.POSITIVE_INFINITY) - at);
  return line.points.reduce((nearest, _, index) => (distance(index) < distance(nearest) ? index : nearest), 0);
}

function optionOf(plot: Plot, widthPx: number, heightPx: number): EChartsCoreOption {
  const { cells, intervals } = plot;
  if (cells !== undefined) return cellsOption(plot, cells, currentLook(), { widthPx, heightPx });
  if (intervals !== undefined) return intervalsOption(plot, intervals, currentLook(), widthPx);
  return plotOption(plot, currentLook(), widthPx);
}
