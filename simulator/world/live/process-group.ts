// A program with all its children: signalled as one. On Windows there are no groups and no stopping; a tree is killed.

import { spawnSync } from 'node:child_process';
import { errorCode } from '../../../common/errors.ts';

/** Whether processes can be stopped and continued here (freeze and thaw). */
export const canFreeze = process.platform !== 'win32';

/** Signals the group that `leader` leads; false when it is gone. */
export function killGroup(leader: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): boolean {
  if (process.platform === 'win32') {
    return spawnSync('taskkill', ['/pid', String(leader), '/T', '/F'], { stdio: 'ignore' }).status === 0;
  }
  try {
    process.kill(-leader, signal);
    return true;
  } catch (error) {
    // macOS says EPERM of a group in which all have ended and nobody has been waited for yet.
    if (errorCode(error) === 'ESRCH' || errorCode(error) === 'EPERM') return false;
    throw error;
  }
}
