// Which folder may import which (the table of design/architecture.md).

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * By folder, or file: what it may import beside itself. The longest name that fits a file counts, and so it is with what
 * is imported: `simulator/judge/expectation` allows that file only.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  common: [],
  cache: ['common'],
  simulator: ['common', 'simulator', 'reports'],
  'simulator/device': ['common'],
  // Expectations are parsed with the file that holds them, metrics by their names.
  'simulator/scenario': ['common', 'simulator/judge/expectation', 'simulator/result/metrics'],
  'simulator/cloud': ['common', 'simulator/result/metrics'],
  'simulator/result': ['common', 'simulator/judge'],
  'simulator/judge': ['common', 'simulator/result'],
  'simulator/calibration': ['common', 'simulator/world', 'simulator/scenario', 'simulator/result'],
  'simulator/replay': ['common', 'simulator/scenario'],
  'simulator/world': ['common', 'simulator/device', 'simulator/replay', 'simulator/result', 'simulator/scenario'],
  'simulator/plan': ['common', 'simulator/world', 'simulator/scenario', 'simulator/result', 'simulator/judge'],
  'simulator/export': [
    'common',
    'simulator/device',
    'simulator/scenario',
    'simulator/world',
    'simulator/judge',
    'simulator/result',
  ],
  // What it watches it knows by types alone.
  'simulator/dashboard': ['common', 'simulator/world', 'simulator/result', 'reports'],
  'simulator/raw': ['common', 'simulator/world', 'simulator/result'],
  'simulator/compare': ['common', 'simulator/result', 'simulator/judge'],
  'simulator/gate': ['common'],
  // Histograms are decoded by what has encoded them.
  reports: ['common', 'simulator/result', 'simulator/judge', 'simulator/compare', 'simulator/world/histogram'],
  bench: ['common', 'cache', 'simulator'],
  // It shows what people see.
  'bench/gallery': ['common', 'simulator', 'reports'],
};
/** Shared by the two worlds: knows neither. */
const sharedWorldFiles = ['simulator/world/fleet-plan.ts', 'simulator/world/world.ts'];

const productFolders = ['common', 'cache', 'simulator', 'reports', 'bench'];

function filesOf(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => posix.join(folder, path.replaceAll('\\', '/')))
    .filter((path) => path.endsWith('.ts') && !path.includes('/node_modules/'));
}

/** Files that a file names in import, export … from, or import(), in the repository. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8');
  const names = text.matchAll(/(?:^|[\s;}])(?:from|import)\s*\(?\s*'(\.[^']*)'/g);
  return [...names].map((match) => posix.normalize(posix.join(dirname(file), match[1] ?? '')));
}

const isWithin = (file: string, place: string): boolean => file.startsWith(`${place}/`) || file === `${place}.ts`;

function rulePlace(file: string): string {
  const places = Object.keys(mayImport).filter((place) => isWithin(file, place));
  return places.sort((a, b) => b.length - a.length)[0] ?? '';
}

function violations(file: string): string[] {
  const place = rulePlace(file);
  const allowed = [place, ...(mayImport[place] ?? [])];
  return importsOf(file)
    .filter((target) => !target.endsWith('.json') && !allowed.some((each) => isWithin(target, each)))
    .map((target) => `${file} imports ${target}; ${place} may import ${allowed.join(', ')}`);
}

const files = productFolders.flatMap(filesOf);

describe('imports', () => {
  it('point in the directions of the architecture', () => {
    expect(files.length).toBeGreaterThan(80);
    expect(files.flatMap(violations)).toEqual([]);
  });

  it('name files that exist', () => {
    const known = new Set(files);
    const missing = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.endsWith('.ts') && !known.has(target))
        .map((target) => `${file} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });

  it('of what both worlds share name neither world', () => {
    for (const file of sharedWorldFiles) {
      expect(importsOf(file).filter((target) => /simulator\/world\/(live|virtual)\//.test(target))).toEqual([]);
    }
  });

  it('of the simulator never reach the node, and those of the node nothing but it and `common`', () => {
    const of = (folder: string) => files.filter((file) => isWithin(file, folder)).flatMap(importsOf);
    expect(of('simulator').filter((target) => isWithin(target, 'cache'))).toEqual([]);
    expect(of('cache').filter((target) => !isWithin(target, 'cache') && !isWithin(target, 'common'))).toEqual([]);
  });

  it('form no loop of files', () => {
    const graph = new Map(files.map((file) => [file, valueImportsOf(file)]));
    const done = new Set<string>();
    const loops: string[] = [];
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) loops.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (done.has(file) || path.includes(file)) return;
      for (const target of graph.get(file) ?? []) walk(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) walk(file, []);
    expect(loops).toEqual([]);
  });

  it.each([
    ['common/a.ts', 'cache/b.ts', false],
    ['cache/a.ts', 'common/b.ts', true],
    ['cache/a.ts', 'simulator/result/metrics.ts', false],
    ['simulator/scenario/a.ts', 'simulator/judge/expectation.ts', true],
    ['simulator/scenario/a.ts', 'simulator/judge/judge.ts', false],
    ['simulator/device/a.ts', 'simulator/world/world.ts', false],
    ['simulator/commands/a.ts', 'cache/main.ts', false],
    ['simulator/commands/a.ts', 'simulator/world/live/live-world.ts', true],
  ])('of %s may name %s: %s (the test of this test)', (file, target, may) => {
    const place = rulePlace(file);
    expect([place, ...(mayImport[place] ?? [])].some((each) => isWithin(target, each))).toBe(may);
  });
});

/** Imports that are there at run time: those of types only are taken away by the compiler. */
function valueImportsOf(file: string): string[] {
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/^(?:import|export) type [^;]*;$/gm, '');
  const names = text.matchAll(/(?:^|[\s;}])(?:from|import)\s*\(?\s*'(\.[^']*\.ts)'/g);
  return [...names].map((match) => posix.normalize(posix.join(dirname(file), match[1] ?? '')));
}
