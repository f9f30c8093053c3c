// `sim run --raw`: which file, whether this run has the ranges that it is to hold, and what is said of it at the end.

import { InvalidArgumentError, Option } from 'commander';
import { OperatorError } from '../../common/errors.ts';
import { formatCount } from '../../common/units.ts';
import { rawSchema } from '../raw/columns.ts';
import { RawFile, type RawFileOptions } from '../raw/raw-file.ts';
import type { RawMetadata } from '../raw/row-writer.ts';
import { toolVersion } from '../result/tool-version.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import type { ChosenWorlds } from '../world/choose-worlds.ts';
import type { RowBatch } from '../world/live/raw/row-batch.ts';
import type { ProgressLine } from './progress-line.ts';

/** Where raw data goes, and in which form. */
export type RawTarget = Pick<RawFileOptions, 'path' | 'form'>;

export function rawOption(): Option {
  return new Option(
    '--raw <file>',
    'also write a row per range request, to a file that ends in .parquet or .csv (docs/raw-data.md)',
  ).argParser((path: string): RawTarget => {
    const form = (['parquet', 'csv'] as const).find((each) => path.toLowerCase().endsWith(`.${each}`));
    if (form !== undefined) return { path, form };
    throw new InvalidArgumentError(`Expected a file that ends in .parquet or .csv; found "${path}".`);
  });
}

/** Throws an OperatorError (BAD_OPTIONS) where no range of a live world would come by. */
export function refuseRaw(raw: RawTarget | undefined, role: 'environment' | undefined, worlds: ChosenWorlds): void {
  if (raw === undefined) return;
  const refuse = (message: string): never => {
    throw new OperatorError('BAD_OPTIONS', message);
  };
  if (role !== undefined) refuse('--raw: give it to each --shard, a file for each: they have the devices');
  if (worlds.live) return;
  const why = worlds.notes.length === 0 ? '' : `\n  ${worlds.notes.join('\n  ')}`;
  refuse(`--raw: expected a run in the live world: the virtual one has flows of bytes, and no range requests${why}`);
}

export type EndOfRun = {
  /** 0: its clock never began. */
  readonly startEpochMs: number;
  readonly interrupted: boolean;
};

/** Who makes the rows: the whole fleet, or one shard of it (`0/4`). */
export type RowsOf = { readonly loaded: LoadedScenario; readonly shard?: string };

/**
 * Carries a live run out that hands its rows over, and keeps them. Returns it with a note on the file. Nothing shall be measured
 * that cannot be kept: throws an OperatorError (CANNOT_WRITE) before the run. Of a run that throws nothing is kept.
 */
export async function withRaw<Run>(
  target: RawTarget | undefined,
  of: RowsOf,
  progress: ProgressLine,
  run: (onRangeRows: ((batch: RowBatch) => void) | undefined) => Promise<Run>,
  endOf: (run: Run) => EndOfRun,
): Promise<{ readonly ran: Run; readonly notes: readonly string[] }> {
  if (target === undefined) return { ran: await run(undefined), notes: [] };
  const { fleet, nodes } = of.loaded.scenario;
  const names = { groups: fleet.map(({ id }) => id), nodes: nodes.map(({ id }) => id) };
  const file = new RawFile({ ...target, names });
  try {
    const ran = await run(file.take);
    progress.showLine(`writing ${target.path}`, 'raw');
    const { writtenCount, problem } = await file.close(metadataOf(of, endOf(ran)));
    progress.end();
    if (problem === undefined)
      return { ran, notes: [`raw data: ${formatCount(writtenCount ?? 0)} rows in ${target.path}`] };
    process.stderr.write(`Raw data: ${problem}\n`);
    return { ran, notes: [`raw data: ${problem}`] };
  } finally {
    await file.discard();
  }
}

function metadataOf({ loaded, shard }: RowsOf, { startEpochMs, interrupted }: EndOfRun): RawMetadata {
  return {
    schema: String(rawSchema),
    tool: `sim ${toolVersion}`,
    scenario: loaded.scenario.name,
    scenarioSha256: loaded.sha256,
    seed: String(loaded.scenario.seed),
    ...(startEpochMs === 0 ? {} : { startEpochMs: String(startEpochMs) }),
    ...(shard === undefined ? {} : { shard }),
    interrupted: String(interrupted),
  };
}
