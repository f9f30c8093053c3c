// What processes and their descendants have used, by the system's accounting. Linux only: read from /proc.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { errorCode } from '../common/errors.ts';

let ticksPerSecondKnown: number | undefined;

/** CPU time of a process and all its descendants so far, in seconds (user and system). */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const { fields } of tree(pid)) ticks += Number(fields[11]) + Number(fields[12]);
  return ticks / ticksPerSecond();
}

/** The unit of times in /proc. */
export function ticksPerSecond(): number {
  ticksPerSecondKnown ??= Number(execFileSync('getconf', ['CLK_TCK']).toString());
  return ticksPerSecondKnown;
}

/** Resident memory of a process and of each of its descendants, in bytes; pages that several share count at each. */
export function residentBytes(pid: number): ReadonlyMap<number, number> {
  const resident = new Map<number, number>();
  for (const { pid: of } of tree(pid)) {
    const kiB = /^VmRSS:\s+([0-9]+) kB$/m.exec(readIfThere(`/proc/${of}/status`) ?? '')?.[1];
    if (kiB !== undefined) resident.set(of, Number(kiB) * 1024);
  }
  return resident;
}

/** Memory that the kernel keeps for TCP, on the whole machine, in bytes. */
export function tcpBufferBytes(): number {
  const pages = /^TCP: .* mem ([0-9]+)$/m.exec(readFileSync('/proc/net/sockstat', 'utf8'))?.[1];
  return Number(pages) * 4096;
}

type Entry = { readonly pid: number; readonly parent: number; readonly fields: readonly string[] };

function tree(pid: number): Entry[] {
  const entries = new Map<number, Entry>();
  for (const name of readdirSync('/proc')) {
    if (!/^[0-9]+$/.test(name)) continue;
    const stat = readIfThere(`/proc/${name}/stat`);
    if (stat === undefined) continue;
    const fields = stat.replace(/^.*\) /s, '').split(' ');
    entries.set(Number(name), { pid: Number(name), parent: Number(fields[1]), fields });
  }
  const isIn = (of: Entry | undefined): boolean => of !== undefined && (of.pid === pid || isIn(entries.get(of.parent)));
  return [...entries.values()].filter(isIn);
}

/** Processes end while we look: they are no longer of interest. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
}
