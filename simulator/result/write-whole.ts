// A file is written whole or not at all: to a temporary name beside it, then renamed.

import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errorCode, OperatorError } from '../../common/errors.ts';

/**
 * Makes a folder for results, before the run: nothing shall be measured that cannot be kept. Returns how to take back
 * what was made, as far as it is empty.
 */
export function makeFolder(path: string): () => void {
  try {
    const firstMade = makeWithParents(resolve(path));
    accessSync(path, constants.W_OK);
    return () => {
      if (firstMade !== undefined) removeEmpty(resolve(path), firstMade);
    };
  } catch (error) {
    throw new OperatorError(
      'CANNOT_WRITE',
      `--out ${path}: expected a folder that can be written, found ${errorCode(error)}. Choose another one.`,
      3,
    );
  }
}

/** Returns the first folder made. (`mkdirSync` with `recursive` never returns below /proc, in Node 20 and 22.) */
function makeWithParents(path: string): string | undefined {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  const parent = dirname(path);
  const first = parent === path ? undefined : makeWithParents(parent);
  mkdirSync(path);
  return first ?? path;
}

/** Removes `last` and the folders above it up to `first`, until one is not empty. */
function removeEmpty(last: string, first: string): void {
  try {
    for (let folder = last; ; folder = dirname(folder)) {
      rmdirSync(folder);
      if (folder === first) return;
    }
  } catch {
    return; // not empty, or gone already: then it is not ours to remove
  }
}

/** Throws an OperatorError when the file cannot be written; then nothing of it is left. */
export function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.part`;
  try {
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  } catch (error) {
    if (existsSync(temporary)) rmSync(temporary);
    const message = `${path}: cannot be written (${errorCode(error)}). Make room, or choose another folder by --out.`;
    throw new OperatorError('CANNOT_WRITE', message, 3);
  }
}
