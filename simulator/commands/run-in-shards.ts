// `sim run --shard` and `sim run --role environment`: one run as several commands. Each leaves its part as a file; the
// environment gets all of them, and judges.

import { join } from 'node:path';
import { formatAddress } from '../../common/address.ts';
import { OperatorError } from '../../common/errors.ts';
import { thisMachine } from '../result/machine.ts';
import { writeWhole } from '../result/write-whole.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import type { FleetPart } from '../world/fleet-plan.ts';
import type { LiveRun } from '../world/live/conclusion.ts';
import type { LiveProgress } from '../world/live/live-progress.ts';
import { shardName } from '../world/live/parts.ts';
import { identityOf, type Part, partFileName, sealPart } from '../world/live/shards/part.ts';
import type { RemoteFleet } from '../world/live/shards/remote-fleet.ts';
import type { ShardRun } from '../world/live/shards/shard-run.ts';
import { carryOut } from './carry-out.ts';
import { conclude } from './conclude-run.ts';
import { type MetricsOptions, ServedMetrics } from './metrics-options.ts';
import { outFolder } from './out-folder.ts';
import type { ProgressLine } from './progress-line.ts';
import { type RawTarget, withRaw } from './raw-data.ts';
import { defaultEnvironment, type ShardingOptions, startAt, waitMsOf } from './shard-options.ts';
import { type OutputOptions, writeResults } from './write-results.ts';

type Options = ShardingOptions & MetricsOptions & OutputOptions & { readonly out?: string; readonly raw?: RawTarget };

/** Runs one shard, and hands its part in. */
export async function runOneShard(loaded: LoadedScenario, shard: FleetPart, options: Options): Promise<void> {
  const { scenario } = loaded;
  const out = options.out ?? outFolder(loaded.path, new Date(), { ending: `-shard-${shard.index}` });
  const environment = options.environment ?? defaultEnvironment;
  const run = identityOf(loaded);
  const startAtEpochMs = startAt(options.startAt, scenario, true);
  await carryOut(out, options, async (signal, progress) => {
    let file = '';
    let measured: ShardRun | undefined;
    let notTaken: OperatorError | undefined;
    const { runShard } = await import('../world/live/shards/shard-run.ts');
    progress.showLine(`looking for the environment at ${formatAddress(environment)}`, 'looking');
    const terms = { environment, shard, run, waitMs: waitMsOf(options), startAtEpochMs, signal };
    const onProgress = progress.show.bind(progress);
    const keep = (own: ShardRun): string => {
      const { devices, startEpochMs } = own;
      const part: Part = { kind: 'devices', run, startEpochMs, machine: thisMachine(), devices };
      file = join(out, partFileName(part));
      const text = sealPart(part);
      writeWhole(file, text);
      measured = own;
      return text;
    };
    const { ran: finished, notes } = await withRaw(
      options.raw,
      { loaded, shard: `${shard.index}/${shard.count}` },
      progress,
      (onRangeRows) =>
        runShard(scenario, { ...terms, onProgress, onRangeRows }, keep).catch((error: unknown) => {
          // What was measured is kept, though the environment has not taken it.
          if (measured === undefined || !(error instanceof OperatorError)) throw error;
          notTaken = error;
          return measured;
        }),
      (ran) => ran,
    );
    progress.end();
    if (notTaken !== undefined) {
      const message = `${notTaken.message} It is in ${file}, for sim merge.`;
      throw new OperatorError(notTaken.code, message, notTaken.exitCode, { cause: notTaken });
    }
    if (!options.quiet) {
      process.stdout.write(`${shardName(shard)} is handed in: the environment has the verdict. A copy is ${file}\n`);
      for (const note of notes) process.stdout.write(`${note}\n`);
    }
    const { interrupted, endedBecause, devices } = finished;
    const why = endedBecause ?? devices.broken;
    if (why !== undefined) process.stderr.write(`The run could not be carried to its end: ${why}\n`);
    process.exitCode = interrupted ? 130 : why === undefined ? 0 : 3;
  });
}

/** Starts nodes and CDN, lets shards come and begin together, takes their parts, and judges. */
export async function runEnvironment(loaded: LoadedScenario, options: Options): Promise<void> {
  const { scenario } = loaded;
  const startedAt = new Date();
  const out = options.out ?? outFolder(loaded.path, startedAt);
  const listen = options.listen ?? defaultEnvironment;
  const run = identityOf(loaded);
  const startAtEpochMs = startAt(options.startAt, scenario);
  const { runLive } = await import('../world/live/live-world.ts');
  const { RemoteFleet } = await import('../world/live/shards/remote-fleet.ts');
  const course = async (signal: AbortSignal, progress: ProgressLine, served?: ServedMetrics): Promise<void> => {
    const onListening = (address: typeof listen): void => {
      progress.end();
      if (!options.quiet) process.stderr.write(`Shards find this environment at ${formatAddress(address)}\n`);
    };
    const terms = { listen, run, waitMs: waitMsOf(options), startAtEpochMs, onListening };
    let fleet: RemoteFleet | undefined;
    const elsewhere = {
      listenHost: listen.host,
      fleet: (onBroken: (what: string) => void): RemoteFleet => {
        fleet = new RemoteFleet(terms, onBroken);
        return fleet;
      },
    };
    try {
      const onProgress = (state: LiveProgress): void => {
        progress.show(state);
        served?.enter(state.phase);
      };
      const live = await runLive(scenario, {
        signal,
        onProgress,
        onSnapshot: served && ((snapshot) => served.take(snapshot)),
        onNodes: (adminOf) => served?.find(adminOf),
        deviceRows: options.devices,
        startAtEpochMs,
        elsewhere,
      });
      progress.end();
      if (fleet !== undefined) writeParts(out, loaded, startedAt, live, fleet);
      const { result, exitCode } = conclude(loaded, [live], startedAt, ['--world', 'live'], live.interrupted);
      await writeResults(out, result, live.rows, options);
      if (live.broken !== undefined) {
        process.stderr.write(`The run could not be carried to its end: ${live.broken}\n`);
      }
      process.exitCode = exitCode;
    } finally {
      await fleet?.close();
    }
    await served?.linger(signal, options);
  };
  await ServedMetrics.during(scenario, options, (served) =>
    carryOut(out, options, (signal, progress) => course(signal, progress, served)),
  );
}

/** All parts, so that the run can be merged again from them. */
function writeParts(
  out: string,
  loaded: LoadedScenario,
  startedAt: Date,
  { parts }: LiveRun,
  fleet: RemoteFleet,
): void {
  const { startEpochMs, environment, durationMs, interrupted, broken } = parts;
  const own: Part = {
    kind: 'environment',
    run: identityOf(loaded),
    startEpochMs,
    machine: thisMachine(),
    environment,
    shardCount: fleet.shardCount ?? 0,
    startedAt: startedAt.toISOString(),
    durationMs,
    interrupted,
    broken,
    hardware: loaded.scenario.nodes.flatMap(({ hardware }) => hardware ?? []),
  };
  for (const part of [own, ...fleet.parts]) writeWhole(join(out, partFileName(part)), sealPart(part));
}
