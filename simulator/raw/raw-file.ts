// A file of raw data, as the run sees it: takes batches of rows and hands them to a thread, which writes them (raw-thread.ts).
// It is written under a temporary name, and gets its own when it is whole.
//
//   device process ─▶ IPC ─▶ take ─▶ at most 256 MB ─▶ thread ─▶ FILE.<pid>.part ─▶ close ─▶ FILE

import { closeSync, openSync, renameSync, rmSync, statfsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { programPath } from '../../common/child-program.ts';
import { errorCode, OperatorError } from '../../common/errors.ts';
import { formatBytes, formatCount } from '../../common/units.ts';
import type { RowBatch } from '../world/live/raw/row-batch.ts';
import type { RawNames } from './columns.ts';
import type { FromRawThread, RawThreadOrder, ToRawThread } from './raw-thread.ts';
import type { RawMetadata } from './row-writer.ts';

/** Rows that wait for the thread, at most: three million. */
const queuedBytesMaxDefault = 256e6;
/** What stays free for the results of the run. */
const roomBytesMinDefault = 64e6;

export type RawOutcome = {
  /** Rows in the file; undefined: there is none. */
  readonly writtenCount: number | undefined;
  /** What is wrong with it, in words; undefined: every range of the run is in it. */
  readonly problem: string | undefined;
};

export type RawFileOptions = {
  readonly path: string;
  readonly form: 'parquet' | 'csv';
  readonly names: RawNames;
  /** Default: 64 MB; minus infinity: what the system says decides. */
  readonly roomBytesMin?: number;
  /** What may wait for the thread. Default: 256 MB. */
  readonly queuedBytesMax?: number;
};

export class RawFile {
  readonly #path: string;
  readonly #temporary: string;
  readonly #fd: number;
  readonly #thread: Worker;
  readonly #ended: Promise<Extract<FromRawThread, { kind: 'ended' }> | undefined>;
  readonly #queuedBytesMax: number;
  #queuedBytes = 0;
  /** Rows that the run has made, and those of them that were lost on their way. */
  #madeCount = 0;
  #lostCount = 0;
  #problem: string | undefined;
  #isClosed = false;

  /** Throws an OperatorError (CANNOT_WRITE) when nothing can be written there. */
  constructor(options: RawFileOptions) {
    const { path, form, names, roomBytesMin = roomBytesMinDefault } = options;
    this.#path = path;
    this.#queuedBytesMax = options.queuedBytesMax ?? queuedBytesMaxDefault;
    this.#temporary = `${path}.${process.pid}.part`;
    const folder = dirname(resolve(path));
    this.#fd = this.#open(folder, roomBytesMin);
    const order: RawThreadOrder = { fd: this.#fd, folder, form, names, roomBytesMin };
    this.#thread = new Worker(programPath('simulator/raw/raw-thread'), { workerData: order });
    this.#ended = new Promise((resolveEnd) => {
      this.#thread.on('message', (message: FromRawThread) => {
        if (message.kind === 'taken') this.#queuedBytes -= message.bytes;
        else if (message.kind === 'failed') this.#problem ??= message.problem;
        else resolveEnd(message);
      });
      this.#thread.on('error', (error) => {
        this.#problem ??= errorCode(error);
      });
      this.#thread.on('exit', () => resolveEnd(undefined));
    });
  }

  readonly take = (batch: RowBatch): void => {
    this.#madeCount += batch.rowCount + batch.lostCount;
    this.#lostCount += batch.lostCount;
    if (this.#problem !== undefined) return;
    if (this.#queuedBytes > this.#queuedBytesMax) {
      this.#lostCount += batch.rowCount;
      return;
    }
    const rows = batch.rows.slice(); // of a buffer that is its own, and can be given away
    this.#queuedBytes += rows.length;
    this.#tell({ kind: 'rows', batch: { ...batch, rows } }, [rows.buffer]);
  };

  /** Writes what is left, and gives the file its name. `metadata` stands in a Parquet file. */
  async close(metadata: RawMetadata): Promise<RawOutcome> {
    this.#tell({ kind: 'end', metadata: { ...metadata, lostRows: String(this.#lostCount) } });
    const ended = await this.#ended;
    this.#isClosed = true;
    closeSync(this.#fd);
    if (ended?.isReadable !== true || !this.#rename()) {
      rmSync(this.#temporary, { force: true });
      return { writtenCount: undefined, problem: `${this.#path} was not written: ${this.#problem}.` };
    }
    const { writtenCount } = ended;
    const missing = this.#madeCount - writtenCount;
    if (missing === 0) return { writtenCount, problem: undefined };
    const why = this.#problem ?? 'they came faster than they could be written';
    const rows = `${formatCount(missing)} of ${formatCount(this.#madeCount)} rows`;
    return { writtenCount, problem: `${this.#path} lacks ${rows}: ${why}.` };
  }

  /** Leaves nothing, unless it was closed before. */
  async discard(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#thread.terminate();
    closeSync(this.#fd);
    rmSync(this.#temporary, { force: true });
  }

  #rename(): boolean {
    try {
      renameSync(this.#temporary, this.#path);
      return true;
    } catch (error) {
      this.#problem ??= errorCode(error);
      return false;
    }
  }

  #tell(message: ToRawThread, transferred: ArrayBuffer[] = []): void {
    this.#thread.postMessage(message, transferred);
  }

  #open(folder: string, roomBytesMin: number): number {
    const refuse = (expected: string, found: string): OperatorError =>
      new OperatorError('CANNOT_WRITE', `--raw ${this.#path}: expected ${expected}, found ${found}.`, 3);
    // Renaming would fail, when all is measured.
    if (statSync(this.#path, { throwIfNoEntry: false })?.isDirectory() === true) throw refuse('a file', 'a folder');
    let fd: number;
    try {
      fd = openSync(this.#temporary, 'w');
    } catch (error) {
      throw refuse('a file that can be written, in a folder that is there', errorCode(error));
    }
    const { bavail, bsize } = statfsSync(folder);
    if (bavail * bsize > roomBytesMin) return fd;
    closeSync(fd);
    rmSync(this.#temporary);
    throw refuse(`a disk with more than ${formatBytes(roomBytesMin)} left`, formatBytes(bavail * bsize));
  }
}
