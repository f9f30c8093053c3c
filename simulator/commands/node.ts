// `sim node`: the cache node in the foreground, with the terminal's streams. Its program is a process of its own.

import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { programPath } from '../../common/child-program.ts';

export function addNodeCommand(program: Command): void {
  program
    .command('node')
    .description('Starts a cache node in the foreground (all options: sim node --help).')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .argument('[options...]', 'options of the node')
    .action(async (options: readonly string[]) => {
      const node = spawn(process.execPath, [programPath('cache/main'), ...options], { stdio: 'inherit' });
      // The terminal's Ctrl-C reaches the node by itself; this process waits for it to end.
      process.on('SIGINT', () => undefined);
      process.on('SIGTERM', () => node.kill('SIGTERM'));
      process.exitCode = await new Promise<number>((resolve) => {
        node.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 3)));
      });
    });
}
