// Where the base of a gate comes from: a commit of this repository, the folder of a checkout that is built, or this one.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { OperatorError } from '../../common/errors.ts';
import { buildOfRef, programFile } from './build-of-ref.ts';

/** A built checkout, and what it is called. */
export type Checkout = { readonly label: string; readonly folder: string };

/** This one, as it is built. */
export const thisCheckout: Checkout = { label: 'this checkout', folder: repositoryRoot };

/** `base`: a ref or a folder. Throws an OperatorError when it is neither, or cannot be built. */
export async function findCheckout(
  base: string,
  signal: AbortSignal,
  onProgress: (what: string) => void,
): Promise<Checkout> {
  if (existsSync(join(base, 'package.json'))) {
    if (existsSync(join(base, programFile))) return { label: base, folder: resolve(base) };
    throw new OperatorError(
      'NOT_BUILT',
      `--base ${base}: expected a checkout that is built, found no ${programFile}. Run npm ci there first.`,
    );
  }
  const cacheFolder = join(repositoryRoot, '.cache', 'gate');
  const built = await buildOfRef({ repository: repositoryRoot, ref: base, cacheFolder, signal, onProgress });
  return { label: `${base} (${built.commit.slice(0, 8)})`, folder: built.folder };
}

/** Whether what generates the load is another one, too: then a difference may be its own. */
export function isOtherHarness(one: Checkout, other: Checkout): boolean {
  return harnessHash(one) !== harnessHash(other);
}

/** All that runs but the node: every program is built with what it imports. */
function harnessHash({ folder }: Checkout): string {
  const hash = createHash('sha256');
  const place = join(folder, 'dist', 'simulator');
  const names = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  for (const name of names.sort()) hash.update(`${name}\n`).update(readFileSync(join(place, name)));
  return hash.digest('hex');
}
