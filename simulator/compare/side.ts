// The runs of one side of a comparison: read from where `sim run` or `sim gate` left them, and fit to be compared.

import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { OperatorError } from '../../common/errors.ts';
import { readResult } from '../result/read-result.ts';
import type { Result } from '../result/result.ts';
import type { SideSummary } from './comparison.ts';

/** One build with one set of settings, run once or several times. */
export type Side = {
  readonly label: string;
  readonly results: readonly Result[];
  /** Runs that do not count, and why. */
  readonly leftOut: readonly string[];
};

/**
 * `path`: a result.json, the folder of a run, or a folder of such folders. Throws an OperatorError (exit code 2) when there is
 * none, one cannot be read, or they are not of one scenario with the same settings.
 */
export function readSide(path: string): Side {
  const results: Result[] = [];
  const leftOut: string[] = [];
  let first: { readonly file: string; readonly result: Result } | undefined;
  for (const place of runsIn(path)) {
    const { result, file } = readResult(place);
    if (result.verdict === 'interrupted') {
      leftOut.push(`${file}: interrupted before its end`);
      continue;
    }
    first ??= { file, result };
    refuseOthers(first, { file, result });
    results.push(result);
  }
  if (results.length > 0) return { label: path, results, leftOut };
  throw new OperatorError(
    'NO_RUNS',
    [`${path}: expected a run that came to its end, found none.`, ...leftOut].join('\n'),
  );
}

function runsIn(path: string): readonly string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
  if (existsSync(join(path, 'result.json'))) return [path];
  const runs = readdirSync(path)
    .sort()
    .map((name) => join(path, name, 'result.json'))
    .filter((file) => existsSync(file));
  if (runs.length > 0) return runs;
  throw new OperatorError(
    'NO_RUNS',
    `${path}: expected a result.json, or folders that hold one each, found neither. Name a folder that sim run made, or one ` +
      'that holds several of them.',
  );
}

function refuseOthers(one: { file: string; result: Result }, other: { file: string; result: Result }): void {
  const what = differentScenario(one.result, other.result) ?? differentSettings(one.result, other.result);
  if (what === undefined) return;
  throw new OperatorError(
    'MIXED_RUNS',
    `${other.file}: expected a run like ${one.file}, as runs of one side are of one scenario with the same settings; found ` +
      `${what}. Put runs of each kind into a folder of their own.`,
  );
}

/** In words, or undefined when it is the same, to the letter. */
function differentScenario({ scenario: one }: Result, { scenario: other }: Result): string | undefined {
  if (one.sha256 === other.sha256) return undefined;
  return one.name === other.name
    ? `another text of ${other.path} (SHA-256 ${one.sha256.slice(0, 8)}… and ${other.sha256.slice(0, 8)}…)`
    : `${other.name} (${other.path}), not ${one.name} (${one.path})`;
}

function differentSettings(one: Result, other: Result): string | undefined {
  const [expected, found] = [settingsOf(one), settingsOf(other)];
  return isDeepStrictEqual(expected, found) ? undefined : `--set ${settingsText(found)}, not ${settingsText(expected)}`;
}

/** All that was set but the seed, which is a draw and no setting. */
export function settingsOf({ overrides }: Result): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(overrides).filter(([path]) => path !== 'seed'));
}

/** `nodes.0.workers=2 cdn.egress=1 Gbit/s`. */
export function settingsText(settings: Readonly<Record<string, string>>): string {
  const all = Object.entries(settings).map(([path, value]) => `${path}=${value}`);
  return all.length === 0 ? 'nothing' : all.join(' ');
}

/** Throws an OperatorError (exit code 2) unless both sides ran the same scenario with the same seeds. Settings may differ. */
export function requireComparable(base: Side, candidate: Side): void {
  const [one, other] = [base.results[0], candidate.results[0]];
  if (one === undefined || other === undefined) return;
  const different = differentScenario(one, other);
  if (different !== undefined) {
    throw new OperatorError(
      'DIFFERENT_SCENARIOS',
      `${candidate.label}: expected runs of the scenario of ${base.label}, found ${different}. Run the same file on both ` +
        'sides; to compare settings, change them by --set.',
    );
  }
  const [seeds, others] = [seedsOf(base), seedsOf(candidate)];
  if (isDeepStrictEqual(seeds, others)) return;
  throw new OperatorError(
    'DIFFERENT_SEEDS',
    `${candidate.label}: expected seed ${seeds.join(', ')} as in ${base.label}, found ${others.join(', ')}. Another draw gives ` +
      'other numbers by itself: run both sides with the same seeds (--seed).',
  );
}

/** Ascending, each once. */
function seedsOf({ results }: Side): number[] {
  return [...new Set(results.map(({ seed }) => seed))].sort((a, b) => a - b);
}

export function sideSummary(side: Side): SideSummary {
  const { label, results, leftOut } = side;
  return {
    label,
    runCount: results.length,
    seeds: seedsOf(side),
    overrides: results[0] === undefined ? {} : settingsOf(results[0]),
    toolVersions: [...new Set(results.map(({ tool }) => tool.version))],
    leftOut,
  };
}
