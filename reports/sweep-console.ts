// A sweep on the console, in 80 columns: a matrix of the first metric where two things are varied and it fits, else a row for each
// combination.

import { shellWord } from '../common/shell-word.ts';
import { formatCount } from '../common/units.ts';
import type { Sweep, SweepPoint } from '../simulator/result/sweep.ts';
import {
  brokenAtDots,
  colouredCell,
  coloursFor,
  columns as columnsMax,
  commandLines,
  consoleTable,
  wrapped,
} from './console-lines.ts';
import {
  axisHeads,
  bottleneckText,
  cellsOf,
  cellText,
  outcomeText,
  type SweepCell,
  seedsNote,
  signedText,
  signsNote,
  sweepVerdictWords,
  telling,
  titleOf,
} from './sweep-words.ts';

/** Of a terminal that scrolls; sweep.csv has all. */
const rowsMax = 40;
/** Of the column of limits, which gives way first. */
const limitWidthMax = 24;

export function printSweep(sweep: Sweep, stream: NodeJS.WriteStream, out: string): void {
  const colours = coloursFor(stream);
  const paint = (outcome: SweepPoint['outcome'], text: string): string =>
    (outcome === 'pass' ? colours.green : outcome === 'fail' ? colours.red : colours.yellow)(text);
  const cells = cellsOf(sweep);
  const [title = '', ...more] = wrapped([titleOf(sweep)], '');
  const lines = ['', colours.bold(title), ...more, ''];
  lines.push(...(matrix(sweep, cells, paint) ?? list(sweep, cells, paint)));
  const note = seedsNote(sweep);
  if (note !== undefined) lines.push(...wrapped([note], ''));
  const verdict = `${sweepVerdictWords[sweep.verdict]}: ${sweep.reason}.`;
  lines.push('', ...wrapped([verdict], '').map((line) => colours.bold(line)), '', `Results in ${out}`);
  if (sweep.verdict !== 'interrupted') lines.push(...commandLines(sweep.command), '');
  else {
    const given = / --out /.test(sweep.command) ? '' : ` --out ${shellWord(out)}`;
    const [first = '', ...rest] = commandLines(`${sweep.command}${given}`);
    lines.push(first.replace(/^Again:/, 'To go on:'), ...rest, '');
  }
  stream.write(`${lines.join('\n')}\n`);
}

type Paint = (outcome: SweepPoint['outcome'], text: string) => string;

/** The last axis goes across, or the first one where only that fits. Undefined where it is no matrix, or too wide. */
function matrix(sweep: Sweep, cells: readonly SweepCell[], paint: Paint): string[] | undefined {
  const metric = telling(sweep)[0] ?? sweep.metrics[0];
  if (sweep.axes.length !== 2 || metric === undefined) return undefined;
  const table = matrixTable(sweep, cells, metric, [0, 1], paint) ?? matrixTable(sweep, cells, metric, [1, 0], paint);
  if (table === undefined) return undefined;
  const signs = signsNote(cells);
  return [`${metric}${signs === undefined ? '' : `; ${signs}`}`, table];
}

function matrixTable(
  sweep: Sweep,
  cells: readonly SweepCell[],
  metric: string,
  [down, across]: readonly [number, number],
  paint: Paint,
): string | undefined {
  const [rows = [], columns = []] = [sweep.axes[down]?.values, sweep.axes[across]?.values];
  const byPlace = new Map(cells.map((cell) => [`${cell.places[down]},${cell.places[across]}`, cell]));
  const cellAt = (row: number, column: number) => byPlace.get(`${row},${column}`);
  const textAt = (row: number, column: number): string => {
    const cell = cellAt(row, column);
    return cell === undefined ? '' : signedText(cell, metric);
  };
  const heads = axisHeads(sweep.axes);
  const corner = `${heads[down]} ↓  ${heads[across]} →`;
  const widest = (texts: readonly string[]): number => Math.max(...texts.map((text) => text.length)) + 2;
  const widths = [
    widest([corner, ...rows.map(({ text }) => text)]),
    ...columns.map(({ text }, column) => widest([text, ...rows.map((_, row) => textAt(row, column))])),
  ];
  if (totalWidth(widths) > columnsMax || rows.length > rowsMax) return undefined;
  const table = consoleTable([corner, ...columns.map(({ text }) => text)], widths);
  for (const [row, { text }] of rows.entries()) {
    const painted = columns.map((_, column) =>
      colouredCell(paint(cellAt(row, column)?.outcome ?? 'pass', textAt(row, column))),
    );
    table.push([text, ...painted]);
  }
  return table.toString();
}

const totalWidth = (widths: readonly number[]): number => widths.reduce((sum, width) => sum + width + 1, 1);

type Column = { readonly head: string; readonly text: (cell: SweepCell) => string; readonly width: number };

/** As many metrics as there is room for, the first ones first. */
function list(sweep: Sweep, cells: readonly SweepCell[], paint: Paint): string[] {
  const columnOf = (head: string, text: (cell: SweepCell) => string, widthMax = columnsMax): Column => {
    const longest = Math.max(
      ...head.split(/[\n.]/).map((part) => part.length + 1),
      ...cells.map((each) => text(each).length),
    );
    return { head, text, width: Math.min(widthMax, longest) + 2 };
  };
  const axes = axisHeads(sweep.axes).map((head, axis) => columnOf(head, ({ texts }) => texts[axis] ?? ''));
  const verdict = columnOf('', outcomeText);
  const limits = new Set(cells.map(bottleneckText).filter((name) => name !== ''));
  const limit = limits.size > 1 ? [columnOf('limit', bottleneckText, limitWidthMax)] : [];
  const always = [...axes, ...limit, verdict];
  const told = telling(sweep);
  const ordered = [...told, ...sweep.metrics.filter((metric) => !told.includes(metric))];
  const shown: Column[] = [];
  const room = (column: Column): boolean =>
    totalWidth([...always, ...shown, column].map(({ width }) => width)) <= columnsMax;
  for (const metric of ordered) {
    const column = columnOf(metric, (cell) => cellText(cell, metric));
    if (room(column)) shown.push(column);
  }
  const all = [...axes, ...shown, ...limit, verdict];
  const table = consoleTable(
    all.map(({ head, width }) => brokenAtDots(head, width - 2)),
    fitted(all.map(({ width }) => width)),
  );
  for (const cell of cells.slice(0, rowsMax)) {
    const texts = all.map(({ text }) => text(cell));
    table.push([...texts.slice(0, -1), colouredCell(paint(cell.outcome, texts.at(-1) ?? ''))]);
  }
  const left = cells.length - rowsMax;
  const one = limits.size === 1 ? [...limits][0] : undefined;
  return [
    table.toString(),
    ...(left > 0 ? [`${formatCount(left)} more are in sweep.csv.`] : []),
    ...(one === undefined ? [] : [`What was full everywhere: ${one}`]),
  ];
}

/** The widest gives way where all together are too wide. */
function fitted(widths: readonly number[]): number[] {
  const excess = totalWidth(widths) - columnsMax;
  const widest = widths.indexOf(Math.max(...widths));
  return widths.map((width, index) => (excess > 0 && index === widest ? Math.max(4, width - excess) : width));
}
