// `sim export`: a scenario in the form that another engine takes. One file a form.

import type { Command } from 'commander';
import { addExportK6Command } from './export-k6.ts';
import { addExportKubernetesCommand } from './export-kubernetes.ts';

export function addExportCommand(program: Command): void {
  const exportCommand = program
    .command('export')
    .description('Writes a scenario in the form that another engine takes.');
  addExportK6Command(exportCommand);
  addExportKubernetesCommand(exportCommand);
}
