// A file that one process at a time holds, for what two would spoil: a drive, a journal. It names its process by its number, the
// boot it runs in and the time it started: numbers are used again, and after a kill -9 the next process of that number must
// not keep others out. Where the system does not tell a process's start (no /proc), a number in use is taken for the holder.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { bootTime } from './boot-time.ts';
import { errorCode, OperatorError } from './errors.ts';

/** A lock is made, and then written: what is empty for so long was left by a process that died between the two. */
const writingMs = 50;
/** Others may take it and leave it meanwhile; so often they do not. */
const triesMax = 100;

/**
 * Undefined: this process holds it now. Else the number of the process that does. Throws what the file system says, and an
 * OperatorError when there is something that can be neither read nor made.
 */
export function takeLock(path: string): number | undefined {
  for (let tries = 0; tries < triesMax; tries += 1) {
    if (made(path)) return undefined;
    const text = textOf(path);
    if (text === undefined) continue; // its holder has just left it
    const [pid = '', boot, start] = text.split(' ');
    const isHeld = boot === bootTime() && Number(pid) !== process.pid && isProcess(Number(pid), start);
    if (isHeld) return Number(pid);
    if (textOf(path) === text) rmSync(path, { force: true });
  }
  throw new OperatorError('BAD_LOCK', `${path}: expected a lock, or nothing, found neither. Remove it.`, 3);
}

/** Leaves it, if this process holds it. Throws what the file system says. */
export function leaveLock(path: string): void {
  if (textOf(path) === ours()) rmSync(path, { force: true });
}

const ours = (): string => `${process.pid} ${bootTime()} ${startOf(process.pid) ?? '-'}`;

function made(path: string): boolean {
  try {
    writeFileSync(path, ours(), { flag: 'wx' });
    return true;
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
    return false;
  }
}

/** Undefined: there is none. */
function textOf(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    if (text !== '') return text;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, writingMs);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
    return undefined;
  }
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
