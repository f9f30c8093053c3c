// A file that one process at a time holds, for what two would spoil: a drive, a journal. It names its process by its number, the
// boot it runs in and the time it started: numbers are used again, and after a kill -9 the next process of that number must
// not keep others out. Where the system does not tell a process's start (no /proc), a number in use is taken for the holder.

import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { bootTime } from './boot-time.ts';
import { errorCode } from './errors.ts';

/** Undefined: this process holds it now. Else the number of the process that does. Throws what the file system says. */
export function takeLock(path: string): number | undefined {
  const mine = `${process.pid} ${bootTime()} ${startOf(process.pid) ?? '-'}`;
  try {
    writeFileSync(path, mine, { flag: 'wx' });
    return undefined;
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  const [pid = '', boot, start] = readFileSync(path, 'utf8').split(' ');
  const isHeld = boot === bootTime() && Number(pid) !== process.pid && isProcess(Number(pid), start);
  if (isHeld) return Number(pid);
  writeFileSync(path, mine);
  return undefined;
}

/** Throws what the file system says. */
export function leaveLock(path: string): void {
  unlinkSync(path);
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
