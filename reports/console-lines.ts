// Lines and tables for the console.

import Table, { type TableConstructorOptions } from 'cli-table3';
import pc from 'picocolors';

/** Wide enough for people, narrow enough for every terminal. */
export const columns = 80;

type Colours = ReturnType<typeof pc.createColors>;

/** Where the terminal has them. */
export function coloursFor(stream: NodeJS.WriteStream): Colours {
  return pc.createColors(stream.isTTY === true && stream.hasColors());
}

/** Colours a text by a verdict. */
export type Paint = (verdict: string, text: string) => string;

export function verdictPaint({ green, red, yellow }: Colours): Paint {
  return (verdict, text) => (verdict === 'pass' ? green : verdict === 'fail' ? red : yellow)(text);
}

/** Without lines between its rows; columns as wide as they are told, text that is longer goes on below. */
export function consoleTable(
  head: readonly string[],
  colWidths: readonly number[],
  { style, ...more }: TableConstructorOptions = {},
): Table.Table {
  return new Table({
    head: [...head],
    colWidths: [...colWidths],
    wordWrap: true,
    wrapOnWordBoundary: false,
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [], compact: true, ...style },
    ...more,
  });
}

/** A cell with colours: words are not cut in it, since their codes would count as letters. */
export const colouredCell = (content: string) => ({ content, wrapOnWordBoundary: true });

/** A metric's name, with the limit that may follow, in lines that end between its parts. */
export function brokenAtDots(text: string, width: number): string {
  const [name = ''] = text.split(' ', 1);
  const lines = [''];
  for (const part of [...(name.match(/[^.]+\.?/g) ?? []), text.slice(name.length)]) {
    const last = lines.at(-1) ?? '';
    if (last === '' || (last + part).trimEnd().length <= width) lines[lines.length - 1] = last + part;
    else lines.push(part);
  }
  return lines.map((line) => line.trim()).join('\n');
}

/** Lines of at most 80 columns (longer ones only for a longer word), with a bullet. */
export function wrapped(texts: readonly string[], start = '  - ', indent = ' '.repeat(start.length)): string[] {
  return texts.flatMap((text) => {
    const lines: string[] = [];
    let line = start;
    for (const word of text.split(' ')) {
      if (line.length + word.length > columns && line.length > start.length) {
        lines.push(line.trimEnd());
        line = indent;
      }
      line += `${word} `;
    }
    return [...lines, line.trimEnd()];
  });
}

/** The command that repeats the run, an option a line where it is long: fit to be copied into a shell. */
export function commandLines(command: string): string[] {
  const line = `Again: ${command}`;
  return line.length <= columns ? [line] : [line.replaceAll(/ (?=--)/g, ' \\\n  ')];
}
