// The script of a report: draws its charts, switches its theme, and prints it in the light one.

import type { Plot } from '../plot.ts';
import { PlotView } from './plot-view.ts';

const root = document.documentElement;
const stored = document.getElementById('plots')?.textContent ?? '{}';
const plots = JSON.parse(stored) as Readonly<Record<string, Plot>>;
const spoken = document.getElementById('spoken') ?? undefined;
const views: PlotView[] = [];

for (const element of document.querySelectorAll<HTMLElement>('[data-plot]')) {
  const plot = plots[element.dataset['plot'] ?? ''];
  if (plot !== undefined) views.push(new PlotView(element, plot, spoken));
}

const drawAll = (): void => {
  for (const view of views) view.draw();
};

const darkWanted = matchMedia('(prefers-color-scheme: dark)');
const button = document.getElementById('theme');

function showTheme(): void {
  const isDark = root.dataset['theme'] === 'dark' || (root.dataset['theme'] === undefined && darkWanted.matches);
  button?.setAttribute('aria-pressed', String(isDark));
  drawAll();
}

if (button !== null) {
  button.hidden = false;
  button.addEventListener('click', () => {
    root.dataset['theme'] = button.getAttribute('aria-pressed') === 'true' ? 'light' : 'dark';
    showTheme();
  });
}
darkWanted.addEventListener('change', showTheme);

let themeBeforePrint: string | undefined;
addEventListener('beforeprint', () => {
  themeBeforePrint = root.dataset['theme'];
  root.dataset['theme'] = 'light';
  drawAll();
});
addEventListener('afterprint', () => {
  if (themeBeforePrint === undefined) delete root.dataset['theme'];
  else root.dataset['theme'] = themeBeforePrint;
  drawAll();
});

showTheme();
document.getElementById('not-drawn')?.remove();
