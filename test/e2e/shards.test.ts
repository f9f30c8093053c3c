// One run as five commands, and the same run as one: what must be equal is equal, and sim merge says again what the
// environment said.

import { execFile } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import { resultForm } from '../../simulator/result/result-schema.ts';
import { runsLongTests } from '../long-tests.ts';
import { SimRun } from './sim-run.ts';

/** Two nodes, and devices that go straight to the CDN: every kind of connection that there is in a run. */
const downloads = `
name: Downloads in shards
seed: 5
content: [{ id: update, size: 4 MB }, { id: driver, size: 1500 KB }]
nodes: [{ id: hq }, { id: cell, parent: hq }]
fleet:
  - { id: office, devices: 31, cacheHosts: [cell, hq], wants: [update, driver], arrive: { over: 1 s } }
  - { id: straight, devices: 7, wants: [driver] }
expect: [devices.completedRatio == 1, accounting.imbalanceBytes == 0]
`;

/** Each of ten devices is due every 15 s, one after the other: two ranges in this window, and time for them. */
const window = `
name: A window in shards
content: [{ id: update, size: 100 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 10, cacheHosts: [hq], wants: [update], connectionsPerFile: 1 }]
live: { window: 2900 ms, demand: 5.5 Mbit/s }
expect: [devices.connectedCountMax == 10, accounting.imbalanceBytes == 0]
`;

type Sharded = { readonly environment: SimRun; readonly shards: readonly SimRun[] };

/** `more`: words for each of the commands. */
async function runInShards(scenario: string, count: number, more: readonly string[] = []): Promise<Sharded> {
  const words = ['--role', 'environment', '--listen', '127.0.0.1:0', '--devices', ...more];
  const environment = new SimRun(scenario, { options: words });
  const found = /Shards find this environment at (\S+)/;
  await environment.says(found);
  const at = found.exec(environment.stderr)?.[1] ?? '';
  const shards = Array.from({ length: count }, (_, index) => {
    return new SimRun(scenario, { options: ['--shard', `${index}/${count}`, '--environment', at, ...more] });
  });
  return { environment, shards };
}

/** Counts and bytes are equal in every run; times, rates and what machines took are not. */
const isExact = (name: string): boolean =>
  /(Bytes|Count|bytesFromCacheServer|bytesFromCdn|devices\.count|completedRatio)$/.test(name);

const exactMetrics = (run: Run): Record<string, number> =>
  Object.fromEntries(
    Object.entries(run.metrics).filter(([name]) => isExact(name) && !name.includes('connectedCountMax')),
  );

const countOf = (run: Run, name: string): number =>
  decodeFromCompressedBase64(run.histograms[name] ?? '', 32, false).totalCount;

const sumOf = (run: Run, column: string): number =>
  (run.series.columns[column] ?? []).reduce((sum, value) => sum + value, 0);

async function merge(...words: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  const sim = [join(repositoryRoot, 'simulator/sim.js'), 'merge', ...words];
  return await promisify(execFile)(process.execPath, sim, { encoding: 'utf8' }).then(
    ({ stderr }) => ({ code: 0, said: stderr }),
    (error: { readonly code: number; readonly stderr: string }) => ({ code: error.code, said: error.stderr }),
  );
}

