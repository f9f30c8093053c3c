// `sim saturate`: how much a scenario bears, by runs at one value after another.

import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { OperatorError } from '../../common/errors.ts';
import { shellWord } from '../../common/shell-word.ts';
import { formatDuration } from '../../common/units.ts';
import { saturationPage } from '../../reports/html/saturation-page.ts';
import { printSaturation } from '../../reports/saturation-console.ts';
import { saturationMarkdown } from '../../reports/saturation-markdown.ts';
import { outcomeWords, reasonOf } from '../../reports/saturation-words.ts';
import { type SaturateTerms, saturate } from '../plan/saturate.ts';
import { answerOf, exitCodeOf } from '../plan/saturation-answer.ts';
import type { SearchSpace } from '../plan/search.ts';
import { hasDemand, type Variable, variableOf } from '../plan/variable.ts';
import { thisMachine } from '../result/machine.ts';
import type { WorldName } from '../result/metrics.ts';
import { type Saturation, saturationSchema } from '../result/saturation.ts';
import { toolVersion } from '../result/tool-version.ts';
import { writeWhole } from '../result/write-whole.ts';
import { type LoadedScenario, loadScenario } from '../scenario/load.ts';
import { chooseWorlds } from '../world/choose-worlds.ts';
import { carryOut } from './carry-out.ts';
import {
  duration,
  durationAboveZero,
  type ScenarioOptions,
  seedOption,
  setOption,
  setsOf,
  wholeNumber,
} from './option-values.ts';
import { outFolder } from './out-folder.ts';
import { progressText } from './progress-line.ts';

type SaturateOptions = ScenarioOptions & {
  readonly vary?: string;
  readonly from?: string;
  readonly to?: string;
  readonly world?: WorldName;
  readonly growth: number;
  readonly resolution: number;
  readonly repeats?: number;
  readonly curve?: number;
  readonly window: number;
  readonly warmUp: number;
  readonly budget: number;
  readonly out?: string;
  readonly json: boolean;
  readonly quiet: boolean;
};

/** Runs near the knee of which the majority counts: live ones are noisy, virtual ones are all alike. */
const repeatsOf: Readonly<Record<WorldName, number>> = { live: 3, virtual: 1 };
/** Further values for the curve: a live one takes half a minute. */
const curveOf: Readonly<Record<WorldName, number>> = { live: 2, virtual: 8 };
/** Without --from the search goes down to this part of the file's value before it gives up. */
const descentMax = 64;

export function addSaturateCommand(program: Command): void {
  program
    .command('saturate')
    .summary('find the highest load under which a scenario holds')
    .description(
      'Finds the highest demand, or number of devices, at which what a scenario expects still holds: by steps up, and then ' +
        'bisection. Prints the curve, the knee, and what was the limit there.',
    )
    .argument('<scenario>', 'a scenario file')
    .option(
      '--vary <what>',
      'demand (the rate of a live window), devices (of all groups), or the path of a number, e.g. fleet.0.devices ' +
        '(default: demand where there is a live window with one, else devices)',
    )
    .option(
      '--from <value>',
      'lowest value, and where to start (default: the value of the file, and lower if that fails)',
    )
    .option('--to <value>', 'highest value (default: as high as it holds)')
    .addOption(
      new Option(
        '--world <world>',
        'live: real connections on this machine; virtual: the modelled machines (default: live for demand, else virtual)',
      ).choices(['live', 'virtual']),
    )
    .addOption(
      valued(
        '--growth <factor>',
        'factor from step to step on the way up',
        number('a factor from 1.05 to 10', 1.05, 10),
        1.5,
      ),
    )
    .addOption(
      valued(
        '--resolution <ratio>',
        'how near the knee is to be known',
        number('a ratio from 0.002 to 1', 0.002, 1),
        0.05,
      ),
    )
    .addOption(
      new Option(
        '--repeats <n>',
        'runs of which the majority counts at the ends of the bracket (default: live 3, virtual 1)',
      ).argParser(odd),
    )
    .addOption(
      new Option('--curve <n>', 'further values that show the curve (default: live 2, virtual 8)').argParser(
        wholeNumber('a number from 0 to 100', 0, 100),
      ),
    )
    .addOption(valued('--window <duration>', 'live: measured time of a step', durationAboveZero, 20_000, '20 s'))
    .addOption(
      valued('--warm-up <duration>', 'live: time before it in which the cache fills', duration, 10_000, '10 s'),
    )
    .addOption(valued('--budget <duration>', 'no step is begun that would end later', duration, 600_000, '10 min'))
    .option('--out <folder>', 'where the results go (default: out/<scenario>-<time>)')
    .addOption(seedOption())
    .addOption(setOption())
    .option('--json', 'print saturation.json instead of the table', false)
    .option('--quiet', 'print nothing but errors; the exit code tells', false)
    .addHelpText('after', examples)
    .action(run);
}

