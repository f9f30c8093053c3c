// File systems of a test's own, so that they can be small, full or read-only.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'vitest';

/** Runs `use` on a file system of its own, of so many MiB; the test is skipped where none can be mounted. */
export async function withMount(
  kind: 'tmpfs' | 'ext4',
  sizeMiB: number,
  context: TestContext,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'cache-mount-'));
  const folder = join(root, 'mount');
  const image = join(root, 'image');
  mkdirSync(folder);
  const run = (command: string, ...more: string[]): string | undefined => {
    const { status, stderr, error } = spawnSync(command, more);
    return status === 0 ? undefined : String(stderr ?? error);
  };
  let problem: string | undefined;
  if (kind === 'tmpfs') problem = run('mount', '-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', folder);
  else {
    writeFileSync(image, '');
    truncateSync(image, sizeMiB * 2 ** 20);
    problem = run('mkfs.ext4', '-q', image) ?? run('mount', '-o', 'loop', image, folder);
  }
  try {
    if (problem !== undefined) context.skip(`no ${kind} can be mounted here: ${problem}`);
    await use(folder);
  } finally {
    if (problem === undefined) run('umount', '-l', folder);
    rmSync(root, { recursive: true, force: true });
  }
}
