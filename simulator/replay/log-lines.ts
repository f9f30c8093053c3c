// The lines of a log file, plain or gz, as a stream: read in chunks, never more than a chunk and one line in memory.
//
//   file ──64 KiB──▶ (gunzip) ──▶ lines of a chunk ──▶ whoever asks for the next ones
//
// Text is latin1: every byte is a character, so that bytes of any encoding come through as they are.

import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { errorCode, OperatorError } from '../../common/errors.ts';
import type { SurveyedLog } from '../scenario/replay-spec.ts';

/** A line, without its end (LF or CRLF). */
export type LogLine = {
  /** 1, 2, 3 … */
  readonly number: number;
  readonly text: string;
  /** `cut`: the last one, without a line end. `tooLong`: only its beginning is here. */
  readonly flaw: 'cut' | 'tooLong' | undefined;
};

/** How far a log reached, and how it begins: what a later reading, or one elsewhere, must find again. */
export type LogExtent = SurveyedLog['extent'];

/** A line that is longer is not kept: nginx cuts requests at 8 KiB (large_client_header_buffers). */
export const lineBytesMax = 64 * 1024;
const chunkBytes = 64 * 1024;

/** A log that is open. What is appended after it was opened is not read. */
export class LogFile {
  readonly path: string;
  readonly extent: LogExtent;
  readonly #file: Awaited<ReturnType<typeof open>>;
  readonly #isGzip: boolean;
  /** Bytes of the file (as stored) that were read. */
  readBytes = 0;

  private constructor(path: string, file: Awaited<ReturnType<typeof open>>, extent: LogExtent, isGzip: boolean) {
    this.path = path;
    this.#file = file;
    this.extent = extent;
    this.#isGzip = isGzip;
  }

  /**
   * Opens a log. `expected`: what an earlier reading found; the file may have grown since, but must be the same. Throws an
   * OperatorError (BAD_LOG) that says what is wrong with it.
   */
  static async open(path: string, expected?: LogExtent): Promise<LogFile> {
    const file = await open(path, 'r').catch((error: unknown) => {
      throw badLog(path, `expected a log file that can be read, found ${errorCode(error)}`);
    });
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw badLog(path, 'expected a log file, found something that is no file');
      const head = Buffer.alloc(Math.min(chunkBytes, expected?.sizeBytes ?? stat.size));
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      const headSha256 = createHash('sha256').update(head.subarray(0, bytesRead)).digest('hex');
      if (expected !== undefined && (headSha256 !== expected.headSha256 || stat.size < expected.sizeBytes)) {
        throw badLog(path, 'expected the log as it was when the run read it first, found another or a shorter one');
      }
      const isGzip = head[0] === 0x1f && head[1] === 0x8b;
      return new LogFile(path, file, expected ?? { sizeBytes: stat.size, headSha256 }, isGzip);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** All lines in order, in batches of one chunk each. Once; leaving the loop early is fine. */
  async *batches(): AsyncGenerator<readonly LogLine[], void, void> {
    if (this.extent.sizeBytes === 0) return;
    const stored = this.#file.createReadStream({
      start: 0,
      end: this.extent.sizeBytes - 1,
      highWaterMark: chunkBytes,
      autoClose: false,
    });
    const splitter = new LineSplitter();
    stored.on('data', (chunk) => {
      this.readBytes += chunk.length;
    });
    // The pipeline's own error is the iteration's.
    const chunks = this.#isGzip ? pipeline(stored, createGunzip(), () => undefined) : stored;
    try {
      for await (const chunk of chunks) yield splitter.take(chunk as Buffer);
    } catch (error) {
      const where = `after line ${splitter.lineCount}`;
      throw badLog(
        this.path,
        `expected ${this.#isGzip ? 'gz' : 'bytes'} that can be read, found ${errorCode(error)} ${where}`,
      );
    } finally {
      stored.destroy();
    }
    if (this.readBytes < this.extent.sizeBytes) {
      throw badLog(this.path, `expected ${this.extent.sizeBytes} bytes, found ${this.readBytes}: it became shorter`);
    }
    const last = splitter.end();
    if (last !== undefined) yield [last];
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** An OperatorError about a log. */
export function badLog(path: string, what: string): OperatorError {
  return new OperatorError('BAD_LOG', `${path}: ${what}`);
}

/** Cuts chunks into lines; holds the beginning of one line at most. */
export class LineSplitter {
  #rest = '';
  #isTooLong = false;
  lineCount = 0;

  /** The lines that this chunk completes. */
  take(chunk: Buffer): LogLine[] {
    const text = chunk.toString('latin1');
    const lines: LogLine[] = [];
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#keep(text.slice(start, end));
      lines.push(this.#line(undefined));
      start = end + 1;
    }
    this.#keep(text.slice(start));
    return lines;
  }

  /** What stands after the last line end; undefined when nothing does. */
  end(): LogLine | undefined {
    return this.#rest === '' ? undefined : this.#line('cut');
  }

  #keep(text: string): void {
    const room = lineBytesMax - this.#rest.length;
    if (text.length > room) this.#isTooLong = true;
    if (room > 0) this.#rest += text.slice(0, room);
  }

  #line(flaw: 'cut' | undefined): LogLine {
    const text = this.#rest.endsWith('\r') ? this.#rest.slice(0, -1) : this.#rest;
    const line = { number: this.lineCount + 1, text, flaw: this.#isTooLong ? 'tooLong' : flaw } as const;
    this.lineCount += 1;
    this.#rest = '';
    this.#isTooLong = false;
    return line;
  }
}
