// `sim merge`: the parts of a run that was spread over several machines, as one result.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { errorCode, OperatorError } from '../../common/errors.ts';
import { makeFolder } from '../result/write-whole.ts';
import { type LoadedScenario, parseScenario } from '../scenario/load.ts';
import { type FoundPart, joinParts } from '../world/live/shards/join-parts.ts';
import { type EnvironmentPartFile, openPart, partEnding } from '../world/live/shards/part.ts';
import { conclude } from './conclude-run.ts';
import { outFolder } from './out-folder.ts';
import { type OutputOptions, writeResults } from './write-results.ts';

type MergeOptions = OutputOptions & { readonly out?: string; readonly allowMissing: boolean };

export function addMergeCommand(program: Command): void {
  program
    .command('merge')
    .description('Joins the parts of a run that was spread over several machines, and judges.')
    .argument('<parts...>', `files (*${partEnding}), and folders that hold them`)
    .option('--out <folder>', 'where the results go (default: out/<scenario>-<time>)')
    .option('--allow-missing', 'go on without the shards that are missing: the run counts as broken off', false)
    .option('--devices', 'also write devices.csv, when the parts have rows', false)
    .option('--json', 'print result.json instead of the summary', false)
    .option('--quiet', 'print nothing but errors; the exit code tells', false)
    .addHelpText(
      'after',
      `
A shard leaves shard-<i>-of-<n>${partEnding} in its --out, the environment environment${partEnding} and, as far as they
reached it, those of the shards. The environment merges by itself; this command is for parts that were copied by hand.

Examples:
  $ sim merge out/enterprise-2026-11-28-120000
  $ sim merge machine-a machine-b machine-c --out out/merged
  $ sim merge environment${partEnding} shard-*${partEnding} --allow-missing

Exit codes: as those of sim run.`,
    )
    .action(merge);
}

async function merge(paths: readonly string[], options: MergeOptions): Promise<void> {
  const found = filesOf(paths).map((file): FoundPart => ({ from: file, part: openPart(read(file), file) }));
  const { environment, parts } = joinParts(found, options.allowMissing);
  const loaded = loadedOf(environment);
  const { concludeLive } = await import('../world/live/conclusion.ts');
  const out = options.out ?? outFolder(loaded.path, new Date());
  const unmakeFolder = makeFolder(out);
  try {
    const live = concludeLive(loaded.scenario, parts);
    const concluded = conclude(loaded, [live], new Date(environment.startedAt), ['--world', 'live'], live.interrupted);
    await writeResults(out, { ...concluded.result, machine: environment.machine }, live.rows, options);
    if (live.broken !== undefined) process.stderr.write(`The run was not carried to its end: ${live.broken}\n`);
    process.exitCode = concluded.exitCode;
  } finally {
    unmakeFolder();
  }
}

/** Of a folder, the files in it that are parts by their names. */
function filesOf(paths: readonly string[]): string[] {
  const files = paths.flatMap((path) => {
    try {
      if (!statSync(path).isDirectory()) return [path];
      const names = readdirSync(path).filter((name) => name.endsWith(partEnding));
      if (names.length > 0) return names.sort().map((name) => join(path, name));
    } catch (error) {
      throw new OperatorError(
        'BAD_PART',
        `${path}: expected a part of a run, or a folder of them, found ${errorCode(error)}`,
      );
    }
    throw new OperatorError(
      'BAD_PART',
      `${path}: expected a folder with parts of a run (*${partEnding}), found none in it`,
    );
  });
  // A file that is named, and in a folder that is, is one file.
  return [...new Set(files)];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new OperatorError(
      'BAD_PART',
      `${file}: expected a part of a run that can be read, found ${errorCode(error)}`,
    );
  }
}

function loadedOf({ run, hardware }: EnvironmentPartFile): LoadedScenario {
  const { path, text, sha256 } = run.scenario;
  const overrides = Object.entries(run.overrides).map(([key, value]) => `${key}=${value}`);
  const profiles = new Map(hardware.map((profile) => [profile.id, profile]));
  const { scenario } = parseScenario(text, path, overrides, profiles);
  return { scenario, path, text, sha256, overrides: run.overrides };
}
