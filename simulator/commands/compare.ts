// `sim compare`: runs that were made already, one side against another.

import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { printComparison } from '../../reports/comparison-console.ts';
import { comparisonMarkdown } from '../../reports/comparison-markdown.ts';
import { comparisonPage } from '../../reports/html/comparison-page.ts';
import { compareSides, comparisonExitCode } from '../compare/compare.ts';
import type { Comparison, Rules } from '../compare/comparison.ts';
import { readSide } from '../compare/side.ts';
import { makeFolder, writeWhole } from '../result/write-whole.ts';

/** Options of every command that compares. */
export type RuleOptions = { readonly margin: readonly Margin[]; readonly metric: readonly string[] };

/** How a comparison is shown. */
export type ShowOptions = { readonly json: boolean; readonly quiet: boolean };

type CompareOptions = RuleOptions & ShowOptions & { readonly out?: string };

type Margin = { readonly pattern: string | undefined; readonly marginRatio: number };

const defaultMarginRatio = 0.05;

export const comparisonExitCodes =
  'Exit codes: 0 not worse, 1 worse, 2 bad usage, or runs that cannot be compared, 3 could not be carried out,\n' +
  '4 inconclusive: the runs do not tell, 130 interrupted.';

export function addCompareCommand(program: Command): void {
  const command = program
    .command('compare')
    .summary('compare results: is a candidate worse than the base?')
    .description(
      'Compares results of sim run: is a candidate worse than the base? Each is a result.json, the folder of a run, or a folder ' +
        'that holds folders of several runs. Nothing is run.\n\n' +
        'The virtual world is compared exactly: one run each is enough. What live runs measure differs by chance: it takes ten ' +
        'runs a side, made in turns on one machine (sim gate makes them).',
    )
    .argument('<base>', 'result.json, or a folder')
    .argument('<candidate...>', 'the same, of one candidate or several')
    .option('--out <folder>', 'also write compare.html, compare.md and compare.json there');
  addRuleOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ sim compare out/before/result.json out/after/result.json
  $ sim compare out/gate-smoke/base out/gate-smoke/candidate      ten runs each
  $ sim compare base/ candidate/ --metric node.hq.cpuMs --metric "range.latencyMs.*"
  $ sim compare base/ candidate/ --margin 10% --margin "range.latencyMs.p99=25%"

Judged by default: everything of which more or less is better, of the fleet and of nodes. Percentiles from 90 on can fail a
comparison, but do not make it inconclusive; largest values and peaks are only shown. docs/gates.md explains all of it.

${comparisonExitCodes}`,
    )
    .action(compare);
}

/** Adds `--margin`, `--metric`, `--json` and `--quiet`. */
export function addRuleOptions(command: Command): Command {
  const gathered =
    <T>(parse: (text: string) => T) =>
    (text: string, all: readonly T[]): readonly T[] => [...all, parse(text)];
  return command
    .option(
      '--margin <[metric=]percent>',
      'how much worse is no failure, e.g. 10% (default: 5%); or of one metric, e.g. fleet.finishMs=2%; may be repeated',
      gathered(parseMargin),
      [] as readonly Margin[],
    )
    .option(
      '--metric <name>',
      'judge this metric, and no other that is not named; * stands for anything; may be repeated',
      gathered((text) => text),
      [] as readonly string[],
    )
    .option('--json', 'print compare.json instead of the tables', false)
    .option('--quiet', 'print nothing but errors; the exit code tells', false);
}

export function rulesOf({ margin, metric }: RuleOptions): Rules {
  return {
    marginRatio: margin.findLast(({ pattern }) => pattern === undefined)?.marginRatio ?? defaultMarginRatio,
    margins: margin.flatMap(({ pattern, marginRatio }) => (pattern === undefined ? [] : [{ pattern, marginRatio }])),
    metrics: metric,
  };
}

function parseMargin(text: string): Margin {
  const match = /^(?:(?<pattern>[^=\s]+)=)?(?<number>\d+(?:\.\d+)?) ?%$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError(`Expected a percentage such as 5%, or metric=5%; found "${text}".`);
  return { pattern: match.groups?.['pattern'], marginRatio: Number(match.groups?.['number']) / 100 };
}

function compare(base: string, candidates: readonly string[], options: CompareOptions): void {
  const comparison = compareSides(readSide(base), candidates.map(readSide), rulesOf(options));
  const unmakeFolder = options.out === undefined ? undefined : makeFolder(options.out);
  try {
    concludeComparison(comparison, options, options.out);
  } finally {
    unmakeFolder?.();
  }
}

/** Writes and shows a comparison, and sets the exit code. `out`: a folder that is there. */
export function concludeComparison(
  comparison: Comparison,
  { json, quiet }: ShowOptions,
  out: string | undefined,
): void {
  const text = `${JSON.stringify(comparison, null, 1)}\n`;
  if (out !== undefined) {
    // All are made before the first is written.
    const [page, markdown] = [comparisonPage(comparison), comparisonMarkdown(comparison)];
    writeWhole(join(out, 'compare.json'), text);
    writeWhole(join(out, 'compare.md'), markdown);
    writeWhole(join(out, 'compare.html'), page);
  }
  if (json) process.stdout.write(text);
  else if (!quiet) printComparison(comparison, process.stdout, out);
  process.exitCode = comparisonExitCode(comparison);
}
