// A page with charts: draws them, switches its theme, and prints it in the light one.

import type { Plot } from '../plot.ts';
import { PlotView } from './plot-view.ts';

type Plots = Readonly<Record<string, Plot>>;

const root = document.documentElement;
const darkWanted = matchMedia('(prefers-color-scheme: dark)');

export class ChartPage {
  readonly #views = new Map<HTMLElement, PlotView>();
  readonly #button = document.getElementById('theme');
  /** A live region: what a screen reader is to say. */
  readonly #spoken = document.getElementById('spoken') ?? undefined;
  #themeBeforePrint: string | undefined;

  /** Of the document as it is: its plots stand in it. */
  constructor() {
    this.show(JSON.parse(document.getElementById('plots')?.textContent ?? '{}') as Plots);
    this.#switchThemes();
    this.#print();
    this.#showTheme();
    document.getElementById('not-drawn')?.remove();
  }

  /** Draws what is new or has changed, and forgets the charts that have gone. */
  show(plots: Plots): void {
    for (const [element, view] of this.#views) {
      if (element.isConnected) continue;
      view.end();
      this.#views.delete(element);
    }
    for (const element of document.querySelectorAll<HTMLElement>('[data-plot]')) {
      const plot = plots[element.dataset['plot'] ?? ''];
      if (plot === undefined) continue;
      const view = this.#views.get(element);
      if (view !== undefined) view.update(plot);
      else this.#views.set(element, new PlotView(element, plot, this.#spoken));
    }
  }

  say(words: string): void {
    if (this.#spoken !== undefined) this.#spoken.textContent = words;
  }

  #drawAll(): void {
    for (const view of this.#views.values()) view.draw();
  }

  #switchThemes(): void {
    const button = this.#button;
    darkWanted.addEventListener('change', () => this.#showTheme());
    if (button === null) return;
    button.hidden = false;
    button.addEventListener('click', () => {
      root.dataset['theme'] = button.getAttribute('aria-pressed') === 'true' ? 'light' : 'dark';
      this.#showTheme();
    });
  }

  #showTheme(): void {
    const isDark = root.dataset['theme'] === 'dark' || (root.dataset['theme'] === undefined && darkWanted.matches);
    this.#button?.setAttribute('aria-pressed', String(isDark));
    this.#drawAll();
  }

  #print(): void {
    addEventListener('beforeprint', () => {
      this.#themeBeforePrint = root.dataset['theme'];
      root.dataset['theme'] = 'light';
      this.#drawAll();
    });
    addEventListener('afterprint', () => {
      if (this.#themeBeforePrint === undefined) delete root.dataset['theme'];
      else root.dataset['theme'] = this.#themeBeforePrint;
      this.#drawAll();
    });
  }
}
