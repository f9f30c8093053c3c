// A user's `sim sweep`: its points are those of `sim run`, whatever ends it is gone on with, and what is refused.

import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import type { Sweep } from '../../simulator/result/sweep.ts';
import { eventually, SimRun } from './sim-run.ts';

const vm = 'scenarios/vm.yaml';

/** A program in the repository, to its end; nothing else in this file waits for it. */
const ran = (program: string, words: readonly string[]) =>
  new Promise<{ readonly code: number | string | null; readonly stdout: string; readonly stderr: string }>(
    (resolve) => {
      const child = execFile(program, words, { cwd: repositoryRoot }, (_error, stdout, stderr) =>
        resolve({ code: child.exitCode, stdout, stderr }),
      );
    },
  );

const sim = join(repositoryRoot, 'simulator/sim.js');
const sweepOf = (run: SimRun): Sweep => JSON.parse(run.file('sweep.json')) as Sweep;
const sweeping = (scenario: string, options: readonly string[], more: { readonly out?: string } = {}) =>
  new SimRun(scenario, { command: 'sweep', world: 'default', options, ...more });

/** Lines of its journal that are whole. */
function journaled(run: SimRun): number {
  const path = join(run.out, 'sweep.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
}

/** The file's exact words of a shell, as its own commands are printed. */
const wordsOf = (command: string): string[] =>
  [...command.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '').slice(1);

/** Each is a second or two by itself; beside other work they take their time. */
describe.concurrent('sim sweep', { timeout: 90_000 }, () => {
  test('has for each point what sim run has by the command that it gives, number by number', async () => {
    const vary = ['--vary', 'devices=300..3000:2', '--vary', 'nodes.0.profile=vm,vm-sr-iov,nope', '--repeat', '2'];
    const run = sweeping(vm, [...vary, '--metric', 'fleet.finishMs']);
    expect(await run.exitCode(), run.stderr).toBe(0);
    const { points, axes, seeds, verdict } = sweepOf(run);
    expect(points.map(({ index }) => index)).toEqual(Array.from({ length: 12 }, (_, index) => index));
    expect({ seeds, verdict, names: axes.map(({ name }) => name) }).toEqual({
      seeds: [7, 8],
      verdict: 'fail',
      names: ['devices', 'nodes.0.profile'],
    });
    for (const point of points.filter(({ index }) => [4, 9].includes(index))) {
      const out = join(run.folder, String(point.index));
      const single = await ran(process.execPath, [sim, ...wordsOf(point.command), '--out', out, '--quiet']);
      expect(single.code, single.stderr).toBe(point.exitCode);
      if (point.outcome === 'impossible') {
        expect(single.stderr.replaceAll(/\s*\n\s*/g, ' ')).toContain(point.reason);
        continue;
      }
      const result = JSON.parse(readFileSync(join(out, 'result.json'), 'utf8'));
      expect(point.metrics).toEqual(result.runs[0].metrics);
      expect(point.expectations).toEqual(result.runs[0].expectations);
      expect({ outcome: point.outcome, reason: point.reason }).toEqual({
        outcome: result.verdict,
        reason: result.reason,
      });
    }
    expect(run.stdout).toMatch(/fleet\.finishMs; ✕ an expectation failed, – there is no such scenario\./);
    expect(run.stdout).toMatch(/│ devices ↓ {2}profile → │ vm +│ vm-sr-iov +│ nope │/);
    expect(run.stdout).toContain('FAIL: of 12 runs 8 fail, 4 are impossible; the scenario expects to fail.');
    const [head = '', ...rows] = run.file('sweep.csv').trimEnd().split('\n');
    expect(head).toMatch(
      /^devices,nodes\.0\.profile,seed,verdict,exitCode,limit,limitBasis,reason,durationMs,fleet\.finishMs,/,
    );
    expect(rows).toHaveLength(12);
    expect(rows[0]).toMatch(/^300,vm,7,fail,0,node\.hq\.egress,\w+,"?[^"]+"?,\d[\d.]*,/);
    expect(rows[0]).toContain(`,${points[0]?.metrics['fleet.finishMs']},`);
    expect(rows[4]).toMatch(/^300,nope,7,impossible,2,,,"--set nodes\.0\.profile=nope .*",0,+$/);
    expect(run.file('sweep.md')).toContain('| 300 | vm-sr-iov |');
    expect(run.file('sweep.html')).toContain('data-plot="sweep-fleet-finishMs"');
  });

  test('killed in the middle goes on, and comes to the same bytes as one that was left alone', async () => {
    const vary = ['--vary', 'nodes.0.egress=1 Gbit/s..6 Gbit/s:6', '--vary', 'devices=100..3000:8:log'];
    const whole = sweeping(vm, vary);
    const killed = sweeping(vm, vary);
    await eventually('points in the journal', () => (journaled(killed) > 4 ? true : undefined), 20_000);
    killed.signal('SIGKILL');
    expect(await killed.exitCode()).toBe('SIGKILL');
    const kept = journaled(killed);
    expect(kept).toBeLessThan(1 + 48);
    expect(existsSync(join(killed.out, 'sweep.csv'))).toBe(false);
    const again = sweeping(vm, vary, { out: killed.out });
    expect(await again.exitCode(), again.stderr).toBe(await whole.exitCode());
    expect(journaled(again)).toBe(1 + 48);
    expect(again.file('sweep.csv')).toBe(whole.file('sweep.csv'));
    const points = (run: SimRun) => sweepOf(run).points;
    expect(points(again)).toEqual(points(whole));
  });

  test('is alone in its folder; Ctrl-C keeps what has ended, and says how to go on', async () => {
    const vary = ['--vary', 'devices=1000..3000:200'];
    const run = sweeping(vm, vary);
    await eventually('points in the journal', () => (journaled(run) > 2 ? true : undefined), 20_000);
    run.signal('SIGSTOP');
    const second = sweeping(vm, vary, { out: run.out });
    expect(await second.exitCode()).toBe(3);
    expect(second.stderr).toBe(
      `${run.out}: expected a folder of its own, found one that another sweep writes to, process ${run.child.pid}. Wait for its end, ` +
        `or choose another folder by --out (or remove ${join(run.out, 'sweep.lock')} if that process is no sweep).\n`,
    );
    run.signal('SIGCONT');
    run.signal('SIGINT');
    expect(await run.exitCode(), run.stderr).toBe(130);
    const { verdict, points } = sweepOf(run);
    expect(verdict).toBe('interrupted');
    expect(points.length).toBeGreaterThan(1);
    expect(points.length).toBe(journaled(run) - 1);
    expect(run.stdout).toMatch(/INTERRUPTED: of \d+ of 200 runs/);
    expect(run.stdout).toContain('To go on: sim sweep');
    expect(run.file('sweep.csv').split('\n')).toHaveLength(points.length + 2);
    expect(existsSync(join(run.out, 'sweep.lock'))).toBe(false);
  });

  const inNamespace = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c'];
  const canFill = spawnSync(inNamespace[0] ?? '', [...inNamespace.slice(1), 'mount -t tmpfs tmpfs /mnt']).status === 0;
  if (!canFill)
    process.stderr.write('skipped: a full disk (no file system of a size of its own can be mounted here)\n');

  test.skipIf(!canFill)('on a full disk says so, and goes on once there is room', async () => {
    const command = `"$0" "$1" sweep ${vm} --vary devices=100..1000:20 --quiet --out /mnt/out`;
    const script = [
      'mount -t tmpfs -o size=24k tmpfs /mnt || exit 99',
      `${command}; echo "first $?"`,
      'mount -o remount,size=8m /mnt && head -c 16 /mnt/out/sweep.jsonl && echo',
      `${command}; echo "second $?"`,
      'wc -l < /mnt/out/sweep.csv',
    ].join('\n');
    const [program = '', ...rest] = [...inNamespace, script, process.execPath, sim];
    const { stdout, stderr } = await ran(program, rest);
    expect(stderr).toMatch(
      /^\/mnt\/out\/sweep\.jsonl: cannot be written \(ENOSPC\)\. Make room, and give the same command again: it goes on from there\.$/m,
    );
    expect(stdout.split('\n')).toEqual(['first 3', '{"journal":1,"pr', 'second 0', '21', '']);
  });

  test('in the live world runs one point after another, on real connections', async () => {
    const live = `name: Two sizes
content: [{ id: update, size: 1 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 3, cacheHosts: [hq], wants: [update] }]
expect: [devices.completedRatio == 1, cdn.egressBytes <= 1 MB]
`;
    const options = ['--world', 'live', '--vary', 'content.0.size=1 MB,2 MB'];
    const run = sweeping(live, options);
    expect(await run.exitCode(), run.stderr).toBe(1);
    const { points, world } = sweepOf(run);
    expect(world).toBe('live');
    expect(points.map(({ outcome }) => outcome)).toEqual(['pass', 'fail']);
    expect(points.map(({ metrics }) => metrics['integrity.verifiedBytes'])).toEqual([3_000_000, 6_000_000]);
  });

  test.each([
    { what: 'no axis', words: [vm], says: /^sim sweep: expected something to vary/ },
    {
      what: 'a grid too large, with how long it would take',
      words: [vm, '--vary', 'devices=1..3000:3000', '--vary', 'content.0.size=1 GB..4 GB:4'],
      says: /expected a grid of at most 10,000 runs, found one of 12,000, about \d.* on \d+ cores?\. Vary less, .* or say --max-runs 12000\./,
    },
  ])('refuses $what, and leaves nothing', async ({ words, says }) => {
    const out = join(repositoryRoot, 'out', 'never');
    const { code, stderr } = await ran(process.execPath, [sim, 'sweep', ...words, '--out', out]);
    expect(stderr).toMatch(says);
    expect(code).toBe(2);
    expect(existsSync(out)).toBe(false);
  });
});
