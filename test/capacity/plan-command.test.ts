// `sim plan` as somebody calls it: files, exit codes, and nothing left behind when nothing was run.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { loadPlan } from '../../simulator/capacity/load-plan.ts';
import { runProgram } from '../../simulator/program.ts';
import type { CapacityPlan } from '../../simulator/result/capacity-plan.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-plan-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

const small = ['--devices', '5', '--payload', '100 MB', '--link', '100 Mbit/s', '--quiet'];

describe('sim plan', () => {
  it('leaves page, Markdown, JSON and the scenarios that confirm it, with exit code 0', async () => {
    const out = join(folder, 'found');
    expect(await runProgram(['plan', ...small, '--deadline', '10min', '--jobs', '2', '--out', out])).toBe(0);
    expect(readdirSync(out).sort()).toEqual([
      'failure-site.yaml',
      'plan.html',
      'plan.json',
      'plan.md',
      'scenario.yaml',
    ]);
    const plan = JSON.parse(readFileSync(join(out, 'plan.json'), 'utf8')) as CapacityPlan;
    expect(plan).toMatchObject({ schema: 1, kind: 'capacityPlan', verdict: 'found' });
    expect(plan.command).toBe('sim plan --payload "100 MB" --deadline 10min --devices 5 --link "100 Mbit/s"');
    for (const file of ['scenario.yaml', 'failure-site.yaml']) {
      const again = ['run', join(out, file), '--world', 'virtual', '--quiet', '--out', join(folder, `run-${file}`)];
      expect(await runProgram(again), file).toBe(0);
    }
  });

  it('ends with 1 when nothing meets the deadline, and writes no scenario', async () => {
    const out = join(folder, 'none');
    expect(await runProgram(['plan', ...small, '--deadline', '2s', '--out', out])).toBe(1);
    expect(readdirSync(out).sort()).toEqual(['plan.html', 'plan.json', 'plan.md']);
  });

  it('takes profiles beside the plan, and lays them beside its scenario', async () => {
    const file = join(folder, 'own.yaml');
    const profiles = join(folder, 'profiles');
    mkdirSync(profiles);
    writeFileSync(join(profiles, 'own-box.yaml'), 'name: Own\nsource: here\negress: 2 Gbit/s\n');
    writeFileSync(file, 'payload: 1 GB\ndeadline: 1 h\nclasses: [own-box]\nsites: [{ id: a, devices: 4 }]\n');
    const out = join(folder, 'own');
    expect(await runProgram(['plan', file, '--quiet', '--out', out])).toBe(0);
    expect(existsSync(join(out, 'profiles', 'own-box.yaml'))).toBe(true);
    const again = [
      'run',
      join(out, 'scenario.yaml'),
      '--world',
      'virtual',
      '--quiet',
      '--out',
      join(folder, 'own-run'),
    ];
    expect(await runProgram(again)).toBe(0);
  });

  const refusals: readonly (readonly [what: string, words: readonly string[], message: string])[] = [
    ['nothing', [], 'expected a plan file, or --devices, --payload and --deadline, found neither'],
    ['a file and options', ['plan.yaml', '--devices', '3'], '--devices: expected either a plan file or options'],
    ['--set without a file', [...small, '--deadline', '1h', '--set', 'seed=3'], '--set seed=3: expected a plan file'],
    ['a wrong value', ['--devices', 'x'], '--devices  sites.0.devices: expected a whole number of devices'],
  ];
  it.each(refusals)('refuses %s with exit code 2, and makes no folder', async (_what, words, message) => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const out = join(folder, 'never');
    expect(await runProgram(['plan', ...words, '--out', out])).toBe(2);
    expect(said.mock.calls.map(([text]) => String(text)).join('')).toContain(message);
    expect(existsSync(out)).toBe(false);
  });

  it('ships an example that is sound', () => {
    const { spec } = loadPlan(join(repositoryRoot, 'plans', 'enterprise.yaml'));
    expect(spec.sites.map(({ id, count }) => [id, count])).toEqual([
      ['hq', 1],
      ['branch', 40],
    ]);
  });
});