const resultIn = (folder: string): Result =>
  resultForm.parse(JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')));

/** Up to twenty processes at once. */
const timeout = 90_000;

describe.concurrent('a run in shards', { timeout }, () => {
  test('of downloads: four shards and their environment move the bytes that one run moves, and all books balance', async () => {
    const whole = new SimRun(downloads, { options: ['--devices'] });
    const { environment, shards } = await runInShards(downloads, 4);
    for (const each of [whole, environment, ...shards]) expect(await each.exitCode()).toBe(0);
    for (const shard of shards) expect(shard.stdout).toMatch(/^shard \d\/4 is handed in/);

    const [run, one] = [environment.run(), whole.run()];
    expect(exactMetrics(run)).toEqual(exactMetrics(one));
    expect(run.metrics).toMatchObject({
      'fleet.wantedBytes': 31 * 5.5e6 + 7 * 1.5e6,
      'fleet.usefulBytes': 31 * 5.5e6 + 7 * 1.5e6,
      'node.cell.egressBytes': 31 * 5.5e6,
      'node.hq.egressBytes': 5.5e6,
      'cdn.egressBytes': 5.5e6 + 7 * 1.5e6,
      'accounting.imbalanceBytes': 0,
      'accounting.lostLedgerBytes': 0,
      'integrity.corruptBytes': 0,
    });
    const { 'fleet.rangeCount': ranges = 0 } = run.metrics;
    for (const each of [run, one]) {
      for (const name of ['range.latencyMs', 'range.serviceMs', 'range.firstByteMs']) {
        expect(countOf(each, name)).toBe(ranges);
      }
      expect(sumOf(each, 'range.rangesPerSecond')).toBe(ranges);
      expect(sumOf(each, 'node.cell.egressBitsPerSecond')).toBe(31 * 5.5e6 * 8);
    }
    const rowOf = (line: string): string => line.split(',').slice(0, 7).join(',');
    expect(environment.file('devices.csv').split('\n').map(rowOf)).toEqual(
      whole.file('devices.csv').split('\n').map(rowOf),
    );
    expect(environment.result()).toMatchObject({ verdict: 'pass', seed: 5 });

    // By hand: the parts of the shards from their own folders, the environment's from its own.
    const merged = join(environment.folder, 'merged');
    const own = join(environment.out, 'environment.part.json');
    const all = [own, ...shards.map((shard) => shard.out)];
    expect(await merge(...all, '--out', merged, '--devices', '--quiet')).toEqual({ code: 0, said: '' });
    expect(resultIn(merged)).toEqual(environment.result());
    expect(readFileSync(join(merged, 'devices.csv'), 'utf8')).toBe(environment.file('devices.csv'));

    // One that is missing, one that is edited.
    const copy = join(environment.folder, 'copy');
    cpSync(environment.out, copy, { recursive: true });
    rmSync(join(copy, 'shard-2-of-4.part.json'));
    expect(await merge(copy, '--out', merged)).toEqual({
      code: 2,
      said: 'These parts make no run:\n  missing: shard 2/4 (--allow-missing goes on without)\nNothing was merged.\n',
    });
    const cut = await merge(copy, '--allow-missing', '--out', merged, '--quiet');
    expect(cut).toEqual({ code: 3, said: 'The run was not carried to its end: parts are missing: shard 2/4\n' });
    expect(resultIn(merged)).toMatchObject({ verdict: 'inconclusive', reason: 'parts are missing: shard 2/4' });
    const edited = join(copy, 'shard-1-of-4.part.json');
    writeFileSync(edited, readFileSync(edited, 'utf8').replace('"rangeCount":', '"rangeCount":1'));
    expect(await merge(copy, '--out', merged)).toMatchObject({
      code: 2,
      said: expect.stringContaining('shard-1-of-4.part.json: expected a part of a run'),
    });
  });

  test.skipIf(!runsLongTests)('of a window: every range is due once, in one of the shards', async () => {
    const whole = new SimRun(window);
    const { environment, shards } = await runInShards(window, 2);
    for (const each of [environment, ...shards]) expect([0, 4]).toContain(await each.exitCode());
    expect([0, 4]).toContain(await whole.exitCode());
    const [run, one] = [environment.run(), whole.run()];
    for (const each of [run, one]) {
      expect(each.metrics).toMatchObject({ 'fleet.rangeCount': 2, 'devices.connectedCountMax': 10 });
      expect(each.metrics).toMatchObject({ 'accounting.imbalanceBytes': 0, 'fleet.usefulBytes': 2 * 2 ** 20 });
      expect(countOf(each, 'generator.latenessMs')).toBe(2);
    }
  });

  test('ends for all when one is interrupted: what was measured is kept, and it is said who', async () => {
    const slow = downloads.replace('nodes: [{ id: hq }', 'nodes: [{ id: hq, limit: { egress: 2 Mbit/s } }');
    const { environment, shards } = await runInShards(slow, 2);
    await Promise.all(shards.map((shard) => shard.says(/^running/m)));
    shards[1]?.signal('SIGINT');
    expect(await shards[1]?.exitCode()).toBe(130);
    expect(await shards[0]?.exitCode()).toBe(3);
    expect(shards[0]?.said()).toContain('The run could not be carried to its end: shard 1/2: it was interrupted');
    expect(await environment.exitCode()).toBe(3);
    expect(environment.result()).toMatchObject({ verdict: 'inconclusive', reason: 'shard 1/2: it was interrupted' });
    expect(environment.metrics()).toMatchObject({ 'accounting.imbalanceBytes': 0, 'integrity.corruptBytes': 0 });
  });

  test('begins for all at the time that was given', async () => {
    const startSecond = Math.ceil(Date.now() / 1000) + 60;
    const { environment, shards } = await runInShards(window, 2, ['--start-at', String(startSecond)]);
    await Promise.all([environment, ...shards].map((each) => each.says(/^running/m)));
    // All have been told: nobody needs to wait for it.
    environment.signal('SIGINT');
    expect(await environment.exitCode()).toBe(130);
    for (const shard of shards) {
      expect(await shard.exitCode()).toBe(3);
      expect(shard.said()).toContain('it was interrupted');
    }
    expect(environment.file('environment.part.json')).toContain(`"startEpochMs":${startSecond * 1000},`);
    expect(environment.file('shard-1-of-2.part.json')).toContain(`"startEpochMs":${startSecond * 1000},`);
    expect(environment.result()).toMatchObject({ verdict: 'interrupted' });
    expect(environment.metrics()).toMatchObject({ 'fleet.rangeCount': 0, 'accounting.imbalanceBytes': 0 });
  });
});
