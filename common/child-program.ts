// What every program that `sim` starts has in common: where it is, how it says that it is ready, and that it does not
// outlive its parent.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of package.json. */
export const repositoryRoot = rootOf(dirname(fileURLToPath(import.meta.url)));

/** The file of a built program, e.g. `cache/main`, whether we run from `dist/` or from the sources (tests). */
export function programPath(name: string): string {
  return join(repositoryRoot, 'dist', `${name}.js`);
}

/** What a program prints on standard output, one line of JSON, once it serves. */
export type ReadyLine = { readonly ready: true; readonly listen: string; readonly admin: string; readonly pid: number };

export function printReady(listen: string, admin: string): void {
  const line: ReadyLine = { ready: true, listen, admin, pid: process.pid };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Calls `stop` once standard input ends: the parent holds the other end of the pipe and closes it by dying. */
export function watchParent(stop: () => void): void {
  process.stdin.on('end', stop).on('error', stop).resume();
}

/** Built or not, this file is one or more folders below it. */
function rootOf(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  if (dirname(folder) === folder) throw new Error(`expected package.json above ${fileURLToPath(import.meta.url)}`);
  return rootOf(dirname(folder));
}
