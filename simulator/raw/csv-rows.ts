// Rows as CSV: a line each, written batch by batch. What is not there is an empty field.

import { stringify } from 'csv-stringify/sync';
import { type RowBatch, RowView } from '../world/live/raw/row-batch.ts';
import { type RawNames, rawColumns } from './columns.ts';
import type { RowFile } from './row-file.ts';
import type { RowWriter } from './row-writer.ts';

export class CsvRows implements RowWriter {
  readonly #file: RowFile;
  readonly #names: RawNames;
  writtenCount = 0;

  constructor(file: RowFile, names: RawNames) {
    this.#file = file;
    this.#names = names;
    file.append(linesOf([rawColumns.map(({ name }) => name)]));
  }

  add(batch: RowBatch): void {
    const view = new RowView(batch);
    const rows: unknown[][] = [];
    for (; view.at < batch.rowCount; view.at += 1) rows.push(rawColumns.map(({ of }) => of(view, this.#names)));
    this.#file.append(linesOf(rows));
    this.writtenCount += batch.rowCount;
  }

  flush(): void {
    // Every batch is written at once.
  }

  end(): void {
    // CSV has no place for what is said of a run.
  }
}

function linesOf(rows: readonly unknown[][]): Uint8Array {
  return Buffer.from(stringify([...rows], { cast: { boolean: String } }));
}
