// The summary on the console: 80 columns, colours only where the terminal has them.

import { formatDuration } from '../common/units.ts';
import type { ExpectationVerdict } from '../simulator/judge/judge.ts';
import type { PredictedMetric } from '../simulator/judge/prediction.ts';
import type { Result, Run } from '../simulator/result/result.ts';
import {
  brokenAtDots,
  colouredCell,
  coloursFor,
  commandLines,
  consoleTable,
  type Paint,
  verdictPaint,
  wrapped,
} from './console-lines.ts';
import {
  actualText,
  differenceText,
  headroomText,
  keyFacts,
  limitLines,
  metricText,
  processColumns,
  processRows,
  purposeWords,
  reasonText,
  resultWords,
  shownNotes,
  shownVerdicts,
  verdictWords,
} from './words.ts';

/** Prints what came out, and where the rest of it is. */
export function printSummary(result: Result, stream: NodeJS.WriteStream, out: string): void {
  const colours = coloursFor(stream);
  const paint = verdictPaint(colours);
  const lines: string[] = ['', colours.bold(result.scenario.name)];
  for (const run of result.runs) {
    lines.push('', colours.bold(purposeWords[run.purpose]), '', ...factLines(run));
    const limits = limitLines(run);
    if (limits.length > 0) lines.push('', 'What limited it', ...wrapped(limits));
    if ((run.generatorLimits ?? []).length > 0) lines.push('', processTable(run));
    if (run.timeline.length > 0) {
      lines.push('', 'Events');
      for (const { atMs, what } of run.timeline) lines.push(`  ${formatDuration(atMs).padStart(12)}  ${what}`);
    }
    if (run.problems.length > 0) lines.push('', 'What went wrong on the way', ...wrapped(run.problems));
    const notes = shownNotes(run, result.runs);
    if (notes.length > 0) lines.push('', 'Notes', ...wrapped(notes));
    const shown = run.purpose === 'prediction' ? [] : shownVerdicts(run, result.runs);
    if (shown.length > 0) lines.push('', expectationTable(shown, paint));
    for (const verdict of shown) {
      const reason = reasonText(verdict);
      if (reason !== undefined) lines.push(...wrapped([`${verdict.text}: ${reason}`]));
    }
  }
  if (result.prediction !== undefined) {
    lines.push('', colours.bold('Prediction against measurement'), '', predictionTable(result.prediction));
  }
  const word = resultWords[result.verdict];
  const [first = '', ...more] = wrapped([`${word}  ${result.reason}`], '', '  ');
  lines.push('', first.replace(word, paint(result.verdict, colours.bold(word))), ...more);
  lines.push(`Results in ${out}`, ...commandLines(result.command), '');
  stream.write(`${lines.join('\n')}\n`);
}

function factLines(run: Run): string[] {
  const facts = keyFacts(run.metrics);
  const width = Math.max(0, ...facts.map(([what]) => what.length));
  return facts.flatMap(([what, value]) => {
    const [first = '', ...more] = wrapped([value], ' '.repeat(width + 4), ' '.repeat(width + 4));
    return [`  ${what.padEnd(width)}  ${first.trimStart()}`, ...more];
  });
}

function expectationTable(verdicts: readonly ExpectationVerdict[], paint: Paint): string {
  const table = consoleTable(['expected', 'actual', 'headroom', 'verdict'], [38, 13, 10, 14]);
  for (const verdict of verdicts) {
    const word = paint(verdict.verdict, verdictWords[verdict.verdict]);
    table.push([brokenAtDots(verdict.text, 36), actualText(verdict), headroomText(verdict), colouredCell(word)]);
  }
  return table.toString();
}

/** For whoever asks what was in the generator's way. */
function processTable(run: Run): string {
  const table = consoleTable(processColumns, [18, 9, 9, 9, 9, 9, 9], {
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right'],
    wrapOnWordBoundary: true,
  });
  for (const row of processRows(run)) table.push(row);
  return table.toString();
}

function predictionTable(prediction: readonly PredictedMetric[]): string {
  const table = consoleTable(['metric', 'predicted', 'measured', 'by'], [39, 13, 13, 10]);
  for (const each of prediction) {
    const { name, predicted, measured } = each;
    table.push([brokenAtDots(name, 37), metricText(name, predicted), metricText(name, measured), differenceText(each)]);
  }
  return table.toString();
}
