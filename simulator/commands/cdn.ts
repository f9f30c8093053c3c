// `sim cdn`: the content delivery network in the foreground, in this process.

import type { Command } from 'commander';
import { type CdnProgramOptions, runCdn, withCdnOptions } from '../cloud/program.ts';

/** Adds `cdn` to the program. Its action rejects with an `OperatorError` (exit code 3) when it cannot listen. */
export function addCdnCommand(program: Command): void {
  withCdnOptions(program.command('cdn')).action(async (options: CdnProgramOptions) => runCdn(options));
}
