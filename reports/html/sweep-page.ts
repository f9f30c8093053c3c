// sweep.html: a sweep as a page: what came of it all, its pictures, and a row for each combination.

import { formatCount } from '../../common/units.ts';
import type { Sweep } from '../../simulator/result/sweep.ts';
import {
  axisHeads,
  bottleneckText,
  cellsOf,
  cellText,
  longReasons,
  outcomeText,
  seedsNote,
  sweepVerdictWords,
  titleOf,
  whyText,
} from '../sweep-words.ts';
import { originText } from '../words.ts';
import { answerSection, type Ground } from './answer.ts';
import { scenarioSection } from './closing-sections.ts';
import { type Html, html } from './html.ts';
import { pageOf } from './page-frame.ts';
import { chartHtml, linesHtml, tableHtml } from './parts.ts';
import { slicesLeftOut, sweepCharts } from './sweep-charts.ts';

/** A browser scrolls through so many; sweep.csv has all. */
const rowsMax = 1000;
const reasonsMax = 20;

/** The whole page, in UTF-8. The same sweep gives the same page. */
export function sweepPage(sweep: Sweep): string {
  const charts = sweepCharts(sweep);
  return pageOf({
    title: `${sweepVerdictWords[sweep.verdict]}: ${titleOf(sweep)}`,
    links: [
      ['answer', 'Answer'],
      ['pictures', 'Pictures'],
      ['runs', 'All runs'],
      ['scenario', 'Scenario'],
    ],
    opening: answer(sweep),
    rest: html`<section id="pictures" aria-labelledby="pictures-heading"><h2 id="pictures-heading">${sweep.axes.length === 1 ? 'Curves' : 'Heat maps'}</h2>
${leftOut(sweep)}
<div class="charts">${charts.map((chart, index) => chartHtml(chart, index === 0 && sweep.axes.length <= 2))}</div></section>
${runs(sweep)}
${scenarioSection(sweep)}`,
    plots: Object.fromEntries(charts.map(({ id, plot }) => [id, plot])),
    source: `Everything here comes from sweep.json beside this file, made by ${originText(sweep)}.`,
  });
}

const grounds: Readonly<Record<Sweep['verdict'], Ground>> = {
  pass: 'pass',
  fail: 'fail',
  inconclusive: 'doubt',
  notCarriedOut: 'doubt',
  impossible: 'fail',
  interrupted: 'doubt',
};

function answer(sweep: Sweep): Html {
  const { scenario, axes, verdict, reason, world } = sweep;
  const note = seedsNote(sweep);
  return answerSection(
    { about: `${scenario.name}, swept in the ${world} world`, question: scenario.question ?? scenario.name },
    { ground: grounds[verdict], words: sweepVerdictWords[verdict], reason },
    html`<div class="card"><h2>What was varied</h2><dl class="pairs">${axes.map(
      ({ name, values }) => html`<dt><code>${name}</code></dt><dd>${values.map(({ text }) => text).join(', ')}</dd>`,
    )}</dl>${note === undefined ? undefined : html`<p class="hint">${note}</p>`}</div>`,
  );
}

function leftOut(sweep: Sweep): Html | undefined {
  const count = slicesLeftOut(sweep);
  if (count === 0) return undefined;
  return html`<p class="hint">${formatCount(count)} more combinations of ${axisHeads(sweep.axes).slice(2).join(' and ')} are in the table only.</p>`;
}

function runs(sweep: Sweep): Html {
  const cells = cellsOf(sweep);
  const { axes, metrics } = sweep;
  const table = {
    head: [...axisHeads(axes), 'verdict', ...metrics, 'limit', 'why'],
    rows: cells.slice(0, rowsMax).map((cell) => {
      const values = metrics.map((metric) => cellText(cell, metric));
      return [...cell.texts, outcomeText(cell), ...values, bottleneckText(cell), whyText(cell)];
    }),
  };
  const left = cells.length - rowsMax;
  return html`<section id="runs" aria-labelledby="runs-heading"><h2 id="runs-heading">All runs</h2>
<div class="card">${tableHtml(table, 'All runs', { isTall: true, isText: true })}
${left > 0 ? html`<p class="hint">${formatCount(left)} more are in sweep.csv.</p>` : undefined}
<p class="hint">“Limit” is what bound most bytes in the model, or was full. Each run by itself: the commands in sweep.json.</p></div>
${linesHtml('Why, in full', longReasons(cells).slice(0, reasonsMax))}</section>
`;
}
