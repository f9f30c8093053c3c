// Opens the drives at the start. One that cannot be used costs its content, as long as another one can.

import { OperatorError } from '../../common/errors.ts';
import type { DriveSetting } from '../settings.ts';
import { Drive } from './drive.ts';

/** Throws an OperatorError when a drive is in use or named twice, or when none can be used. */
export function openDrives(settings: readonly DriveSetting[]): readonly Drive[] {
  const drives: Drive[] = [];
  const problems: OperatorError[] = [];
  for (const setting of settings) {
    try {
      drives.push(new Drive(setting, drives.length));
    } catch (error) {
      if (!(error instanceof OperatorError) || error.code !== 'DRIVE_UNUSABLE') throw error;
      problems.push(error);
    }
  }
  const [first, ...others] = problems;
  if (drives.length === 0 && first !== undefined) {
    throw new OperatorError(first.code, [first, ...others].map(({ message }) => message).join('\n'), first.exitCode);
  }
  for (const { message } of problems) {
    process.stderr.write(`cache node: ${message} The node starts without it.\n`);
  }
  return drives;
}
