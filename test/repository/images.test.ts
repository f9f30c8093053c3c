// The images of the node and of sim: all that their build reads reaches it, and what is copied into that of sim runs by
// itself. (What is the node's alone: test/cache/settings-packaging.test.ts.)

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RolldownOptions } from 'rolldown';
import { afterAll, describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import rolldownConfig from '../../rolldown.config.ts';
import { copyAsImage, readDockerfile } from './dockerfile.ts';

const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
const packageJson = JSON.parse(read('package.json')) as {
  readonly engines: { readonly node: string };
  readonly scripts: { readonly build: string };
};
const buildOptions = rolldownConfig as readonly RolldownOptions[];
const folder = mkdtempSync(join(tmpdir(), 'sim-image-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(['cache/packaging/Dockerfile', 'simulator/packaging/Dockerfile'])('%s', (path) => {
  const { valuesOf } = readDockerfile(path);

  it('is made of files that exist, which nothing keeps out of the build', () => {
    const ignored = read(`${path}.dockerignore`).split('\n');
    const sources = valuesOf('COPY')
      .filter((value) => !value.startsWith('--from='))
      .flatMap((value) => value.split(' ').slice(0, -1));
    expect(sources.length).toBeGreaterThan(5);
    for (const source of sources) {
      expect([source, existsSync(join(repositoryRoot, source))]).toEqual([source, true]);
      expect(ignored).toContain(`!${source}`);
    }
    // All folders that hold what is built are there, and every file that the build is told to go by.
    const built = buildOptions.flatMap(({ input }) => (typeof input === 'string' ? input : Object.values(input ?? {})));
    const [, script] = /^node (\S+\.js)$/.exec(packageJson.scripts.build) ?? [];
    const [, config] = /loadConfig\('(\S+)'\)/.exec(read(script ?? '')) ?? [];
    expect(built.length).toBeGreaterThan(10);
    for (const source of [...built.map((file) => file.split('/')[0]), 'common', script, config])
      expect(sources).toContain(source);
  });

  it('runs on a Node that the product supports, without the rights of root', () => {
    const major = Number(/^node:([0-9]+)-slim/.exec(valuesOf('FROM').at(-1) ?? '')?.[1]);
    expect(major).toBeGreaterThanOrEqual(Number(/^>=([0-9]+)/.exec(packageJson.engines.node)?.[1]));
    expect(valuesOf('USER')).toEqual(['node']);
  });
});

it('the image of sim holds all that sim reads: a run with its reports, an export', () => {
  copyAsImage('simulator/packaging/Dockerfile', folder);
  const { list, valuesOf } = readDockerfile('simulator/packaging/Dockerfile');
  const [node, program = ''] = list('ENTRYPOINT');
  const home = valuesOf('WORKDIR').at(-1) ?? '';
  expect([node, program.startsWith(`${home}/`)]).toEqual(['node', true]);
  const sim = (...words: readonly string[]) => {
    const { status, stderr } = spawnSync(process.execPath, [join(folder, program.slice(home.length)), ...words], {
      cwd: folder,
      encoding: 'utf8',
    });
    return { status, stderr };
  };
  const scenario = 'scenarios/vm.yaml';
  expect(sim('run', scenario, '--world', 'virtual', '--quiet', '--out', 'out')).toEqual({ status: 0, stderr: '' });
  expect(existsSync(join(folder, 'out/report.html'))).toBe(true);
  expect(sim('export', 'k6', 'scenarios/smoke.yaml')).toEqual({ status: 0, stderr: '' });
});
