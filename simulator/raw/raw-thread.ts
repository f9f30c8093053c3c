// The thread that writes raw data beside a run: rows come as batches, and go to the file in its form. The first failure ends
// the writing; what was written before it stays.

import { parentPort, workerData } from 'node:worker_threads';
import { assert, assertNever, errorCode } from '../../common/errors.ts';
import { formatBytes } from '../../common/units.ts';
import type { RowBatch } from '../world/live/raw/row-batch.ts';
import type { RawNames } from './columns.ts';
import { CsvRows } from './csv-rows.ts';
import { ParquetRows } from './parquet-rows.ts';
import { NoRoom, RowFile } from './row-file.ts';
import type { RawMetadata, RowWriter } from './row-writer.ts';

export type RawThreadOrder = {
  /** The file, open and empty. */
  readonly fd: number;
  /** Where it is. */
  readonly folder: string;
  readonly form: 'parquet' | 'csv';
  readonly names: RawNames;
  readonly roomBytesMin: number;
};

export type ToRawThread =
  | { readonly kind: 'rows'; readonly batch: RowBatch }
  | { readonly kind: 'end'; readonly metadata: RawMetadata };

export type FromRawThread =
  /** A batch is no memory any more. */
  | { readonly kind: 'taken'; readonly bytes: number }
  /** Nothing more is written. */
  | { readonly kind: 'failed'; readonly problem: string }
  /** The last word. `isReadable`: the file is one. */
  | { readonly kind: 'ended'; readonly writtenCount: number; readonly isReadable: boolean };

assert(parentPort !== null, 'this is a thread');
const port = parentPort;
const order = workerData as RawThreadOrder;
const say = (message: FromRawThread): void => port.postMessage(message);

let hasFailed = false;
function fail(error: unknown): void {
  if (hasFailed) return;
  hasFailed = true;
  const left = `less than ${formatBytes(order.roomBytesMin)} are left on the disk, which the result needs`;
  say({ kind: 'failed', problem: error instanceof NoRoom ? left : errorCode(error) });
}

/** Whether it could be done. */
function attempt(what: () => void): boolean {
  try {
    what();
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

const file = new RowFile(order.fd, order.folder, order.roomBytesMin);
let writer: RowWriter | undefined;
attempt(() => {
  writer = order.form === 'csv' ? new CsvRows(file, order.names) : new ParquetRows(file, order.names);
});

function hear(message: ToRawThread): void {
  switch (message.kind) {
    case 'rows':
      if (!hasFailed) attempt(() => writer?.add(message.batch));
      say({ kind: 'taken', bytes: message.batch.rows.length });
      return;
    case 'end': {
      if (!hasFailed) attempt(() => writer?.flush());
      const isReadable = writer !== undefined && attempt(() => writer?.end(message.metadata));
      say({ kind: 'ended', writtenCount: writer?.writtenCount ?? 0, isReadable });
      port.close();
      return;
    }
    default:
      assertNever(message);
  }
}

port.on('message', hear);
