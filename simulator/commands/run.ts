// `sim run`: from a scenario file to a verdict, with everything that was measured beside it.

import { type Command, Option } from 'commander';
import { OperatorError } from '../../common/errors.ts';
import type { Dashboard, SeenRun } from '../dashboard/dashboard.ts';
import type { DeviceRow } from '../result/device-row.ts';
import type { Result } from '../result/result.ts';
import { type LoadedScenario, loadScenario } from '../scenario/load.ts';
import type { HardwareProfile } from '../scenario/profile.ts';
import { type ChosenWorlds, chooseWorlds } from '../world/choose-worlds.ts';
import type { LiveOptions } from '../world/live/live-world.ts';
import { refuseLateEvents, runVirtual, type VirtualRun } from '../world/virtual/virtual-world.ts';
import { carryOut } from './carry-out.ts';
import { conclude, type FinishedRun } from './conclude-run.ts';
import { stay, type UiOptions, uiOption, withDashboard } from './live-dashboard.ts';
import { machineProfile, machineProfileName } from './machine-profile.ts';
import { checkMetricsOptions, type MetricsOptions, ServedMetrics, withMetricsOptions } from './metrics-options.ts';
import { type ScenarioOptions, seedOption, setOption, setsOf } from './option-values.ts';
import { outFolder } from './out-folder.ts';
import type { ProgressLine } from './progress-line.ts';
import { type RawTarget, rawOption, refuseRaw, withRaw } from './raw-data.ts';
import { runEnvironment, runOneShard } from './run-in-shards.ts';
import { checkShardingOptions, type ShardingOptions, startAt, withShardingOptions } from './shard-options.ts';
import { writeResults } from './write-results.ts';

type RunOptions = ScenarioOptions &
  ShardingOptions &
  UiOptions &
  MetricsOptions & {
    readonly world?: 'live' | 'virtual' | 'both';
    readonly out?: string;
    readonly devices: boolean;
    readonly raw?: RawTarget;
    readonly json: boolean;
    readonly quiet: boolean;
    readonly profile?: string;
  };

export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .description('Runs a scenario, shows its course and its verdicts, and writes the results.')
    .argument('<scenario>', 'a scenario file')
    .addOption(
      new Option(
        '--world <world>',
        'live: real connections on this machine; virtual: the modelled machines, in virtual time (default: both, where possible)',
      ).choices(['live', 'virtual', 'both']),
    )
    .option('--out <folder>', 'where the results go (default: out/<scenario>-<time>)')
    .addOption(seedOption())
    .addOption(setOption())
    .option(
      '--profile <file>',
      `profile of this machine, for a prediction (default: ${machineProfileName}, if it is there)`,
    )
    .option('--devices', 'also write devices.csv, a row per device', false)
    .addOption(rawOption())
    .addOption(uiOption())
    .option('--json', 'print result.json instead of the summary', false)
    .option('--quiet', 'print nothing but errors; the exit code tells', false);
  withMetricsOptions(withShardingOptions(command))
    .addHelpText(
      'after',
      `
Examples:
  $ sim run scenarios/smoke.yaml                        a small fleet, in seconds
  $ sim run scenarios/enterprise.yaml                   35,000 devices against one node
  $ sim run scenarios/failover.yaml --seed 8 --devices  another draw, with devices.csv
  $ sim run scenarios/failover.yaml --ui                watch it in a browser as it happens
  $ sim run scenarios/failover.yaml --world live --raw ranges.parquet
                                                        each range request as a row, for DuckDB and others
  $ sim run scenarios/vm.yaml --world virtual           a machine that you do not have, in a second
  $ sim run scenarios/failover.yaml --metrics 9464      watched by Prometheus and Grafana
  $ sim run scenarios/smoke.yaml --set fleet.0.devices=100 --set "content.0.size=8 MB"

One run over five machines: nodes and CDN on the first (192.0.2.7), a quarter of the fleet on each of the others:
  $ sim run scenarios/enterprise.yaml --role environment --listen 0.0.0.0:7070
  $ sim run scenarios/enterprise.yaml --shard 0/4 --environment 192.0.2.7:7070      and 1/4, 2/4, 3/4

Exit codes: 0 expectations hold, 1 one failed, 2 bad usage or scenario, 3 could not be carried out, 4 inconclusive,
130 interrupted.`,
    )
    .action(run);
}

