// `sim run`: from a scenario file to a verdict, with everything that was measured beside it.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { exitCodes, OperatorError } from '../../common/errors.ts';
import { printSummary } from '../../reports/console.ts';
import { devicesCsv } from '../../reports/devices-csv.ts';
import { summaryMarkdown } from '../../reports/summary-markdown.ts';
import { withInvariants } from '../judge/invariants.ts';
import { type ExpectationVerdict, judgeRun, type OverallVerdict, overallVerdict } from '../judge/judge.ts';
import { thisMachine } from '../result/machine.ts';
import { type Result, type Run, resultSchema } from '../result/result.ts';
import { toolVersion } from '../result/tool-version.ts';
import { makeFolder, writeWhole } from '../result/write-whole.ts';
import { type LoadedScenario, loadScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { type LiveRun, runLive } from '../world/live/live-world.ts';
import { ProgressLine } from './progress-line.ts';

type RunOptions = {
  readonly world?: 'live' | 'virtual' | 'both';
  readonly out?: string;
  readonly seed?: string;
  readonly set: readonly string[];
  readonly devices: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
};

const noVirtualWorld = 'the virtual world does not exist yet: only the live world ran';

export function addRunCommand(program: Command): void {
  program
    .command('run')
    .description('Runs a scenario, shows its course and its verdicts, and writes the results.')
    .argument('<scenario>', 'a scenario file')
    .addOption(
      new Option('--world <world>', 'live: real connections on this machine').choices(['live', 'virtual', 'both']),
    )
    .option('--out <folder>', 'where the results go (default: out/<scenario>-<time>)')
    .option('--seed <n>', 'another seed than the file has')
    .option('--set <path=value>', 'changes a value of the file; may be repeated', (v, all: string[]) => [...all, v], [])
    .option('--devices', 'also write devices.csv, a row per device', false)
    .option('--json', 'print result.json instead of the summary', false)
    .option('--quiet', 'print nothing but errors; the exit code tells', false)
    .addHelpText(
      'after',
      `
Examples:
  $ sim run scenarios/smoke.yaml                        a small fleet, in seconds
  $ sim run scenarios/enterprise.yaml                   35,000 devices against one node
  $ sim run scenarios/failover.yaml --seed 8 --devices  another draw, with devices.csv
  $ sim run scenarios/smoke.yaml --set fleet.0.devices=100 --set "content.0.size=8 MB"

Exit codes: 0 expectations hold, 1 one failed, 2 bad usage or scenario, 3 could not be carried out, 4 inconclusive,
130 interrupted.`,
    )
    .action(run);
}

async function run(path: string, options: RunOptions): Promise<void> {
  const loaded = loadScenario(
    path,
    options.seed === undefined ? options.set : [...options.set, `seed=${options.seed}`],
  );
  if (options.world === 'virtual') {
    throw new OperatorError('NO_VIRTUAL_WORLD', 'The virtual world does not exist yet: run with --world live.');
  }
  const startedAt = new Date();
  const out = options.out ?? join('out', `${fileName(loaded.path)}-${timeName(startedAt)}`);
  const unmakeFolder = makeFolder(out);
  const interrupt = new AbortController();
  const onInterrupt = (): void => interrupt.abort();
  process.on('SIGINT', onInterrupt).on('SIGTERM', onInterrupt);
  const progress = new ProgressLine(options.quiet ? undefined : process.stderr);
  try {
    const live = await runLive(loaded.scenario, {
      signal: interrupt.signal,
      onProgress: (state) => progress.show(state),
      deviceRows: options.devices,
    });
    progress.end();
    const { result, exitCode } = conclude(loaded, live, startedAt, options.world);
    const json = `${JSON.stringify(result, null, 1)}\n`;
    writeWhole(join(out, 'result.json'), json);
    writeWhole(join(out, 'summary.md'), summaryMarkdown(result));
    if (options.devices) writeWhole(join(out, 'devices.csv'), devicesCsv(live.rows));
    if (options.json) process.stdout.write(json);
    else if (!options.quiet) printSummary(result, process.stdout, out);
    if (live.broken !== undefined) process.stderr.write(`The run could not be carried to its end: ${live.broken}\n`);
    process.exitCode = exitCode;
  } finally {
    progress.end();
    unmakeFolder();
    process.off('SIGINT', onInterrupt).off('SIGTERM', onInterrupt);
  }
}

/** Judges, and puts the whole result together. */
function conclude(
  loaded: LoadedScenario,
  live: LiveRun,
  startedAt: Date,
  world: RunOptions['world'],
): { result: Result; exitCode: number } {
  const { scenario } = loaded;
  const cut = live.interrupted || live.broken !== undefined;
  const verdicts = judgeRun(withInvariants(scenario.expect), {
    ...live.run,
    generatorSaturated: live.generatorSaturated,
  });
  const judged: Run = {
    ...live.run,
    notes: world === 'both' ? [...live.run.notes, noVirtualWorld] : live.run.notes,
    expectations: cut ? verdicts.map(whenCutShort) : verdicts,
  };
  const overall = overallOf(judged.expectations, scenario);
  const result: Result = {
    schema: resultSchema,
    tool: { name: 'delivery-optimization-simulator', version: toolVersion },
    scenario: { name: scenario.name, path: loaded.path, sha256: loaded.sha256, text: loaded.text },
    overrides: loaded.overrides,
    seed: scenario.seed,
    command: repeatCommand(loaded),
    startedAt: startedAt.toISOString(),
    machine: thisMachine(),
    verdict: live.interrupted ? 'interrupted' : live.broken !== undefined ? 'inconclusive' : overall.verdict,
    reason: live.interrupted ? 'interrupted before its end' : (live.broken ?? overall.reason),
    runs: [judged],
  };
  const exitCode = live.interrupted
    ? exitCodes.interrupted
    : cut && overall.exitCode !== exitCodes.failed
      ? exitCodes.cannotRun
      : overall.exitCode;
  return { result, exitCode };
}

/** Half a run says nothing about the whole one; but a wrong byte, and books that do not balance, stay wrong. */
function whenCutShort(verdict: ExpectationVerdict): ExpectationVerdict {
  const staysValid = /^(integrity|accounting)\./.test(verdict.metric);
  if (staysValid || verdict.verdict === 'notJudged') return verdict;
  return { ...verdict, verdict: 'inconclusive', reason: 'the run was cut short' };
}

/** A scenario none of whose own expectations could be judged has not passed, though the invariants hold. */
function overallOf(verdicts: readonly ExpectationVerdict[], scenario: Scenario): OverallVerdict {
  const overall = overallVerdict([verdicts], scenario.expected);
  const own = verdicts.slice(0, scenario.expect.length);
  const noneJudged = own.length > 0 && own.every((each) => each.verdict === 'notJudged');
  return noneJudged && overall.verdict === 'pass' ? overallVerdict([], scenario.expected) : overall;
}

function repeatCommand({ path, overrides, scenario }: LoadedScenario): string {
  const sets = Object.entries(overrides).flatMap(([key, value]) =>
    key === 'seed' ? [] : [` --set ${quoted(`${key}=${value}`)}`],
  );
  return `sim run ${quoted(path)} --seed ${scenario.seed}${sets.join('')}`;
}

/** A word for the shell: in double quotes where that is enough (they work on Windows too). */
function quoted(word: string): string {
  if (/^[\w./=:-]+$/.test(word)) return word;
  return /["$`\\!]/.test(word) ? `'${word.replaceAll("'", `'\\''`)}'` : `"${word}"`;
}

function fileName(path: string): string {
  const name =
    path
      .split(/[\\/]/)
      .at(-1)
      ?.replace(/\.ya?ml$/i, '') ?? '';
  return name === '' ? createHash('sha256').update(path).digest('hex').slice(0, 8) : name;
}

/** Local time as `2026-11-21-054501`: sorts, and is a file name everywhere. */
function timeName(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day}-${two(time.getHours())}${two(time.getMinutes())}${two(time.getSeconds())}`;
}
