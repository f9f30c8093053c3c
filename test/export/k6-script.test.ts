// What is written: types, language, options.

import { join } from 'node:path';
import fc from 'fast-check';
import { build } from 'rolldown';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../../common/child-program.ts';
import { permute } from '../../simulator/device/permutation.ts';
import { k6Scenario } from '../../simulator/export/k6/k6-scenarios.ts';
import { scriptBytesMax } from '../../simulator/export/k6/script-text.ts';
import { k6Js, k6Script, k6Ts, withoutTypes } from './exported.ts';
import { namesOf } from './k6-stand-in.ts';

const text = `name: Both clients
seed: 7
content:
  - { id: update, size: 5 MB, host: content.test, path: /object/update/5000000 }
  - { id: app, size: 300 kB, host: content.test, path: /object/app/300000?v=1 }
nodes: [{ id: hq }, { id: branch-2 }]
fleet:
  - { id: office, devices: 300, cacheHosts: [branch-2, hq], wants: [update, app], arrive: { at: 10 s, over: 1 min } }
  - { id: lab, devices: 20, client: linux, cacheHosts: [hq], wants: [update], policy: { fallbackDelayBackground: never } }
expect:
  - devices.completedRatio == 1
  - group.lab.fleet.bytesFromCdn == 0
  - range.latencyMs.p99 <= 2 s
  - integrity.corruptBytes == 0
`;

/** Declarations that every script is checked with: read once. */
const libraries = new Map<string, ts.SourceFile>();

function remember(path: string, file: ts.SourceFile | undefined): ts.SourceFile | undefined {
  if (file !== undefined) libraries.set(path, file);
  return file;
}

