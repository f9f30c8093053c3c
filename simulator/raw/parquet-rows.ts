// Rows as Parquet: written in groups of rows, so that no more than one group is in memory; what it takes to find them stands
// at the file's end, which `end` writes.

import { ByteWriter, type ColumnSource, ParquetWriter, type SchemaElement } from 'hyparquet-writer';
import { toolVersion } from '../result/tool-version.ts';
import { type RowBatch, RowView } from '../world/live/raw/row-batch.ts';
import { type RawColumn, type RawNames, rawColumns } from './columns.ts';
import type { RowFile } from './row-file.ts';
import type { RawMetadata, RowWriter } from './row-writer.ts';

/** Rows of a group: some 20 MB while it is gathered, 2 MB in the file. */
export const groupRows = 65_536;

const typeOf: Readonly<Record<RawColumn['kind'], Pick<SchemaElement, 'type' | 'converted_type'>>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  whole32: { type: 'INT32' },
  whole64: { type: 'INT64' },
  double: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
};

const schema: SchemaElement[] = [
  { name: 'ranges', num_children: rawColumns.length },
  ...rawColumns.map(
    ({ name, kind, isOptional }): SchemaElement => ({
      name,
      ...typeOf[kind],
      repetition_type: isOptional ? 'OPTIONAL' : 'REQUIRED',
    }),
  ),
];

type Value = string | number | bigint | boolean | null;

export class ParquetRows implements RowWriter {
  readonly #file: RowFile;
  readonly #names: RawNames;
  readonly #bytes = new ByteWriter(1 << 22);
  readonly #writer: ParquetWriter;
  #columns: Value[][] = rawColumns.map(() => []);
  #count = 0;
  writtenCount = 0;

  constructor(file: RowFile, names: RawNames) {
    this.#file = file;
    this.#names = names;
    this.#writer = new ParquetWriter({ writer: this.#bytes, schema, createdBy: `sim version ${toolVersion}` });
    this.#writeOut();
  }

  add(batch: RowBatch): void {
    const view = new RowView(batch);
    for (; view.at < batch.rowCount; view.at += 1) {
      for (const [index, column] of rawColumns.entries()) {
        const value = column.of(view, this.#names);
        this.#columns[index]?.push(value === undefined ? null : column.kind === 'whole64' ? BigInt(value) : value);
      }
      this.#count += 1;
      if (this.#count === groupRows) this.flush();
    }
  }

  flush(): void {
    if (this.#count === 0) return;
    const columns = this.#columns;
    const count = this.#count;
    this.#columns = rawColumns.map(() => []);
    this.#count = 0;
    const columnData = rawColumns.map(
      ({ name }, index): ColumnSource => ({ name, data: columns[index] ?? [], offsetIndex: false }),
    );
    const offset = this.#bytes.offset;
    void this.#writer.write({ columnData, rowGroupSize: count });
    try {
      this.#writeOut();
    } catch (error) {
      // The file is without this group: so is what is said of it.
      this.#writer.row_groups.pop();
      this.#writer.num_rows -= BigInt(count);
      this.#bytes.offset = offset;
      throw error;
    }
    this.writtenCount += count;
  }

  end(metadata: RawMetadata): void {
    this.#writer.kvMetadata = Object.entries(metadata).map(([key, value]) => ({ key, value }));
    void this.#writer.finish();
    this.#file.appendAnyway(this.#takeBytes());
  }

  #writeOut(): void {
    this.#file.append(this.#takeBytes());
  }

  #takeBytes(): Uint8Array {
    const bytes = this.#bytes.getBytes();
    this.#bytes.index = 0;
    return bytes;
  }
}
