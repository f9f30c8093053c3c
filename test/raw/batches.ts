// Batches of rows as device processes make them, of a test's own rows.

import { nothingAsked, type RangeRow } from '../../simulator/world/live/raw/range-row.ts';
import { RangeRows } from '../../simulator/world/live/raw/range-rows.ts';
import type { RowBatch } from '../../simulator/world/live/raw/row-batch.ts';

export const names = { groups: ['office', 'lab'], nodes: ['hq', 'branch'] };

export function batchesOf(rows: Iterable<RangeRow>, startedAtMs = 0): RowBatch[] {
  const batches: RowBatch[] = [];
  const gathered = new RangeRows((batch, sent) => {
    batches.push(batch);
    sent();
  });
  gathered.begin(startedAtMs);
  for (const row of rows) gathered.add(row);
  gathered.end();
  return batches;
}

/** Row i of many that differ in every column; every seventh has no request. */
export function someRow(i: number): RangeRow {
  const base = {
    device: i,
    group: i % 2,
    endMs: i + 0.75,
    peer: i % 5 === 0 ? '' : `127.16.0.1:${1024 + (i % 60_000)}`,
  };
  if (i % 7 === 6) return { ...nothingAsked, ...base, server: i % 4 === 3 ? undefined : i % 3, outcome: 'refused' };
  return {
    ...base,
    server: i % 3,
    object: `file ${i % 11}, "quoted"`,
    offsetBytes: i * 2 ** 32,
    askedBytes: 1_048_576,
    receivedBytes: i % 2 === 0 ? 1_048_576 : i % 1000,
    status: i % 2 === 0 ? 206 : 503,
    intendedMs: i + 0.125,
    sentMs: i % 9 === 0 ? Number.NaN : i + 0.25,
    firstByteMs: i % 10 === 0 ? undefined : i + 0.5,
    isComplete: i % 2 === 0,
    outcome: i % 2 === 0 ? 'ok' : 'status5xx',
  };
}
