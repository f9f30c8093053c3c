// Cleans up after a run that ended without doing so itself (kill -9 included). It holds one end of a pipe; when the run
// closes the other end by dying, it kills what is left of the run's processes (stopped ones too, which could not notice
// by themselves) and removes its folder and its network namespaces.
//
// Lines on standard input: `group <pid>`, `gone <pid>`, `folder <path>`, `namespace <name>`, `done`.

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { killGroup } from './process-group.ts';

/** Children that watch their own pipe get this long to end by themselves. */
const graceMs = 500;

const groups = new Set<number>();
const folders: string[] = [];
const namespaces: string[] = [];
let done = false;

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const [word = '', rest = ''] = line.split(/ (.*)/s, 2);
    if (word === 'group') groups.add(Number(rest));
    else if (word === 'gone') groups.delete(Number(rest));
    else if (word === 'folder') folders.push(rest);
    else if (word === 'namespace') namespaces.push(rest);
    else if (word === 'done') done = true;
  })
  .on('close', () => {
    if (done) process.exit(0);
    setTimeout(() => {
      for (const group of groups) killGroup(group, 'SIGKILL');
      setTimeout(() => {
        for (const name of namespaces) spawnSync('ip', ['netns', 'delete', name]);
        for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 10 });
        process.exit(0);
      }, 200);
    }, graceMs);
  });
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
