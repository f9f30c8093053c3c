// `sim validate FILE…`: checks scenarios, capacity plans and hardware profiles, and runs nothing.

import type { Command } from 'commander';
import { OperatorError } from '../../common/errors.ts';
import { formatCount } from '../../common/units.ts';
import { isPlanText, parsePlan } from '../capacity/load-plan.ts';
import { glanceAtLog } from '../replay/choose-format.ts';
import { parseScenario, readScenarioFile } from '../scenario/load.ts';
import { isProfileFile, loadProfile } from '../scenario/load-profile.ts';
import type { ReplaySpec } from '../scenario/replay-spec.ts';
import type { Scenario } from '../scenario/scenario.ts';

/** Adds `validate`: one `ok` line per good file on standard output; all mistakes of all files, and exit code 2. */
export function addValidateCommand(program: Command): void {
  program
    .command('validate')
    .summary('check scenario files without running them')
    .description(
      'Checks scenario files: every mistake of every file, each with file:line:column. Runs nothing.\n' +
        'Capacity plans are known by their keys; a file in a folder named "profiles" is checked as a hardware profile.',
    )
    .argument('<scenario...>', 'scenario files, capacity plans, or hardware profiles (YAML)')
    .addHelpText(
      'after',
      '\nExamples:\n  sim validate scenarios/enterprise.yaml\n  sim validate scenarios/*.yaml scenarios/profiles/*.yaml plans/*.yaml\n\nExit code 2 when a file has a mistake.',
    )
    .action(validate);
}

async function validate(paths: readonly string[]): Promise<void> {
  const messages: string[] = [];
  for (const path of paths) {
    try {
      const found = await summary(path);
      process.stdout.write(`${path}: ok (${found})\n`);
    } catch (error) {
      if (!(error instanceof OperatorError)) throw error;
      messages.push(error.message);
    }
  }
  if (messages.length > 0) throw new OperatorError('BAD_SCENARIO', messages.join('\n'));
}

async function summary(path: string): Promise<string> {
  if (isProfileFile(path)) return `hardware profile, ${loadProfile(path).name}`;
  const text = readScenarioFile(path).toString('utf8');
  return isPlanText(text) ? ofPlan(text, path) : await ofScenario(text, path);
}

function ofPlan(text: string, path: string): string {
  const { sites } = parsePlan(text, path);
  const [siteCount, deviceCount] = [
    total(sites, ({ count }) => count),
    total(sites, (site) => site.count * site.devices),
  ];
  return `capacity plan, ${counted(siteCount, 'site')}, ${counted(deviceCount, 'device')}`;
}

async function ofScenario(text: string, path: string): Promise<string> {
  const { replay, fleet, nodes, events, expect }: Scenario = parseScenario(text, path).scenario;
  const deviceCount = total(fleet, ({ devices }) => devices);
  return [
    replay === undefined ? counted(deviceCount, 'device') : await glance(replay, path),
    counted(nodes.length, 'node'),
    counted(events.length, 'event'),
    counted(expect.length, 'expectation'),
  ].join(', ');
}

/** The log is opened and its first lines are read: more is known only to a run. */
async function glance(replay: ReplaySpec, path: string): Promise<string> {
  const { formatName, firstTimeMs } = await glanceAtLog(replay).catch((error: unknown) => {
    if (!(error instanceof OperatorError)) throw error;
    throw new OperatorError(error.code, `${path}: ${error.message}`);
  });
  return `log ${replay.log}, ${formatName}, first request at ${new Date(firstTimeMs).toISOString()}`;
}

const total = <T>(values: readonly T[], of: (value: T) => number): number =>
  values.reduce((sum, value) => sum + of(value), 0);

const counted = (count: number, of: string): string => `${formatCount(count)} ${of}${count === 1 ? '' : 's'}`;
