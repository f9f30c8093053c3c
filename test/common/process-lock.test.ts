// A lock of a process: one at a time, whatever became of the one before.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { leaveLock, takeLock } from '../../common/process-lock.ts';
import { builtModule } from '../built-module.ts';

const folder = mkdtempSync(join(tmpdir(), 'process-lock-'));
const path = join(folder, 'lock');
afterEach(() => rmSync(path, { force: true }));
afterAll(() => rmSync(folder, { recursive: true }));

/** Another process that holds it, until it is killed. */
async function holder(): Promise<{ readonly pid: number; kill(): Promise<void> }> {
  const module = pathToFileURL(await builtModule('common/process-lock', folder)).href;
  const program = `import(${JSON.stringify(module)}).then(({ takeLock }) => { console.log(takeLock(${JSON.stringify(path)})); setInterval(() => 0, 1000); })`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  expect(String(said)).toBe('undefined\n');
  return {
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

describe('a lock', () => {
  it('is held until it is left', () => {
    expect(takeLock(path)).toBeUndefined();
    expect(existsSync(path)).toBe(true);
    leaveLock(path);
    expect(existsSync(path)).toBe(false);
    leaveLock(path);
  });

  it("is its process's while that runs, and anybody's after kill -9", async () => {
    const other = await holder();
    expect(takeLock(path)).toBe(other.pid);
    leaveLock(path);
    expect(takeLock(path), 'only who holds it leaves it').toBe(other.pid);
    await other.kill();
    expect(takeLock(path)).toBeUndefined();
    expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^${process.pid} `));
  });

  it.each([
    ['that was never written', ''],
    ['of another boot', `${process.ppid} some-other-boot -`],
    ['that holds something else', 'what is this'],
  ])("%s is nobody's", (_what, text) => {
    writeFileSync(path, text);
    expect(takeLock(path)).toBeUndefined();
  });

  it('that can be neither read nor made is told', () => {
    symlinkSync(join(folder, 'nowhere', 'at', 'all'), path);
    expect(() => takeLock(path)).toThrow(`${path}: expected a lock, or nothing, found neither. Remove it.`);
  });
});
