// `sim report`: the files for people and CI again, from a result that somebody has kept.

import { dirname } from 'node:path';
import type { Command } from 'commander';
import { makeFolder } from '../result/write-whole.ts';

export function addReportCommand(program: Command): void {
  program
    .command('report')
    .summary('make report.html, junit.xml and summary.md of a result.json')
    .description(
      'Makes report.html, junit.xml and summary.md of a result.json: again, or on another machine than the one that ran.\n' +
        'Nothing is run. Other files are left as they are.',
    )
    .argument('<result>', 'a result.json, or the folder that holds one')
    .option('--out <folder>', 'where the files go (default: beside the result)')
    .addHelpText(
      'after',
      `
Examples:
  $ sim report out/enterprise-2026-11-28-010216
  $ sim report downloads/result.json --out reports

Exit codes: 0 written, 2 the result cannot be read, was cut off or edited, or is of another version, 3 cannot be written.`,
    )
    .action(report);
}

async function report(path: string, options: { readonly out?: string }): Promise<void> {
  const { readResult } = await import('../result/read-result.ts');
  const { reportFiles, writeReports } = await import('../../reports/write-reports.ts');
  const { result, file } = readResult(path);
  const folder = options.out ?? dirname(file);
  const unmakeFolder = makeFolder(folder);
  try {
    writeReports(folder, result);
  } finally {
    unmakeFolder();
  }
  process.stdout.write(`${reportFiles.join(', ')} in ${folder}\n`);
}
