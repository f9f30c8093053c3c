// `sim export`: a scenario in the form that another engine takes. One file a form.

import type { Command } from 'commander';

export function addExportCommand(program: Command): void {
  program.command('export').description('Writes a scenario in the form that another engine takes.');
}
