// The whole command in a fresh process: `sim run FILE --world virtual --quiet`. Targets: 35,000 devices in 1 s (aim 0.5) and
// 150 MB; a million, coupled by a core link, in 8 s (aim 4) and 256 MB; ten million on a thousand sites in 60 s.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import type { Effort, Measurement } from '../measurement.ts';
import { inWorkspace } from '../workspace.ts';
import { type OwnRun, runOwn, TooSlow } from './fresh-process.ts';
import { coupledSites, sitesWithNodes } from './scenarios.ts';

type Case = {
  readonly name: string;
  readonly file: string;
  readonly rounds: number;
  readonly limitSeconds: number;
};

export async function benchSpeed({ quick }: Effort): Promise<Measurement[]> {
  const rounds = quick ? 2 : 5;
  return await inWorkspace(async ({ folder }) => {
    const written = (name: string, text: string): string => {
      const file = join(folder, name);
      writeFileSync(file, text);
      return file;
    };
    const cases: Case[] = [
      {
        name: '35,000 devices, one node',
        file: join(repositoryRoot, 'scenarios', 'enterprise.yaml'),
        rounds,
        limitSeconds: 60,
      },
      {
        name: '1,000,000 devices, 1,000 sites × 8 classes, core link',
        file: written('coupled.yaml', coupledSites(1_000_000)),
        rounds,
        limitSeconds: 120,
      },
    ];
    if (!quick) {
      cases.push({
        name: '10,000,000 devices, 1,000 sites with a node each',
        file: written('nodes.yaml', sitesWithNodes(10_000_000)),
        rounds: 3,
        limitSeconds: 600,
      });
    }
    const results: Measurement[] = [];
    for (const each of cases) results.push(...(await measure(each, join(folder, 'out'))));
    return results;
  });
}

async function measure({ name, file, rounds, limitSeconds }: Case, out: string): Promise<Measurement[]> {
  const runs: OwnRun[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      const args = ['run', file, '--world', 'virtual', '--quiet', '--out', `${out}-${round}`];
      runs.push(await runOwn('simulator/main', args, limitSeconds));
    }
  } catch (error) {
    if (error instanceof TooSlow) return [{ name, skipped: error.message }];
    throw error;
  }
  return [
    { name: `${name}: s`, values: runs.map(({ wallSeconds }) => wallSeconds) },
    { name: `${name}: user CPU s`, values: runs.map(({ userSeconds }) => userSeconds) },
    { name: `${name}: peak memory, MB`, values: runs.map(({ peakBytes }) => peakBytes / 1e6) },
  ];
}
