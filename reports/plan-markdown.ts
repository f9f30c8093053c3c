// plan.md: a capacity plan, fit for a comment on a pull request or a page of a wiki.

import type { CapacityPlan, SitePlan } from '../simulator/result/capacity-plan.ts';
import { cell } from './markdown.ts';
import {
  answerLines,
  askedText,
  candidateRows,
  documentedRows,
  figureRows,
  momentRows,
  planRunsText,
  planVerdictWords,
  type Rows,
  sensitivityRows,
  siteTitle,
} from './plan-words.ts';
import { originText } from './words.ts';

export function planMarkdown(plan: CapacityPlan): string {
  const lines = [
    `# ${cell(plan.question ?? plan.name)}`,
    '',
    `${askedText(plan)}.`,
    '',
    `**${planVerdictWords[plan.verdict]}**`,
    '',
    ...answerLines(plan).map((line) => `- ${cell(line)}`),
    '',
    ...plan.sites.flatMap((site) => siteLines(plan, site)),
    '## Notes',
    '',
    ...plan.notes.map((note) => `- ${cell(note)}`),
    '',
    `${planRunsText(plan)}. ${originText(plan)}.`,
    '',
    `Again: \`${plan.command}\``,
    '',
  ];
  return lines.join('\n');
}

function siteLines(plan: CapacityPlan, site: SitePlan): string[] {
  return [
    `## ${cell(siteTitle(site))}`,
    '',
    ...tableLines('', figureRows(plan, site)),
    ...tableLines('Classes', candidateRows(plan, site)),
    ...tableLines('A node fails', momentRows(site)),
    ...tableLines('What if', sensitivityRows(plan, site)),
    ...tableLines('Documented sizes', documentedRows(site)),
  ];
}

/** Nothing where there are no rows. */
function tableLines(title: string, { head, rows }: Rows): string[] {
  if (rows.length === 0) return [];
  return [
    ...(title === '' ? [] : [`### ${title}`, '']),
    `| ${head.join(' | ')} |`,
    `|${'---|'.repeat(head.length)}`,
    ...rows.map((row) => `| ${row.map((text) => cell(text.trim())).join(' | ')} |`),
    '',
  ];
}
