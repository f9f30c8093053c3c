// `sim gate`: makes the runs that a comparison takes, of a base and of this checkout in turns, and compares them.

import { join } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { exitCodes, OperatorError } from '../../common/errors.ts';
import { formatDuration } from '../../common/units.ts';
import { compareSides } from '../compare/compare.ts';
import type { Comparison } from '../compare/comparison.ts';
import { runCountMin } from '../compare/finding.ts';
import { requireKnown } from '../compare/roles.ts';
import { readSide } from '../compare/side.ts';
import { programFile } from '../gate/build-of-ref.ts';
import { type Checkout, findCheckout, isOtherHarness, thisCheckout } from '../gate/checkout.ts';
import { type GateProgress, type GateSide, interleaved, makeRuns } from '../gate/gate-runs.ts';
import { allMetrics, type WorldName } from '../result/metrics.ts';
import { loadScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { chooseWorlds } from '../world/choose-worlds.ts';
import { carryOut } from './carry-out.ts';
import {
  addRuleOptions,
  comparisonExitCodes,
  concludeComparison,
  type RuleOptions,
  rulesOf,
  type ShowOptions,
} from './compare.ts';
import { type ScenarioOptions, seedOption, setOption, setsOf } from './option-values.ts';
import { outFolder } from './out-folder.ts';

type GateOptions = RuleOptions &
  ShowOptions &
  ScenarioOptions & {
    readonly base?: string;
    readonly runs: number;
    readonly world?: 'live' | 'virtual';
    readonly out?: string;
    readonly setBase: readonly string[];
    readonly setCandidate: readonly string[];
  };

const defaultRunCount = 10;
const runCountMax = 500;

export function addGateCommand(program: Command): void {
  const command = program
    .command('gate')
    .summary('run base and candidate in turns, and compare them')
    .description(
      'Is this checkout, or a setting, worse than the base? Runs a scenario with both in turns on this machine, a ' +
        'number of times that is fixed before, and compares. No run is repeated, and none is added: the verdict is that of the first ones.',
    )
    .argument('<scenario>', 'a scenario file; the same one for both')
    .option(
      '--base <ref|folder>',
      'a commit of this repository, which is built, or the folder of a built checkout (default: this checkout)',
    )
    .addOption(
      new Option('--runs <n>', `runs of each, an even number from ${runCountMin}`)
        .argParser(runCount)
        .default(defaultRunCount),
    )
    .addOption(
      new Option(
        '--world <world>',
        'live: on this machine; virtual: by the model, another seed each round (default: live, where possible)',
      ).choices(['live', 'virtual']),
    )
    .addOption(seedOption())
    .addOption(setOption('changes a value of the file, for both; may be repeated'))
    .addOption(setOption('for the base alone', '--set-base <path=value>'))
    .addOption(setOption('for the candidate alone', '--set-candidate <path=value>'))
    .option('--out <folder>', 'where the results go (default: out/gate-<scenario>-<time>)');
  addRuleOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  $ sim gate scenarios/smoke.yaml --base main              this checkout, as it is built, against a branch
  $ sim gate scenarios/smoke.yaml --base ../other          against another checkout
  $ sim gate scenarios/smoke.yaml --set-candidate "nodes.0.limit.egress=4 Gbit/s"   a setting against none
  $ sim gate scenarios/branch-office.yaml --world virtual --set-candidate "cdn.egress=50 Mbit/s"
  $ sim gate scenarios/smoke.yaml --base .                 against itself: how much this machine varies

Takes 2 × --runs times as long as one run. Let the machine have nothing else to do. Ctrl-C compares what was run.
Again, from the results: sim compare <folder>/base <folder>/candidate. docs/gates.md explains how it judges.

${comparisonExitCodes}`,
    )
    .action(gate);
}

async function gate(path: string, options: GateOptions): Promise<void> {
  const { base: ref, setBase, setCandidate } = options;
  requireDifference(options);
  const loaded = loadScenario(path, setsOf(options));
  // What either side changes is checked before anything is built.
  for (const sets of [setBase, setCandidate]) loadScenario(path, [...setsOf(options), ...sets]);
  const world = chooseWorlds(loaded.scenario, options.world).live ? 'live' : 'virtual';
  requireKnown(rulesOf(options), metricNames(loaded.scenario, world));
  const folder = options.out ?? outFolder(path, new Date(), { prefix: 'gate-' });
  await carryOut(folder, options, async (signal, progress) => {
    const checkout =
      ref === undefined ? thisCheckout : await findCheckout(ref, signal, (what) => progress.showLine(what, what));
    const sides = [
      sideOf('base', checkout, [...options.set, ...setBase]),
      sideOf('candidate', thisCheckout, [...options.set, ...setCandidate]),
    ] as const;
    const planned = interleaved(...sides, options.runs);
    const { seed } = loaded.scenario;
    const madeCount = await makeRuns(planned, {
      scenario: path,
      world,
      // The virtual world repeats itself for the same seed: only other draws say more.
      seedOf: (round) => (world === 'virtual' ? seed + round : seed),
      folder,
      signal,
      onProgress: (state) => progress.showLine(progressText(state), 'runs'),
    });
    progress.end();
    const comparison = compareRuns(folder, checkout, options, madeCount, planned.length);
    concludeComparison(comparison, options, folder);
  });
}

function requireDifference({ base, setBase, setCandidate }: GateOptions): void {
  if (base !== undefined || setBase.length > 0 || setCandidate.length > 0) return;
  throw new OperatorError(
    'NOTHING_TO_COMPARE',
    'sim gate: expected a base by --base, or a setting of one side by --set-base or --set-candidate, found neither. Example: ' +
      '--base main. To see how much the same build varies: --base .',
  );
}

/** Those that a run of the scenario can have. */
function metricNames({ nodes, fleet }: Scenario, world: WorldName): ReadonlySet<string> {
  const names = allMetrics().flatMap(({ name, worlds }) => {
    if (!worlds.includes(world)) return [];
    const scope = name.startsWith('node.') ? nodes : name.startsWith('group.') ? fleet : undefined;
    return scope === undefined ? [name] : scope.map(({ id }) => name.replace('<id>', id));
  });
  return new Set(names);
}

function sideOf(name: GateSide['name'], { folder }: Checkout, sets: readonly string[]): GateSide {
  return { name, program: join(folder, programFile), sets };
}

function compareRuns(
  folder: string,
  checkout: Checkout,
  options: GateOptions,
  madeCount: number,
  plannedCount: number,
): Comparison {
  // The second run is the first of the other side.
  if (madeCount < 2) {
    throw new OperatorError('INTERRUPTED', 'Interrupted before both sides had a run.', exitCodes.interrupted);
  }
  const base = { ...readSide(join(folder, 'base')), label: checkout.label };
  const candidate = { ...readSide(join(folder, 'candidate')), label: thisCheckout.label };
  const comparison = compareSides(base, [candidate], rulesOf(options));
  const note =
    'the load generator differs, too (simulator or common): what it does otherwise is part of the difference';
  const noted = isOtherHarness(checkout, thisCheckout)
    ? { ...comparison, candidates: comparison.candidates.map((each) => ({ ...each, notes: [...each.notes, note] })) }
    : comparison;
  if (madeCount === plannedCount) return noted;
  return { ...noted, verdict: 'interrupted', reason: `interrupted after ${madeCount} of ${plannedCount} runs` };
}

function progressText({ run, runCount: count, side, leftMs }: GateProgress): string {
  const left = leftMs === undefined ? '' : `  ${formatDuration(Math.ceil(leftMs / 1000) * 1000)} left`;
  return `run ${run} of ${count}  ${side}${left}`;
}

function runCount(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value % 2 === 0 && value >= runCountMin && value <= runCountMax) return value;
  throw new InvalidArgumentError(`Expected an even number from ${runCountMin} to ${runCountMax}; found "${text}".`);
}
