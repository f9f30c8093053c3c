// The rows of one device process: gathered as bytes, and handed over when a batch is full, or twice a second. What the other
// side does not take in time is counted as lost: devices never wait for a file.

import type { RangeRow } from './range-row.ts';
import { type RowBatch, RowBuffer } from './row-batch.ts';

/** A third of a megabyte. */
const batchRowsDefault = 4096;
/** Batches on their way at once, at most: some 20 MB. */
const sendingMax = 64;

/** Hands a batch over; `sent` is to be called when it is on its way, and no memory of this process any more. */
export type SendRows = (batch: RowBatch, sent: () => void) => void;

export class RangeRows {
  readonly #buffer: RowBuffer;
  readonly #send: SendRows;
  /** Those of before the start wait for it: connections that a window could not open. */
  #waiting: Pick<RowBatch, 'rowCount' | 'rows' | 'objects'>[] = [];
  #startedAtMs: number | undefined;
  #sending = 0;
  #lostCount = 0;

  constructor(send: SendRows, batchRowsMax = batchRowsDefault) {
    this.#buffer = new RowBuffer(batchRowsMax);
    this.#send = send;
  }

  add(row: RangeRow): void {
    this.#buffer.add(row);
    if (this.#buffer.isFull) this.flush();
  }

  /** The clock of the run begins, on the clock of the rows' times. */
  begin(startedAtMs: number): void {
    this.#startedAtMs = startedAtMs;
  }

  /** Hands over what there is, once the run has begun. */
  flush(): void {
    this.#takeAll();
    if (this.#startedAtMs !== undefined) this.#sendAll(this.#startedAtMs, sendingMax);
  }

  /** Hands over the rest, whatever is on its way: nothing follows. Without a start, times count from that of the process. */
  end(): void {
    this.#takeAll();
    if (this.#waiting.length === 0 && this.#lostCount > 0) this.#waiting.push(this.#buffer.take());
    this.#sendAll(this.#startedAtMs ?? 0, Number.POSITIVE_INFINITY);
  }

  #takeAll(): void {
    if (this.#buffer.count > 0) this.#waiting.push(this.#buffer.take());
  }

  #sendAll(startedAtMs: number, limit: number): void {
    for (const taken of this.#waiting.splice(0)) {
      if (this.#sending >= limit) {
        this.#lostCount += taken.rowCount;
        continue;
      }
      const batch = { ...taken, startedAtMs, lostCount: this.#lostCount };
      this.#lostCount = 0;
      this.#sending += 1;
      this.#send(batch, () => {
        this.#sending -= 1;
      });
    }
  }
}
