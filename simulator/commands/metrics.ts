// `sim metrics`: every metric that a run may report and an expectation may judge.

import Table from 'cli-table3';
import type { Command } from 'commander';
import { allMetrics } from '../result/metrics.ts';

/** Adds `metrics`, which prints a table, or with `--json` the registry. */
export function addMetricsCommand(program: Command): void {
  program
    .command('metrics')
    .summary('list every metric with its unit, meaning and worlds')
    .description('Lists every metric. <id> stands for the id of a node or of a group of the scenario.')
    .option('--json', 'print the registry as JSON')
    .addHelpText('after', '\nExamples:\n  sim metrics\n  sim metrics --json | jq -r ".[].name"')
    .action((options: { readonly json?: true }) => {
      process.stdout.write(options.json === true ? `${JSON.stringify(allMetrics(), null, 2)}\n` : `${metricTable()}\n`);
    });
}

/** Wide enough for the longest name and meaning; no lines, so that it can be searched and cut. */
function metricTable(): string {
  const nothing = Object.fromEntries(
    ['top', 'bottom', 'mid', 'left', 'right'].flatMap((side) =>
      [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((part) => [part, '']),
    ),
  );
  const table = new Table({
    head: ['metric', 'unit', 'worlds', 'meaning'],
    chars: { ...nothing, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  for (const metric of allMetrics()) {
    table.push([metric.name, metric.unit, metric.worlds.join(', '), metric.meaning]);
  }
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
