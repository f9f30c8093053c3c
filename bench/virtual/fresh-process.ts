// A program in a process of its own, from its start to its end: wall time, and of our programs what they used.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { programPath } from '../../common/child-program.ts';

export type FreshRun = { readonly wallSeconds: number; readonly stdout: string };
export type OwnRun = FreshRun & { readonly userSeconds: number; readonly peakBytes: number };

/** That a program took longer than it may. */
export class TooSlow extends Error {}

/** Runs one of our programs (`simulator/main`, with its arguments). Throws when it fails, or takes too long. */
export async function runOwn(program: string, args: readonly string[], limitSeconds: number): Promise<OwnRun> {
  const atExit = pathToFileURL(programPath('bench/virtual/usage-at-exit')).href;
  const command = ['--import', atExit, programPath(program), ...args];
  const { usage, ...run } = await measured(process.execPath, command, limitSeconds);
  // Microseconds and KiB, as process.resourceUsage has them.
  const { userCPUTime, maxRSS } = JSON.parse(usage) as { userCPUTime: number; maxRSS: number };
  return { ...run, userSeconds: userCPUTime / 1e6, peakBytes: maxRSS * 1024 };
}

/** Runs any program. Throws when it fails, or takes too long. */
export async function runPeer(program: string, args: readonly string[], limitSeconds: number): Promise<FreshRun> {
  const { wallSeconds, stdout } = await measured(program, args, limitSeconds);
  return { wallSeconds, stdout };
}

async function measured(
  program: string,
  args: readonly string[],
  limitSeconds: number,
): Promise<FreshRun & { readonly usage: string }> {
  const sinceMs = performance.now();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    timeout: limitSeconds * 1000,
    killSignal: 'SIGKILL',
  });
  const said = ['', '', ''];
  for (const [index, stream] of child.stdio.slice(1).entries()) {
    (stream as Readable).setEncoding('utf8').on('data', (text: string) => {
      said[index] += text;
    });
  }
  const exited = once(child, 'exit').then(() => performance.now());
  await once(child, 'close');
  const wallSeconds = ((await exited) - sinceMs) / 1000;
  const [stdout = '', stderr = '', usage = ''] = said;
  if (child.signalCode === 'SIGKILL') throw new TooSlow(`longer than ${limitSeconds} s`);
  if (child.exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: exit code ${child.exitCode}: ${stderr}`);
  return { wallSeconds, stdout, usage };
}
