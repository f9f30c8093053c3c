// All parts of a run as one: every shard exactly once, and their environment, of the same run.

import { OperatorError } from '../../../../common/errors.ts';
import type { LiveParts } from '../parts.ts';
import { shardName } from '../parts.ts';
import { differenceOf, type EnvironmentPartFile, type Part, partName, type ShardPart } from './part.ts';

/** A part, and where it comes from. */
export type FoundPart = { readonly from: string; readonly part: Part };

export type JoinedParts = { readonly environment: EnvironmentPartFile; readonly parts: LiveParts };

/**
 * Throws one OperatorError (BAD_PARTS) that names all that is missing, double or foreign. `allowMissing`: shards may be
 * missing; then the run counts as one that broke off.
 */
export function joinParts(found: readonly FoundPart[], allowMissing: boolean): JoinedParts {
  const problems: string[] = [];
  const environments = found.filter(({ part }) => part.kind === 'environment');
  const [first, second] = environments;
  const environment = first?.part;
  if (first === undefined || environment?.kind !== 'environment') {
    throw refuse([
      `the environment is missing: its part (sim run --role environment) is not among ${found.length} parts`,
    ]);
  }
  if (second !== undefined) throw refuse([`the environment is there twice: ${first.from} and ${second.from}`]);
  const shards = new Map<number, { readonly from: string; readonly part: ShardPart }>();
  for (const { from, part } of found) {
    if (part.kind === 'environment') continue;
    const problem = problemOf(part, environment);
    const { index } = part.devices.shard;
    const other = shards.get(index);
    if (problem !== undefined)
      problems.push(`${from} (${partName(part)}) is not of the run of ${first.from}: ${problem}`);
    else if (other !== undefined) problems.push(`${partName(part)} is there twice: ${other.from} and ${from}`);
    else shards.set(index, { from, part });
  }
  const { shardCount } = environment;
  const missing = Array.from({ length: shardCount }, (_, index) => index).filter((index) => !shards.has(index));
  const missingText = missing.map((index) => shardName({ index, count: shardCount })).join(', ');
  if (missing.length > 0 && !allowMissing) problems.push(`missing: ${missingText} (--allow-missing goes on without)`);
  if (problems.length > 0) throw refuse(problems);
  const devices = [...shards.values()].map(({ part }) => part.devices).sort((a, b) => a.shard.index - b.shard.index);
  if (devices.every(({ reports }) => reports.length === 0)) throw refuse(['no shard has measured anything']);
  const { startEpochMs, durationMs, interrupted } = environment;
  const brokenShard = devices.find((part) => part.broken !== undefined);
  const broken =
    environment.broken ??
    (brokenShard === undefined ? undefined : `${shardName(brokenShard.shard)}: ${brokenShard.broken}`) ??
    (missing.length > 0 ? `parts are missing: ${missingText}` : undefined);
  return {
    environment,
    parts: { startEpochMs, durationMs, environment: environment.environment, devices, interrupted, broken },
  };
}

function problemOf(part: ShardPart, environment: EnvironmentPartFile): string | undefined {
  const { count } = part.devices.shard;
  if (count !== environment.shardCount) {
    return `its fleet was cut into ${count} shards, expected ${environment.shardCount}`;
  }
  const difference = differenceOf(part.run, environment.run);
  if (difference !== undefined) return difference;
  if (part.startEpochMs === environment.startEpochMs) return undefined;
  const iso = (epochMs: number): string => new Date(epochMs).toISOString();
  return `it began at ${iso(part.startEpochMs)}, expected ${iso(environment.startEpochMs)}`;
}

function refuse(problems: readonly string[]): OperatorError {
  return new OperatorError('BAD_PARTS', `These parts make no run:\n  ${problems.join('\n  ')}\nNothing was merged.`);
}
