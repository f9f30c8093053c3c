// What this process took of the processors, and how long it waited for one.

import { readFileSync } from 'node:fs';

/** Processor time of this process since its start, user and system, all threads; ms of one core. */
export function processorTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/**
 * How long the main thread of this process was ready to run and had no processor, since its start, in ms; undefined where the
 * system does not tell (not Linux, or a kernel without scheduler statistics).
 */
export function processorWaitMs(): number | undefined {
  try {
    // Time on a processor, time in the run queue (both in ns), number of time slices.
    const waitNs = Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]);
    return Number.isFinite(waitNs) ? waitNs / 1e6 : undefined;
  } catch {
    return undefined;
  }
}
