// Two nodes on one drive would overwrite each other's journal: a lock in the drive's folder keeps the second one out.

import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { OperatorError } from '../../common/errors.ts';
import { leaveLock, takeLock } from '../../common/process-lock.ts';
import type { DriveSetting } from '../settings.ts';

/** Folders that this process uses: a drive that is named twice would overwrite its own journal. */
const used = new Set<string>();

/** Takes the drive, or throws an OperatorError that says who has it. */
export function lockDrive({ path: drivePath, source = '--drive' }: DriveSetting, folder: string): void {
  const path = join(folder, 'lock');
  const real = realpathSync(folder);
  if (used.has(real)) {
    throw new OperatorError('DRIVE_TWICE', `${source} ${drivePath}: expected each drive once, found it named twice.`);
  }
  const holder = takeLock(path);
  if (holder !== undefined) {
    throw new OperatorError(
      'DRIVE_IN_USE',
      `${source} ${drivePath}: expected a drive of its own, found one that process ${holder} uses. ` +
        `Stop that node first (or remove ${path} if it is none).`,
      3,
    );
  }
  used.add(real);
}

export function unlockDrive(folder: string): void {
  used.delete(realpathSync(folder));
  leaveLock(join(folder, 'lock'));
}
