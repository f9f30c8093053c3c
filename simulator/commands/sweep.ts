// `sim sweep`: a scenario at every point of a grid, on all cores; it goes on where it was left.

import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { OperatorError } from '../../common/errors.ts';
import { shellWord } from '../../common/shell-word.ts';
import { formatCount, formatDuration } from '../../common/units.ts';
import { printSweep } from '../../reports/sweep-console.ts';
import { countOf, placesOf } from '../plan/grid.ts';
import { pointSets, type SweepTerms, sweep } from '../plan/sweep.ts';
import { SweepJournal } from '../plan/sweep-journal.ts';
import { checkAxes, identityOf, parseAxes, shownMetrics } from '../plan/sweep-terms.ts';
import { sweepVerdict } from '../plan/sweep-verdict.ts';
import { VirtualPool } from '../plan/virtual-pool.ts';
import { thisMachine } from '../result/machine.ts';
import type { WorldName } from '../result/metrics.ts';
import { type Sweep, type SweepAxis, type SweepPlace, type SweepPoint, sweepSchema } from '../result/sweep.ts';
import { toolVersion } from '../result/tool-version.ts';
import { type LoadedScenario, loadScenario } from '../scenario/load.ts';
import { chooseWorlds } from '../world/choose-worlds.ts';
import { carryOut } from './carry-out.ts';
import { type ScenarioOptions, seedOption, setOption, setsOf, wholeNumber } from './option-values.ts';
import { outFolder } from './out-folder.ts';
import { progressText } from './progress-line.ts';
import { writeSweep } from './write-sweep.ts';

type SweepOptions = ScenarioOptions & {
  readonly vary: readonly string[];
  readonly metric: readonly string[];
  readonly world?: WorldName;
  readonly repeat: number;
  readonly threads?: number;
  readonly maxRuns?: number;
  readonly out?: string;
  readonly json: boolean;
  readonly quiet: boolean;
};

/** More than that is asked about: a virtual run takes some ms or seconds, a live one half a minute and more. */
const runsMax: Readonly<Record<WorldName, number>> = { virtual: 10_000, live: 100 };
/** As long as a run is waited for that only shows how long one takes. */
const trialMs = 10_000;

export function addSweepCommand(program: Command): void {
  program
    .command('sweep')
    .summary('run a scenario at every point of a grid')
    .description(
      'Runs a scenario at every combination of values, on all cores: a table, sweep.csv, and a page with a curve (one thing ' +
        'varied) or a heat map (two). The same command with the same --out goes on where it was left.',
    )
    .argument('<scenario>', 'a scenario file')
    .addOption(
      setOption(
        'what to vary: PATH=a..b:n (n values, both ends among them), PATH=a..b:n:log (evenly by ratio), PATH=v1,v2,… ' +
          '(a list); PATH is one into the file, devices (of all groups) or demand; may be repeated',
        '--vary <path=values>',
        'none; one is needed',
      ),
    )
    .addOption(
      setOption(
        'what to show, may be repeated; sim metrics lists them',
        '--metric <name>',
        'what the scenario expects something of',
      ),
    )
    .addOption(
      new Option(
        '--world <world>',
        'virtual: the modelled machines, in virtual time; live: real connections, one run after another (default: virtual where possible)',
      ).choices(['live', 'virtual']),
    )
    .addOption(
      new Option('--repeat <n>', 'runs of each combination, with seeds that count up')
        .argParser(wholeNumber('a number from 1 to 1000', 1, 1000))
        .default(1),
    )
    .addOption(
      new Option('--threads <n>', 'virtual runs at a time (default: one a core)').argParser(
        wholeNumber('a number from 1 to 1024', 1, 1024),
      ),
    )
    .addOption(
      new Option('--max-runs <n>', 'refuse a grid of more runs (default: virtual 10000, live 100)').argParser(
        wholeNumber('a number from 2 to 1000000', 2, 1_000_000),
      ),
    )
    .option('--out <folder>', 'where the results go, and come from (default: out/sweep-<scenario>-<time>)')
    .addOption(seedOption())
    .addOption(setOption())
    .option('--json', 'print sweep.json instead of the table', false)
    .option('--quiet', 'print nothing but errors; the exit code tells', false)
    .addHelpText('after', examples)
    .action(run);
}

