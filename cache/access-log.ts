// The access log: one line of JSON for each request that is over, appended by every worker to the same file.
//
//   write(record) ─▶ lines in memory (at most 4 MiB) ─▶ one append of whole lines at a time ─▶ file
//
// Appends of whole lines (O_APPEND) by several processes do not mix. A request never waits for the log: when the disk is
// full or slow, lines are dropped and counted, and one warning says so.

import { close, closeSync, constants, open, openSync, write, writeSync } from 'node:fs';
import { errorCode, OperatorError } from '../common/errors.ts';
import { type AccessRecord, accessLine } from './access-record.ts';

/** Where the log goes (`-`: standard output), and whether the values of signed URLs (P1–P4) are hidden. */
export type AccessLogSetting = { readonly path: string; readonly maskSignatures: boolean };

/** Written at the latest so long after the request was over. */
const flushMs = 1000;
const flushAtBytes = 64 * 1024;
/** What waits for a slow or full disk; more is dropped. */
const waitingBytesMax = 4 * 2 ** 20;
/** Standard output may be a pipe, which takes only so much at once without mixing (POSIX: PIPE_BUF, Linux: 4,096). */
const pipeBytesMax = 4096;
/** A pipe whose reader is behind is tried again so much later. */
const pipeRetryMs = 20;
const standardOutput = 1;

export class AccessLog {
  readonly #setting: AccessLogSetting;
  readonly #warn: (message: string) => void;
  readonly #lines: string[] = [];
  #waitingBytes = 0;
  #fd: number;
  #timer: NodeJS.Timeout | undefined;
  #writing = false;
  #reopen = false;
  #warned = false;
  /** A write ended within a line: the next one begins with a line end, so that at most that line is lost. */
  #torn = false;
  /** Called once nothing is being written. */
  #idle: (() => void)[] = [];
  /** Lines that could not be written. */
  droppedCount = 0;

  /** Opens the log; an OperatorError says why it cannot be. `warn` gets a message for the operator, without line end. */
  constructor(setting: AccessLogSetting, warn: (message: string) => void) {
    this.#setting = setting;
    this.#warn = warn;
    this.#fd = openLog(setting.path);
  }

  /** Takes a request's line; it is on its way at the latest a second later. */
  write(record: AccessRecord): void {
    const line = accessLine(record, this.#setting.maskSignatures);
    if (this.#waitingBytes + line.length > waitingBytesMax) {
      this.#drop(1, 'its disk or reader is too slow');
      return;
    }
    this.#lines.push(line);
    this.#waitingBytes += line.length;
    if (this.#waitingBytes >= flushAtBytes) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), flushMs).unref();
  }

  /** Goes on in a new file of the same name: after the old one was renamed (log rotation). */
  reopen(): void {
    if (this.#setting.path === '-') return;
    this.#reopen = true;
    this.#flush();
  }

  /** Writes what waits, and closes; resolves once that is done. Nothing may be written afterwards. */
  async close(): Promise<void> {
    this.#flush();
    if (this.#writing) await new Promise<void>((resolve) => this.#idle.push(resolve));
    if (this.#fd !== standardOutput) closeSync(this.#fd);
  }

  /** For a process that ends at once: writes what waits, synchronously. */
  flushNow(): void {
    const text = this.#lines.splice(0).join('');
    this.#waitingBytes = 0;
    try {
      if (text !== '') writeSync(this.#fd, text);
    } catch (error) {
      this.#drop(text.split('\n').length - 1, errorCode(error));
    }
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#writing) return;
    this.#writing = true;
    if (this.#reopen) this.#openAgain();
    else this.#append();
  }

  #append(): void {
    const count = this.#batchCount();
    if (count === 0) {
      this.#writing = false;
      for (const done of this.#idle.splice(0)) done();
      return;
    }
    const lines = this.#lines.splice(0, count);
    const text = lines.join('');
    this.#waitingBytes -= text.length;
    this.#writeBatch(Buffer.from(this.#torn ? `\n${text}` : text), count);
  }

  /** Writes whole lines at once; what is left of a short write goes on with the next. */
  #writeBatch(bytes: Buffer, count: number): void {
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#writeBatch(bytes, count), pipeRetryMs).unref();
        return;
      }
      if (error !== null) this.#drop(count, error.code ?? error.message);
      else if (written < bytes.length) {
        this.#torn = bytes[written - 1] !== lineEnd;
        this.#drop(linesIn(bytes.subarray(written)), 'no room is left');
      } else {
        this.#torn = false;
        this.#warned = false;
      }
      if (this.#reopen) this.#openAgain();
      else this.#append();
    });
  }

  /** How many of the waiting lines the next write takes. */
  #batchCount(): number {
    if (this.#fd !== standardOutput) return this.#lines.length;
    let bytes = 0;
    let count = 0;
    for (const line of this.#lines) {
      bytes += line.length;
      if (count > 0 && bytes > pipeBytesMax) break;
      count += 1;
    }
    return count;
  }

  #openAgain(): void {
    this.#reopen = false;
    open(this.#setting.path, openFlags, openMode, (error, fd) => {
      if (error !== null) this.#warn(`access log ${this.#setting.path}: cannot be opened again (${error.code})`);
      else {
        close(this.#fd, () => undefined);
        this.#fd = fd;
      }
      this.#append();
    });
  }

  #drop(count: number, why: string): void {
    this.droppedCount += count;
    if (this.#warned) return;
    this.#warned = true;
    this.#warn(`access log ${this.#setting.path}: lines are dropped (${why}); requests are served as before`);
  }
}

const lineEnd = 0x0a;
const openFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND;
/** Clients' addresses and what they asked for are nobody's business but the operator's and his group's. */
const openMode = 0o640;

function linesIn(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(lineEnd); at >= 0; at = bytes.indexOf(lineEnd, at + 1)) count += 1;
  return count;
}

function openLog(path: string): number {
  if (path === '-') return standardOutput;
  try {
    return openSync(path, openFlags, openMode);
  } catch (error) {
    throw new OperatorError(
      'ACCESS_LOG_UNUSABLE',
      `--access-log ${path}: expected a file that can be written, found ${errorCode(error)}. ` +
        'Create its folder, or give the node the right to write there.',
      3,
    );
  }
}
