#!/usr/bin/env node
// The command `sim`: plain JavaScript, so that npm can link it before anything is built.
import { existsSync } from 'node:fs';

const program = new URL('../dist/simulator/main.js', import.meta.url);
if (!existsSync(program)) {
  process.stderr.write('sim: not built yet. Run "npm ci" (or "npm run build") in the repository first.\n');
  process.exit(3);
}
await import(program.href);
