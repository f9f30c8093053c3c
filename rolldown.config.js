// The browser's half of the reports as one script, which every page carries: TypeScript and the parts of ECharts that it uses.

import { defineConfig } from 'rolldown';

export default defineConfig({
  input: 'reports/html/browser/page.ts',
  platform: 'browser',
  logLevel: 'warn',
  output: {
    file: 'dist/reports/html/browser/page.js',
    format: 'iife',
    minify: true,
    banner: '/*! with Apache ECharts (Apache License 2.0) and zrender (BSD 3-Clause) */',
  },
});
