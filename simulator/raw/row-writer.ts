// Writes rows to a file in one of its forms.

import type { RowBatch } from '../world/live/raw/row-batch.ts';

/** What a file says of the run that it is of. */
export type RawMetadata = Readonly<Record<string, string>>;

export interface RowWriter {
  /** Rows that are in the file. */
  readonly writtenCount: number;
  /** Takes rows, and writes them once they are enough. Throws when that fails; then only what was written before is there. */
  add(batch: RowBatch): void;
  /** Writes what is left. Throws as `add` does. */
  flush(): void;
  /** Makes the file one that can be read: nothing follows. */
  end(metadata: RawMetadata): void;
}
