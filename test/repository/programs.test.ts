// What is built: every program of ours that another one starts, by its name, and in it all that it imports.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
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

const { dependencies, devDependencies } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
};

/** What the files below a folder of dist/ import that is neither of them nor of Node: names of packages. */
function packagesOf(folder: string): readonly string[] {
  const place = join(repositoryRoot, 'dist', folder);
  const files = readdirSync(place, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  expect(files.length).toBeGreaterThan(0);
  const imported = files.flatMap((file) => {
    const text = readFileSync(join(place, file), 'utf8');
    return [...text.matchAll(/^(?:import|export) (?:[^"'`;]* from )?"([^"]+)";$/gm)].map(([, name = '']) => name);
  });
  const others = imported.filter((name) => !name.startsWith('.') && !isBuiltin(name));
  return [...new Set(others.map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name))];
}

test('a program that people run imports nothing that is not in its bundle', () => {
  expect(packagesOf('cache')).toEqual([]);
  expect(packagesOf('simulator')).toEqual([]);
});

test('benchmarks import packages that are installed', () => {
  const installed = Object.keys({ ...dependencies, ...devDependencies });
  expect(packagesOf('bench')).toEqual(expect.arrayContaining(['autocannon', 'undici']));
  expect(packagesOf('bench').filter((name) => !installed.includes(name))).toEqual([]);
});