const examples = `
Examples:
  $ sim sweep scenarios/enterprise.yaml --vary "nodes.0.egress=4 Gbit/s..10 Gbit/s:13"
  $ sim sweep scenarios/vm.yaml --vary devices=100..10000:7:log --vary nodes.0.profile=vm,vm-sr-iov
  $ sim sweep scenarios/failover.yaml --vary "fleet.0.policy.fallbackDelayBackground=0 s..60 s:7" --repeat 5 --metric fallback.deviceCount

A combination that no scenario can have is a row with its reason. Every run that has ended is kept in the folder: after Ctrl-C,
or worse, the same command with that --out runs what is missing.

Exit codes: 0 every run does what its scenario expects, 1 one fails, 2 bad usage, scenario or axis, or no run is possible, 3 a run
could not be carried out, 4 one is inconclusive, 130 interrupted. 1 beats 3 beats 4.`;

async function run(path: string, options: SweepOptions): Promise<void> {
  const loaded = loadScenario(path, setsOf(options));
  if (options.vary.length === 0) {
    const message =
      'sim sweep: expected something to vary, such as --vary fleet.0.devices=1000..5000:5; found no --vary.';
    throw new OperatorError('BAD_OPTION', message);
  }
  const axes = parseAxes(options.vary, loaded);
  const seeds = seedsOf(loaded, axes, options.repeat);
  const world = worldOf(loaded, options.world);
  await refuseTooMany(countOf(axes, seeds.length), loaded, world, options);
  const tried = checkAxes(loaded, axes);
  const terms: SweepTerms = { loaded, world, axes, places: placesOf(axes, seeds) };
  const metrics = shownMetrics(options.metric, loaded.scenario, world);
  const startedAt = new Date();
  const out = options.out ?? outFolder(loaded.path, startedAt, { prefix: 'sweep-' });
  await carryOut(out, options, async (signal, progress) => {
    const journal = await SweepJournal.open(out, identityOf(terms, seeds, tried));
    let swept: Sweep;
    try {
      const line = new SweepProgress(terms.places.length, journal.points.size);
      const points = await sweep(terms, {
        journal,
        signal,
        threads: options.threads,
        onDone: (point) => progress.showLine(line.after(point), 'sweep'),
        onLive: (state) => progress.showLine(`${line.text()}  ${progressText(state)}`, `run ${line.done}`),
      });
      progress.end();
      const command = repeatCommand(loaded, world, options);
      swept = sweepOf(terms, seeds, metrics, points, { command, startedAt });
      await writeSweep(out, swept);
    } finally {
      await journal.close();
    }
    if (options.json) process.stdout.write(`${JSON.stringify(swept, null, 1)}\n`);
    else if (!options.quiet) printSweep(swept, process.stdout, out);
    process.exitCode = swept.exitCode;
  });
}

function seedsOf({ scenario }: LoadedScenario, axes: readonly SweepAxis[], repeat: number): number[] {
  if (repeat > 1 && axes.some(({ name }) => name === 'seed')) {
    throw new OperatorError('BAD_OPTION', '--repeat: expected no --vary seed beside it: both change the seed.');
  }
  return Array.from({ length: repeat }, (_, index) => scenario.seed + index);
}

function worldOf({ scenario }: LoadedScenario, asked: WorldName | undefined): WorldName {
  const worlds = chooseWorlds(scenario, asked);
  return worlds.virtual ? 'virtual' : 'live';
}

