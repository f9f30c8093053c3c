// What every page is: one file with everything in it, which opens anywhere, and asks nobody for anything. The page of a run that
// goes on is the same, but for its script, which asks whoever served it for what has changed.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { Html, type HtmlValue, html, jsonForScript } from './html.ts';
import type { PageChange } from './page-change.ts';
import type { Plot } from './plot.ts';
import { themeStyle } from './theme.ts';

const icon =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='3' fill='%231d63c4'/%3E%3Cpath d='M3 12V8m3.3 4V4m3.4 8V6m3.3 6V9' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E";

export type PageParts = {
  readonly title: string;
  /** To the parts of the page: the id of each and its name. */
  readonly links: readonly (readonly [id: string, words: string])[];
  /** What stands first; without scripts, a word on that stands behind it. */
  readonly opening: HtmlValue;
  readonly rest: HtmlValue;
  /** What is drawn, by the id of its chart. */
  readonly plots: Readonly<Record<string, Plot>>;
  /** Where all this comes from, in a sentence. */
  readonly source: string;
};

/** The whole page, in UTF-8. The same parts give the same page. `run`: names the run that the page is to follow (a live page). */
export function pageOf({ title, links, opening, rest, plots, source }: PageParts, run?: string): string {
  const style = `${themeStyle()}\n${readFileSync(join(repositoryRoot, 'reports/html/style.css'), 'utf8')}`;
  const { script, policy } = scriptOf(run === undefined ? 'page' : 'live-page');
  return html`<!doctype html>
<html lang="en"><head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="${icon}">
<style>${new Html(style)}</style>
</head><body${run === undefined ? undefined : html` data-run="${run}"`}>
<a class="skip" href="#main">To the answer</a>
<header class="top"><div class="frame"><span class="brand">Delivery Optimization simulator</span>
<nav aria-label="Parts of this page"><ul id="parts">${linksHtml(links)}</ul></nav>
<button id="theme" type="button" aria-pressed="false" hidden>Dark</button></div></header>
${run === undefined ? undefined : html`<div class="frame"><p id="connection" class="answer doubt" role="status" hidden></p></div>`}
<main id="main" class="frame">
${opening}
<p class="card" id="not-drawn">The charts are drawn by a script, which did not run. The tables behind them have the same numbers.</p>
${rest}
</main>
<footer class="frame"><p id="source">${source}</p>
<p class="unseen" id="keys">The arrow keys go through its points.</p>
<p class="unseen" id="spoken" aria-live="polite"></p></footer>
<script type="application/json" id="plots">${jsonForScript(plots)}</script>
<script>${new Html(script)}</script>
</body></html>
`.text;
}

/** What an open live page becomes. */
export function changeOf({ title, links, opening, rest, plots, source }: PageParts): PageChange {
  return { title, links: linksHtml(links).text, main: html`${opening}${rest}`.text, plots, source };
}

/** What holds a live page to this, as a header: what its own policy says, and that nobody puts it into a frame. */
export function livePagePolicy(): string {
  return `${scriptOf('live-page').policy}; frame-ancestors 'none'`;
}

function linksHtml(links: PageParts['links']): Html {
  return html`${links.map(([id, words]) => html`<li><a href="#${id}">${words}</a></li>`)}`;
}

type ScriptName = 'page' | 'live-page';
type HeldScript = { readonly script: string; readonly policy: string };

/** Read once: what a server says of its page is true of the page, also when another one is built meanwhile. */
const scripts = new Map<ScriptName, HeldScript>();

function scriptOf(name: ScriptName): HeldScript {
  const known = scripts.get(name);
  if (known !== undefined) return known;
  const script = readFileSync(join(repositoryRoot, `dist/reports/html/browser/${name}.js`), 'utf8');
  const held = { script, policy: contentPolicy(script, name) };
  scripts.set(name, held);
  return held;
}

/** Nothing is loaded and only our script runs; ECharts sets styles of elements, which load nothing either. */
function contentPolicy(script: string, name: ScriptName): string {
  const hash = createHash('sha256').update(script).digest('base64');
  const connects = name === 'live-page' ? " connect-src 'self';" : '';
  return `default-src 'none'; script-src 'sha256-${hash}';${connects} style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
}
