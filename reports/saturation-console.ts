// A search for the highest load on the console: the steps as a table, then the answer; 80 columns.

import type { Saturation } from '../simulator/result/saturation.ts';
import {
  colouredCell,
  coloursFor,
  columns as columnsMax,
  commandLines,
  consoleTable,
  wrapped,
} from './console-lines.ts';
import { answerLines, columnNote, stepColumns, stepsByValue, titleOf } from './saturation-words.ts';

export function printSaturation(saturation: Saturation, stream: NodeJS.WriteStream, out: string): void {
  const colours = coloursFor(stream);
  const columns = stepColumns(saturation);
  const heads = columns.map(({ head }) => head);
  const table = consoleTable(heads, widths(saturation), { style: { 'padding-right': 0 } });
  for (const step of stepsByValue(saturation)) {
    const cells = columns.map(({ text }) => text(step));
    const paint = step.outcome === 'holds' ? colours.green : step.outcome === 'fails' ? colours.red : colours.yellow;
    table.push([...cells.slice(0, -1), colouredCell(paint(cells.at(-1) ?? ''))]);
  }
  const [title = '', ...more] = wrapped([titleOf(saturation)], '');
  const lines = ['', colours.bold(title), ...more, '', table.toString()];
  const note = columnNote(saturation);
  if (note !== undefined) lines.push(note);
  const [answer = '', ...rest] = answerLines(saturation);
  const [first = '', ...others] = wrapped([`${answer}.`], '');
  lines.push('', colours.bold(first), ...others, ...wrapped(rest, '', '  '));
  const { notes } = saturation.answer;
  if (notes.length > 0) lines.push('', 'Notes', ...wrapped(notes));
  lines.push('', `Results in ${out}`, ...commandLines(saturation.command), '');
  stream.write(`${lines.join('\n')}\n`);
}

/** As wide as what is in them; the widest gives way where all together are too wide. */
function widths(saturation: Saturation): number[] {
  const all = stepColumns(saturation).map(
    ({ head, text }) => Math.max(head.length, ...saturation.steps.map((step) => text(step).length)) + 1,
  );
  const excess = all.reduce((sum, width) => sum + width + 1, 1) - columnsMax;
  const widest = all.indexOf(Math.max(...all));
  return excess <= 0 ? all : all.map((width, index) => (index === widest ? width - excess : width));
}
