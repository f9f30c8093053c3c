// Parts that all pages are made of: tables, lists, charts with what they say and the numbers behind them.

import type { Chart, Table } from './chart.ts';
import { Html, type HtmlValue, html } from './html.ts';
import type { IntervalKind, Plot, PlotLine } from './plot.ts';

/** Where a long name may be broken. */
export function breakable(name: string): Html {
  const parts = name.split(/(?<=\.)(?=[a-z])/i);
  return html`${parts.map((part, index) => (index === 0 ? html`${part}` : html`<wbr>${part}`))}`;
}

/** `label`: what a screen reader calls it. Numbers stand at the right in all columns but the first. */
export function tableHtml(
  { head, rows }: Table,
  label: string,
  look: { readonly isTall?: boolean; readonly isText?: boolean } = {},
): Html {
  const kind = look.isText === true ? '' : 'number';
  const [first = '', ...others] = head;
  return html`<div class="scroll${look.isTall === true ? ' tall' : ''}" tabindex="0" role="group" aria-label="${label}"><table>
<thead><tr><th scope="col">${first}</th>${others.map((name) => html`<th scope="col" class="${kind}">${breakable(name)}</th>`)}</tr></thead>
<tbody>${rows.map(
    ([name = '', ...cells]) =>
      html`<tr><th scope="row">${breakable(name)}</th>${cells.map((cell) => html`<td class="${kind}">${cell}</td>`)}</tr>
`,
  )}</tbody></table></div>`;
}

/** Nothing where there are no lines. */
export function linesHtml(title: string, lines: readonly string[]): HtmlValue {
  if (lines.length === 0) return undefined;
  return html`<div class="card"><h3>${title}</h3><ul class="lines">${lines.map((line) => html`<li>${line}</li>`)}</ul></div>`;
}

export function chartHtml(chart: Chart, isWide: boolean): Html {
  const { id, title, summary, notes, plot, table } = chart;
  return html`<figure class="card chart${isWide ? ' wide' : ''}" aria-labelledby="${id}-title">
<div><h3 id="${id}-title">${title}</h3><p class="hint" id="${id}-says">${summary}</p></div>
<ul class="legend">${legendOf(plot)}</ul>
<div class="plot" data-plot="${id}" tabindex="0" role="img" aria-labelledby="${id}-title" aria-describedby="${id}-says keys"${plotHeight(chart)}></div>
<div>${notes.map((note) => html`<p class="hint">${note}</p>`)}
<details><summary>Table<span class="unseen">: ${title}</span></summary>${tableHtml(table, `Table: ${title}`, { isTall: true })}</details></div>
</figure>
`;
}

/** A bar a name: as high as there are names. */
function plotHeight({ plot }: Chart): HtmlValue {
  if (plot.y.kind !== 'names') return undefined;
  const rows = plot.y.names.length;
  if (plot.intervals !== undefined) return new Html(` style="height:${44 + 34 * rows}px"`);
  const isBars = plot.lines[0]?.shape === 'bars';
  if (plot.cells !== undefined) return new Html(` style="height:${100 + Math.max(120, 32 * rows)}px"`);
  return new Html(` style="height:${isBars ? 60 + 26 * rows : Math.max(150, 70 + 40 * rows)}px"`);
}

function legendOf({ lines, intervals }: Plot): HtmlValue {
  if (intervals !== undefined) {
    const kinds = (['fail', 'doubt', 'pass'] as const).filter((kind) => intervals.some((each) => each.kind === kind));
    return kinds.map(
      (kind) =>
        html`<li class="${kind}"><svg width="26" height="14" aria-hidden="true"><path d="M0 7H26" stroke="currentColor" stroke-width="2"/>${intervalSigns[kind]}</svg>${intervalWords[kind]}</li>`,
    );
  }
  return lines.length > 1 || lines[0]?.shape !== 'bars' ? lines.map(legendHtml) : undefined;
}

const intervalWords: Readonly<Record<IntervalKind, string>> = {
  fail: 'worse',
  doubt: 'the runs do not tell',
  pass: 'not worse',
};
const intervalSigns: Readonly<Record<IntervalKind, Html>> = {
  fail: html`<path d="M13 0l7 7-7 7-7-7z" fill="currentColor"/>`,
  doubt: html`<path d="M13 0l7 13H6z" fill="currentColor"/>`,
  pass: html`<circle cx="13" cy="7" r="5" fill="currentColor"/>`,
};

const dashSamples: Readonly<Record<PlotLine['dash'], string>> = { solid: '', dashed: '7 4', dotted: '2 3' };

function legendHtml({ name, tone, dash, shape }: PlotLine): Html {
  const ground =
    shape === 'stack' || shape === 'area'
      ? html`<rect width="26" height="12" fill="var(--tone-${tone})" opacity="0.3"/>`
      : undefined;
  return html`<li><svg width="26" height="12" aria-hidden="true">${ground}<line x1="0" y1="${ground === undefined ? 6 : 1.5}" x2="26" y2="${ground === undefined ? 6 : 1.5}" stroke="var(--tone-${tone})" stroke-width="2.5" stroke-dasharray="${dashSamples[dash]}"/></svg>${name}</li>`;
}
