// A capacity plan on the console: the answer, then a table a site; 80 columns.

import { shellWord } from '../common/shell-word.ts';
import type { CapacityPlan, SitePlan } from '../simulator/result/capacity-plan.ts';
import { coloursFor, columns as columnsMax, commandLines, consoleTable, wrapped } from './console-lines.ts';
import {
  answerLines,
  askedText,
  candidateRows,
  disagreementText,
  figureRows,
  planRunsText,
  planVerdictWords,
  type Rows,
  sensitivityRows,
  siteTitle,
} from './plan-words.ts';

export function printPlan(plan: CapacityPlan, stream: NodeJS.WriteStream, out: string): void {
  const colours = coloursFor(stream);
  const paint = plan.verdict === 'found' ? colours.green : plan.verdict === 'none' ? colours.red : colours.yellow;
  const lines = [
    '',
    ...wrapped([plan.question ?? plan.name], '').map((line) => colours.bold(line)),
    ...wrapped([`${askedText(plan)}.`], ''),
    '',
    paint(planVerdictWords[plan.verdict]),
    ...wrapped(answerLines(plan)),
    ...plan.sites.flatMap((site) =>
      siteLines(plan, site).map((line) => (line === siteTitle(site) ? colours.bold(line) : line)),
    ),
  ];
  const disagreement = disagreementText(plan);
  if (disagreement !== undefined) lines.push('', ...wrapped([disagreement], ''));
  lines.push('', `${planRunsText(plan)}. Results in ${out}`, ...commandLines(plan.command));
  if (plan.verdict === 'found') {
    lines.push(...wrapped([`Confirm: sim run ${shellWord(`${out}/scenario.yaml`)} --world virtual`], ''));
  }
  stream.write(`${lines.join('\n')}\n\n`);
}

function siteLines(plan: CapacityPlan, site: SitePlan): string[] {
  const lines = ['', ...wrapped([siteTitle(site)], '')];
  if (site.candidates.length > 0) lines.push(tableOf(candidateRows(plan, site)));
  const figures = figureRows(plan, site);
  if (figures.rows.length > 0) lines.push(tableOf(figures));
  if (site.sensitivity.length > 0) lines.push(tableOf(sensitivityRows(plan, site)));
  return lines;
}

/** As wide as what is in it; the widest columns give way where all together are too wide. */
function tableOf({ head, rows }: Rows): string {
  const widths = head.map((name, index) => Math.max(name.length, ...rows.map((row) => (row[index] ?? '').length)) + 2);
  const all = (): number => widths.reduce((sum, width) => sum + width + 1, 1);
  while (all() > columnsMax) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  const table = consoleTable(head, widths, { wrapOnWordBoundary: true });
  table.push(...rows.map((row) => [...row]));
  return table.toString();
}
