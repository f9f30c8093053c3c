// compare.html: a comparison as a page: the verdict in words, each finding against its margin, what the runs do not tell, and the
// values behind it.

import type { CandidateComparison, Comparison, MetricComparison } from '../../simulator/compare/comparison.ts';
import {
  changedExpectations,
  changeText,
  intervalText,
  nameText,
  otherMetrics,
  rulesText,
  sameText,
  sideText,
  tellingMetrics,
  untoldLines,
  valuesText,
} from '../comparison-words.ts';
import { resultWords, verdictWords } from '../words.ts';
import { answerSection, verdictGrounds } from './answer.ts';
import type { Chart } from './chart.ts';
import { ratiosChart, runCharts } from './comparison-charts.ts';
import { resultGrounds } from './first-screen.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { judgedTable } from './judged-table.ts';
import { pageOf } from './page-frame.ts';
import { chartHtml, linesHtml, tableHtml } from './parts.ts';

/** The whole page, in UTF-8. The same comparison gives the same page. */
export function comparisonPage(comparison: Comparison): string {
  const { scenario, candidates, verdict, tool } = comparison;
  const parts = candidates.map((candidate, place) => candidatePart(candidate, place, comparison));
  const charts = parts.flatMap((part) => part.charts);
  return pageOf({
    title: `${resultWords[verdict]}: ${scenario}, compared`,
    links: [
      ['answer', 'Answer'],
      ...candidates.map(({ label }, place) => [`candidate-${place}`, nameOf(label, candidates)] as const),
      ['rules', 'How it was judged'],
    ],
    opening: answer(comparison),
    rest: html`${parts.map(({ section }) => section)}
<section id="rules" aria-labelledby="rules-heading"><h2 id="rules-heading">How it was judged</h2>
<div class="card"><p>${rulesText(comparison)}</p></div></section>
`,
    plots: Object.fromEntries(charts.map(({ id, plot }) => [id, plot])),
    source: `Everything here comes from compare.json beside this file, made by ${tool.name} ${tool.version}.`,
  });
}

function nameOf(label: string, { length }: readonly unknown[]): string {
  return length === 1 ? 'Candidate' : label;
}

function answer({ scenario, base, candidates, verdict, reason }: Comparison): Html {
  const several = candidates.length > 1;
  const sides = [
    ['base', sideText(base)],
    ...candidates.map((each) => ['candidate', sideText(each)] as const),
  ] as const;
  const leftOut = [base, ...candidates].flatMap((side) => side.leftOut.map((each) => `left out: ${each}`));
  const notes = [...new Set(candidates.flatMap((each) => each.notes)), ...leftOut];
  return answerSection(
    { about: scenario, question: `${several ? 'Are the candidates' : 'Is the candidate'} worse than the base?` },
    { ground: resultGrounds[verdict], words: resultWords[verdict], reason },
    html`<div class="card"><h2>What was compared</h2><dl class="pairs">${sides.map(([what, text]) => html`<dt>${what}</dt><dd>${text}</dd>`)}</dl>
${notes.length === 0 ? undefined : html`<ul class="lines">${notes.map((note) => html`<li>${note}</li>`)}</ul>`}</div>`,
  );
}

type Part = { readonly section: Html; readonly charts: readonly Chart[] };

function candidatePart(candidate: CandidateComparison, place: number, { candidates }: Comparison): Part {
  const { label, metrics, expectations, verdict, reason } = candidate;
  const ratios = ratiosChart(candidate, place);
  const runs = runCharts(candidate, place);
  const telling = tellingMetrics(metrics);
  const changed = changedExpectations(expectations);
  const heading = candidates.length === 1 ? 'What came of it' : `${label}: ${resultWords[verdict]}`;
  const section = html`<section id="candidate-${place}" aria-labelledby="candidate-${place}-heading">
<h2 id="candidate-${place}-heading">${heading}</h2>
${candidates.length === 1 ? undefined : html`<p>${reason}</p>`}
${ratios === undefined ? undefined : chartHtml(ratios, true)}
${changed.length === 0 ? undefined : expectationsHtml(changed)}
${linesHtml('What the runs do not tell', untoldLines(metrics))}
<div class="card"><h3>All that was judged</h3>${telling.length === 0 ? undefined : judgedHtml(telling, metrics)}<p class="hint">${sameText(metrics)}</p></div>
${runsHtml(runs)}
${othersHtml(candidate)}
</section>
`;
  return { section, charts: [...(ratios === undefined ? [] : [ratios]), ...runs.charts] };
}

function judgedHtml(shown: readonly MetricComparison[], metrics: readonly MetricComparison[]): Html {
  const isVaried = shown.some(({ interval }) => interval !== undefined);
  const columns = [
    ...['base', 'candidate', 'change'].map((head) => ({ head, isNumber: true })),
    ...(isVaried ? [{ head: '95 % interval', label: 'interval', isNumber: true }] : []),
  ];
  const rows = shown.map((metric) => ({
    name: nameText(metric, metrics),
    cells: [
      ...[valuesText(metric, metric.base), valuesText(metric, metric.candidate)],
      ...[changeText(metric), intervalText(metric)],
    ],
    ground: verdictGrounds[metric.verdict],
    words: verdictWords[metric.verdict],
    hint: `${metric.role === 'watched' ? 'watched; ' : ''}${metric.reason}`,
  }));
  return judgedTable('metric', columns, rows);
}

function expectationsHtml(changed: CandidateComparison['expectations']): Html {
  const failed = (side: { readonly failedCount: number; readonly judgedCount: number }): string =>
    `${side.failedCount} of ${side.judgedCount}`;
  const table = {
    head: ['expectation', 'failed in the base', 'failed in the candidate', 'verdict', 'why'],
    rows: changed.map(({ text, base, candidate, verdict, reason }) => [
      ...[text, failed(base), failed(candidate)],
      ...[verdictWords[verdict], reason],
    ]),
  };
  return html`<div class="card"><h3>What the scenario expects</h3>${tableHtml(table, 'Expectations that differ', { isText: true })}</div>`;
}

function runsHtml({ charts, leftOut }: ReturnType<typeof runCharts>): HtmlValue {
  if (charts.length === 0) return undefined;
  return html`<h3>The values of each run</h3><p class="hint">In the order of the runs: a side that wanders says more of the machine than of the build.${
    leftOut > 0 ? ` The values of ${leftOut} more metrics are in compare.json.` : undefined
  }</p>
<div class="charts">${charts.map((chart) => chartHtml(chart, false))}</div>`;
}

function othersHtml({ metrics }: CandidateComparison): HtmlValue {
  const others = otherMetrics(metrics);
  if (others.length === 0) return undefined;
  const rows = others.map((metric) => [
    ...[nameText(metric, metrics), valuesText(metric, metric.base), valuesText(metric, metric.candidate)],
    ...[changeText(metric), intervalText(metric)],
  ]);
  const table = { head: ['metric', 'base', 'candidate', 'change', '95 % interval'], rows };
  return html`<details class="part"><summary>${others.length} more that differ and are not judged</summary><div class="card">${tableHtml(table, 'Not judged')}</div></details>`;
}
