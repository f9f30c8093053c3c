// plan.html: a capacity plan as a page. The answer first, then a part a kind of site, then what it rests on.

import type { CapacityPlan, SitePlan } from '../../simulator/result/capacity-plan.ts';
import {
  answerLines,
  askedText,
  candidateRows,
  figureRows,
  planRunsText,
  planVerdictWords,
  type Rows,
  sensitivityRows,
  siteTitle,
} from '../plan-words.ts';
import { originText } from '../words.ts';
import { answerSection, type Ground } from './answer.ts';
import type { Chart } from './chart.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { pageOf } from './page-frame.ts';
import { chartHtml, linesHtml, tableHtml } from './parts.ts';
import { planCharts } from './plan-charts.ts';

const grounds: Readonly<Record<CapacityPlan['verdict'], Ground>> = {
  found: 'pass',
  none: 'fail',
  interrupted: 'doubt',
};

/** The whole page, in UTF-8. The same plan gives the same page. */
export function planPage(plan: CapacityPlan): string {
  const sites = plan.sites.map((site) => ({ site, charts: planCharts(site, plan.asked.deadlineMs) }));
  const charts = sites.flatMap((each) => each.charts);
  return pageOf({
    title: `${planVerdictWords[plan.verdict]}: ${plan.name}`,
    links: [
      ['answer', 'Answer'],
      ...plan.sites.map(({ id }) => [`site-${id}`, id] as const),
      ['basis', 'What it rests on'],
    ],
    opening: openingHtml(plan),
    rest: html`${sites.map(({ site, charts: ofSite }) => siteHtml(plan, site, ofSite))}
${basisHtml(plan)}`,
    plots: Object.fromEntries(charts.map(({ id, plot }) => [id, plot])),
    source: 'Everything here comes from plan.json beside this file.',
  });
}

function openingHtml(plan: CapacityPlan): Html {
  const [first = 'Nothing is known yet.', ...others] = answerLines(plan);
  return answerSection(
    { about: plan.question === undefined ? 'Capacity plan' : plan.name, question: plan.question ?? plan.name },
    { ground: grounds[plan.verdict], words: planVerdictWords[plan.verdict], reason: first },
    html`<div class="card"><ul class="lines">${[`${askedText(plan)}.`, ...others].map((line) => html`<li>${line}</li>`)}</ul></div>`,
  );
}

function siteHtml(plan: CapacityPlan, site: SitePlan, charts: readonly Chart[]): Html {
  const id = `site-${site.id}`;
  return html`<section id="${id}" aria-labelledby="${id}-heading"><h2 id="${id}-heading">${siteTitle(site)}</h2>
${cardHtml('What it takes', figureRows(plan, site), site)}
${cardHtml('Each class', candidateRows(plan, site), site)}
${charts.length === 0 ? undefined : html`<div class="charts">${charts.map((chart, index) => chartHtml(chart, index === 0))}</div>`}
${cardHtml('What if', sensitivityRows(plan, site), site)}
${documentedHtml(site)}
</section>
`;
}

/** Nothing where there are no rows. */
function cardHtml(title: string, rows: Rows, { id }: SitePlan): HtmlValue {
  if (rows.rows.length === 0) return undefined;
  const [first = '', ...others] = rows.head;
  const table = {
    head: [first === '' ? 'what' : first, ...others],
    rows: rows.rows.map((row) => row.map((text) => text.trim())),
  };
  return html`<div class="card"><h3>${title}</h3>${tableHtml(table, `${title}: ${id}`, { isText: true })}</div>`;
}

/** Sentences, which a table would squeeze. */
function documentedHtml({ documented }: SitePlan): HtmlValue {
  if (documented.length === 0) return undefined;
  return html`<div class="card"><h3>Beside Microsoft’s sizing tables</h3><ul class="lines">${documented.map(
    ({
      source,
      says,
      computed,
      agrees,
      why,
    }) => html`<li><strong class="${agrees ? 'pass' : 'doubt'}">${agrees ? '✓ agrees' : '≠ differs'}</strong>: it says ${says}; computed: ${computed}. ${why} <span class="hint">${source}</span></li>
`,
  )}</ul></div>`;
}

function basisHtml(plan: CapacityPlan): Html {
  return html`<section id="basis" aria-labelledby="basis-heading"><h2 id="basis-heading">What it rests on</h2>
${linesHtml('Notes', plan.notes)}
<div class="card"><h3>Classes of node</h3><ul class="lines">${plan.asked.classes.map(({ id, name, source }) => html`<li>${name} (<code>${id}</code>): ${source}</li>`)}</ul></div>
<div class="card"><h3>How to make it again</h3><pre class="command" tabindex="0" aria-label="The command that makes the plan again">${plan.command}</pre>
<p class="hint">${planRunsText(plan)}. ${originText(plan)}.${plan.source === undefined ? undefined : ` Figures: ${plan.source}.`}</p>
<details><summary>The plan file</summary><pre tabindex="0" aria-label="The plan file">${plan.text}</pre></details></div>
</section>
`;
}
