// A file is written whole or not at all: to a temporary name beside it, then renamed.

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { errorCode, OperatorError } from '../../common/errors.ts';

/** Makes a folder for results, before the run: nothing shall be measured that cannot be kept. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new OperatorError(
      'CANNOT_WRITE',
      `--out ${path}: expected a folder that can be written, found ${errorCode(error)}. Choose another one.`,
      3,
    );
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
