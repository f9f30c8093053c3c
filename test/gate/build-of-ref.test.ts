import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuildOptions, buildOfRef } from '../../simulator/gate/build-of-ref.ts';

const folder = mkdtempSync(join(tmpdir(), 'sim-gate-'));
const repository = join(folder, 'repository');
const cacheFolder = join(folder, 'cache');
afterAll(() => rmSync(folder, { recursive: true }));

const git = (...words: string[]): string => execFileSync('git', words, { cwd: repository, encoding: 'utf8' }).trim();

/** A repository that npm can build: its build writes what its source says. */
function commit(text: string, build = 'node build.js'): string {
  const lock = {
    name: 'tiny',
    version: '1.0.0',
    lockfileVersion: 3,
    requires: true,
    packages: { '': { name: 'tiny', version: '1.0.0' } },
  };
  writeFileSync(
    join(repository, 'package.json'),
    JSON.stringify({ name: 'tiny', version: '1.0.0', scripts: { prepare: build } }),
  );
  writeFileSync(join(repository, 'package-lock.json'), JSON.stringify(lock));
  writeFileSync(join(repository, 'source.txt'), text);
  const script =
    "const fs = require('node:fs'); fs.mkdirSync('dist/simulator', { recursive: true }); fs.copyFileSync('source.txt', 'dist/simulator/main.js');";
  writeFileSync(join(repository, 'build.js'), script);
  git('add', '--all');
  git('-c', 'user.name=test', '-c', 'user.email=test@example.test', 'commit', '--quiet', '--message', text);
  return git('rev-parse', 'HEAD');
}

const options = (ref: string, more: Partial<BuildOptions> = {}): BuildOptions => ({
  repository,
  ref,
  cacheFolder,
  signal: new AbortController().signal,
  onProgress: () => undefined,
  ...more,
});

let first = '';
let second = '';
let broken = '';
beforeAll(() => {
  mkdirSync(repository);
  git('init', '--quiet', '--initial-branch=main');
  first = commit('first');
  second = commit('second');
  broken = commit('broken', 'echo no compiler; exit 7');
  git('checkout', '--quiet', '-b', 'work', second);
});

describe('a commit as a base', () => {
  it('is built as it was, whatever is checked out, and leaves nothing in the repository', async () => {
    writeFileSync(join(repository, 'source.txt'), 'not committed');
    const before = [git('status', '--short'), git('worktree', 'list'), git('stash', 'list')];
    const built = await buildOfRef(options('main~2'));
    expect(built).toEqual({ folder: join(cacheFolder, first), commit: first });
    expect(readFileSync(join(built.folder, 'dist', 'simulator', 'main.js'), 'utf8')).toBe('first');
    expect([git('status', '--short'), git('worktree', 'list'), git('stash', 'list')]).toEqual(before);
  });

  it('is built once', async () => {
    const said: string[] = [];
    const more = { onProgress: (what: string) => said.push(what) };
    await buildOfRef(options(second, more));
    expect(said).toEqual([`exporting ${second}`, `building ${second} (${second.slice(0, 8)}): npm ci`]);
    await buildOfRef(options('work', more));
    expect(said).toHaveLength(2);
  });

  it('that cannot be built is said so with the last lines of npm, and leaves nothing', async () => {
    const building = buildOfRef(options('main'));
    await expect(building).rejects.toMatchObject({ code: 'CANNOT_BUILD', exitCode: 3 });
    await expect(building).rejects.toThrow(/no compiler/);
    expect(readdirSync(cacheFolder).filter((name) => name.startsWith(broken))).toEqual([]);
  });

  it('that does not exist is said so', async () => {
    await expect(buildOfRef(options('elsewhere'))).rejects.toMatchObject({ code: 'NO_SUCH_COMMIT', exitCode: 2 });
    await expect(buildOfRef(options('--help'))).rejects.toMatchObject({ code: 'NO_SUCH_COMMIT' });
  });

  it('is not built on when interrupted, and leaves nothing', async () => {
    const interrupt = new AbortController();
    const onProgress = (what: string): void => {
      if (what.startsWith('building')) interrupt.abort();
    };
    rmSync(join(cacheFolder, first), { recursive: true });
    const building = buildOfRef(options(first, { signal: interrupt.signal, onProgress }));
    await expect(building).rejects.toMatchObject({ code: 'INTERRUPTED', exitCode: 130 });
    expect(readdirSync(cacheFolder).filter((name) => name.startsWith(first))).toEqual([]);
  });

  it('that was not used for weeks is removed', async () => {
    const old = join(cacheFolder, 'an-old-one');
    mkdirSync(old);
    utimesSync(old, new Date(0), new Date(0));
    await buildOfRef(options(second));
    expect(existsSync(old)).toBe(false);
    expect(existsSync(join(cacheFolder, second))).toBe(true);
  });
});
