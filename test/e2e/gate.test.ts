import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import type { Comparison } from '../../simulator/compare/comparison.ts';
import { runsLongTests } from '../long-tests.ts';
import { eventually } from './sim-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-gate-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

function start(words: readonly string[]): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(repositoryRoot, 'simulator', 'sim.js'), ...words], {
    cwd: repositoryRoot,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text: Buffer) => {
    stdout += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    stderr += text.toString();
  });
  return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr })) };
}

const sim = (...words: string[]): Promise<Ended> => start(words).ended;
const virtual = ['gate', 'scenarios/branch-office.yaml', '--world', 'virtual'];

describe.concurrent('sim gate', () => {
  it.skipIf(!runsLongTests)(
    'finds a setting that makes things worse, and sim compare the same from its results',
    {
      timeout: 60_000,
    },
    async () => {
      const out = join(folder, 'worse');
      const { code, stdout } = await sim(...virtual, '--set-candidate', 'cdn.egress=50 Mbit/s', '--out', out);
      expect(code).toBe(1);
      expect(stdout).toMatch(/^FAIL {2}worse: devices\.completionMs\.p50,/m);
      expect(stdout.split('\n').filter((line) => line.length > 80 && !line.includes(out))).toEqual([]);
      const comparison = JSON.parse(readFileSync(join(out, 'compare.json'), 'utf8')) as Comparison;
      expect(comparison.base).toMatchObject({ runCount: 10, seeds: [7, 8, 9, 10, 11, 12, 13, 14, 15, 16] });
      expect(readFileSync(join(out, 'compare.html'), 'utf8')).toContain('Is the candidate worse than the base?');
      expect(readFileSync(join(out, 'compare.md'), 'utf8')).toMatch(/^\| `fleet\.finishMs` \| .* \| FAIL \(/m);
      const again = await sim('compare', join(out, 'base'), join(out, 'candidate'), '--json');
      expect(again.code).toBe(1);
      const metrics = (of: Comparison) => of.candidates.map((each) => each.metrics);
      expect(metrics(JSON.parse(again.stdout) as Comparison)).toEqual(metrics(comparison));
    },
  );

  it('compares what was run when it is interrupted', { timeout: 60_000 }, async () => {
    const out = join(folder, 'interrupted');
    const { child, ended } = start([...virtual, '--base', '.', '--runs', '100', '--out', out]);
    const finished = (side: string): number => (existsSync(join(out, side)) ? readdirSync(join(out, side)).length : 0);
    await eventually(
      'runs of both sides',
      () => (finished('base') >= 4 && finished('candidate') >= 3 ? true : undefined),
      30_000,
    );
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/^INTERRUPTED {2}interrupted after \d+ of 200 runs$/m);
  });

  it.each([
    ['nothing to compare', [], /expected a base by --base, or a setting/],
    ['an odd number of runs', ['--base', '.', '--runs', '11'], /Expected an even number from 10 to 500; found "11"/],
    ['a wrong setting of one side', ['--set-candidate', 'cdn.egres=1 Gbit/s'], /egres/],
    ['a base that is nowhere', ['--base', 'nowhere'], /expected a branch, tag or commit/],
    [
      'a metric that there is not',
      ['--base', '.', '--metric', 'node.hq.cpuMz'],
      /of that name\. Did you mean node\.hq\.cpuMs\?/,
    ],
    ['a wrong margin', ['--base', '.', '--margin', '0.1'], /Expected a percentage such as 5%/],
  ])('refuses %s before anything is run', async (_, words, message) => {
    const { code, stderr } = await sim('gate', 'scenarios/smoke.yaml', '--out', join(folder, 'refused'), ...words);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it('says which side could not be carried out, and ends', async () => {
    const out = join(folder, 'broken');
    // Within the rules, but nobody has so much memory for it.
    const { code, stderr } = await sim(
      ...['gate', 'scenarios/smoke.yaml', '--world', 'live', '--set-base', 'fleet.0.devices=5000000', '--out', out],
    );
    expect(code).toBe(3);
    expect(stderr).toMatch(
      /^The base \(.*main\.js\): expected sim run to carry the scenario out, found exit code 3\./m,
    );
  });
});
