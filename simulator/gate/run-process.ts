// A run of a gate, in a process of its own: `sim run` of any build, which ends when the gate is gone, whatever became of it.

import type { Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { watchParent } from '../../common/child-program.ts';

const [program = '', ...words] = process.argv.slice(2);
process.argv.splice(1, process.argv.length, program, ...words);
watchParent(() => {
  if (!process.emit('SIGINT')) process.exit(130);
});
// A pipe: it alone shall not keep this process.
(process.stdin as unknown as Socket).unref();
await import(pathToFileURL(program).href);
