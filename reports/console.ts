// The summary on the console: 80 columns, colours only where the terminal has them.

import Table from 'cli-table3';
import pc from 'picocolors';
import type { ExpectationVerdict } from '../simulator/judge/judge.ts';
import type { Result, Run } from '../simulator/result/result.ts';
import { actualText, headroomText, keyFacts, resultWords, verdictWords } from './words.ts';

const columns = 80;

/** Prints what came out, and where the rest of it is. */
export function printSummary(result: Result, stream: NodeJS.WriteStream, out: string): void {
  const colours = pc.createColors(stream.isTTY === true && stream.hasColors());
  const paint = (verdict: string, text: string): string =>
    verdict === 'pass' ? colours.green(text) : verdict === 'fail' ? colours.red(text) : colours.yellow(text);
  const lines: string[] = ['', colours.bold(result.scenario.name)];
  for (const run of result.runs) {
    lines.push('', ...factLines(run));
    if (run.timeline.length > 0) {
      lines.push('', 'Events');
      for (const { atMs, what } of run.timeline) lines.push(`  ${(atMs / 1000).toFixed(1).padStart(7)} s  ${what}`);
    }
    if (run.problems.length > 0) lines.push('', 'What went wrong on the way', ...wrapped(run.problems));
    if (run.notes.length > 0) lines.push('', 'Notes', ...wrapped(run.notes));
    lines.push('', expectationTable(run.expectations, paint));
    for (const { text, reason } of run.expectations) {
      if (reason !== undefined) lines.push(...wrapped([`${text}: ${reason}`]));
    }
  }
  const verdict = paint(result.verdict, colours.bold(resultWords[result.verdict]));
  lines.push('', `${verdict}  ${result.reason}`, `Results in ${out}; again: ${result.command}`, '');
  stream.write(`${lines.join('\n')}\n`);
}

function factLines(run: Run): string[] {
  const facts = keyFacts(run.metrics);
  const width = Math.max(0, ...facts.map(([what]) => what.length));
  return facts.map(([what, value]) => `  ${what.padEnd(width)}  ${value}`);
}

function expectationTable(
  verdicts: readonly ExpectationVerdict[],
  paint: (verdict: string, text: string) => string,
): string {
  const table = new Table({
    head: ['expected', 'actual', 'headroom', 'verdict'],
    style: { head: [], border: [], compact: true },
    colWidths: [39, 12, 10, 14],
    wordWrap: true,
    wrapOnWordBoundary: false,
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const verdict of verdicts) {
    const word = paint(verdict.verdict, verdictWords[verdict.verdict]);
    table.push([verdict.text, actualText(verdict), headroomText(verdict), word]);
  }
  return table.toString();
}

/** Lines of at most 80 columns, with a bullet. */
function wrapped(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    const lines: string[] = [];
    let line = '  - ';
    for (const word of text.split(' ')) {
      if (line.length + word.length > columns && line.trim() !== '-') {
        lines.push(line.trimEnd());
        line = '    ';
      }
      line += `${word} `;
    }
    return [...lines, line.trimEnd()];
  });
}
