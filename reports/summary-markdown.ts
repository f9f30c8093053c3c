// summary.md: fit for a comment on a pull request.

import { formatDuration } from '../common/units.ts';
import type { Result } from '../simulator/result/result.ts';
import { cell } from './markdown.ts';
import {
  actualText,
  differenceText,
  headroomText,
  keyFacts,
  limitLines,
  metricText,
  originText,
  processColumns,
  processRows,
  purposeWords,
  reasonText,
  resultWords,
  shownNotes,
  shownVerdicts,
  verdictWords,
} from './words.ts';

export function summaryMarkdown(result: Result): string {
  const lines = [`# ${cell(result.scenario.name)}: ${resultWords[result.verdict]}`, '', `${cell(result.reason)}.`, ''];
  for (const run of result.runs) {
    lines.push(`## ${purposeWords[run.purpose]}`, '');
    const shown = run.purpose === 'prediction' ? [] : shownVerdicts(run, result.runs);
    if (shown.length > 0) lines.push('| expected | actual | headroom | verdict |', '|---|---|---|---|');
    for (const verdict of shown) {
      const reason = reasonText(verdict);
      const word = `${verdictWords[verdict.verdict]}${reason === undefined ? '' : ` (${cell(reason)})`}`;
      lines.push(`| \`${cell(verdict.text)}\` | ${actualText(verdict)} | ${headroomText(verdict)} | ${word} |`);
    }
    lines.push('', '| what came of it | |', '|---|---|');
    for (const [what, value] of keyFacts(run.metrics)) lines.push(`| ${what} | ${value} |`);
    const limits = limitLines(run);
    if (limits.length > 0) lines.push('', 'What limited it:', '', ...limits.map((line) => `- ${cell(line)}`));
    const processes = processRows(run);
    if (processes.length > 0) {
      lines.push('', `| ${processColumns.join(' | ')} |`, `|---${'|--:'.repeat(processColumns.length - 1)}|`);
      for (const row of processes) lines.push(`| ${row.map(cell).join(' | ')} |`);
    }
    if (run.timeline.length > 0) {
      lines.push('', '| at | event |', '|---|---|');
      for (const { atMs, what } of run.timeline) lines.push(`| ${formatDuration(atMs)} | ${cell(what)} |`);
    }
    for (const [title, texts] of [
      ['What went wrong on the way', run.problems],
      ['Notes', shownNotes(run, result.runs)],
    ] as const) {
      if (texts.length > 0) lines.push('', `${title}:`, '', ...texts.map((text) => `- ${cell(text)}`));
    }
    lines.push('');
  }
  if (result.prediction !== undefined) {
    lines.push('## Prediction against measurement', '', '| metric | predicted | measured | by |', '|---|---|---|---|');
    for (const each of result.prediction) {
      const { name, predicted, measured } = each;
      lines.push(
        `| \`${name}\` | ${metricText(name, predicted)} | ${metricText(name, measured)} | ${differenceText(each)} |`,
      );
    }
    lines.push('');
  }
  lines.push(`${originText(result)}.`, '', `Again: \`${result.command}\``, '');
  return lines.join('\n');
}
