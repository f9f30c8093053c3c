// A `sim` of any build in a process of its own, which ends when whoever started it is gone, whatever became of it.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { programPath } from '../../common/child-program.ts';

const keptLines = 10;

export type SimProcess = {
  readonly child: ChildProcessByStdio<Writable, null, Readable>;
  /** Asks it to stop, as Ctrl-C does: its input's end is how it learns that. */
  readonly stop: () => void;
};

/** `program`: `main.js` of the build. What comes of it is in its files; what it says on standard error can be read. */
export function startSim(program: string, words: readonly string[], cwd = process.cwd()): SimProcess {
  const child = spawn(process.execPath, [programPath('simulator/gate/run-process'), program, ...words], {
    cwd,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  child.stdin.on('error', () => undefined); // it ended first: its exit is noticed
  return { child, stop: () => child.stdin.end() };
}

/** The last lines of what is said, kept up to date: ten, without empty ones. */
export function lastLines(...streams: readonly Readable[]): readonly string[] {
  const lines: string[] = [];
  for (const input of streams) {
    createInterface({ input }).on('line', (line) => {
      if (line.trim() !== '') lines.push(line);
      lines.splice(0, lines.length - keptLines);
    });
  }
  return lines;
}
