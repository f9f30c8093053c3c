// The CDN as a process of its own: what a run starts. Exit code 2 for a bad option, 3 when it cannot listen.

import { Command, CommanderError } from 'commander';
import { exitCodes, OperatorError } from '../../common/errors.ts';
import { type CdnProgramOptions, runCdn, withCdnOptions } from './program.ts';

const command = withCdnOptions(new Command('cdn'))
  .exitOverride()
  .showHelpAfterError('(--help shows the options)')
  .action(async (options: CdnProgramOptions) => runCdn(options));

try {
  await command.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : exitCodes.badInput;
  else if (error instanceof OperatorError) {
    process.stderr.write(`cdn: ${error.message}\n`);
    process.exitCode = error.exitCode;
  } else throw error;
}
