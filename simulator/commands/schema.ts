// `sim schema`: the JSON Schema of scenario files, for editors and other programs.

import type { Command } from 'commander';
import { scenarioJsonSchema } from '../scenario/schema.ts';

/** Adds `schema`, which prints the JSON Schema on standard output. */
export function addSchemaCommand(program: Command): void {
  program
    .command('schema')
    .summary('print the JSON Schema of scenario files')
    .description('Prints the JSON Schema (draft 2020-12) of scenario files. The repository holds the same text.')
    .addHelpText(
      'after',
      '\nExamples:\n  sim schema > scenarios/scenario.schema.json\n\n' +
        'First line of a scenario, for editors with the YAML language server:\n' +
        '  # yaml-language-server: $schema=scenario.schema.json',
    )
    .action(() => {
      process.stdout.write(scenarioJsonSchema());
    });
}
