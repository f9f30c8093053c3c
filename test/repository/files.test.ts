// How files look: their size, scenarios with their question, no notes left behind, links that lead somewhere.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { loadScenario, parseScenario } from '../../simulator/scenario/load.ts';
import { checkProfile, isProfileFile, loadProfile } from '../../simulator/scenario/load-profile.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const productFolders = ['common', 'cache', 'simulator', 'reports', 'bench'];

function filesOf(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path).replaceAll('\\', '/'))
    .filter((path) => path.endsWith(ending) && !path.includes('node_modules/'));
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const lineCountMax = 400;
/** From here on one looks for the second idea in a file. */
const lineCountToLookAt = 300;

describe('a file of the product', () => {
  const product = productFolders.flatMap((folder) => filesOf(folder, '.ts'));
  const lineCounts = product.map((path) => ({ path, lines: read(path).split('\n').length - 1 }));

  it(`has at most ${lineCountMax} lines`, () => {
    const large = lineCounts.filter(({ lines }) => lines > lineCountToLookAt).sort((a, b) => b.lines - a.lines);
    if (large.length > 0) {
      const list = large.map(({ path, lines }) => `  ${lines} ${path}`).join('\n');
      process.stderr.write(`Files of more than ${lineCountToLookAt} lines:\n${list}\n`);
    }
    expect(large.filter(({ lines }) => lines > lineCountMax)).toEqual([]);
  });

  it('opens with its purpose, unless it is seen at once', () => {
    const longer = lineCounts.filter(({ lines }) => lines > 10).map(({ path }) => path);
    expect(longer.filter((path) => !/^(#!.*\n)?\/\/ \S/.test(read(path)))).toEqual([]);
  });

  it('has a name in kebab-case', () => {
    expect(product.filter((path) => !/\/[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(path))).toEqual([]);
  });
});

describe('the repository', () => {
  it('has no notes of things left undone', () => {
    const places = [...productFolders, 'test', 'scenarios', 'docs'].filter((folder) => existsSync(join(root, folder)));
    const files = places.flatMap((folder) => ['.ts', '.yaml', '.md'].flatMap((ending) => filesOf(folder, ending)));
    const words = /\b(TO-?DO|FIX-?ME)\b/;
    expect(files.filter((path) => words.test(read(path)))).toEqual([]);
  });
});

describe('a scenario of the repository', () => {
  const scenarios = filesOf('scenarios', '.yaml').filter((path) => !isProfileFile(path));

  it('is there', () => {
    expect(scenarios).toContain('scenarios/smoke.yaml');
    expect(scenarios).toContain('scenarios/enterprise.yaml');
  });

  it.each(scenarios)('%s is valid, and opens with its question and the verdict to expect', (path) => {
    const { scenario, text } = loadScenario(join(root, path));
    const comment = /^(?:#.*\n)+/.exec(text)?.[0].replaceAll(/^# ?/gm, '').replaceAll('\n', ' ') ?? '';
    expect(comment).toMatch(/^[^?]+\?\s+Expected: \S/);
    expect(scenario.expect.length).toBeGreaterThan(0);
  });
});

describe('the documentation of scenarios', () => {
  const text = read('docs/scenarios.md');
  const scenarios = filesOf('scenarios', '.yaml').filter((path) => !isProfileFile(path));
  const profiles = filesOf('scenarios/profiles', '.yaml');

  it.each(scenarios)('lists %s with the verdict that it expects', (path) => {
    const { expected } = loadScenario(join(root, path)).scenario;
    expect(text).toMatch(new RegExp(`\\]\\(\\.\\./${path}\\) +\\| .*\\| ${expected} +\\|$`, 'm'));
  });

  it.each(profiles)('lists %s', (path) => expect(text).toContain(`](../${path})`));

  const examples = [...text.matchAll(/^```yaml\n(name: [\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');

  it('has examples that are valid', () => {
    const isProfile = (example: string) => !example.includes('fleet:');
    expect(examples.length).toBeGreaterThan(3);
    for (const example of examples) {
      const check = () => (isProfile(example) ? checkProfile(example, 'x').mistakes : parseScenario(example, 'x'));
      expect(check, example).not.toThrow();
      if (isProfile(example)) expect(check()).toEqual([]);
    }
  });
});

describe('a hardware profile of the repository', () => {
  it.each(filesOf('scenarios/profiles', '.yaml'))('%s is valid, and says where each figure comes from', (path) => {
    const profile = loadProfile(join(root, path));
    expect(read(path)).toMatch(/^# \S/);
    // No document states them.
    expect(profile.cpu).toBeUndefined();
    expect(profile.basis['disk']).toBe(profile.diskReadBytesPerMs === undefined ? undefined : 'assumed');
  });
});

describe('a link', () => {
  const documents = ['README.md', ...(existsSync(join(root, 'docs')) ? filesOf('docs', '.md') : [])].filter((path) =>
    existsSync(join(root, path)),
  );

  it.each(documents)('in %s leads to a file that exists, and to a heading that it has', (path) => {
    const links = [...read(path).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [file = '', heading] = link.split('#');
      const target = file === '' ? path : join(dirname(path), file);
      if (!existsSync(join(root, target))) return true;
      if (heading === undefined || !target.endsWith('.md')) return false;
      return !headingsOf(target).includes(heading) && statSync(join(root, target)).isFile();
    });
    expect(broken).toEqual([]);
  });
});

/** The anchors of a document's headings, as GitHub makes them. */
function headingsOf(path: string): string[] {
  return [...read(path).matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
