// The machine that a run ran on, as far as it matters for its numbers.

import os from 'node:os';
import { openFileLimit } from '../../common/open-file-limit.ts';
import type { Machine } from './result.ts';

export function thisMachine(): Machine {
  const limit = openFileLimit();
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    memoryBytes: os.totalmem(),
    os: `${os.type()} ${os.release()} (${os.arch()})`,
    node: process.version,
    openFilesMax: Number.isFinite(limit) ? limit : undefined,
  };
}