async function run(path: string, options: RunOptions): Promise<void> {
  const loaded = loadScenario(path, setsOf(options));
  checkShardingOptions(options, loaded.scenario);
  if (options.shard !== undefined || options.role !== undefined) {
    checkMetricsOptions(options, true);
    refuseRaw(options.raw, options.role, chooseWorlds(loaded.scenario, 'live'));
    if (options.shard !== undefined) return await runOneShard(loaded, options.shard, options);
    return await runEnvironment(loaded, options);
  }
  const worlds = chooseWorlds(loaded.scenario, options.world);
  refuseRaw(options.raw, undefined, worlds);
  const startAtEpochMs = startAt(options.startAt, loaded.scenario);
  checkMetricsOptions(options, worlds.live);
  const runsBoth = worlds.live && worlds.virtual;
  const machine = runsBoth || options.profile !== undefined ? machineProfile(options.profile) : undefined;
  const notes = [
    ...worlds.notes,
    ...(machine === undefined || runsBoth ? [] : ['no prediction: that takes both worlds']),
    ...(machine === undefined && runsBoth ? ['no prediction: sim calibrate makes the profile that it takes'] : []),
  ];
  const startedAt = new Date();
  const out = options.out ?? outFolder(loaded.path, startedAt);
  const expected = loaded.scenario.expect.map(({ text }) => text);
  const concluded = (runs: readonly SeenRun[]): Result =>
    conclude(loaded, runs.map(asFinished), startedAt, whatRan(options)).result;
  const course = async (signal: AbortSignal, progress: ProgressLine, watchers: Watchers): Promise<void> => {
    const { finished, rows, interrupted } = await runWorlds(
      loaded,
      worlds,
      machine,
      { ...options, startAtEpochMs, ...watchers },
      signal,
      progress,
    );
    progress.end();
    const noted = finished.map((each) => ({ ...each, run: { ...each.run, notes: [...each.run.notes, ...notes] } }));
    const { result, exitCode } = conclude(loaded, noted, startedAt, whatRan(options), interrupted, machine);
    await writeResults(out, result, rows, options);
    for (const { broken } of finished) {
      if (broken !== undefined) process.stderr.write(`The run could not be carried to its end: ${broken}\n`);
    }
    process.exitCode = exitCode;
    watchers.dashboard?.end(result, out);
    await Promise.all([watchers.served?.linger(signal, options), stay(watchers.dashboard, options, signal)]);
  };
  await withDashboard(options, { expected, conclude: concluded }, (dashboard) =>
    ServedMetrics.during(loaded.scenario, options, (served) =>
      carryOut(out, options, (signal, progress) => course(signal, progress, { dashboard, served })),
    ),
  );
}

/** Who is told what happens. */
type Watchers = { readonly dashboard: Dashboard | undefined; readonly served: ServedMetrics | undefined };

/** A run that is judged as if it ended now. */
function asFinished(run: SeenRun): FinishedRun {
  return { run, interrupted: false, broken: undefined };
}

type RunsOfWorlds = {
  readonly finished: readonly FinishedRun[];
  readonly rows: readonly DeviceRow[];
  /** Before all runs were made, or in one of them. */
  readonly interrupted: boolean;
};

/** The claim first: it takes a second, and refuses what makes no sense before anything real is started. */
async function runWorlds(
  loaded: LoadedScenario,
  worlds: ChosenWorlds,
  machine: HardwareProfile | undefined,
  options: RunOptions & Watchers & { readonly startAtEpochMs: number | undefined },
  signal: AbortSignal,
  progress: ProgressLine,
): Promise<RunsOfWorlds> {
  const { scenario } = loaded;
  const { dashboard } = options;
  const finished: FinishedRun[] = [];
  let rows: readonly DeviceRow[] = [];
  const inVirtualTime = async (predictedFor: HardwareProfile | undefined): Promise<VirtualRun> => {
    const virtual = await runVirtual(scenario, {
      machine: predictedFor,
      signal,
      deviceRows: options.devices && !worlds.live,
      onProgress: (state) => {
        progress.showVirtual(state);
        dashboard?.showVirtual(state);
      },
    });
    const { interrupted } = virtual;
    finished.push({ run: virtual.run, interrupted, broken: undefined });
    dashboard?.add(virtual.run);
    return virtual;
  };
  if (worlds.virtual) {
    const virtual = await inVirtualTime(undefined);
    rows = virtual.rows;
    if (!worlds.live && !virtual.interrupted) refuseLateEvents(virtual);
  }
  if (worlds.live && !signal.aborted) {
    // Half of the time to load this program is the live world's.
    const { runLive } = await import('../world/live/live-world.ts');
    const terms: LiveOptions = {
      signal,
      ...toWatchers(progress, options),
      deviceRows: options.devices,
      startAtEpochMs: options.startAtEpochMs,
    };
    const kept = await withRaw(
      options.raw,
      { loaded },
      progress,
      (onRangeRows) => runLive(scenario, { ...terms, onRangeRows }),
      ({ parts }) => parts,
    ).catch((error: unknown) => {
      // Interrupted before it had started: the claim is kept.
      if (signal.aborted && finished.length > 0 && error instanceof OperatorError) return undefined;
      throw error;
    });
    if (kept === undefined) return { finished, rows, interrupted: true };
    const { ran: live, notes } = kept;
    rows = live.rows;
    const run = { ...live.run, notes: [...live.run.notes, ...notes] };
    finished.push({ ...live, run });
    dashboard?.add(run);
    if (machine !== undefined && !live.interrupted && live.broken === undefined) await inVirtualTime(machine);
  }
  return { finished, rows, interrupted: signal.aborted };
}

/** What a live run says, to whoever watches it. */
function toWatchers(
  progress: ProgressLine,
  { dashboard, served }: Watchers,
): Pick<LiveOptions, 'onProgress' | 'onSnapshot' | 'onNodes'> {
  const onSnapshot = (snapshot: SeenRun): void => {
    dashboard?.take(snapshot);
    served?.take(snapshot);
  };
  return {
    onProgress: (state) => {
      progress.show(state);
      dashboard?.show(state);
      served?.enter(state.phase);
    },
    onSnapshot: dashboard === undefined && served === undefined ? undefined : onSnapshot,
    onNodes: (adminOf) => served?.find(adminOf),
  };
}

/** Options that decide which runs there are. */
function whatRan({ world, profile }: RunOptions): string[] {
  return [...(world === undefined ? [] : ['--world', world]), ...(profile === undefined ? [] : ['--profile', profile])];
}
