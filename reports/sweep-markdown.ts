// sweep.md: fit for a comment on a pull request.

import { formatCount } from '../common/units.ts';
import type { Sweep } from '../simulator/result/sweep.ts';
import { cell } from './markdown.ts';
import {
  axisHeads,
  bottleneckText,
  cellsOf,
  cellText,
  outcomeText,
  seedsNote,
  sweepVerdictWords,
  titleOf,
  whyText,
} from './sweep-words.ts';
import { originText } from './words.ts';

/** A comment has room for so many; sweep.csv has all. */
const rowsMax = 200;

export function sweepMarkdown(sweep: Sweep): string {
  const { axes, metrics, verdict, reason, command } = sweep;
  const cells = cellsOf(sweep);
  const heads = [...axisHeads(axes), ...metrics, 'limit', 'verdict', 'why'];
  const rows = cells.slice(0, rowsMax).map((each) => {
    const values = metrics.map((metric) => cellText(each, metric));
    return [...each.texts, ...values, bottleneckText(each), outcomeText(each), whyText(each)];
  });
  const note = seedsNote(sweep);
  const lines = [
    `# ${cell(titleOf(sweep))}`,
    '',
    `**${sweepVerdictWords[verdict]}**: ${cell(reason)}.`,
    '',
    ...(note === undefined ? [] : [note, '']),
    `| ${heads.map(cell).join(' | ')} |`,
    `|${'---|'.repeat(heads.length)}`,
    ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
    '',
    ...(cells.length > rowsMax ? [`${formatCount(cells.length - rowsMax)} more are in sweep.csv.`, ''] : []),
    `${originText(sweep)}.`,
    '',
    `Again: \`${command}\``,
    '',
  ];
  return lines.join('\n');
}
