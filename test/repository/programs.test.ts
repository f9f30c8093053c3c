// Every program of ours that another one starts, by its name, is among those that are built.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { programPath, repositoryRoot } from '../../common/child-program.ts';

/** Names modules of ours that an exported script is made of. */
const exporter = join('simulator', 'export', 'k6', 'script-text.ts');

const sources = ['bench', 'cache', 'simulator']
  .flatMap((folder) =>
    readdirSync(join(repositoryRoot, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  .filter((file) => file.endsWith('.ts') && file !== exporter);

/** What is named as a path of a module, without its ending. */
const named = new Set(
  sources.flatMap((file) => {
    const text = readFileSync(join(repositoryRoot, file), 'utf8');
    return [...text.matchAll(/'((?:bench|cache|simulator)\/[\w/-]+)'/g)].map(([, name = '']) => name);
  }),
);
const programs = [...named].filter((name) => existsSync(join(repositoryRoot, `${name}.ts`)));

test.for(programs.sort())('%s', (name) => {
  expect(existsSync(programPath(name))).toBe(true);
});

test('programs were found', () => {
  expect(programs).toEqual(
    expect.arrayContaining(['bench/range-client', 'cache/main', 'simulator/world/live/device-process']),
  );
});
