// `sim calibrate` as a user runs it, and what its profile says beside a run that it was not fitted to.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { repositoryRoot } from '../../common/child-program.ts';
import { capacityBytesPerMs } from '../../simulator/calibration/prediction.ts';
import type { HardwareProfile } from '../../simulator/scenario/profile.ts';
import { runsLongTests } from '../long-tests.ts';
import { eventually, SimRun } from './sim-run.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-calibrate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

type Calibrate = {
  readonly child: ChildProcess;
  readonly said: { stdout: string; stderr: string };
  readonly ended: Promise<number | null>;
};

/** With a temporary folder of its own: nothing may be left in it. */
function calibrate(...words: readonly string[]): Calibrate {
  const child = spawn(process.execPath, ['simulator/sim.js', 'calibrate', ...words], {
    cwd: repositoryRoot,
    env: { ...process.env, TMPDIR: mkdtempSync(join(folder, 'tmp-')) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  return { child, said, ended: once(child, 'close').then(([code]: (number | null)[]) => code ?? null) };
}

const leftOver = (): readonly string[] =>
  readdirSync(folder).flatMap((name) => (name.startsWith('tmp-') ? readdirSync(join(folder, name)) : []));

describe('sim calibrate', () => {
  test.skipIf(!runsLongTests)(
    'writes a profile that says about what another run shows',
    { timeout: 180_000 },
    async () => {
      const out = join(folder, 'machine.yaml');
      const { said, ended } = calibrate('--seconds', '10', '--json', '--out', out);
      expect([await ended, /^(\d+) of \1 /m.test(said.stderr)]).toEqual([0, true]);
      const { profile } = JSON.parse(said.stdout) as { readonly profile: HardwareProfile };
      const { cpu, harness } = profile;
      expect(parse(readFileSync(out, 'utf8'))).toMatchObject({ cores: Number(profile.cores?.toPrecision(4)) });
      expect(leftOver()).toEqual([]);

      // Other connections, other files, the same machine; whatever else it has to do. Processor time by work decides.
      const run = new SimRun(`
name: Not fitted
content: [{ id: update, size: 400 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 24, cacheHosts: [hq], wants: [update] }]
live: { window: 5 s, demand: max }
`);
      await run.ended;
      const metrics = run.metrics();
      const requests = metrics['fleet.rangeCount'] ?? 0;
      const bytes = metrics['fleet.usefulBytes'] ?? 0;
      const fetches = metrics['cdn.requestCount'] ?? 0;
      const ratios = {
        node:
          (requests * (cpu?.msPerRequest ?? 0) + bytes * (cpu?.msPerByte ?? 0) + fetches * (cpu?.msPerFetch ?? 0)) /
          (metrics['node.hq.cpuMs'] ?? 0),
        clients:
          (requests * (harness?.clientMsPerRequest ?? 0) + bytes * (harness?.clientMsPerByte ?? 0)) /
          (metrics['generator.cpuMs'] ?? 0),
        throughput:
          capacityBytesPerMs(profile, 24, 2 ** 20) / ((metrics['node.hq.egressBitsPerSecond.mean'] ?? 0) / 8000),
      };
      for (const [what, ratio] of Object.entries(ratios)) {
        expect(Math.abs(Math.log(ratio)), `${what}: ${ratio}`).toBeLessThan(Math.log(4));
      }
    },
  );

  test('interrupted: exit code 130, no profile, nothing left behind', async () => {
    const out = join(folder, 'interrupted.yaml');
    const { child, said, ended } = calibrate('--quick', '--out', out);
    await eventually('the second experiment', () => /^2 of \d /m.test(said.stderr) || undefined, 60_000);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect(existsSync(out)).toBe(false);
    await eventually('an empty folder', () => (leftOver().length === 0 ? true : undefined));
  });

  test.each([
    {
      what: 'a profile that was edited is not overwritten',
      words: ['--out', join(folder, 'edited.yaml')],
      says: /edited\.yaml: expected no file, or a profile as sim calibrate wrote it; found .*--force/,
    },
    {
      what: '--url wants an object',
      words: ['--url', 'http://127.0.0.1:9'],
      says: /found no --object, --host, --size/,
    },
    {
      what: 'a URL is one of a node',
      words: ['--url', 'https://x/y'],
      says: /Expected http:\/\/host .*https:\/\/x\/y/,
    },
    { what: 'seconds are bounded', words: ['--seconds', '2'], says: /from 5 to 3600; found "2"/ },
  ])('$what: exit code 2, and nothing is run', async ({ words, says }) => {
    writeFileSync(join(folder, 'edited.yaml'), 'name: by hand\n');
    const { said, ended } = calibrate(...words);
    expect(await ended).toBe(2);
    expect(said.stderr).toMatch(says);
    expect(readFileSync(join(folder, 'edited.yaml'), 'utf8')).toBe('name: by hand\n');
  });
});
