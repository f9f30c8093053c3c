// `sim plan`: how many nodes of which class, from devices, payload, deadline and links, by virtual runs on all cores.

import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Command, Option } from 'commander';
import { exitCodes, OperatorError } from '../../common/errors.ts';
import { shellWord } from '../../common/shell-word.ts';
import { formatDuration } from '../../common/units.ts';
import { planPage } from '../../reports/html/plan-page.ts';
import { printPlan } from '../../reports/plan-console.ts';
import { planMarkdown } from '../../reports/plan-markdown.ts';
import { type LoadedPlan, loadPlan, type PlanOptions, planOfOptions } from '../capacity/load-plan.ts';
import {
  failureScenario,
  type MadePlan,
  type MakePlanOptions,
  makePlan,
  solutionScenario,
} from '../capacity/make-plan.ts';
import { VirtualPool } from '../plan/virtual-pool.ts';
import { type CapacityPlan, capacityPlanSchema } from '../result/capacity-plan.ts';
import { thisMachine } from '../result/machine.ts';
import { toolVersion } from '../result/tool-version.ts';
import { writeWhole } from '../result/write-whole.ts';
import { carryOut } from './carry-out.ts';
import { type ScenarioOptions, seedOption, setOption, setsOf, wholeNumber } from './option-values.ts';
import { outFolder } from './out-folder.ts';
import type { ProgressLine } from './progress-line.ts';

type OwnOptions = ScenarioOptions & {
  readonly class: readonly string[];
  readonly jobs?: number;
  readonly out?: string;
  readonly json: boolean;
  readonly quiet: boolean;
};

/** Options that stand for a file, as commander names them, by their flags. */
const planFlags = {
  name: '--name',
  payload: '--payload',
  deadline: '--deadline',
  arrive: '--arrive',
  client: '--client',
  fallbackDelay: '--fallback-delay',
  nodesMax: '--nodes-max',
  cdnEgress: '--cdn-egress',
  devices: '--devices',
  sites: '--sites',
  link: '--link',
  downlink: '--downlink',
} as const;

type PlanFlag = keyof typeof planFlags;
type AllOptions = OwnOptions & Readonly<Partial<Record<PlanFlag, string | number>>>;

export function addPlanCommand(program: Command): void {
  program
    .command('plan')
    .summary('find how many nodes of which class a rollout needs')
    .description(
      'Plans capacity: how many nodes of which class meet the deadline, what network card and disk they need, what the WAN ' +
        'carries, what happens when a node fails at the worst moment, and what if. Found by virtual runs on all cores.',
    )
    .argument('[plan]', 'a plan file; or say it by options')
    .addOption(new Option('--devices <n>', 'devices at each site').argParser(asNumber))
    .option('--payload <size>', 'what each device fetches, e.g. "2 GB"')
    .option('--deadline <duration>', 'until everybody has it, e.g. 24h')
    .option('--arrive <duration>', 'devices arrive evenly at random over so long (default: all at once)')
    .addOption(new Option('--sites <n>', 'number of such sites (default: 1)').argParser(asNumber))
    .option('--link <rate>', 'WAN link of each site, e.g. "100 Mbit/s" (default: not limited)')
    .option('--downlink <rate>', 'what one device can receive (default: not limited)')
    .option('--cdn-egress <rate>', 'most that the CDN sends (default: not limited)')
    .option('--client <client>', 'windows or linux (default: windows)')
    .option('--fallback-delay <duration>', 'how long devices go round several nodes, or none (default: the deadline)')
    .addOption(
      new Option('--class <profile>', 'hardware profile to choose from; may be repeated, smallest first')
        .argParser((text: string, all: readonly string[]): readonly string[] => [...all, text])
        .default([], 'the three of the current enterprise table'),
    )
    .addOption(new Option('--nodes-max <n>', 'most nodes at one site (default: 16)').argParser(asNumber))
    .option('--name <text>', 'name of the plan')
    .addOption(
      new Option('--jobs <n>', 'runs at a time (default: one a core)').argParser(
        wholeNumber('a number from 1 to 256', 1, 256),
      ),
    )
    .option('--out <folder>', 'where the results go (default: out/<plan>-<time>)')
    .addOption(seedOption())
    .addOption(setOption())
    .option('--json', 'print plan.json instead of the summary', false)
    .option('--quiet', 'print nothing but errors; the exit code tells', false)
    .addHelpText('after', examples)
    .action(run);
}

const examples = `
Examples:
  $ sim plan --devices 35000 --payload "2 GB" --deadline 24h --arrive 5min
  $ sim plan --devices 50 --sites 40 --link "100 Mbit/s" --downlink "1 Gbit/s" --payload "2 GB" --deadline 8h
  $ sim plan --devices 20000 --payload "3 GB" --deadline 6h --class isp-edge --class isp-metro
  $ sim plan plans/enterprise.yaml --set deadline=8h

Leaves plan.html, plan.md and plan.json in the folder, scenario.yaml (the solution, for “sim run … --world virtual”) and
failure-<site>.yaml (the same with a node that fails at the worst moment). Keys of a plan file: docs/capacity-plans.md.

Exit codes: 0 a plan was found; 1 nothing that was tried meets the deadline (it says what binds, and what would help);
2 bad usage or plan; 3 a run could not be carried out; 130 interrupted: what is known by then is written.`;