const examples = `
Examples:
  $ sim saturate scenarios/enterprise.yaml                            how fast can this machine's node feed the fleet?
  $ sim saturate scenarios/enterprise.yaml --from "4 Gbit/s" --to "12 Gbit/s" --budget "5 min"
  $ sim saturate scenarios/enterprise.yaml --world virtual            how many devices does the modelled node bear?
  $ sim saturate scenarios/branch-office.yaml --vary content.0.size --set 'expect=["fleet.finishMs <= 1 h"]'

A step holds when everything that the scenario expects holds; when demand is varied, 98 % of it must also be received. A step
at which the load generator was the limit is unsure: it ends the way up, and the answer is then "at least".

Exit codes: 0 the knee is known, or the whole range holds; 1 nothing holds; 2 bad usage or scenario; 3 beyond the last step that
held, a run could not be carried out; 4 inconclusive: the generator was the limit, or the time was up; 130 interrupted.`;

async function run(path: string, options: SaturateOptions): Promise<void> {
  const loaded = loadScenario(path, setsOf(options));
  const terms = termsOf(loaded, options);
  const startedAt = new Date();
  const out = options.out ?? outFolder(loaded.path, startedAt);
  await carryOut(out, options, async (signal, progress) => {
    let line = '';
    const searched = await saturate(terms, {
      signal,
      onStep: ({ step, stepsAbout, text, leftMs }) => {
        const left = leftMs === undefined ? '' : `, ${formatDuration(leftMs)} left`;
        line = `step ${step} of about ${stepsAbout}${left}  ${text}`;
        progress.showLine(line, line);
      },
      onLive: (state) => progress.showLine(`${line}  ${progressText(state)}`, line),
      onVirtual: ({ virtualMs }) => progress.showLine(`${line}  virtual time ${formatDuration(virtualMs)}`, line),
      onStepDone: (step) => {
        progress.end();
        if (!options.quiet)
          process.stderr.write(
            `${`${step.text.padEnd(14)} ${outcomeWords[step.outcome].padEnd(8)} ${reasonOf(step)}`.trimEnd()}\n`,
          );
      },
    });
    progress.end();
    const answer = answerOf(searched, terms.variable);
    const saturation = saturationOf(terms, options, startedAt, searched.steps, answer);
    const json = `${JSON.stringify(saturation, null, 1)}\n`;
    writeWhole(join(out, 'saturation.json'), json);
    writeWhole(join(out, 'saturation.md'), saturationMarkdown(saturation, 'saturation.svg'));
    // Nobody waits for a drawing library before the search.
    const { saturationChart } = await import('../../reports/saturation-chart.ts');
    writeWhole(join(out, 'saturation.svg'), saturationChart(saturation));
    writeWhole(join(out, 'saturation.html'), saturationPage(saturation));
    if (options.json) process.stdout.write(json);
    else if (!options.quiet) printSaturation(saturation, process.stdout, out);
    process.exitCode = exitCodeOf(answer, searched.steps);
  });
}

function termsOf(loaded: LoadedScenario, options: SaturateOptions): SaturateTerms {
  const canBeLive = options.world === undefined ? loaded.scenario.worlds.includes('live') : options.world === 'live';
  const name = options.vary ?? (hasDemand(loaded) && canBeLive ? 'demand' : 'devices');
  const variable = variableOf(name, loaded, options.from);
  const isDemandVaried = variable.paths.includes('live.demand');
  const world = worldOf(loaded, options, isDemandVaried);
  refuseExactCounts(loaded, variable, world);
  const { live } = loaded.scenario;
  return {
    loaded,
    world,
    variable,
    isDemandVaried,
    space: spaceOf(variable, options, world),
    curveCount: options.curve ?? curveOf[world],
    budgetMs: options.budget,
    sets:
      world === 'live' && live !== undefined
        ? [`live.window=${(options.warmUp + options.window) / 1000} s`, `live.warmUp=${options.warmUp / 1000} s`]
        : [],
  };
}

function worldOf(loaded: LoadedScenario, { world: asked }: SaturateOptions, isDemandVaried: boolean): WorldName {
  if (isDemandVaried && asked === 'virtual') {
    const message =
      '--vary demand: expected the live world, which asks for it, found --world virtual. Vary devices there.';
    throw new OperatorError('BAD_OPTION', message);
  }
  const worlds = chooseWorlds(loaded.scenario, isDemandVaried ? 'live' : asked);
  return worlds.virtual ? 'virtual' : 'live';
}

