// saturation.md: fit for a comment on a pull request.

import { formatDuration } from '../common/units.ts';
import type { Saturation, SaturationStep } from '../simulator/result/saturation.ts';
import { cell } from './markdown.ts';
import { answerLines, columnNote, reasonOf, stepColumns, stepsByValue, titleOf } from './saturation-words.ts';
import { originText } from './words.ts';

/** `chart`: the name of the picture beside it. */
export function saturationMarkdown(saturation: Saturation, chart: string): string {
  const { answer, search, steps } = saturation;
  const columns = stepColumns(saturation);
  const heads = [...columns.map(({ head }) => head || 'outcome'), 'why'];
  const row = (step: SaturationStep): string => {
    const why = step.outcome === 'holds' ? '' : reasonOf(step);
    return `| ${[...columns.map(({ text }) => text(step)), why].map(cell).join(' | ')} |`;
  };
  const spentMs = steps.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const lines = [
    `# ${cell(titleOf(saturation))}`,
    '',
    ...answerLines(saturation).flatMap((line) => [`${cell(line)}.`, '']),
    `![What devices received, and the 99th percentile of a range](${chart})`,
    '',
    `| ${heads.join(' | ')} |`,
    `|${'---|'.repeat(heads.length)}`,
    ...stepsByValue(saturation).map(row),
    '',
  ];
  const note = columnNote(saturation);
  if (note !== undefined) lines.push(`${note}.`, '');
  if (answer.notes.length > 0) lines.push('Notes:', '', ...answer.notes.map((each) => `- ${cell(each)}`), '');
  lines.push(
    `${steps.length} runs in ${formatDuration(spentMs)}, to ${Number((search.resolutionRatio * 100).toPrecision(3))} %, ends of the bracket by the ` +
      `majority of ${search.repeats}. ${originText(saturation)}.`,
    '',
    `Again: \`${saturation.command}\``,
    '',
  );
  return lines.join('\n');
}
