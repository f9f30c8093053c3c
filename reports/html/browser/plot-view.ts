// A plot in the page: drawn, drawn again when its width or the theme change, and walked through with the arrow keys.

import { BarChart, LineChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent, TooltipComponent } from 'echarts/components';
import { type EChartsType, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import type { Plot } from '../plot.ts';
import { currentLook } from './look.ts';
import { axisText, plotOption, pointText } from './plot-option.ts';

use([BarChart, LineChart, GridComponent, MarkLineComponent, TooltipComponent, SVGRenderer]);

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
    this.#chart.setOption(plotOption(this.#plot, currentLook(), width), { notMerge: true });
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
    const [line] = this.#plot.lines;
    if (line === undefined) return;
    const last = line.points.length - 1;
    const step = Math.max(1, Math.round(last / 60));
    const places: Readonly<Record<string, number>> = {
      ArrowRight: this.#place + step,
      ArrowLeft: this.#place < 0 ? last : this.#place - step,
      Home: 0,
      End: last,
    };
    if (event.key === 'Escape') this.#leave();
    const wanted = places[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    this.#place = Math.min(last, Math.max(0, wanted));
    this.#chart.dispatchAction({ type: 'showTip', seriesIndex: 0, dataIndex: this.#place });
    if (this.#spoken !== undefined) this.#spoken.textContent = this.#words(this.#place);
  }

  #leave(): void {
    this.#place = -1;
    this.#chart.dispatchAction({ type: 'hideTip' });
    this.#chart.dispatchAction({ type: 'downplay' });
  }

  /** The lines at a place of the first one: those of a plot over time share their places. */
  #words(place: number): string {
    const { lines, x, y } = this.#plot;
    const at = lines[0]?.points[place];
    if (at === undefined) return '';
    const values = lines.flatMap((line) => {
      const point = line.points[place];
      return point === undefined ? [] : [`${line.name} ${pointText(this.#plot, line, point)}`];
    });
    return `${lines[0]?.shape === 'bars' ? axisText(y, at[1]) : axisText(x, at[0])}: ${values.join(', ')}`;
  }
}

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