/** The schema says what is wrong with it. */
function asNumber(text: string): number | string {
  const digits = text.replaceAll(/[,_]/g, '');
  return /^\d+$/.test(digits) ? Number(digits) : text;
}

async function run(file: string | undefined, options: AllOptions): Promise<void> {
  const loaded = loadedOf(file, options);
  const startedAt = new Date();
  const out = options.out ?? outFolder(file ?? 'plan', startedAt);
  await carryOut(out, options, async (signal, progress) => {
    const pool = new VirtualPool({ signal, ...(options.jobs === undefined ? {} : { size: options.jobs }) });
    let made: MadePlan;
    try {
      made = await makePlan(loaded, { runner: pool, onProgress: progressOn(progress) });
    } finally {
      await pool.close();
    }
    progress.end();
    const plan = capacityPlan(loaded, made, startedAt, commandOf(file, options));
    const json = `${JSON.stringify(plan, null, 1)}\n`;
    writePlan(out, loaded, made, plan, json);
    if (options.json) process.stdout.write(json);
    else if (!options.quiet) printPlan(plan, process.stdout, out);
    process.exitCode = exitCodeOf(plan);
  });
}

function progressOn(progress: ProgressLine): NonNullable<MakePlanOptions['onProgress']> {
  return ({ phase, runCount, runsAbout, leftMs }) => {
    const left = leftMs === undefined ? '' : `, ${formatDuration(leftMs)} left`;
    progress.showLine(`run ${runCount} of about ${runsAbout}${left}  ${phase}`, phase);
  };
}

function exitCodeOf({ verdict }: Pick<CapacityPlan, 'verdict'>): number {
  if (verdict === 'interrupted') return exitCodes.interrupted;
  return verdict === 'found' ? exitCodes.pass : exitCodes.failed;
}

function loadedOf(file: string | undefined, options: AllOptions): LoadedPlan {
  const flags = Object.keys(planFlags) as PlanFlag[];
  const written: string[] = flags.filter((flag) => options[flag] !== undefined).map((flag) => planFlags[flag]);
  if (options.class.length > 0) written.push('--class');
  if (file !== undefined) {
    if (written.length === 0) return loadPlan(file, setsOf(options));
    const message = `${written[0]}: expected either a plan file or options that stand for one, found both. Change a value of ${file} by --set, e.g. --set "deadline=8 h".`;
    throw new OperatorError('BAD_OPTION', message);
  }
  if (written.length === 0) {
    const message =
      'sim plan: expected a plan file, or --devices, --payload and --deadline, found neither.\n(add --help for usage and examples)';
    throw new OperatorError('BAD_OPTION', message);
  }
  if (options.set.length > 0) {
    throw new OperatorError('BAD_OPTION', `--set ${options.set[0]}: expected a plan file to change, found none.`);
  }
  const { seed } = options;
  const values: PlanOptions = Object.fromEntries(flags.map((flag) => [flag, options[flag]]));
  return planOfOptions({
    ...values,
    seed: seed === undefined ? undefined : asNumber(seed),
    classes: options.class.length === 0 ? undefined : options.class,
  });
}

function capacityPlan({ spec, text }: LoadedPlan, made: MadePlan, startedAt: Date, command: string): CapacityPlan {
  const { name, question, source } = spec;
  return {
    schema: capacityPlanSchema,
    kind: 'capacityPlan',
    tool: { name: 'delivery-optimization-simulator', version: toolVersion },
    command,
    startedAt: startedAt.toISOString(),
    machine: thisMachine(),
    name,
    ...(question === undefined ? {} : { question }),
    ...(source === undefined ? {} : { source }),
    text,
    ...made,
  };
}

function writePlan(out: string, loaded: LoadedPlan, made: MadePlan, plan: CapacityPlan, json: string): void {
  writeWhole(join(out, 'plan.json'), json);
  writeWhole(join(out, 'plan.md'), planMarkdown(plan));
  writeWhole(join(out, 'plan.html'), planPage(plan));
  const solution = solutionScenario(loaded, made);
  if (solution !== undefined) writeWhole(join(out, 'scenario.yaml'), solution);
  for (const site of made.sites) {
    const text = failureScenario(loaded, site);
    if (text !== undefined) writeWhole(join(out, `failure-${site.id}.yaml`), text);
  }
  copyProfiles(out, loaded, made);
}

/** Profiles that stand beside the plan have to stand beside its scenarios. */
function copyProfiles(out: string, { path }: LoadedPlan, { sites }: MadePlan): void {
  for (const id of new Set(sites.flatMap(({ chosen }) => chosen?.classId ?? []))) {
    const file = join(dirname(path), 'profiles', `${id}.yaml`);
    if (!existsSync(file)) continue;
    mkdirSync(join(out, 'profiles'), { recursive: true });
    copyFileSync(file, join(out, 'profiles', `${id}.yaml`));
  }
}

function commandOf(file: string | undefined, options: AllOptions): string {
  const flags = Object.entries(planFlags).flatMap(([key, flag]) => {
    const value = options[key as PlanFlag];
    return value === undefined ? [] : [flag, String(value)];
  });
  const classes = options.class.flatMap((name) => ['--class', name]);
  const sets = options.set.flatMap((each) => ['--set', each]);
  const seed = options.seed === undefined ? [] : ['--seed', options.seed];
  const words = [...(file === undefined ? [] : [file]), ...flags, ...classes, ...seed, ...sets];
  return ['sim plan', ...words.map(shellWord)].join(' ');
}