/** Says how many runs it would be, and about how long they would take. */
async function refuseTooMany(
  count: number,
  { scenario, text, path, overrides }: LoadedScenario,
  world: WorldName,
  { maxRuns = runsMax[world], threads = availableParallelism(), quiet }: SweepOptions,
): Promise<void> {
  if (count <= maxRuns) return;
  let about = '';
  if (world === 'live') {
    const { live } = scenario;
    if (live !== undefined) about = `, about ${formatDuration(count * live.windowMs)} for their windows alone`;
  } else {
    if (!quiet) process.stderr.write('looking how long one run takes\n');
    const pool = new VirtualPool({ size: 1, signal: AbortSignal.timeout(trialMs) });
    const sets = Object.entries(overrides).map(([key, value]) => `${key}=${value}`);
    const trial = await pool.run({ text, path, overrides: sets });
    await pool.close();
    const cores = `on ${threads} ${threads === 1 ? 'core' : 'cores'}`;
    if (trial.kind === 'ran') about = `, about ${formatDuration((count * trial.elapsedMs) / threads)} ${cores}`;
    else if (trial.kind === 'interrupted')
      about = `, more than ${formatDuration((count * trialMs) / threads)} ${cores}`;
  }
  throw new OperatorError(
    'GRID_TOO_LARGE',
    `--vary: expected a grid of at most ${formatCount(maxRuns)} runs, found one of ${formatCount(count)}${about}. ` +
      `Vary less, with fewer values, or say --max-runs ${count}.`,
  );
}

/** How far a sweep is, and how long it will go on at the pace so far. */
class SweepProgress {
  done: number;
  readonly #count: number;
  readonly #before: number;
  readonly #sinceMs = performance.now();
  #failed = 0;

  constructor(count: number, before: number) {
    this.#count = count;
    this.#before = before;
    this.done = before;
  }

  after({ outcome }: SweepPoint): string {
    this.done += 1;
    if (outcome === 'fail') this.#failed += 1;
    return this.text();
  }

  text(): string {
    const ran = this.done - this.#before;
    const leftMs = ((performance.now() - this.#sinceMs) / ran) * (this.#count - this.done);
    const left = ran === 0 ? '' : `, ${formatDuration(leftMs)} left`;
    const failed = this.#failed === 0 ? '' : `, ${formatCount(this.#failed)} failed`;
    return `${formatCount(this.done)} of ${formatCount(this.#count)} runs${failed}${left}`;
  }
}

function sweepOf(
  terms: SweepTerms,
  seeds: readonly number[],
  metrics: readonly string[],
  points: ReadonlyMap<number, SweepPoint>,
  origin: { readonly command: string; readonly startedAt: Date },
): Sweep {
  const { loaded, world, axes, places } = terms;
  const { scenario, path, sha256, text, overrides } = loaded;
  const ended = places.flatMap((place) => {
    const point = points.get(place.index);
    return point === undefined ? [] : [{ ...point, ...place, command: pointCommand(terms, place) }];
  });
  return {
    schema: sweepSchema,
    kind: 'sweep',
    tool: { name: 'delivery-optimization-simulator', version: toolVersion },
    scenario: {
      name: scenario.name,
      path,
      sha256,
      text,
      ...(scenario.question === undefined ? {} : { question: scenario.question }),
      expected: scenario.expected,
    },
    overrides,
    command: origin.command,
    startedAt: origin.startedAt.toISOString(),
    machine: thisMachine(),
    world,
    axes,
    seeds,
    metrics,
    ...sweepVerdict(ended, places.length),
    points: ended,
  };
}

function pointCommand(terms: SweepTerms, place: SweepPlace): string {
  const sets = pointSets(terms, place).filter((set) => !set.startsWith('seed='));
  const words = sets.map((set) => ` --set ${shellWord(set)}`).join('');
  return `sim run ${shellWord(terms.loaded.path)} --world ${terms.world} --seed ${place.seed}${words}`;
}

function repeatCommand(
  { path, overrides, scenario }: LoadedScenario,
  world: WorldName,
  { vary, metric, repeat, out }: SweepOptions,
): string {
  const sets = Object.entries(overrides).filter(([key]) => key !== 'seed');
  const isSeedVaried = vary.some((each) => /^\s*seed\s*=/.test(each));
  const words: readonly string[] = [
    ...vary.flatMap((each) => ['--vary', each]),
    ...['--world', world],
    ...(isSeedVaried ? [] : ['--seed', String(scenario.seed)]),
    ...(repeat === 1 ? [] : ['--repeat', String(repeat)]),
    ...sets.flatMap(([key, value]) => ['--set', `${key}=${value}`]),
    ...metric.flatMap((name) => ['--metric', name]),
    ...(out === undefined ? [] : ['--out', out]),
  ];
  return ['sim sweep', shellWord(path), ...words.map(shellWord)].join(' ');
}
