// Files of raw data: what is read from them, by other programs' eyes, is what was put in; and what is left when a disk is full.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { rawColumns } from '../../simulator/raw/columns.ts';
import { groupRows } from '../../simulator/raw/parquet-rows.ts';
import { RawFile, type RawFileOptions } from '../../simulator/raw/raw-file.ts';
import type { RangeRow } from '../../simulator/world/live/raw/range-row.ts';
import { withMount } from '../cache/mounted.ts';
import { batchesOf, names, someRow } from './batches.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'raw-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const rowsUpTo = function* (count: number): Generator<RangeRow> {
  for (let i = 0; i < count; i += 1) yield someRow(i);
};

type Written = { readonly path: string; readonly outcome: Awaited<ReturnType<RawFile['close']>> };

async function write(name: string, count: number, options: Partial<RawFileOptions> = {}): Promise<Written> {
  const path = resolve(folder, name);
  const file = new RawFile({ path, form: name.endsWith('csv') ? 'csv' : 'parquet', names, ...options });
  for (const batch of batchesOf(rowsUpTo(count))) file.take(batch);
  return { path, outcome: await file.close({ seed: '7' }) };
}

type Table = readonly Readonly<Record<string, unknown>>[];

const parquetRows = async (path: string): Promise<Table> =>
  await parquetReadObjects({ file: await asyncBufferFromFile(path) });

/** What a row must read as, in Parquet's types. */
function expectedRow(i: number): Readonly<Record<string, unknown>> {
  const row = someRow(i);
  const node = row.server === undefined ? null : (names.nodes[row.server] ?? null);
  const big = (value: number | undefined): bigint | null => (value === undefined ? null : BigInt(value));
  const time = (value: number | undefined): number | null =>
    value === undefined || Number.isNaN(value) ? null : value;
  return {
    device: i,
    groupId: names.groups[row.group],
    source: row.server === undefined ? null : node === null ? 'cdn' : 'cacheServer',
    node,
    object: row.object ?? null,
    offsetBytes: big(row.offsetBytes),
    askedBytes: big(row.askedBytes),
    receivedBytes: big(row.receivedBytes),
    status: row.status === 0 ? null : row.status,
    clientPort: row.peer === '' ? null : Number(row.peer.split(':')[1]),
    intendedMs: time(row.intendedMs),
    sentMs: time(row.sentMs),
    firstByteMs: time(row.firstByteMs),
    endMs: row.endMs,
    complete: row.isComplete,
    outcome: row.outcome,
  };
}

