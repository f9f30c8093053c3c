// A drive's journal: what its extent files hold, as lines of `<crc32> <json>`, appended only after the bytes that a
// line speaks of were written. A line that was cut off by a crash ends the reading; what it said is only cache.

import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { crc32 } from 'node:zlib';

/** A generation's head, an extent of it, bytes in an extent, an extent's end, a new freshness. */
export type JournalRecord =
  | { readonly t: 'boot'; readonly id: string }
  | {
      readonly t: 'gen';
      readonly g: number;
      readonly key: string;
      readonly host: string;
      readonly size: number;
      readonly etag?: string;
      readonly modified?: string;
      readonly fields: readonly (readonly [string, string])[];
      readonly at: number;
      readonly fresh: number;
    }
  | { readonly t: 'ext'; readonly e: number; readonly g: number; readonly i: number }
  | { readonly t: 'iv'; readonly e: number; readonly s: number; readonly n: number }
  | { readonly t: 'del'; readonly e: number }
  | { readonly t: 'fresh'; readonly g: number; readonly at: number; readonly fresh: number };

const flushDelayMs = 20;
/** A journal is compacted when it has grown to four times its size, and to no less than this. */
const compactBytesMin = 4 * 2 ** 20;
const compactFrom = (bytes: number): number => Math.max(compactBytesMin, 4 * bytes);

export class Journal {
  readonly #path: string;
  #file: FileHandle;
  readonly #onError: (error: unknown) => void;
  #pending: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #bytes: number;
  #compactAtBytes: number;

  private constructor(path: string, file: FileHandle, bytes: number, onError: (error: unknown) => void) {
    this.#path = path;
    this.#file = file;
    this.#bytes = bytes;
    this.#compactAtBytes = compactFrom(bytes);
    this.#onError = onError;
  }

  /** Replaces the journal at `path` by `records`, atomically, and opens it for appending. */
  static async create(path: string, records: Iterable<JournalRecord>, onError: (e: unknown) => void): Promise<Journal> {
    const bytes = await replace(path, records);
    return new Journal(path, await open(path, 'a'), bytes, onError);
  }

  /** Size of the file, appended lines included, also those that are still to be written. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The size from which on `compact` is worth its while. */
  get compactAtBytes(): number {
    return this.#compactAtBytes;
  }

  /** Replaces everything up to now by `records`, atomically; what is appended from now on follows them. */
  compact(records: readonly JournalRecord[]): void {
    this.#pending = [];
    this.#compactAtBytes = Number.POSITIVE_INFINITY;
    const before = this.#bytes;
    this.#flushing = this.#flushing.then(async () => {
      try {
        const bytes = await replace(this.#path, records);
        await this.#file.close();
        this.#file = await open(this.#path, 'a');
        this.#bytes += bytes - before;
        this.#compactAtBytes = compactFrom(bytes);
      } catch (error) {
        this.#onError(error);
      }
    });
  }

  get path(): string {
    return this.#path;
  }

  /** Appends soon (within 20 ms): a crash before that loses the record, and so the bytes it would have kept. */
  append(record: JournalRecord): void {
    const text = line(record);
    this.#pending.push(text);
    this.#bytes += Buffer.byteLength(text);
    this.#timer ??= setTimeout(() => void this.flush(), flushDelayMs);
  }

  /** Writes what is pending; write errors go to `onError`, never lost. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#pending.join('');
    this.#pending = [];
    this.#flushing = this.#flushing.then(async () => {
      if (text === '') return;
      try {
        await this.#file.appendFile(text);
      } catch (error) {
        this.#onError(error);
      }
    });
    return this.#flushing;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#file.close();
  }
}

/** The records of a journal, in order, up to the first damaged line; nothing when there is no journal. */
export async function* readJournal(path: string): AsyncGenerator<JournalRecord> {
  if ((await stat(path).catch(() => undefined)) === undefined) return;
  const file = await open(path, 'r');
  try {
    for await (const text of createInterface({ input: file.createReadStream({ autoClose: false }) })) {
      const record = parseLine(text);
      if (record === undefined) return;
      yield record;
    }
  } finally {
    await file.close();
  }
}

/** Writes a whole journal beside the old one and puts it in its place; returns its size. */
async function replace(path: string, records: Iterable<JournalRecord>): Promise<number> {
  const fresh = `${path}.new`;
  const file = await open(fresh, 'w');
  try {
    let bytes = 0;
    let batch = '';
    const write = async (): Promise<void> => {
      await file.appendFile(batch);
      bytes += Buffer.byteLength(batch);
      batch = '';
    };
    for (const record of records) {
      batch += line(record);
      if (batch.length > 2 ** 20) await write();
    }
    await write();
    await file.close();
    await rename(fresh, path);
    return bytes;
  } catch (error) {
    await file.close().catch(() => undefined); // it may be closed already; what matters is the error before
    throw error;
  }
}

function line(record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${crc32(json).toString(16).padStart(8, '0')} ${json}\n`;
}

function parseLine(text: string): JournalRecord | undefined {
  const json = text.slice(9);
  if (text[8] !== ' ' || crc32(json).toString(16).padStart(8, '0') !== text.slice(0, 8)) return undefined;
  return JSON.parse(json) as JournalRecord;
}
