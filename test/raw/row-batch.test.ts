// Rows as bytes: what was put in comes out, whatever it was; and what a device process cannot hand over is counted.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RangeRow, rangeOutcomes } from '../../simulator/world/live/raw/range-row.ts';
import { RangeRows } from '../../simulator/world/live/raw/range-rows.ts';
import type { RowBatch } from '../../simulator/world/live/raw/row-batch.ts';
import { rowsOf } from '../world/range-rows.ts';
import { batchesOf, someRow } from './batches.ts';

/** Set ORACLE_RUNS for a longer search. */
const numRuns = Number(process.env['ORACLE_RUNS'] ?? 100);
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};

const bytes = fc.maxSafeNat();
const timeMs = fc.double({ min: 0, max: 1e9, noNaN: true });
const optional = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const row: fc.Arbitrary<RangeRow> = fc.record({
  device: fc.nat(2 ** 31 - 1),
  group: fc.nat(65_000),
  server: optional(fc.nat(65_000)),
  object: optional(fc.string()),
  offsetBytes: optional(bytes),
  askedBytes: optional(bytes),
  receivedBytes: bytes,
  status: fc.constantFrom(0, 200, 206, 503, 999),
  peer: fc.oneof(
    fc.constant(''),
    fc.tuple(fc.constantFrom('127.0.0.1', '2001:db8::1'), fc.nat(65_535)).map(([host, port]) => `${host}:${port}`),
  ),
  intendedMs: optional(timeMs),
  sentMs: fc.oneof(optional(timeMs), fc.constant(Number.NaN)),
  firstByteMs: optional(timeMs),
  endMs: timeMs,
  isComplete: fc.boolean(),
  outcome: fc.constantFrom(...rangeOutcomes),
});

const inUs = (ms: number | undefined, startedAtMs: number): number | undefined =>
  ms === undefined || Number.isNaN(ms) ? undefined : Math.round((ms - startedAtMs) * 1000) / 1000;

describe('a batch of rows', () => {
  it('says what was put into it, times in whole µs since the start', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), fc.integer({ min: 0, max: 1e6 }), (rows, startedAtMs) => {
        const expected = rows.map(({ peer, status, ...each }) => ({
          ...each,
          status: status === 0 ? undefined : status,
          clientPort: peer === '' ? undefined : Number(/[0-9]+$/.exec(peer)?.[0]),
          intendedMs: inUs(each.intendedMs, startedAtMs),
          sentMs: inUs(each.sentMs, startedAtMs),
          firstByteMs: inUs(each.firstByteMs, startedAtMs),
          endMs: inUs(each.endMs, startedAtMs),
        }));
        expect(rowsOf(batchesOf(rows, startedAtMs))).toEqual(expected);
      }),
      { numRuns, ...seed },
    );
  });

  it('is full after some thousand rows, and the next one begins', () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => someRow(i));
    const batches = batchesOf(rows);
    expect(batches.map(({ rowCount }) => rowCount)).toEqual([4096, 4096, 1808]);
    expect(rowsOf(batches).map(({ device }) => device)).toEqual(rows.map(({ device }) => device));
  });
});

describe('the rows of a device process', () => {
  const countOf = (batches: readonly RowBatch[]): number => batches.reduce((sum, { rowCount }) => sum + rowCount, 0);

  it('are kept until the run begins, and then handed over', () => {
    const batches: RowBatch[] = [];
    const rows = new RangeRows((batch) => batches.push(batch), 10);
    for (let i = 0; i < 25; i += 1) rows.add(someRow(i));
    rows.flush();
    expect(batches).toEqual([]);
    rows.begin(10);
    rows.flush();
    expect(countOf(batches)).toBe(25);
    expect(batches.every(({ startedAtMs }) => startedAtMs === 10)).toBe(true);
  });

  it('never pile up: what nobody takes is counted as lost, and told with the next batch', () => {
    const batches: RowBatch[] = [];
    const taken: (() => void)[] = [];
    const send = (batch: RowBatch, sent: () => void): void => {
      batches.push(batch);
      taken.push(sent);
    };
    const rows = new RangeRows(send, 10);
    rows.begin(0);
    for (let i = 0; i < 1000; i += 1) rows.add(someRow(i));
    expect(batches).toHaveLength(64);
    for (const sent of taken.splice(0)) sent();
    rows.add(someRow(0));
    rows.end();
    expect(batches).toHaveLength(65);
    expect(batches.at(-1)).toMatchObject({ rowCount: 1, lostCount: 1000 - 640 });
  });

  it('that were lost are told at the end, though none follows', () => {
    const batches: RowBatch[] = [];
    const rows = new RangeRows((batch) => batches.push(batch), 10); // nothing is ever on its way
    rows.begin(0);
    for (let i = 0; i < 650; i += 1) rows.add(someRow(i));
    rows.end();
    expect(batches.at(-1)).toMatchObject({ rowCount: 0, lostCount: 10 });
  });
});
