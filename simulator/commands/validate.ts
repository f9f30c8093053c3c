// `sim validate SCENARIO…`: checks files and runs nothing.

import type { Command } from 'commander';
import { OperatorError } from '../../common/errors.ts';
import { formatCount } from '../../common/units.ts';
import { loadScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** Adds `validate`: one `ok` line per good file on standard output; all mistakes of all files, and exit code 2. */
export function addValidateCommand(program: Command): void {
  program
    .command('validate')
    .summary('check scenario files without running them')
    .description('Checks scenario files: every mistake of every file, each with file:line:column. Runs nothing.')
    .argument('<scenario...>', 'scenario files (YAML)')
    .addHelpText(
      'after',
      '\nExamples:\n  sim validate scenarios/enterprise.yaml\n  sim validate scenarios/*.yaml\n\nExit code 2 when a file has a mistake.',
    )
    .action((paths: readonly string[]) => validate(paths));
}

function validate(paths: readonly string[]): void {
  const messages: string[] = [];
  for (const path of paths) {
    try {
      const { scenario } = loadScenario(path);
      process.stdout.write(`${path}: ok (${summary(scenario)})\n`);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      messages.push(error.message);
    }
  }
  if (messages.length > 0) throw new OperatorError('BAD_SCENARIO', messages.join('\n'));
}

function summary(scenario: Scenario): string {
  const deviceCount = scenario.fleet.reduce((sum, group) => sum + group.devices, 0);
  return [
    counted(deviceCount, 'device'),
    counted(scenario.nodes.length, 'node'),
    counted(scenario.events.length, 'event'),
    counted(scenario.expect.length, 'expectation'),
  ].join(', ');
}

const counted = (count: number, of: string): string => `${formatCount(count)} ${of}${count === 1 ? '' : 's'}`;
