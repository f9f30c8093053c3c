// The main job as a user runs it: smoke.yaml in both worlds, and everything that it leaves in its folder.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify, stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { allMetrics } from '../../simulator/result/metrics.ts';
import { resultForm } from '../../simulator/result/result-schema.ts';
import { runsLongTests } from '../long-tests.ts';
import { canLookUp, eventually, SimRun } from './sim-run.ts';

const execute = promisify(execFile);
const scriptPath = '/usr/bin/script';
const noScript = process.platform === 'linux' && existsSync(scriptPath) ? '' : ` (skipped: no ${scriptPath} of Linux)`;
/** Runs the rest on a terminal of its own. */
const onTerminal = ['bash', '-c', `exec ${scriptPath} -qec "$(printf '%q ' "$@")" /dev/null`, '-'];
const smoke = 'scenarios/smoke.yaml';

describe.concurrent('sim run scenarios/smoke.yaml', () => {
  test('passes, writes a complete result, and leaves nothing behind', async () => {
    const run = new SimRun(smoke, { world: 'default', options: ['--devices'] });
    expect(await run.exitCode()).toBe(0);
    const result = run.result();
    expect(result.runs.map(({ purpose }) => purpose)).toEqual(expect.arrayContaining(['claim', 'measurement']));
    expect(result).toMatchObject({ schema: 1, verdict: 'pass', seed: 7, overrides: {}, scenario: { path: smoke } });
    expect(result.command).toBe('sim run scenarios/smoke.yaml --seed 7');
    const { metrics, unavailable, series, problems } = run.run('measurement');
    expect(metrics).toMatchObject({
      'devices.count': 500,
      'devices.completedRatio': 1,
      'fleet.bytesFromCacheServer': 2e9,
      'fleet.usefulBytes': 2e9,
      'integrity.verifiedBytes': 2e9,
      'cdn.egressBytes': 4e6,
      'node.hq.missBytes': 4e6,
      'node.hq.hitBytes': 2e9 - 4e6,
      'node.hq.egressBytes': 2e9,
      'node.hq.upstreamBytes': 4e6,
    });
    expect(problems).toEqual([]);

    // Every metric of the live world is measured, or says why not.
    const names = allMetrics()
      .filter(({ worlds }) => worlds.includes('live'))
      .map(({ name }) => name.replace('node.<id>', 'node.hq').replace('group.<id>', 'group.office'));
    const told = [...Object.keys(metrics), ...Object.keys(unavailable)];
    expect(told.sort()).toEqual(names.sort());

    expect(run.metrics('claim')).toMatchObject({ 'fleet.bytesFromCacheServer': 2e9, 'cdn.egressBytes': 4e6 });

    // Series add up to the metrics.
    const total = (name: string): number => (series.columns[name] ?? []).reduce((sum, value) => sum + value, 0) / 8;
    expect(total('node.hq.egressBitsPerSecond')).toBe(2e9);
    expect(total('cdn.egressBitsPerSecond')).toBeCloseTo(4e6, 0);
    expect(total('node.hq.hitBitsPerSecond')).toBeCloseTo(2e9 - 4e6, 0);

    const states = ['waiting', 'active', 'completed'].map((state) => series.columns[`devices.${state}Count`] ?? []);
    for (const second of states[0]?.keys() ?? []) {
      expect(states.reduce((sum, column) => sum + (column[second] ?? Number.NaN), 0)).toBe(500);
    }
    expect(states.map((column) => column.at(-1))).toEqual([0, 0, 500]);
    expect(series.runStartSecond).toBeGreaterThanOrEqual(series.startSecond);
    expect(result.scenario.question).toMatch(/\?$/);

    // So do the rows.
    const [head = '', ...rows] = run.file('devices.csv').trim().split('\n');
    const column = (name: string): number[] => rows.map((row) => Number(row.split(',')[head.split(',').indexOf(name)]));
    expect(rows.length).toBe(500);
    expect(column('TotalBytesDownloaded').reduce((sum, bytes) => sum + bytes)).toBe(2e9);
    expect(column('BytesFromCacheServer').reduce((sum, bytes) => sum + bytes)).toBe(2e9);
    expect(column('BytesFromCdn').every((bytes) => bytes === 0)).toBe(true);
    expect(Math.max(...column('DownloadDuration')) * 1000).toBeCloseTo(metrics['devices.completionMs.max'] ?? 0, -2);

    expect(run.file('summary.md')).toContain('# Smoke test, 500 devices: PASS');
    expect(run.file('summary.md')).toContain('Again: `sim run scenarios/smoke.yaml --seed 7`');
    expect(run.stdout).toContain('PASS  5 judged expectations hold');
  });

  test.skipIf(!runsLongTests)('its command repeats it: the same seed and the same overrides', async () => {
    const first = new SimRun(smoke, {
      set: { 'fleet.0.devices': 20, 'content.0.size': '2 MB', name: 'It\'s "small", $HOME' },
      options: ['--seed', '11', '--json'],
    });
    expect(await first.exitCode()).toBe(0);
    const result = resultForm.parse(JSON.parse(first.stdout));
    expect(result).toEqual(first.result());
    expect(result).toMatchObject({
      seed: 11,
      overrides: { 'fleet.0.devices': '20', 'content.0.size': '2 MB', seed: '11', name: 'It\'s "small", $HOME' },
      scenario: { name: 'It\'s "small", $HOME' },
    });
    expect(first.metrics()).toMatchObject({ 'fleet.wantedBytes': 40e6, 'cdn.egressBytes': 2e6 });

    // As a user would: copied into a shell.
    const words = `${process.execPath} simulator/sim.js ${result.command.slice('sim '.length)} --json`;
    const again = await execute('sh', ['-c', `${words} --out "$OUT"`], {
      cwd: repositoryRoot,
      env: { ...process.env, OUT: join(first.folder, 'again') },
      maxBuffer: 1e7,
    });
    const repeated = resultForm.parse(JSON.parse(again.stdout));
    expect(repeated.overrides).toEqual(result.overrides);
    expect(repeated.command).toBe(result.command);
    expect(repeated.runs[0]?.metrics['fleet.wantedBytes']).toBe(40e6);
  });

  test('--quiet prints nothing; without --devices there is no devices.csv', async () => {
    const run = new SimRun(smoke, { set: { 'fleet.0.devices': 5 }, options: ['--quiet'] });
    expect(await run.exitCode()).toBe(0);
    expect(run.stdout + run.stderr).toBe('');
    expect(existsSync(join(run.out, 'devices.csv'))).toBe(false);
    expect(run.result().verdict).toBe('pass');
  });

  test.skipIf(noScript !== '')(`on a terminal: a line that is redrawn, and colours${noScript}`, async () => {
    const run = new SimRun(smoke, { set: { 'fleet.0.devices': 5 }, prefix: onTerminal });
    expect(await run.ended).toBe(0);
    await run.leavesNothing();
    expect(run.stdout).toContain('\r\x1b[K');
    expect(run.stdout).toContain('\x1b[32m');
    expect(stripVTControlCharacters(run.stdout)).toContain('PASS  5 judged expectations hold');
  });

  test('a reader of the progress that goes away does not end it', async () => {
    const run = new SimRun(smoke, {
      set: { 'fleet.0.devices': 5 },
      prefix: ['bash', '-c', 'set -o pipefail; "$@" 2>&1 | head -1', '-'],
    });
    expect(await run.exitCode()).toBe(0);
    expect(run.stdout).toBe('starting\n');
    expect(run.result().verdict).toBe('pass');
  });

  test.skipIf(!canLookUp)("agrees with the CDN's and the node's own counters (found by /proc)", async () => {
    // A late device keeps both alive while the counters of the rest stand still.
    const run = new SimRun(`
name: Counters
content: [{ id: update, size: 4 MB }]
nodes: [{ id: hq }]
fleet:
  - { id: office, devices: 50, cacheHosts: [hq], wants: [update] }
  - { id: straight, devices: 3, wants: [update] }
  - { id: late, devices: 1, cacheHosts: [hq], wants: [update], arrive: { at: 4 s } }
`);
    const nodeAdmin = await run.adminPort('cache/main');
    const cdnAdmin = await run.adminPort('simulator/cloud/main');
    const node = await eventually('all bytes of the office', async () => {
      const books = await run.books(nodeAdmin);
      return books?.['egressBytes'] === 200e6 ? books : undefined;
    });
    const cdn = await eventually('all bytes of the CDN', async () => {
      const books = await run.books(cdnAdmin);
      return books?.['bodyBytes'] === 16e6 ? books : undefined;
    });
    expect(node).toMatchObject({
      hitBytes: 196e6,
      missBytes: 4e6,
      upstreamBytes: 4e6,
      hitRequestCount: 196,
      missRequestCount: 4,
    });
    expect(await run.exitCode()).toBe(0);
    expect(run.metrics()).toMatchObject({
      'cdn.egressBytes': cdn['bodyBytes'],
      'cdn.requestCount': cdn['requestCount'],
      'node.hq.missBytes': node['missBytes'],
      'node.hq.hitBytes': (node['hitBytes'] ?? 0) + 4e6,
      'node.hq.requestCount': (node['requestCount'] ?? 0) + 4,
      'group.office.fleet.bytesFromCacheServer': node['egressBytes'],
      'group.straight.fleet.bytesFromCdn': 12e6,
      'accounting.imbalanceBytes': 0,
    });
  });
});
