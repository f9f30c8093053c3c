// sim run --raw: what its rows say is what the result says, and what nginx has in its log; and a file that can be read is
// left, however the run ends.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { rawColumns } from '../../simulator/raw/columns.ts';
import { type FallbackCause, fallbackCauses } from '../../simulator/result/metrics.ts';
import { withMount } from '../cache/mounted.ts';
import { runsLongTests } from '../long-tests.ts';
import { freePort, noNginx, startNginx } from './nginx-node.ts';
import { canLookUp, eventually, SimRun } from './sim-run.ts';

type Row = {
  readonly device: number;
  readonly groupId: string;
  readonly source: 'cacheServer' | 'cdn' | null;
  readonly node: string | null;
  readonly object: string | null;
  readonly offsetBytes: bigint | null;
  readonly askedBytes: bigint | null;
  readonly receivedBytes: bigint;
  readonly status: number | null;
  readonly clientPort: number | null;
  readonly intendedMs: number | null;
  readonly sentMs: number | null;
  readonly firstByteMs: number | null;
  readonly endMs: number;
  readonly complete: boolean;
  readonly outcome: string;
};

const rawOf = (run: SimRun, name = 'ranges.parquet'): string => join(run.folder, name);

async function rowsIn(path: string): Promise<Row[]> {
  return (await parquetReadObjects({ file: await asyncBufferFromFile(path) })) as Row[];
}

async function metadataIn(path: string): Promise<Record<string, string>> {
  const { key_value_metadata: pairs = [] } = await parquetMetadataAsync(await asyncBufferFromFile(path));
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value ?? '']));
}

const bytesOf = (rows: readonly Row[]): number =>
  rows.reduce((sum, { receivedBytes }) => sum + Number(receivedBytes), 0);
const isFailure = ({ outcome }: Row): boolean => fallbackCauses.includes(outcome as FallbackCause);

/** Sums of rows are metrics, to the byte; those of each group too. */
function expectSums(rows: readonly Row[], metrics: Readonly<Record<string, number>>): void {
  const groups = [...new Set(rows.map(({ groupId }) => groupId))];
  const parts = [
    ['', rows] as const,
    ...groups.map((id) => [`group.${id}.`, rows.filter((row) => row.groupId === id)] as const),
  ];
  for (const [prefix, own] of parts) {
    const names = ['fleet.bytesFromCacheServer', 'fleet.bytesFromCdn', 'fleet.rangeCount'].map((name) => prefix + name);
    expect(
      [
        bytesOf(own.filter(({ source }) => source === 'cacheServer')),
        bytesOf(own.filter(({ source }) => source === 'cdn')),
        own.filter(({ complete }) => complete).length,
      ],
      prefix,
    ).toEqual(names.map((name) => metrics[name]));
  }
  expect(rows.filter(isFailure)).toHaveLength(metrics['range.failedCount'] ?? -1);
}

/** Percentiles of rows are those of the result's histograms, which round up to three digits of whole µs. */
function expectPercentiles(rows: readonly Row[], metrics: Readonly<Record<string, number>>): void {
  const complete = rows.filter((row) => row.complete);
  const times = {
    'range.latencyMs': complete.map(({ endMs, intendedMs }) => endMs - (intendedMs ?? 0)),
    'range.serviceMs': complete.map(({ endMs, sentMs }) => endMs - (sentMs ?? 0)),
    'range.firstByteMs': complete.map(({ firstByteMs, sentMs }) => (firstByteMs ?? 0) - (sentMs ?? 0)),
  };
  for (const [name, values] of Object.entries(times)) {
    const sorted = values.sort((a, b) => a - b);
    for (const [statistic, ratio] of [
      ['p50', 0.5],
      ['p99', 0.99],
      ['max', 1],
    ] as const) {
      const exact = sorted[Math.ceil(ratio * sorted.length) - 1] ?? Number.NaN;
      const measured = metrics[`${name}.${statistic}`] ?? Number.NaN;
      expect(Math.abs(measured - exact), `${name}.${statistic}: ${measured}, rows: ${exact}`).toBeLessThan(
        0.003 + exact / 900,
      );
    }
  }
}

function expectOrder(rows: readonly Row[]): void {
  for (const { intendedMs, sentMs, firstByteMs, endMs } of rows) {
    const times = [intendedMs, sentMs, firstByteMs, endMs].filter((time) => time !== null);
    expect(times).toEqual([...times].sort((a, b) => a - b));
  }
}

