// The access log by itself: what a line says, that lines stay whole, rotation, and a disk that is full.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AccessLog } from '../../cache/access-log.ts';
import { type AccessRecord, accessLine } from '../../cache/access-record.ts';
import { builtModule } from '../built-module.ts';

const record: AccessRecord = {
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  client: '10.1.2.3',
  method: 'GET',
  target: '/f?P1=1700000000&P2=404&P3=2&P4=abc%2b%3d&x=1&cacheHostOrigin=download.windowsupdate.com',
  host: 'cache.corp',
  origin: 'download.windowsupdate.com',
  status: 206,
  range: 'bytes=0-1048575',
  bodyBytes: 1_048_576,
  hitBytes: 1_048_576,
  missBytes: 0,
  outcome: 'hit',
  durationMs: 12.3456,
  firstByteMs: 1.2,
  userAgent: 'Microsoft-Delivery-Optimization/10.1',
  aborted: false,
};

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'access-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const parsed = (path: string): AccessRecord[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as AccessRecord);

describe('a line', () => {
  it('hides the values of a signature, and keeps every other argument', () => {
    const { target } = JSON.parse(accessLine(record, true)) as AccessRecord;
    expect(target).toBe('/f?P1=*&P2=*&P3=*&P4=*&x=1&cacheHostOrigin=download.windowsupdate.com');
    expect((JSON.parse(accessLine(record, false)) as AccessRecord).target).toBe(record.target);
  });

  it('hides a password in an absolute target', () => {
    const line = accessLine({ ...record, target: 'http://me:secret@host/f' }, false);
    expect(line).not.toContain('secret');
    expect(line).toContain('http://*@host/f');
  });

  it('is one line of ASCII below 4,096 bytes, whatever a client sends', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.constant('x'.repeat(9000)),
      fc.constant('\u00e9'.repeat(3000)),
    );
    fc.assert(
      fc.property(text, text, text, fc.option(text, { nil: undefined }), (target, host, userAgent, range) => {
        const line = accessLine({ ...record, target, host, userAgent, range }, true);
        expect(line.endsWith('\n')).toBe(true);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(/^[\x20-\x7e]*\n$/.test(line)).toBe(true);
        expect(line.length).toBeLessThan(4096);
        expect((JSON.parse(line) as AccessRecord).status).toBe(206);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the log', () => {
  it('has every line that was written when it is closed, in order', async () => {
    const path = join(folder, 'access.log');
    const log = new AccessLog({ path, maskSignatures: true }, () => expect.unreachable());
    for (let status = 0; status < 5000; status += 1) log.write({ ...record, status });
    await log.close();
    expect(parsed(path).map(({ status }) => status)).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    expect(log.droppedCount).toBe(0);
  });

  it('goes on in a new file after the old one was renamed, and loses nothing', async () => {
    const path = join(folder, 'access.log');
    const log = new AccessLog({ path, maskSignatures: true }, () => expect.unreachable());
    for (let status = 0; status < 10_000; status += 1) {
      log.write({ ...record, status });
      if (status === 6000) {
        renameSync(path, `${path}.1`);
        log.reopen();
      }
    }
    await log.close();
    const before = parsed(`${path}.1`);
    expect([...before, ...parsed(path)].map(({ status }) => status)).toEqual(
      Array.from({ length: 10_000 }, (_, i) => i),
    );
  });

  it.runIf(existsSync('/dev/full'))('counts the lines that a full disk does not take, and warns once', async () => {
    const warnings: string[] = [];
    const log = new AccessLog({ path: '/dev/full', maskSignatures: true }, (message) => warnings.push(message));
    for (let i = 0; i < 1000; i += 1) log.write(record);
    await log.close();
    expect(log.droppedCount).toBe(1000);
    expect(warnings).toEqual(['access log /dev/full: lines are dropped (ENOSPC); requests are served as before']);
  });

  it.runIf(process.platform === 'linux')('holds at most 4 MiB for a reader that does not read', async () => {
    const path = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [path]).status).toBe(0);
    const module = await builtModule('cache/access-log', folder);
    // A reader that never reads: opened for both, so that neither end waits for the other.
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', fullPipeProgram(module, path)], {
      encoding: 'utf8',
      timeout: 20_000,
      cwd: process.cwd(),
    });
    expect(child.stderr).toBe('');
    const { dropped, warnings } = JSON.parse(child.stdout) as { dropped: number; warnings: string[] };
    expect(dropped).toBeGreaterThan(0);
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toContain('too slow');
  });

  it('that cannot be opened stops the start with the file and the reason', () => {
    const path = join(folder, 'nowhere', 'access.log');
    expect(() => new AccessLog({ path, maskSignatures: true }, () => undefined)).toThrow(
      `--access-log ${path}: expected a file that can be written, found ENOENT.`,
    );
  });
});

/** Writes 8 MiB of lines into a pipe that nobody empties, and says how many were dropped. */
function fullPipeProgram(module: string, path: string): string {
  return `
    import { openSync } from 'node:fs';
    import { AccessLog } from ${JSON.stringify(pathToFileURL(module).href)};
    openSync(${JSON.stringify(path)}, 'r+');
    const warnings = [];
    const log = new AccessLog({ path: ${JSON.stringify(path)}, maskSignatures: true }, (text) => warnings.push(text));
    const record = ${JSON.stringify(record)};
    for (let i = 0; i < 30000; i += 1) log.write(record);
    process.stdout.write(JSON.stringify({ dropped: log.droppedCount, warnings }), () => process.kill(process.pid, 'SIGKILL'));`;
}
