// The journal of a sweep: what is swept in its first line, then a line for each point as it ends, in any order. Each is on the
// disk before it counts. Whatever ends a sweep, the lines before are whole; what was torn off the last one is cut away. A lock
// beside it keeps a second sweep out.
//
//     {"journal":1, …identity}⏎ {"index":4, …}⏎ {"index":0, …}⏎ {"ind   ← torn

import { readFileSync, statSync, truncateSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, OperatorError } from '../../common/errors.ts';
import { leaveLock, takeLock } from '../../common/process-lock.ts';
import type { SweepPoint } from '../result/sweep.ts';

export const journalName = 'sweep.jsonl';
/** Beside the journal, while a sweep writes it. */
export const journalLockName = 'sweep.lock';

/** What makes two sweeps the same one: values by what they are called in words. */
export type SweepIdentity = Readonly<Record<string, unknown>>;

export class SweepJournal {
  /** By index. */
  readonly points: ReadonlyMap<number, SweepPoint>;
  readonly #file: FileHandle;
  readonly #folder: string;
  #waiting: string[] = [];
  /** Of the lines that wait. */
  #next: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(folder: string, file: FileHandle, points: ReadonlyMap<number, SweepPoint>) {
    this.#folder = folder;
    this.#file = file;
    this.points = points;
  }

  /**
   * Opens the journal of a folder, or begins one. Throws an OperatorError when the folder has another sweep, one that runs, or a
   * journal that cannot be read.
   */
  static async open(folder: string, identity: SweepIdentity): Promise<SweepJournal> {
    lock(folder);
    try {
      return await SweepJournal.#open(folder, identity);
    } catch (error) {
      unlock(folder);
      throw error;
    }
  }

  static async #open(folder: string, identity: SweepIdentity): Promise<SweepJournal> {
    const path = join(folder, journalName);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isFile() === false) throw badJournal(path, 'something that is no file');
    const points = found === undefined ? undefined : readJournal(path, identity);
    let file: FileHandle;
    try {
      file = await open(path, 'a');
    } catch (error) {
      throw cannotWrite(path, error);
    }
    const journal = new SweepJournal(folder, file, points ?? new Map());
    if (points === undefined) await journal.#append(JSON.stringify({ journal: 1, ...identity }));
    return journal;
  }

  /** Resolves once the point is on the disk. Rejects with an OperatorError when it cannot be written. */
  add(point: SweepPoint): Promise<void> {
    return this.#append(JSON.stringify(point));
  }

  async close(): Promise<void> {
    await this.#writing.catch(() => undefined); // whoever added the lines has heard of it
    await this.#file.close();
    unlock(this.#folder);
  }

  /** Lines that come while others are written go together, by one write and one sync. */
  #append(line: string): Promise<void> {
    this.#waiting.push(line);
    this.#next ??= this.#writing.then(async () => {
      const lines = this.#waiting;
      this.#waiting = [];
      this.#next = undefined;
      try {
        await this.#file.appendFile(`${lines.join('\n')}\n`);
        await this.#file.datasync();
      } catch (error) {
        throw cannotWrite(join(this.#folder, journalName), error);
      }
    });
    this.#writing = this.#next;
    return this.#next;
  }
}

function lock(folder: string): void {
  const path = join(folder, journalLockName);
  let holder: number | undefined;
  try {
    holder = takeLock(path);
  } catch (error) {
    throw error instanceof OperatorError ? error : cannotWrite(path, error);
  }
  if (holder === undefined) return;
  const message =
    `${folder}: expected a folder of its own, found one that another sweep writes to, process ${holder}. Wait for its end, or ` +
    `choose another folder by --out (or remove ${path} if that process is no sweep).`;
  throw new OperatorError('SWEEP_RUNS', message, 3);
}

function unlock(folder: string): void {
  const path = join(folder, journalLockName);
  try {
    leaveLock(path);
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

function cannotWrite(path: string, error: unknown): OperatorError {
  const message = `${path}: cannot be written (${errorCode(error)}). Make room, and give the same command again: it goes on from there.`;
  return new OperatorError('CANNOT_WRITE', message, 3);
}

function badJournal(path: string, found: string): OperatorError {
  const message = `${path}: expected the journal of a sweep, found ${found}. Choose another folder by --out.`;
  return new OperatorError('BAD_JOURNAL', message);
}

/** Undefined when not even its first line is whole: then it begins anew. */
function readJournal(path: string, identity: SweepIdentity): ReadonlyMap<number, SweepPoint> | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw badJournal(path, errorCode(error));
  }
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  if (whole !== text) truncateSync(path, Buffer.byteLength(whole));
  const [first, ...lines] = whole.split('\n').slice(0, -1);
  if (first === undefined) return undefined;
  const damaged = (line: number): OperatorError =>
    new OperatorError(
      'BAD_JOURNAL',
      `${path}:${line}: expected a line that a sweep wrote, found something else: the file was changed, or damaged. ` +
        'Take that line away, or choose another folder by --out.',
    );
  checkIdentity(path, parsed(first) ?? fail(damaged(1)), identity);
  const points = new Map<number, SweepPoint>();
  for (const [index, line] of lines.entries()) {
    const point = parsed(line) as SweepPoint | undefined;
    if (typeof point?.index !== 'number' || typeof point.outcome !== 'string') throw damaged(index + 2);
    points.set(point.index, point);
  }
  return points;
}

function fail(error: Error): never {
  throw error;
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined; // the caller says where
  }
}

function checkIdentity(path: string, found: Readonly<Record<string, unknown>>, wanted: SweepIdentity): void {
  const same = (key: string): boolean => JSON.stringify(found[key]) === JSON.stringify(wanted[key]);
  const differ = Object.keys(wanted).filter((key) => !same(key));
  if (differ.length === 0 && found['journal'] === 1) return;
  const lines = differ.map((key) => `  ${key}: ${difference(found[key], wanted[key])}`);
  throw new OperatorError(
    'OTHER_SWEEP',
    `${path}: expected the journal of this sweep, to go on with it; found that of another one:\n${lines.join('\n')}\n` +
      'Choose another folder by --out.',
  );
}

/** Digests say nothing to anybody. */
function difference(found: unknown, wanted: unknown): string {
  const isDigest = typeof wanted === 'string' && /^[0-9a-f]{64}$/.test(wanted);
  return isDigest ? 'not the same' : `${shown(found)} there, ${shown(wanted)} asked for`;
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
