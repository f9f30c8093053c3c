// report.html: a result as a page, with its charts and the tables behind them.

import type { Result } from '../../simulator/result/result.ts';
import { purposeNames, resultWords } from '../words.ts';
import { chartsOf } from './charts.ts';
import { factsSection, machineSection, predictionSection, scenarioSection } from './closing-sections.ts';
import { firstScreen } from './first-screen.ts';
import { html } from './html.ts';
import { type PageParts, pageOf } from './page-frame.ts';
import { predictionCharts } from './prediction-charts.ts';
import { runSection } from './run-section.ts';

/** The whole page, in UTF-8. The same result gives the same page. */
export function reportPage(result: Result): string {
  return pageOf(reportParts(result));
}

/** What the page is made of. */
export function reportParts(result: Result): PageParts {
  const sections = result.runs.map((run) => ({ run, charts: chartsOf(run, result) }));
  const comparison = predictionCharts(result);
  const charts = [...sections.flatMap((section) => section.charts), ...comparison];
  const { scenario, verdict } = result;
  return {
    title: `${resultWords[verdict]}: ${scenario.name}`,
    links: linksOf(result),
    opening: firstScreen(result),
    rest: html`${factsSection(result)}
${sections.map(({ run, charts: ofRun }) => runSection(run, result, ofRun))}
${predictionSection(comparison)}
${machineSection(result)}
${scenarioSection(result)}`,
    plots: Object.fromEntries(charts.map(({ id, plot }) => [id, plot])),
    source: 'Everything here comes from result.json beside this file; “sim report” makes the page of it again.',
  };
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
