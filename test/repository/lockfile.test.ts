import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';

type Package = { readonly optionalDependencies?: Readonly<Record<string, string>>; readonly resolved?: string };

const lock = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')) as {
  readonly packages: Readonly<Record<string, Package>>;
};

it('the lock file holds the packages of every platform, so that npm ci works on all of them', () => {
  const missing = Object.entries(lock.packages).flatMap(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {}).filter(
      (name) => !(`node_modules/${name}` in lock.packages) && !(`${path}/node_modules/${name}` in lock.packages),
    ),
  );
  expect(missing).toEqual([]);
});

it('the lock file names no registry', () => {
  const resolved = Object.values(lock.packages).flatMap((each) => each.resolved ?? []);
  expect(resolved.filter((address) => /^https?:/.test(address))).toEqual([]);
});
