// summary.md: fit for a comment on a pull request.

import type { Result } from '../simulator/result/result.ts';
import { actualText, headroomText, keyFacts, resultWords, verdictWords } from './words.ts';

export function summaryMarkdown(result: Result): string {
  const lines = [`# ${cell(result.scenario.name)}: ${resultWords[result.verdict]}`, '', `${cell(result.reason)}.`, ''];
  for (const run of result.runs) {
    lines.push(`## ${run.world} world, ${run.purpose}`, '');
    lines.push('| expected | actual | headroom | verdict |', '|---|---|---|---|');
    for (const verdict of run.expectations) {
      const reason = verdict.reason === undefined ? '' : ` (${cell(verdict.reason)})`;
      const word = `${verdictWords[verdict.verdict]}${reason}`;
      lines.push(`| \`${cell(verdict.text)}\` | ${actualText(verdict)} | ${headroomText(verdict)} | ${word} |`);
    }
    lines.push('', '| measured | |', '|---|---|');
    for (const [what, value] of keyFacts(run.metrics)) lines.push(`| ${what} | ${value} |`);
    if (run.timeline.length > 0) {
      lines.push('', '| at | event |', '|---|---|');
      for (const { atMs, what } of run.timeline) lines.push(`| ${(atMs / 1000).toFixed(1)} s | ${cell(what)} |`);
    }
    for (const [title, texts] of [
      ['What went wrong on the way', run.problems],
      ['Notes', run.notes],
    ] as const) {
      if (texts.length > 0) lines.push('', `${title}:`, '', ...texts.map((text) => `- ${cell(text)}`));
    }
    lines.push('');
  }
  const { machine } = result;
  lines.push(
    `${result.tool.name} ${result.tool.version}, ${result.startedAt}; ${machine.cpu}, ${machine.cores} cores, ` +
      `${machine.os}, Node ${machine.node}.`,
    '',
    `Again: \`${result.command}\``,
    '',
  );
  return lines.join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
