// Another commit of this repository, built: exported from git, installed, kept for the next gate. Nothing of it is left in
// git's books, and what was not finished does not stay.

import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, exitCodes, OperatorError } from '../../common/errors.ts';
import { lastLines } from './sim-process.ts';

/** A build that no gate has used for so long is removed. */
const keptMs = 14 * 86_400e3;
/** What a gate left behind that was killed; no build takes that long. */
const keptPartMs = 3600e3;

export type BuildOptions = {
  /** Root folder of a checkout. */
  readonly repository: string;
  /** Branch, tag or commit. */
  readonly ref: string;
  /** Where builds are kept, a folder each. */
  readonly cacheFolder: string;
  readonly signal: AbortSignal;
  readonly onProgress: (what: string) => void;
};

/** A built checkout. */
export type BuiltRef = { readonly folder: string; readonly commit: string };

/**
 * Builds a commit by `npm ci`, unless it was built before. Throws an OperatorError: exit code 2 when there is no such commit, 3
 * when it cannot be built, 130 when interrupted.
 */
export async function buildOfRef(options: BuildOptions): Promise<BuiltRef> {
  const { cacheFolder, ref } = options;
  const commit = await commitOf(options);
  removeOld(cacheFolder);
  const folder = join(cacheFolder, commit);
  if (!existsSync(folder)) {
    const part = `${folder}.${process.pid}.part`;
    try {
      options.onProgress(`exporting ${ref}`);
      await exportCommit(commit, part, options);
      options.onProgress(`building ${ref} (${commit.slice(0, 8)}): npm ci`);
      await install(part, options);
      keep(part, folder);
    } finally {
      rmSync(part, { recursive: true, force: true, maxRetries: 5 });
    }
  }
  const now = new Date();
  utimesSync(folder, now, now);
  return { folder, commit };
}

async function commitOf({ repository, ref, signal }: BuildOptions): Promise<string> {
  try {
    return (
      await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`], repository, signal)
    ).trim();
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new OperatorError(
      'NO_SUCH_COMMIT',
      `--base ${ref}: expected a branch, tag or commit of ${repository}, or the folder of a built checkout, found neither. In ` +
        'CI a shallow clone may lack it: fetch it first (git fetch origin main), or fetch the whole history.',
    );
  }
}

/** By an index of its own: neither the checkout nor its index are touched, and no worktree is entered in git's books. */
async function exportCommit(commit: string, folder: string, { repository, signal }: BuildOptions): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const index = { GIT_INDEX_FILE: join(folder, '.index') };
  const root = (await git(['rev-parse', '--show-toplevel'], repository, signal)).trim();
  const prefix = (await git(['rev-parse', '--show-prefix'], repository, signal)).trim();
  await git(['read-tree', prefix === '' ? commit : `${commit}:${prefix}`], root, signal, index);
  await git(['checkout-index', '--all', `--prefix=${folder.replaceAll('\\', '/')}/`], root, signal, index);
  rmSync(index.GIT_INDEX_FILE);
}

function git(words: readonly string[], cwd: string, signal: AbortSignal, env: NodeJS.ProcessEnv = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('git', words, { cwd, signal, env: { ...process.env, ...env } }, (error, output) => {
      if (error === null) resolve(output);
      else if (signal.aborted) reject(interrupted());
      else if (errorCode(error) !== 'ENOENT') reject(error);
      else
        reject(
          new OperatorError(
            'NO_GIT',
            'git: expected the program, found none. Install it, or give --base the folder of a built checkout.',
            3,
          ),
        );
    });
  });
}

/** `npm ci` builds, too (the script `prepare`). */
async function install(folder: string, { ref, signal }: BuildOptions): Promise<void> {
  const { NODE_ENV: _, ...env } = process.env;
  const isWindows = process.platform === 'win32';
  const child = spawn('npm', ['ci', '--include=dev', '--no-audit', '--no-fund'], {
    cwd: folder,
    env,
    shell: isWindows, // npm is a batch file there
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  const lines = lastLines(child.stdout, child.stderr);
  const code = await new Promise<number | string | null>((resolve) => {
    child.once('error', (error) => resolve(errorCode(error))).once('close', resolve);
  });
  if (signal.aborted) throw interrupted();
  if (code === 0 && existsSync(join(folder, programFile))) return;
  const found = code === 0 ? `no ${programFile} after it` : `that it ended with ${code}`;
  throw new OperatorError(
    'CANNOT_BUILD',
    `--base ${ref}: expected npm ci to build it, found ${found}.\n${lines.join('\n')}`,
    3,
  );
}

/** The program of a built checkout. */
export const programFile = join('dist', 'simulator', 'main.js');

/** Another gate may have built the same meanwhile. */
function keep(part: string, folder: string): void {
  try {
    renameSync(part, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

function removeOld(cacheFolder: string): void {
  if (!existsSync(cacheFolder)) return;
  for (const name of readdirSync(cacheFolder)) {
    const path = join(cacheFolder, name);
    const ageMs = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (ageMs > (name.endsWith('.part') ? keptPartMs : keptMs)) rmSync(path, { recursive: true, force: true });
  }
}

function interrupted(): OperatorError {
  return new OperatorError('INTERRUPTED', 'Interrupted before anything was run.', exitCodes.interrupted);
}
