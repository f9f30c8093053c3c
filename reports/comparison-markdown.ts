// compare.md: a comparison fit for a comment on a pull request; what is not judged is folded away.

import type { CandidateComparison, Comparison, MetricComparison } from '../simulator/compare/comparison.ts';
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
  valuesText,
} from './comparison-words.ts';
import { cell } from './markdown.ts';
import { resultWords, verdictWords } from './words.ts';

export function comparisonMarkdown(comparison: Comparison): string {
  const { scenario, base, candidates, verdict, reason, tool } = comparison;
  const lines = [`# ${cell(scenario)}: ${resultWords[verdict]}`, '', `${cell(reason)}.`, ''];
  for (const candidate of candidates) lines.push(...candidateLines(base, candidate), '');
  lines.push(rulesText(comparison), '', `${tool.name} ${tool.version}.`, '');
  return lines.join('\n');
}

function candidateLines(base: Comparison['base'], candidate: CandidateComparison): string[] {
  const { metrics, expectations, notes } = candidate;
  const lines = [`- base: ${cell(sideText(base))}`, `- candidate: ${cell(sideText(candidate))}`];
  lines.push(...notes.map((note) => `- ${cell(note)}`), '');
  const telling = tellingMetrics(metrics);
  if (telling.length > 0) lines.push(...metricTable(telling, metrics), '');
  lines.push(sameText(metrics));
  const changed = changedExpectations(expectations);
  if (changed.length > 0) lines.push('', '| expectation | verdict | |', '|---|---|---|');
  for (const { text, verdict, reason } of changed) {
    lines.push(`| \`${cell(text)}\` | ${verdictWords[verdict]} | ${cell(reason)} |`);
  }
  const others = otherMetrics(metrics);
  if (others.length === 0) return lines;
  return [
    ...lines,
    '',
    '<details><summary>Not judged</summary>',
    '',
    ...metricTable(others, metrics),
    '',
    '</details>',
  ];
}

function metricTable(shown: readonly MetricComparison[], metrics: readonly MetricComparison[]): string[] {
  const rows = shown.map((metric) =>
    [
      `\`${nameText(metric, metrics)}\``,
      valuesText(metric, metric.base),
      valuesText(metric, metric.candidate),
      changeText(metric),
      intervalText(metric),
      verdictText(metric),
    ].join(' | '),
  );
  return [
    '| metric | base | candidate | change | 95 % interval | verdict |',
    '|---|--:|--:|--:|--:|---|',
    ...rows.map((row) => `| ${row} |`),
  ];
}

function verdictText({ verdict, reason, role }: MetricComparison): string {
  if (verdict === 'notJudged') return '';
  return `${verdictWords[verdict]}${role === 'watched' ? ', watched' : ''} (${cell(reason)})`;
}
