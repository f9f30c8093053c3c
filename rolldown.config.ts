// What is built of the sources, all of it into dist/: the programs, each with what it imports in one or a few files, since Node
// takes longer to find hundreds of them than to run what is in them; and the browser's half of the pages.

import { defineConfig, type RolldownOptions } from 'rolldown';

/** hdr-histogram-js looks for Node's zlib by `eval('require("zlib")')`, and takes a slower one where there is no `require`. */
const requireOfNode =
  "import { createRequire as requireOf } from 'node:module';\nconst require = requireOf(import.meta.url);";

/** Programs of one folder, which share what they have in common. */
const programs = (folder: string, names: readonly string[], external: RegExp[] = []): RolldownOptions => ({
  input: Object.fromEntries(names.map((name) => [name, `${folder}/${name}.ts`])),
  platform: 'node',
  external,
  transform: { target: 'node20' },
  logLevel: 'warn',
  checks: { eval: false },
  output: {
    dir: `dist/${folder}`,
    format: 'esm',
    banner: ({ moduleIds }) => (moduleIds.some((id) => id.includes('hdr-histogram-js')) ? requireOfNode : ''),
    chunkFileNames: '[name]-[hash].js',
    sourcemap: true,
    cleanDir: true,
  },
});

/** The body of exported scripts; k6 brings what it imports of k6. */
const k6Body: RolldownOptions = {
  input: 'simulator/export/k6/script/main.ts',
  platform: 'neutral',
  external: [/^k6/],
  treeshake: { moduleSideEffects: false },
  optimization: { inlineConst: false }, // people read it
  logLevel: 'warn',
  output: { file: 'dist/k6/body.js', format: 'esm' },
};

/** A page's script, with the parts of ECharts that it uses: one for reports, one for pages that follow a run. */
const script = (name: string): RolldownOptions => ({
  input: `reports/html/browser/${name}.ts`,
  platform: 'browser',
  logLevel: 'warn',
  output: {
    file: `dist/reports/html/browser/${name}.js`,
    format: 'iife',
    minify: true,
    banner: '/*! with Apache ECharts (Apache License 2.0) and zrender (BSD 3-Clause) */',
  },
});

/**
 * Everything but a path: `./x`, `/x`, `C:\x`. The peers that benchmarks compare with stay as they are installed.
 * (`@oxc-project/` is rolldown's own: helpers that it writes into a bundle.)
 */
const packages = [/^(?!@oxc-project\/)[@a-z](?!:)/i];

const simulatorPrograms = [
  'main',
  'cloud/main',
  'gate/run-process',
  'plan/virtual-worker',
  'raw/raw-thread',
  'world/live/device-process',
  'world/live/janitor',
];

const benchPrograms = [
  'main',
  'gallery/main',
  'fleet-client',
  'held-connections',
  'holder-client',
  'limits-client',
  'peer-client',
  'range-client',
  'stalling-server',
  'virtual/engine',
  'virtual/usage-at-exit',
];

export default defineConfig([
  programs('cache', ['main']),
  programs('simulator', simulatorPrograms),
  programs('bench', benchPrograms, packages),
  k6Body,
  script('page'),
  script('live-page'),
]);
