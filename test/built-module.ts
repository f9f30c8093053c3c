// A module of ours for a program that a test makes up: programs run without vitest, and know no TypeScript.

import { join } from 'node:path';
import { build } from 'rolldown';
import { repositoryRoot } from '../common/child-program.ts';

/** Builds `module` (e.g. `common/process-lock`) with what it imports, and gives the file, which is in `folder`. */
export async function builtModule(module: string, folder: string): Promise<string> {
  const file = join(folder, 'module.mjs');
  await build({ input: join(repositoryRoot, `${module}.ts`), platform: 'node', output: { file }, logLevel: 'warn' });
  return file;
}
