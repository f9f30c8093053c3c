// The program `sim`: its commands, and what an error on the way ends in.

import { Command, CommanderError } from 'commander';
import { exitCodes, OperatorError } from '../common/errors.ts';
import { addCalibrateCommand } from './commands/calibrate.ts';
import { addCdnCommand } from './commands/cdn.ts';
import { addCompareCommand } from './commands/compare.ts';
import { addExportCommand } from './commands/export.ts';
import { addGateCommand } from './commands/gate.ts';
import { addMergeCommand } from './commands/merge.ts';
import { addMetricsCommand } from './commands/metrics.ts';
import { addNodeCommand } from './commands/node.ts';
import { addPlanCommand } from './commands/plan.ts';
import { addReportCommand } from './commands/report.ts';
import { addRunCommand } from './commands/run.ts';
import { addSaturateCommand } from './commands/saturate.ts';
import { addSchemaCommand } from './commands/schema.ts';
import { addSweepCommand } from './commands/sweep.ts';
import { addValidateCommand } from './commands/validate.ts';
import { addValidateModelCommand } from './commands/validate-model.ts';
import { toolVersion } from './result/tool-version.ts';

/** `sim` with all its commands; never ends the process by itself. */
export function buildProgram(): Command {
  const program = new Command('sim')
    .description('Load-test harness and simulator for Delivery Optimization with a cache node.')
    .version(toolVersion)
    .exitOverride()
    .showHelpAfterError('(add --help for usage and examples)')
    .addHelpText(
      'after',
      '\nExamples:\n  sim run scenarios/smoke.yaml\n  sim run scenarios/enterprise.yaml\n  sim run scenarios/vm.yaml --world virtual\n  sim run scenarios/enterprise.yaml --role environment   (and --shard 0/4 … 3/4: one run in parts)\n  sim saturate scenarios/saturate.yaml\n  sim sweep scenarios/enterprise.yaml --vary "nodes.0.egress=4 Gbit/s..10 Gbit/s:7"\n  sim plan --devices 35000 --payload "2 GB" --deadline 24h\n  sim calibrate && sim validate-model\n  sim validate scenarios/*.yaml\n  sim export k6 scenarios/smoke.yaml\n  sim metrics',
    );
  addRunCommand(program);
  addReportCommand(program);
  addCompareCommand(program);
  addGateCommand(program);
  addPlanCommand(program);
  addSaturateCommand(program);
  addSweepCommand(program);
  addCalibrateCommand(program);
  addValidateCommand(program);
  addValidateModelCommand(program);
  addMergeCommand(program);
  addExportCommand(program);
  addSchemaCommand(program);
  addMetricsCommand(program);
  addNodeCommand(program);
  addCdnCommand(program);
  return program;
}

/**
 * Runs a command line without its first two words (node, script) and gives the exit code. A command that ended well may
 * have set another code in `process.exitCode`.
 */
export async function runProgram(words: readonly string[], program: Command = buildProgram()): Promise<number> {
  try {
    await program.parseAsync([...words], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : exitCodes.pass;
  } catch (error) {
    return reportError(error);
  }
}

/** Says on standard error what happened, and gives the exit code for it. */
function reportError(error: unknown): number {
  // Commander has already printed the help or its own message.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.pass : exitCodes.badInput;
  if (error instanceof OperatorError) {
    process.stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`sim: this is a bug, please report it with the lines below.\n${stack}\n`);
  return exitCodes.cannotRun;
}
