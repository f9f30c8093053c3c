// A comparison on the console: 80 columns, colours only where the terminal has them.

import type { CandidateComparison, Comparison, MetricComparison } from '../simulator/compare/comparison.ts';
import {
  changedExpectations,
  changeText,
  intervalText,
  nameText,
  rulesText,
  sameText,
  sideText,
  tellingMetrics,
  untoldLines,
  valuesText,
} from './comparison-words.ts';
import {
  brokenAtDots,
  colouredCell,
  coloursFor,
  consoleTable,
  type Paint,
  verdictPaint,
  wrapped,
} from './console-lines.ts';
import { resultWords, verdictWords } from './words.ts';

/** Prints what came out. `out`: where all of it was written, if it was. */
export function printComparison(comparison: Comparison, stream: NodeJS.WriteStream, out?: string): void {
  const colours = coloursFor(stream);
  const paint = verdictPaint(colours);
  const { scenario, base, candidates, verdict, reason } = comparison;
  const lines = ['', colours.bold(scenario), ''];
  for (const candidate of candidates) lines.push(...candidateLines(base, candidate, paint));
  const word = resultWords[verdict];
  const [first = '', ...more] = wrapped([`${word}  ${reason}`], '', '  ');
  lines.push(
    ...wrapped([rulesText(comparison)], '', ''),
    '',
    first.replace(word, paint(verdict, colours.bold(word))),
    ...more,
  );
  if (out !== undefined) lines.push(`All of it in ${out}`);
  stream.write(`${lines.join('\n')}\n\n`);
}

function candidateLines(base: Comparison['base'], candidate: CandidateComparison, paint: Paint): string[] {
  const { metrics, expectations, notes } = candidate;
  const lines = [
    ...wrapped([`base       ${sideText(base)}`], '  ', ' '.repeat(13)),
    ...wrapped([`candidate  ${sideText(candidate)}`], '  ', ' '.repeat(13)),
  ];
  if (notes.length > 0) lines.push('', ...wrapped(notes));
  const telling = tellingMetrics(metrics);
  if (telling.length > 0) lines.push('', metricTable(telling, paint));
  lines.push(...wrapped([sameText(metrics)], '', ''));
  const untold = untoldLines(metrics);
  if (untold.length > 0) lines.push('', 'Not told', ...wrapped(untold));
  const changed = changedExpectations(expectations);
  if (changed.length > 0) lines.push('', 'Expectations');
  for (const { text, verdict, reason } of changed) {
    lines.push(...wrapped([`${text}: ${verdictWords[verdict]}, ${reason}`]));
  }
  return [...lines, ''];
}

function metricTable(metrics: readonly MetricComparison[], paint: Paint): string {
  const heads = ['metric', 'base\ncandidate', 'change\n95 % interval', 'verdict'];
  const table = consoleTable(heads, [27, 15, 19, 14]);
  for (const metric of metrics) {
    const word = verdictWords[metric.verdict];
    table.push([
      brokenAtDots(nameText(metric, metrics), 25),
      `${valuesText(metric, metric.base)}\n${valuesText(metric, metric.candidate)}`,
      [changeText(metric), intervalText(metric)].filter((text) => text !== '').join('\n'),
      colouredCell(
        paint(
          metric.verdict,
          metric.role === 'watched' && metric.verdict === 'inconclusive' ? `${word}\n(watched)` : word,
        ),
      ),
    ]);
  }
  return table.toString();
}
