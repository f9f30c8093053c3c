// The browser's half of the pages: TypeScript and the parts of ECharts that it uses, as one script for reports and one for pages
// that follow a run.

import { defineConfig } from 'rolldown';

const script = (name) => ({
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

export default defineConfig([script('page'), script('live-page')]);