function spaceOf(variable: Variable, options: SaturateOptions, world: WorldName): SearchSpace {
  const read = (text: string | undefined, option: string): number | undefined =>
    text === undefined ? undefined : variable.quantize(variable.read(text, option));
  const from = read(options.from, '--from');
  const ceiling = read(options.to, '--to') ?? Number.POSITIVE_INFINITY;
  const start = Math.min(from ?? variable.start ?? Number.NaN, ceiling);
  if (from !== undefined && from > ceiling) {
    throw new OperatorError('BAD_OPTION', `--to ${options.to}: expected no less than --from ${options.from}.`);
  }
  const lowest = variable.quantize(start / descentMax);
  return {
    start,
    floor: from ?? (variable.isWhole ? Math.max(1, lowest) : lowest),
    ceiling,
    growth: options.growth,
    resolutionRatio: options.resolution,
    repeats: options.repeats ?? repeatsOf[world],
    isWhole: variable.isWhole,
    quantize: variable.quantize,
  };
}

/** "connectedCountMax == 35000" holds for one number of devices: no search finds more. */
function refuseExactCounts({ scenario, path }: LoadedScenario, { paths }: Variable, world: WorldName): void {
  if (!paths.some((each) => /^fleet\.\d+\.devices$/.test(each))) return;
  for (const [index, expectation] of scenario.expect.entries()) {
    const { text, metric, op } = expectation;
    const isHere = expectation.world === undefined || expectation.world === world;
    if (!isHere || op !== '==' || !/(^|\.)devices\.(count|connectedCountMax|completedCount)$/.test(metric)) continue;
    throw new OperatorError(
      'EXACT_COUNT',
      `${path}: expect.${index}: "${text}" holds for one number of devices only, which is what is to be varied. Expect a ` +
        `ratio instead: --set "expect.${index}=devices.completedRatio == 1", or --set "expect.${index}=range.failedCount == 0".`,
    );
  }
}

function saturationOf(
  { loaded, world, variable, space, budgetMs }: SaturateTerms,
  options: SaturateOptions,
  startedAt: Date,
  steps: Saturation['steps'],
  answer: Saturation['answer'],
): Saturation {
  const { start, floor, ceiling, growth, resolutionRatio, repeats } = space;
  const { name, paths, unit } = variable;
  return {
    schema: saturationSchema,
    kind: 'saturation',
    tool: { name: 'delivery-optimization-simulator', version: toolVersion },
    scenario: {
      name: loaded.scenario.name,
      path: loaded.path,
      sha256: loaded.sha256,
      text: loaded.text,
    },
    overrides: loaded.overrides,
    seed: loaded.scenario.seed,
    command: repeatCommand(loaded, world, name, options),
    startedAt: startedAt.toISOString(),
    machine: thisMachine(),
    world,
    varied: { name, paths, unit },
    search: {
      start,
      floor,
      ...(Number.isFinite(ceiling) ? { ceiling } : {}),
      growth,
      resolutionRatio,
      repeats,
      budgetMs,
    },
    steps,
    answer,
  };
}

function repeatCommand(
  { path, overrides, scenario }: LoadedScenario,
  world: WorldName,
  vary: string,
  { from, to, growth, resolution, repeats, curve, window, warmUp, budget }: SaturateOptions,
): string {
  const words = Object.entries(overrides).flatMap(([key, value]) =>
    key === 'seed' ? [] : ['--set', `${key}=${value}`],
  );
  const given: readonly (readonly [string, string | number | undefined])[] = [
    ['--vary', vary],
    ['--world', world],
    ['--seed', scenario.seed],
    ['--from', from],
    ['--to', to],
    ['--growth', growth === 1.5 ? undefined : growth],
    ['--resolution', resolution === 0.05 ? undefined : resolution],
    ['--repeats', repeats],
    ['--curve', curve],
    ['--window', window === 20_000 ? undefined : `${window / 1000} s`],
    ['--warm-up', warmUp === 10_000 ? undefined : `${warmUp / 1000} s`],
    ['--budget', budget === 600_000 ? undefined : `${budget / 1000} s`],
  ];
  const options = given.flatMap(([name, value]) => (value === undefined ? [] : [name, String(value)]));
  return ['sim saturate', shellWord(path), ...[...options, ...words].map(shellWord)].join(' ');
}

function valued<T>(flags: string, what: string, parse: (text: string) => T, initial: T, shown?: string): Option {
  return new Option(flags, what).argParser(parse).default(initial, shown);
}

const number =
  (expected: string, min: number, max: number) =>
  (text: string): number => {
    const value = text.trim().endsWith('%') ? Number(text.replace('%', '')) / 100 : Number(text);
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected ${expected}; found "${text}".`);
  };

function odd(text: string): number {
  const value = wholeNumber('an odd number from 1 to 15', 1, 15)(text);
  if (value % 2 === 1) return value;
  throw new InvalidArgumentError(`Expected an odd number from 1 to 15, so that there is a majority; found "${text}".`);
}