/** Mistakes that the compiler finds in a script, with k6's types and no others. */
function typeMistakes(script: string): string[] {
  const name = join(repositoryRoot, 'test/export/generated-script.ts').replaceAll('\\', '/');
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: ['k6'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (path) => path === name || fileExists(path);
  host.getSourceFile = (path, ...rest) =>
    path === name
      ? ts.createSourceFile(path, script, ts.ScriptTarget.ES2022, true)
      : (libraries.get(path) ?? remember(path, getSourceFile(path, ...rest)));
  const program = ts.createProgram([name], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ messageText, start = 0 }) =>
        `${script.slice(start, start + 60)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
}

/** What a script declares, each in the form that the builder gives it, in order of the alphabet; without what it does not use. */
async function declarations(script: string, language: 'ts' | 'js'): Promise<readonly string[]> {
  const { output } = await build({
    input: `script.${language}`,
    platform: 'neutral',
    external: [/^k6/],
    treeshake: { moduleSideEffects: false },
    optimization: { inlineConst: false },
    plugins: [{ name: 'script', resolveId: (id) => (id.startsWith('script.') ? id : null), load: () => script }],
    output: { comments: false },
    write: false,
    logLevel: 'warn',
  });
  const code = output[0].code.replace(/^\/\/ script\..*\n/m, ''); // the file's name
  return code.split(/\n(?=[^\s})\]])/).sort();
}

describe('a script', () => {
  it('is right TypeScript, and uses nothing but k6', () => {
    expect(typeMistakes(k6Ts(text))).toEqual([]);
    expect(
      [...k6Ts(text).matchAll(/^import .* from '(.*)';$/gm)].every(([, from]) => /^k6(\/|$)/.test(from ?? '')),
    ).toBe(true);
  });

  it('would not pass with a mistake in it (the test of this test)', () => {
    expect(typeMistakes(`${k6Ts(text)}\nexport const x: number = process.pid;`)).toEqual([
      expect.stringContaining("Cannot find name 'process'"),
    ]);
  });

  it('is the same as TypeScript and as JavaScript', async () => {
    const inJs = await declarations(k6Js(text), 'js');
    expect(inJs.length).toBeGreaterThan(50);
    expect(inJs).toEqual(await declarations(k6Ts(text), 'ts'));
  });

  it('is written in the JavaScript that k6 knows', () => {
    for (const script of [k6Js(text), k6Ts(text)]) {
      expect(withoutTypes(script)).not.toMatch(/(?:\?\?|\|\||&&)=/);
      expect(withoutTypes(script)).not.toMatch(/\d_\d/);
      expect(withoutTypes(script)).not.toMatch(/\brequire\b/);
    }
  });

  it('fits into a ConfigMap', () => {
    expect(Buffer.byteLength(k6Ts(text))).toBeLessThan(scriptBytesMax / 4);
  });

  it('is refused when it would not', () => {
    const many = Array.from({ length: 6000 }, (_, i) => `  - { id: content-number-${i}, size: 1 MB }`).join('\n');
    const wants = Array.from({ length: 6000 }, (_, i) => `content-number-${i}`).join(', ');
    const large = `name: Large\ncontent:\n${many}\nfleet: [{ id: office, devices: 1, wants: [${wants}] }]\n`;
    expect(() => k6Ts(large)).toThrow(/the script has \d+ bytes, and a ConfigMap takes 1048576/);
  });

  it('names in its head what it does not carry and what k6 does not judge', () => {
    const head = k6Ts(text).split('\n\n')[0];
    expect(head).toContain('// Not carried: arrivals at random of group office: its devices arrive at equal distances');
    expect(head).toContain('// Not judged: integrity.corruptBytes == 0: bodies are discarded unread');
  });

  it('orders pieces by the permutation of the two worlds', () => {
    const names = namesOf<{ permute: typeof permute }>(k6Js(text), ['permute']);
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.integer({ min: 1, max: 4000 }), fc.nat(), (seed, count, index) => {
        expect(names.permute(index % count, count, seed)).toBe(permute(index % count, count, seed));
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('gives every device of a group an order of its own', () => {
    const { deviceSeed } = namesOf<{ deviceSeed: (seed: number, group: string, number: number) => number }>(
      k6Js(text),
      ['deviceSeed'],
    );
    const seeds = new Set(Array.from({ length: 35_000 }, (_, number) => deviceSeed(7, 'office', number)));
    expect(seeds.size).toBe(35_000);
    expect(deviceSeed(7, 'office', 0)).not.toBe(deviceSeed(8, 'office', 0));
    expect(deviceSeed(7, 'office', 0)).not.toBe(deviceSeed(7, 'lab', 0));
  });
});

describe('arrivals', () => {
  const group = (fleet: string, more = '') =>
    k6Script(
      `name: A\ncontent: [{ id: update, size: 4 MiB }]\n${more}fleet:\n  - { id: office, devices: 200, wants: [update]${fleet} }\n`,
    ).scenarios['office'];

  it.each([
    { fleet: '', executor: 'shared-iterations', exec: 'device', vus: 200, iterations: 200, startTime: '0s' },
    { fleet: ', arrive: { at: 90 s }', executor: 'shared-iterations', vus: 200, iterations: 200, startTime: '90s' },
    {
      fleet: ', arrive: { at: 1.5 s, over: 5 min }',
      executor: 'constant-arrival-rate',
      exec: 'device',
      rate: 200,
      timeUnit: '300s',
      duration: '301500000us',
      startTime: '1500000us',
      maxVUs: 202,
    },
    { fleet: ', arrive: { over: 500 ms }', executor: 'shared-iterations', vus: 200 },
  ])('$fleet become $executor', ({ fleet, ...expected }) => {
    expect(group(fleet)).toMatchObject(expected);
  });

  it('of a live window become a rate of ranges', () => {
    // 200 devices, 1 MiB each 2 s: 100 MiB/s.
    const window = 'live: { window: 30 s, demand: 104857600 B/s }\n';
    expect(group(', arrive: { over: 5 min }', window)).toMatchObject({
      executor: 'constant-arrival-rate',
      exec: 'range',
      rate: 200,
      timeUnit: '2s',
      duration: '30s',
      startTime: '0s',
    });
  });

  it('of a live window with all that can be had become devices that stop at its end', () => {
    expect(group('', 'live: { window: 30 s, demand: max }\n')).toMatchObject({
      executor: 'shared-iterations',
      vus: 200,
      maxDuration: '30s',
      gracefulStop: '60s',
    });
  });

  it('never depend on the virtual user: segments divide what there is', () => {
    const { exported } = k6Script(text);
    const executors = exported.groups.map((each) => k6Scenario(each, { atMs: 0, overMs: 0 }).executor);
    expect(executors).toEqual(['shared-iterations', 'shared-iterations']);
  });
});
