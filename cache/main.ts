// The cache node's program. The first process is the owner (index, drives, fills, admin); it forks the workers, which
// run this same file and own the clients' connections.

import cluster from 'node:cluster';
import { existsSync } from 'node:fs';
import { CommanderError } from 'commander';
import { OperatorError } from '../common/errors.ts';
import { runOwner } from './owner/owner.ts';
import { type DriveSetting, readSettings } from './settings.ts';
import { givenOptions, nodeCommand } from './settings-options.ts';
import { runWorker } from './worker/worker.ts';

async function main(): Promise<void> {
  const command = nodeCommand('sim node').exitOverride();
  try {
    const options = givenOptions(command.parse());
    const read = readSettings(options, process.env);
    if (!cluster.isPrimary) {
      await runWorker(read.settings);
      return;
    }
    for (const warning of read.warnings) process.stderr.write(`cache node: ${warning}\n`);
    if (options['print-config'] === true) {
      // Every worker would load the YAML library for nothing.
      const { printSettings } = await import('./settings-print.ts');
      process.stdout.write(printSettings(read));
    } else {
      read.settings.drives.forEach(requireVolume);
      await runOwner(read.settings);
    }
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
    if (!(error instanceof OperatorError)) throw error;
    process.stderr.write(`cache node: ${error.message}\n`);
    process.exit(error.exitCode);
  }
}

/** A drive of the module is a volume of its container: a folder made inside would be lost with the container. */
function requireVolume({ path, source }: DriveSetting): void {
  if (source?.startsWith('STORAGE_') !== true || existsSync(path)) return;
  throw new OperatorError(
    'NO_VOLUME',
    `${source}: expected the folder ${path}, found none. Bind a volume to it, or name another base by --storage-base.`,
    3,
  );
}

await main();
