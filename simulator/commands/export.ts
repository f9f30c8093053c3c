// `sim export`: a scenario in the form that another engine takes. One file a form.

import type { Command } from 'commander';
import { addExportKubernetes } from './export-kubernetes.ts';

export function addExportCommand(program: Command): void {
  const parent = program.command('export').description('Writes a scenario in the form that another engine takes.');
  addExportKubernetes(parent);
}