describe('raw data', () => {
  it('as Parquet is what was put in, over several groups of rows, with the run in its metadata', async () => {
    const count = groupRows + 1000;
    const { path, outcome } = await write('rows.parquet', count);
    expect(outcome).toEqual({ writtenCount: count, problem: undefined });
    const rows = await parquetRows(path);
    expect(rows).toHaveLength(count);
    for (const at of [0, 1, 2, 6, 41, 4095, 4096, groupRows - 1, groupRows, count - 1]) {
      expect(rows[at]).toEqual(expectedRow(at));
    }
    const metadata = await parquetMetadataAsync(await asyncBufferFromFile(path));
    expect(metadata.row_groups.map(({ num_rows }) => num_rows)).toEqual([BigInt(groupRows), 1000n]);
    expect(metadata.key_value_metadata).toEqual([
      { key: 'seed', value: '7' },
      { key: 'lostRows', value: '0' },
    ]);
    expect(readdirSync(folder)).toEqual(['rows.parquet']);
  });

  it('as CSV has the same rows, and quotes what needs it', async () => {
    const { path } = await write('rows.csv', 500);
    const lines = readFileSync(path, 'utf8').split('\n');
    expect(lines[0]).toBe(rawColumns.map(({ name }) => name).join(','));
    const text = (value: unknown): string =>
      value === null
        ? ''
        : typeof value === 'string' && /[",]/.test(value)
          ? `"${value.replaceAll('"', '""')}"`
          : String(value);
    expect(lines.slice(1, -1)).toEqual(
      Array.from({ length: 500 }, (_, i) => Object.values(expectedRow(i)).map(text).join(',')),
    );
  });

  const hasDuckdb = spawnSync('duckdb', ['--version']).status === 0;
  it.skipIf(!hasDuckdb)(
    `as Parquet and as CSV is the same to DuckDB${hasDuckdb ? '' : ' (skipped: there is no duckdb here)'}`,
    async () => {
      const [parquet, csv] = [await write('rows.parquet', 10_000), await write('rows.csv', 10_000)];
      const query = `
        select (select count(*) from '${parquet.path}') as inParquet, (select count(*) from '${csv.path}') as inCsv,
          (select count(*) from (from '${parquet.path}' except all from '${csv.path}')) as onlyInParquet`;
      const { stdout, stderr } = spawnSync('duckdb', ['-json', '-c', query], { encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toEqual([{ inParquet: 10_000, inCsv: 10_000, onlyInParquet: 0 }]);
    },
  );

  it('of no rows is a file all the same', async () => {
    const { path, outcome } = await write('rows.parquet', 0);
    expect(outcome).toEqual({ writtenCount: 0, problem: undefined });
    expect(await parquetRows(path)).toEqual([]);
  });

  it('takes the place of a file that is there once it is whole, and leaves it alone when the run comes to nothing', async () => {
    const path = join(folder, 'rows.csv');
    writeFileSync(path, 'before');
    const file = new RawFile({ path, form: 'csv', names });
    for (const batch of batchesOf(rowsUpTo(10))) file.take(batch);
    expect(readFileSync(path, 'utf8')).toBe('before');
    await file.discard();
    expect(readFileSync(path, 'utf8')).toBe('before');
    await write('rows.csv', 10);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(12);
    expect(readdirSync(folder)).toEqual(['rows.csv']);
  });

  it('says how many rows were lost on their way', async () => {
    const path = join(folder, 'rows.csv');
    const file = new RawFile({ path, form: 'csv', names });
    for (const batch of batchesOf(rowsUpTo(10))) file.take({ ...batch, lostCount: 5 });
    expect(await file.close({})).toEqual({
      writtenCount: 10,
      problem: `${path} lacks 5 of 15 rows: they came faster than they could be written.`,
    });
  });

  it('leaves out what comes faster than it is written, instead of holding ever more', async () => {
    // The thread has said nothing yet when the second batch comes.
    const { path, outcome } = await write('rows.parquet', 10_000, { queuedBytesMax: 1000 });
    expect(outcome).toEqual({
      writtenCount: 4096,
      problem: `${path} lacks 5,904 of 10,000 rows: they came faster than they could be written.`,
    });
    expect(await parquetRows(path)).toHaveLength(4096);
  });

  it('is refused before the run in a folder that is not there, and where a folder has its name', () => {
    const make = (path: string) => (): RawFile => new RawFile({ path, form: 'csv', names });
    const path = join(folder, 'none', 'rows.csv');
    expect(make(path)).toThrow(
      `--raw ${path}: expected a file that can be written, in a folder that is there, found ENOENT.`,
    );
    const taken = join(folder, 'rows.csv');
    mkdirSync(taken);
    expect(make(taken)).toThrow(`--raw ${taken}: expected a file, found a folder.`);
    expect(readdirSync(folder)).toEqual(['rows.csv']);
  });

  it('is refused on a disk that has no room for the results', () => {
    const make = (): RawFile => new RawFile({ path: join(folder, 'rows.csv'), form: 'csv', names, roomBytesMin: 1e18 });
    expect(make).toThrow(/expected a disk with more than 1,?000 PB left, found/);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('on a disk that becomes full', () => {
  const made = 2 * groupRows;

  /** Writes on a disk of so many MiB; what the file says of itself must be what is in it. */
  async function writeOn(sizeMiB: number, name: string, roomBytesMin: number, context: TestContext): Promise<Written> {
    let written: Written | undefined;
    await withMount('tmpfs', sizeMiB, context, async (mount) => {
      written = await write(join(mount, name), made, { roomBytesMin });
      const { path, outcome } = written;
      const isCsv = name.endsWith('csv');
      const found = isCsv ? readFileSync(path, 'utf8').split('\n').length - 2 : (await parquetRows(path)).length;
      expect(found).toBe(outcome.writtenCount);
      expect(found).toBeGreaterThan(0);
    });
    assert(written !== undefined);
    return written;
  }

  it('Parquet holds the groups of rows before, and what the results need stays free', async (context) => {
    const { outcome } = await writeOn(7, 'rows.parquet', 4e6, context);
    expect(outcome).toMatchObject({
      writtenCount: groupRows,
      problem: expect.stringMatching(
        / lacks 65,536 of 131,072 rows: less than 4.00 MB are left on the disk, which the result needs\.$/,
      ),
    });
  });

  it('Parquet can be read when the system itself says that there is no room', async (context) => {
    const { outcome } = await writeOn(3, 'rows.parquet', Number.NEGATIVE_INFINITY, context);
    expect(outcome.problem).toMatch(/ lacks 65,536 of 131,072 rows: ENOSPC\.$/);
  });

  it('CSV can be read when the system itself says that there is no room', async (context) => {
    const { outcome } = await writeOn(3, 'rows.csv', Number.NEGATIVE_INFINITY, context);
    expect(outcome.problem).toMatch(/ lacks [0-9,]+ of 131,072 rows: ENOSPC\.$/);
  });
});
