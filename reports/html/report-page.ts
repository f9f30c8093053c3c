// report.html: one file with everything in it, which opens anywhere, and asks nobody for anything.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import type { Result } from '../../simulator/result/result.ts';
import { purposeNames, resultWords } from '../words.ts';
import { chartsOf } from './charts.ts';
import { factsSection, machineSection, predictionSection, scenarioSection } from './closing-sections.ts';
import { firstScreen } from './first-screen.ts';
import { Html, html, jsonForScript } from './html.ts';
import { predictionCharts } from './prediction-charts.ts';
import { runSection } from './run-section.ts';
import { themeStyle } from './theme.ts';

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='3' fill='%231d63c4'/%3E%3Cpath d='M3 12V8m3.3 4V4m3.4 8V6m3.3 6V9' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E";

/** The whole page, in UTF-8. The same result gives the same page. */
export function reportPage(result: Result): string {
  const sections = result.runs.map((run) => ({ run, charts: chartsOf(run, result) }));
  const comparison = predictionCharts(result);
  const charts = [...sections.flatMap((section) => section.charts), ...comparison];
  const plots = Object.fromEntries(charts.map(({ id, plot }) => [id, plot]));
  const style = `${themeStyle()}\n${readFileSync(join(repositoryRoot, 'reports/html/style.css'), 'utf8')}`;
  const script = readFileSync(join(repositoryRoot, 'dist/reports/html/browser/page.js'), 'utf8');
  const { scenario, verdict } = result;
  return html`<!doctype html>
<html lang="en"><head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${contentPolicy(script)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${resultWords[verdict]}: ${scenario.name}</title>
<link rel="icon" href="${icon}">
<style>${new Html(style)}</style>
</head><body>
<a class="skip" href="#main">To the answer</a>
<header class="top"><div class="frame"><span class="brand">Delivery Optimization simulator</span>
<nav aria-label="Parts of this page"><ul>${linksOf(result).map(([id, words]) => html`<li><a href="#${id}">${words}</a></li>`)}</ul></nav>
<button id="theme" type="button" aria-pressed="false" hidden>Dark</button></div></header>
<main id="main" class="frame">
${firstScreen(result)}
<p class="card" id="not-drawn">The charts are drawn by a script, which did not run. The tables behind them have the same numbers.</p>
${factsSection(result)}
${sections.map(({ run, charts: ofRun }) => runSection(run, result, ofRun))}
${predictionSection(comparison)}
${machineSection(result)}
${scenarioSection(result)}
</main>
<footer class="frame"><p>Everything here comes from result.json beside this file; “sim report” makes the page of it again.</p>
<p class="unseen" id="keys">The arrow keys go through its points.</p>
<p class="unseen" id="spoken" aria-live="polite"></p></footer>
<script type="application/json" id="plots">${jsonForScript(plots)}</script>
<script>${new Html(script)}</script>
</body></html>
`.text;
}

/** Nothing is loaded and only our script runs; ECharts sets styles of elements, which load nothing either. */
function contentPolicy(script: string): string {
  const hash = createHash('sha256').update(script).digest('base64');
  return `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
}

function linksOf({ runs, prediction }: Result): readonly (readonly [id: string, words: string])[] {
  return [
    ['answer', 'Answer'],
    ['figures', 'Figures'],
    ...runs.map(({ purpose }) => [purpose, purposeNames[purpose]] as const),
    ...(prediction === undefined ? [] : [['comparison', 'Comparison'] as const]),
    ['machine', 'Machine'],
    ['scenario', 'Scenario'],
  ];
}