const hasDuckdb = spawnSync('duckdb', ['--version']).status === 0;
const noDuckdb = hasDuckdb ? '' : ' (without DuckDB, which is not here)';

/** The answers to one query after the other. */
function duckdb(folder: string, ...sql: readonly string[]): Record<string, unknown>[][] {
  const { stdout, stderr } = spawnSync('duckdb', ['-json', '-c', sql.join('\n')], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split(/^(?=\[)/m).map((answer) => JSON.parse(answer) as Record<string, unknown>[]);
}

const document = readFileSync(join(repositoryRoot, 'docs/raw-data.md'), 'utf8');
const queries = [...document.matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');

/** Windows and Linux devices, two nodes, one of which dies and comes back. */
const failover = `
name: Raw
seed: 11
content: [{ id: update, size: 5 MB }, { id: tool, size: 300 kB }]
nodes: [{ id: hq, limit: { egress: 200 Mbit/s } }, { id: branch }]
fleet:
  - { id: office, devices: 30, cacheHosts: [hq], wants: [update, tool], arrive: { over: 4 s } }
  - { id: lab, devices: 10, client: linux, cacheHosts: [branch], wants: [tool], arrive: { over: 3 s } }
  - { id: straight, devices: 5, wants: [tool] }
events: [{ at: 2 s, kill: hq }, { at: 3 s, restart: hq }]
expect: [devices.completedRatio == 1, accounting.imbalanceBytes == 0]
`;

/** Two device processes; a device gets its small file at once, the next ones come later. */
const slow = `
name: Slow
content: [{ id: update, size: 300 kB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 600, cacheHosts: [hq], wants: [update], arrive: { over: 10 s } }]
`;

describe.concurrent('raw data', { timeout: 60_000 }, () => {
  test(`of a run with a node that dies says to the byte what the result says, and answers the questions of the document${noDuckdb}`, async () => {
    const run = new SimRun(failover, { options: ['--raw', 'ranges.parquet'] });
    expect(await run.exitCode()).toBe(0);
    const rows = await rowsIn(rawOf(run));
    const { metrics } = run.run();
    expectSums(rows, metrics);
    expectPercentiles(rows, metrics);
    expectOrder(rows);
    expect(new Set(rows.map(({ device }) => device)).size).toBe(45);
    expect(rows.filter(isFailure).length).toBeGreaterThan(0);
    // The node's own books: it was not killed, and nothing was cut.
    expect(bytesOf(rows.filter(({ node }) => node === 'branch'))).toBe(metrics['node.branch.egressBytes']);
    const { runStartSecond = 0 } = run.run().series;
    expect(await metadataIn(rawOf(run))).toMatchObject({
      scenario: 'Raw',
      seed: '11',
      startEpochMs: String(runStartSecond * 1000),
      interrupted: 'false',
      lostRows: '0',
    });
    expect(run.stdout).toContain(`raw data: ${rows.length.toLocaleString('en')} rows in ranges.parquet`);
    if (!hasDuckdb) return;
    expect(queries.length).toBeGreaterThan(5);
    const all = queries.map((query) => query.replace('ranges-*.parquet', 'ranges.parquet'));
    const answers = duckdb(
      run.folder,
      ...all,
      "select count(*) as n, sum(receivedBytes)::bigint as bytes from 'ranges.parquet'",
    );
    expect(answers).toHaveLength(queries.length + 1);
    for (const [index, answer] of answers.entries()) expect(answer.length, queries[index]).toBeGreaterThan(0);
    expect(answers.at(-1)).toEqual([{ n: rows.length, bytes: bytesOf(rows) }]);
  });

  test.skipIf(noNginx !== '')(
    `is what nginx has in its own log: each request, its port, its bytes, its status${noNginx}`,
    async () => {
      const [cdnPort, nodePort] = [await freePort(), await freePort()];
      const log = await startNginx(nodePort, cdnPort, '$remote_addr $remote_port $status $body_bytes_sent $http_range');
      const run = new SimRun(
        `
name: nginx
content: [{ id: update, size: 3 MB }]
cdn: { listen: "127.0.0.1:${cdnPort}" }
nodes: [{ id: real, url: "http://127.0.0.1:${nodePort}" }]
fleet:
  - { id: office, devices: 20, cacheHosts: [real], wants: [update] }
  - { id: lab, devices: 10, client: linux, cacheHosts: [real], wants: [update] }
expect: [devices.completedRatio == 1]
`,
        { options: ['--raw', 'ranges.parquet'] },
      );
      expect(await run.exitCode()).toBe(0);
      const rows = await rowsIn(rawOf(run));
      const inRows = rows.map(({ clientPort, status, receivedBytes, offsetBytes, askedBytes, groupId }) => {
        const first = Number(offsetBytes);
        const range = groupId === 'lab' ? '-' : `bytes=${first}-${first + Number(askedBytes) - 1}`;
        return `${clientPort} ${status} ${receivedBytes} ${range}`;
      });
      const inLog = readFileSync(log, 'utf8').trim().split('\n');
      expect(inRows.sort()).toEqual(inLog.map((line) => line.split(' ').slice(1).join(' ')).sort());
    },
  );

  test('of a window has the times of the result in the rows of what was due after its warm-up', async () => {
    const window = `
name: Window
content: [{ id: update, size: 100 MB }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 20, cacheHosts: [hq], wants: [update] }]
live: { window: 3 s, demand: 200 Mbit/s, warmUp: 1 s }
`;
    const run = new SimRun(window, { options: ['--raw', 'ranges.parquet'] });
    expect([0, 4]).toContain(await run.exitCode());
    const rows = await rowsIn(rawOf(run));
    expectSums(rows, run.metrics());
    expectOrder(rows);
    const timed = rows.filter(({ intendedMs }) => (intendedMs ?? 0) >= 1000);
    expect(timed.length).toBeLessThan(rows.length);
    expectPercentiles(timed, run.metrics());
    // Nothing is asked for before it is due, and dues are evenly spread: 24 a second.
    const dues = rows.map(({ intendedMs }) => intendedMs ?? 0).sort((a, b) => a - b);
    const gaps = dues.slice(1).map((due, i) => due - (dues[i] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(1.01 * Math.min(...gaps));
  });

  test.skipIf(!runsLongTests)(
    `of shards is a file for each, and all of them are the whole run${noDuckdb}`,
    async () => {
      const short = failover
        .replace('5 MB', '1 MB')
        .replace(/^events:.*\n/m, '')
        .replaceAll(/over: \d s/g, 'over: 1 s');
      const environment = new SimRun(short, { options: ['--role', 'environment', '--listen', '127.0.0.1:0'] });
      const found = /Shards find this environment at (\S+)/;
      await environment.says(found);
      const at = found.exec(environment.stderr)?.[1] ?? '';
      const shards = [0, 1].map((index) => {
        const raw = rawOf(environment, `ranges-${index}.parquet`);
        return new SimRun(short, { options: ['--shard', `${index}/2`, '--environment', at, '--raw', raw] });
      });
      for (const each of [environment, ...shards]) expect(await each.exitCode()).toBe(0);
      const files = [0, 1].map((index) => rawOf(environment, `ranges-${index}.parquet`));
      const rows = (await Promise.all(files.map(rowsIn))).flat();
      expectSums(rows, environment.metrics());
      expectPercentiles(rows, environment.metrics());
      expect(await metadataIn(files[1] ?? '')).toMatchObject({ shard: '1/2' });
      if (!hasDuckdb) return;
      const [[joined] = []] = duckdb(environment.folder, queries.find((query) => query.includes('ranges-*')) ?? '');
      expect(joined).toEqual({ requests: rows.length, devices: 45, bytes: expect.anything() });
    },
  );

  test('of a run that Ctrl-C ends is whole, and says so', async () => {
    const narrow = { 'nodes.0.limit.egress': '40 Mbit/s', 'content.0.size': '4 MB' };
    const run = new SimRun(slow, { options: ['--raw', 'ranges.parquet'], set: narrow });
    await run.isDownloading(4e6);
    run.signal('SIGINT');
    expect(await run.exitCode()).toBe(130);
    const rows = await rowsIn(rawOf(run));
    expectSums(rows, run.metrics());
    expect(rows.some(({ outcome }) => outcome === 'aborted')).toBe(true);
    expect(await metadataIn(rawOf(run))).toMatchObject({ interrupted: 'true' });
  });

  test.skipIf(!canLookUp)('of a run that loses a device process has what that one had said', async () => {
    const run = new SimRun(slow, { options: ['--raw', 'ranges.parquet'] });
    await run.isDownloading(15e6);
    process.kill(run.processes('device-process')[0]?.pid ?? 0, 'SIGKILL');
    expect(await run.exitCode()).toBe(3);
    const rows = await rowsIn(rawOf(run));
    const received = (run.metrics()['fleet.bytesFromCacheServer'] ?? 0) + (run.metrics()['fleet.bytesFromCdn'] ?? 0);
    // The result lacks the whole of it, the rows only its last half second.
    expect(bytesOf(rows)).toBeGreaterThan(received);
    expect(new Set(rows.map(({ device }) => device % 2))).toEqual(new Set([0, 1]));
  });

  test('of a run whose disk becomes full holds what came before; the result is there', async (context) => {
    await withMount('tmpfs', 80, context, async (mount) => {
      const raw = join(mount, 'ranges.csv');
      const run = new SimRun(slow, { options: ['--raw', raw], set: { 'fleet.0.arrive': '{ over: 4 s }' } });
      await run.isDownloading(8e6);
      writeFileSync(join(mount, 'others'), Buffer.alloc(30e6));
      expect(await run.exitCode()).toBe(0);
      const said = `Raw data: ${raw} lacks `;
      expect(run.said()).toContain(said);
      expect(run.said()).toMatch(/ of 600 rows: less than 64\.0 MB are left on the disk, which the result needs\.\n$/);
      expect(run.metrics()['fleet.rangeCount']).toBe(600);
      expect(run.run().notes.join('\n')).toContain(said.replace('Raw', 'raw'));
      const missing = Number(/lacks (\d+) of/.exec(run.stderr)?.[1]);
      expect(readFileSync(raw, 'utf8').split('\n')).toHaveLength(600 - missing + 2);
    });
  });

  test.skipIf(!canLookUp)('of a run that is killed leaves its part', async () => {
    const run = new SimRun(slow, { options: ['--raw', 'ranges.csv'] });
    await run.isDownloading(8e6);
    const part = await eventually('rows in the part', () => {
      const name = readdirSync(run.folder).find((each) => each.endsWith('.part')) ?? '';
      return name !== '' && readFileSync(join(run.folder, name), 'utf8').split('\n').length > 3 ? name : undefined;
    });
    run.signal('SIGKILL');
    expect(await run.exitCode()).toBe('SIGKILL');
    expect(part).toBe(`ranges.csv.${run.child.pid}.part`);
    expect(existsSync(rawOf(run, 'ranges.csv'))).toBe(false);
    const [head, first = ''] = readFileSync(join(run.folder, part), 'utf8').split('\n');
    expect(head?.split(',')).toEqual(rawColumns.map(({ name }) => name));
    expect(first.split(',')).toHaveLength(rawColumns.length);
  });

  test.for([
    {
      options: ['--raw', 'ranges.json'],
      says: /Expected a file that ends in \.parquet or \.csv; found "ranges\.json"/,
    },
    {
      options: ['--raw', 'a.csv', '--world', 'virtual'],
      says: /--raw: expected a run in the live world: the virtual one has/,
    },
    { options: ['--raw', 'a.csv', '--role', 'environment'], says: /--raw: give it to each --shard, a file for each/ },
    {
      options: ['--raw', 'none/a.csv'],
      code: 3,
      says: /--raw none\/a\.csv: expected a file that can be written, .* ENOENT/,
    },
  ])('$options is refused in words, and nothing is left', async ({ options, code = 2, says }) => {
    const run = new SimRun(failover, { options, world: options.includes('--world') ? 'default' : 'live' });
    expect(await run.exitCode()).toBe(code);
    expect(run.said()).toMatch(says);
    expect(readdirSync(run.folder).sort()).toEqual(['scenario.yaml', 'tmp']);
  });
});

test('docs/raw-data.md lists every column with its type and its meaning', () => {
  const types = { text: 'string', whole32: 'int32', whole64: 'int64', double: 'double', boolean: 'boolean' };
  const lines = rawColumns.map(
    ({ name, kind, isOptional, meaning }) =>
      `| \`${name}\` | ${types[kind]}${isOptional ? ', may be null' : ''} | ${meaning} |`,
  );
  expect(document).toContain(lines.join('\n'));
});
