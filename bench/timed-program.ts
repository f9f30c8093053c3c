// A program that loads a server: run to its end, with what it used of the processor and of memory. Linux: from /proc.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { residentBytes, ticksPerSecond } from './process-tree.ts';

export type TimedRun = {
  readonly stdout: string;
  /** User and system, of the whole process and those it started. */
  readonly cpuSeconds: number;
  /** Most resident memory that was seen, every 50 ms. */
  readonly peakBytes: number;
};

const lookMs = 50;

/** Runs a program; throws when it fails, or takes longer than it may (then it is killed). Only one at a time. */
export async function runTimed(
  command: readonly string[],
  limitSeconds: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<TimedRun> {
  const [program = '', ...options] = command;
  const before = endedChildrenSeconds();
  const child = spawn(program, options, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
    timeout: limitSeconds * 1000,
    killSignal: 'SIGKILL',
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  }
  let peakBytes = 0;
  const look = setInterval(() => {
    let bytes = 0;
    for (const each of residentBytes(child.pid ?? 0).values()) bytes += each;
    peakBytes = Math.max(peakBytes, bytes);
  }, lookMs);
  await once(child, 'close').finally(() => clearInterval(look));
  if (child.signalCode === 'SIGKILL') throw new Error(`${program} took longer than ${limitSeconds} s`);
  if (child.exitCode !== 0) throw new Error(`${command.join(' ')}: exit code ${child.exitCode}: ${said.stderr}`);
  return { stdout: said.stdout, cpuSeconds: endedChildrenSeconds() - before, peakBytes };
}

/** Of all processes that this one started and that have ended (cutime and cstime of proc(5)). */
function endedChildrenSeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[13]) + Number(fields[14])) / ticksPerSecond();
}
