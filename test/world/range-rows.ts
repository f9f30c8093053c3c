// Rows of range requests as plain objects, and a fleet whose rows are held against its report in every test that stops it.

import { expect } from 'vitest';
import { fallbackCauses } from '../../simulator/result/metrics.ts';
import type { DeviceOrder, DeviceReport } from '../../simulator/world/live/device-protocol.ts';
import { LiveFleet } from '../../simulator/world/live/live-fleet.ts';
import type { RangeOutcome } from '../../simulator/world/live/raw/range-row.ts';
import { type RowBatch, RowView } from '../../simulator/world/live/raw/row-batch.ts';

export type PlainRow = Pick<
  RowView,
  | 'device'
  | 'group'
  | 'server'
  | 'object'
  | 'offsetBytes'
  | 'askedBytes'
  | 'receivedBytes'
  | 'status'
  | 'clientPort'
  | 'intendedMs'
  | 'sentMs'
  | 'firstByteMs'
  | 'endMs'
  | 'isComplete'
  | 'outcome'
>;

export function rowsOf(batches: readonly RowBatch[]): PlainRow[] {
  return batches.flatMap((batch) =>
    Array.from({ length: batch.rowCount }, (_, at) => {
      const row = new RowView(batch);
      row.at = at;
      const { device, group, server, object, offsetBytes, askedBytes, receivedBytes, status, clientPort } = row;
      const { intendedMs, sentMs, firstByteMs, endMs, isComplete, outcome } = row;
      return {
        ...{ device, group, server, object, offsetBytes, askedBytes, receivedBytes, status, clientPort },
        ...{ intendedMs, sentMs, firstByteMs, endMs, isComplete, outcome },
      };
    }),
  );
}

/** A fleet that tells each of its ranges; at its end these must say what its report says. */
export class FleetWithRows extends LiveFleet {
  readonly #batches: RowBatch[];

  constructor(order: DeviceOrder, onIdle: () => void) {
    const batches: RowBatch[] = [];
    super(order, onIdle, (batch, sent) => {
      batches.push(batch);
      sent();
    });
    this.#batches = batches;
  }

  get rangeRows(): readonly PlainRow[] {
    return rowsOf(this.#batches);
  }

  override async stop(graceMs: number): Promise<DeviceReport> {
    const before = this.#batches.length;
    const report = await super.stop(graceMs);
    // One that is told twice to stop reports twice.
    if (before === 0 || this.#batches.length > before) expectSameAsRows(report, this.rangeRows);
    return report;
  }
}

export const isFailure = (outcome: RangeOutcome): boolean => (fallbackCauses as readonly string[]).includes(outcome);

/** Sums of rows are the report's, by group and by server; and times come in their order. */
export function expectSameAsRows({ groups, reading }: DeviceReport, rows: readonly PlainRow[]): void {
  const bytes = (of: readonly PlainRow[]): number => of.reduce((sum, row) => sum + row.receivedBytes, 0);
  const cdn = Object.keys(reading.bytesPerSecond).length - 1;
  groups.forEach((group, index) => {
    const own = rows.filter((row) => row.group === index);
    expect({
      fromCdn: bytes(own.filter(({ server }) => server === cdn)),
      fromCacheServer: bytes(own.filter(({ server }) => server !== cdn)),
      ranges: own.filter(({ isComplete }) => isComplete).length,
    }).toEqual({
      fromCdn: group.bytesFromCdn,
      fromCacheServer: group.bytesFromCacheServer,
      ranges: group.rangeCount,
    });
  });
  const perServer = Object.values(reading.bytesPerSecond).map((seconds) =>
    seconds.reduce((sum, each) => sum + each, 0),
  );
  expect(perServer.map((_, place) => bytes(rows.filter(({ server }) => server === place)))).toEqual(perServer);
  const failed: Record<string, number> = {};
  for (const { outcome } of rows) if (isFailure(outcome)) failed[outcome] = (failed[outcome] ?? 0) + 1;
  expect(failed).toEqual(reading.failedRanges);
  for (const row of rows) expectInOrder(row);
}

export function expectInOrder(row: PlainRow): void {
  const { intendedMs, sentMs, firstByteMs, endMs, status, receivedBytes, askedBytes, outcome } = row;
  const times = [intendedMs, sentMs, firstByteMs, endMs].filter((time) => time !== undefined);
  expect(times, JSON.stringify(row)).toEqual([...times].sort((a, b) => a - b));
  expect(firstByteMs !== undefined, JSON.stringify(row)).toBe(receivedBytes > 0);
  if (status !== undefined) expect(sentMs, JSON.stringify(row)).toBeDefined();
  if (outcome === 'ok') expect(receivedBytes, JSON.stringify(row)).toBe(askedBytes);
}
