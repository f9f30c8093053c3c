// Two nodes on one drive would overwrite each other's journal: a file in the drive's folder names the process that uses it.
// A process is known by its number, the boot it runs in and the time it started: numbers are used again, and after a
// kill -9 the next process of that number must not keep the drive from its node. Where the system does not tell a process's
// start (no /proc), a number in use is taken for the node's, and the message says what to do.

import { readFileSync, realpathSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, OperatorError } from '../../common/errors.ts';
import type { DriveSetting } from '../settings.ts';
import { bootTime } from './boot-time.ts';

/** Folders that this process uses: a drive that is named twice would overwrite its own journal. */
const used = new Set<string>();

/** Takes the drive, or throws an OperatorError that says who has it. */
export function lockDrive({ path: drivePath, source = '--drive' }: DriveSetting, folder: string): void {
  const path = join(folder, 'lock');
  const real = realpathSync(folder);
  if (used.has(real)) {
    throw new OperatorError('DRIVE_TWICE', `${source} ${drivePath}: expected each drive once, found it named twice.`);
  }
  const mine = `${process.pid} ${bootTime()} ${startOf(process.pid) ?? '-'}`;
  try {
    writeFileSync(path, mine, { flag: 'wx' });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    const [pid = '', boot, start] = readFileSync(path, 'utf8').split(' ');
    if (boot === bootTime() && Number(pid) !== process.pid && isProcess(Number(pid), start)) {
      throw new OperatorError(
        'DRIVE_IN_USE',
        `${source} ${drivePath}: expected a drive of its own, found one that process ${pid} uses. ` +
          `Stop that node first (or remove ${path} if it is none).`,
        3,
      );
    }
    writeFileSync(path, mine);
  }
  used.add(real);
}

export function unlockDrive(folder: string): void {
  used.delete(realpathSync(folder));
  unlinkSync(join(folder, 'lock'));
}

/** Whether the process that wrote the lock is still there. */
function isProcess(pid: number, start: string | undefined): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') return false;
  }
  const found = startOf(pid);
  return found === undefined || start === undefined || start === '-' || found === start;
}

/** When a process started, in clock ticks since the boot (field 22 of /proc/PID/stat); undefined where unknown. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
