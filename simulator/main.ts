// Entry of the command `sim` (sim.js imports the built file).

import { runProgram } from './program.ts';

// A reader that has seen enough ("sim metrics | head") is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runProgram(process.argv.slice(2));
