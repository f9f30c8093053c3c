// What operators read and install says what is so: every option and variable stands in docs/node.md with its default, and
// image and service name options, files and times that exist.

import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { type ReadSettings, readSettings } from '../../cache/settings.ts';
import { givenOptions, nodeCommand, optionSpecs } from '../../cache/settings-options.ts';
import { documentedVariables, isDocumented } from '../../cache/settings-variables.ts';
import { repositoryRoot } from '../../common/child-program.ts';
import { copyAsImage, readDockerfile } from '../repository/dockerfile.ts';
import { ask, Setup, startProgram } from './node-process.ts';

const packaging = join(repositoryRoot, 'cache/packaging');
const read = (path: string): string => readFileSync(join(repositoryRoot, path), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'cache-packaging-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const settingsOf = (args: readonly string[], environment: NodeJS.ProcessEnv = {}): ReadSettings =>
  readSettings(givenOptions(nodeCommand('node').exitOverride().parse(args, { from: 'user' })), environment);

describe('docs/node.md', () => {
  const page = read('docs/node.md');
  /** Rows of tables by their first cell. */
  const rows = page.split('\n').flatMap((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    return line.startsWith('|') && cells.length > 3 ? [cells.slice(1, -1)] : [];
  });

  it.each(optionSpecs.map((spec) => [spec.name, spec] as const))(
    'has a row for --%s, with its default',
    (name, spec) => {
      const row = rows.find(([first = '']) => new RegExp(`^\`--${name}[ \`]`).test(first));
      expect(row).toBeDefined();
      if (spec.byDefault !== undefined) expect(row?.[1]).toBe(`\`${spec.byDefault}\``);
      if (spec.byDefaultInModule !== undefined) expect(row?.[2]).toContain(`\`${spec.byDefaultInModule}\``);
    },
  );

  it.each(documentedVariables)('has a row for %s', (name) => {
    expect(rows.filter(([first]) => first === `\`${name}\``)).toHaveLength(1);
  });

  it('names no option that the node does not have', () => {
    const known = new Set(optionSpecs.map(({ name }) => name));
    const named = [...page.matchAll(/`[^`\n]*`/g)].flatMap(([code]) => [...code.matchAll(/(?<=[` ])--([a-z-]+)/g)]);
    expect(named.length).toBeGreaterThan(30);
    expect(named.map(([, name = '']) => name).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('the image', () => {
  const { valuesOf, list } = readDockerfile('cache/packaging/Dockerfile');
  const entry = list('ENTRYPOINT');
  const healthCheck = JSON.parse(/ CMD (\[.*\])$/.exec(valuesOf('HEALTHCHECK')[0] ?? '')?.[1] ?? '') as string[];

  it('starts the node with options that it has, on the ports that it exposes, over volumes for all nine drives', () => {
    expect(entry.slice(0, 2)).toEqual(['node', '/opt/delivery-optimization-node/dist/cache/main.js']);
    const drives = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`STORAGE_${i + 1}_SIZE_GB`, '10']));
    const { settings } = settingsOf(entry.slice(2), drives);
    expect(valuesOf('EXPOSE')).toEqual([`${settings.listen.port} ${settings.admin.port}`]);
    expect(list('VOLUME')).toEqual(settings.drives.map(({ path }) => path));
    expect(valuesOf('STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(healthCheck.at(-1)).toContain(`http://127.0.0.1:${settings.admin.port}/health`);
  });

  it('holds all that the node loads: what is copied into it runs by itself', () => {
    copyAsImage('cache/packaging/Dockerfile', folder);
    const main = join(folder, 'dist/cache/main.js');
    const printed = execFileSync(process.execPath, [main, '--print-config', '--drive', `${folder}/d=20MB`]).toString();
    expect(printed).toContain('listen: 127.0.0.1:8081');
  });

  it('is well when the node is, and only then', async () => {
    const [command, flag, script = ''] = healthCheck;
    expect([command, flag]).toEqual(['node', '--eval']);
    const check = (port: number): number | null =>
      spawnSync(process.execPath, ['--eval', script.replace(':5000', `:${port}`)], { timeout: 10_000 }).status;
    const node = await startProgram('cache/main', [
      ...['--exit-with-parent', '--listen', '127.0.0.1:0', '--workers', '1', '--drive', join(folder, 'drive=20MB')],
    ]);
    expect(check(node.admin.port)).toBe(0);
    await node.end('SIGTERM');
    expect(check(node.admin.port)).toBe(1);
  });
});

describe('the service', () => {
  const unit = read('cache/packaging/delivery-optimization-node.service');
  const directive = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? '';
  const [program, ...args] = directive('ExecStart').split(' ');

  it('starts the node with options that it has, and gives it longer to drain than it takes', () => {
    expect([program, args[0]]).toEqual(['/usr/bin/node', '/opt/delivery-optimization-node/dist/cache/main.js']);
    const { settings } = settingsOf(args.slice(1));
    expect(settings.drives[0]?.path).toBe(`/var/cache/${directive('CacheDirectory')}`);
    expect(Number(directive('TimeoutStopSec')) * 1000).toBeGreaterThan(settings.drainMs + 10_000);
    expect(directive('KillSignal')).toBe('SIGTERM');
    expect(directive('AmbientCapabilities')).toBe(settings.listen.port < 1024 ? 'CAP_NET_BIND_SERVICE' : '');
  });

  it('documents itself by files that exist', () => {
    const documents = directive('Documentation').replace('file:/opt/delivery-optimization-node/', '');
    expect(existsSync(join(repositoryRoot, documents))).toBe(true);
  });

  const canVerify = spawnSync('systemd-analyze', ['--version']).status === 0;
  if (!canVerify)
    process.stderr.write('skipped: systemd does not check the service (systemd-analyze is not installed here)\n');
  it.skipIf(!canVerify)('is right by systemd itself', () => {
    const path = join(folder, 'delivery-optimization-node.service');
    writeFileSync(path, unit.replace('/usr/bin/node', process.execPath));
    const { stderr, status } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8', timeout: 20_000 });
    expect([stderr, status]).toEqual(['', 0]);
    // A slip is noticed: this is what makes the line above mean something.
    writeFileSync(path, unit.replace('ProtectSystem=strict', 'ProtectSytem=strict'));
    expect(spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8', timeout: 20_000 }).stderr).toContain(
      'ProtectSytem',
    );
  });
});

it('the sample of the environment has every variable, and is right when its lines are taken in', () => {
  const sample = readFileSync(join(packaging, 'node.env'), 'utf8');
  const environment = parseEnv(sample.replaceAll(/^#(?=[A-Z_0-9]+=)/gm, '')) as Record<string, string>;
  const names = Object.keys(environment);
  expect(names.filter((name) => !isDocumented(name))).toEqual([]);
  expect(names.map((name) => name.replace(/_1_/, '_N_')).sort()).toEqual([...documentedVariables].sort());
  expect(settingsOf([], environment).warnings).toEqual([]);
  expect(parseEnv(sample)).toEqual({});
});

it('a module serves by its variables alone, and wants its volume to be there', async () => {
  const setup = await Setup.start();
  try {
    const drive = { STORAGE_1_SIZE_GB: '10' };
    const options = ['--exit-with-parent', '--listen', '127.0.0.1:0', '--workers', '1', '--storage-base', setup.folder];
    await expect(startProgram('cache/main', options, drive)).rejects.toMatchObject({
      exitCode: 3,
      log: expect.stringContaining(
        `STORAGE_1_SIZE_GB: expected the folder ${join(setup.folder, 'cache1')}, found none.`,
      ),
    });
    cpSync(packaging, join(setup.folder, 'cache1'), { recursive: true });
    const node = await startProgram('cache/main', options, {
      ...drive,
      UPSTREAM_HOST: `127.0.0.1:${setup.node.listen.port}`,
      CACHEABLE_CUSTOM_1_HOST: 'content.test:80',
      CACHEABLE_CUSTOM_1_CANONICAL: 'content',
    });
    const path = '/object/module/5000?cacheHostOrigin=content.test';
    const reply = await ask({ port: node.listen.port, path, headers: { Host: 'node' } });
    expect([reply.status, reply.body.length]).toEqual([200, 5000]);
    expect(node.log()).toContain('not set: CUSTOMER_ID, CACHE_NODE_ID, CUSTOMER_KEY');
    expect(existsSync(join(setup.folder, 'cache1/do-cache/journal'))).toBe(true);
    expect(await node.end('SIGTERM')).toBe(0);
  } finally {
    await setup.stop();
  }
});
