import { appendFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, LogFile, type LogLine, lineBytesMax } from '../../simulator/replay/log-lines.ts';
import { writtenLog } from './written-log.ts';

const numRuns = Number(process.env['ORACLE_RUNS'] ?? 100);
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};

async function linesOf(path: string): Promise<LogLine[]> {
  const file = await LogFile.open(path);
  const lines: LogLine[] = [];
  for await (const batch of file.batches()) lines.push(...batch);
  await file.close();
  return lines;
}
const texts = (lines: readonly LogLine[]): string[] => lines.map(({ text }) => text);

describe('lines of a log', () => {
  it('are the same however their bytes come', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', 'é', '\0'), maxLength: 60 });
    const cuts = fc.array(fc.nat(8), { maxLength: 30 });
    fc.assert(
      fc.property(text, cuts, (written, lengths) => {
        const bytes = Buffer.from(written);
        const splitter = new LineSplitter();
        const lines: LogLine[] = [];
        let at = 0;
        for (const length of lengths) {
          lines.push(...splitter.take(bytes.subarray(at, at + length)));
          at = Math.min(bytes.length, at + length);
        }
        lines.push(...splitter.take(bytes.subarray(at)));
        const last = splitter.end();
        const expected = bytes.toString('latin1').split('\n');
        const cut = expected.pop() ?? '';
        expect(texts(lines)).toEqual(expected.map((line) => line.replace(/\r$/, '')));
        expect(last?.text).toBe(cut === '' ? undefined : cut.replace(/\r$/, ''));
        expect(last?.flaw).toBe(cut === '' ? undefined : 'cut');
        expect(lines.map(({ number }) => number)).toEqual(lines.map((_, index) => index + 1));
      }),
      { numRuns, ...seed },
    );
  });

  it('that are too long are told, and cost no more than their limit', async () => {
    const path = writtenLog(`${'x'.repeat(5 * lineBytesMax)}\nshort\n${'y'.repeat(lineBytesMax)}\n`);
    const [long, short, justFits] = await linesOf(path);
    expect(long).toMatchObject({ number: 1, flaw: 'tooLong' });
    expect(long?.text).toHaveLength(lineBytesMax);
    expect(short).toEqual({ number: 2, text: 'short', flaw: undefined });
    expect(justFits).toMatchObject({ number: 3, flaw: undefined });
  });

  it('of a gz file are those of the file in it, also of two in a row', async () => {
    const path = writtenLog(Buffer.concat([gzipSync('one\ntwo\n'), gzipSync('three\n')]), 'access.log.1.gz');
    expect(texts(await linesOf(path))).toEqual(['one', 'two', 'three']);
  });

  it('of a gz file that is cut are an error that says so', async () => {
    const whole = gzipSync(Array.from({ length: 5000 }, (_, i) => `line ${i * 7919}\n`).join(''));
    const path = writtenLog(whole.subarray(0, whole.length / 2), 'access.log.gz');
    await expect(linesOf(path)).rejects.toThrow(
      /access\.log\.gz: expected gz that can be read, found .* after line \d+/,
    );
  });
});

describe('a log file', () => {
  it('that is not there, or no file, is an error', async () => {
    await expect(LogFile.open('/nowhere/access.log')).rejects.toThrow(
      '/nowhere/access.log: expected a log file that can be read, found ENOENT',
    );
    await expect(LogFile.open('/')).rejects.toThrow(/something that is no file|EISDIR/);
  });

  it('that grows is read as far as it reached, the second time too', async () => {
    const path = writtenLog('one\ntwo\n');
    const first = await LogFile.open(path);
    appendFileSync(path, 'three\n');
    const again = await LogFile.open(path, first.extent);
    for (const file of [first, again]) {
      const lines: LogLine[] = [];
      for await (const batch of file.batches()) lines.push(...batch);
      expect(texts(lines)).toEqual(['one', 'two']);
      await file.close();
    }
  });

  it('that another one has replaced since it was first read is an error', async () => {
    const path = writtenLog('one\ntwo\n');
    const first = await LogFile.open(path);
    await first.close();
    writeFileSync(`${path}.new`, 'six\ntwo\n');
    renameSync(`${path}.new`, path);
    await expect(LogFile.open(path, first.extent)).rejects.toThrow(
      /expected the log as it was when the run read it first/,
    );
  });

  it('that becomes shorter while it is read is an error', async () => {
    const path = writtenLog(`${'x'.repeat(99)}\n`.repeat(5000));
    const file = await LogFile.open(path);
    truncateSync(path, 1000);
    const read = async (): Promise<void> => {
      for await (const _ of file.batches());
    };
    await expect(read()).rejects.toThrow(/expected 500000 bytes, found 1000: it became shorter/);
    await file.close();
  });
});
