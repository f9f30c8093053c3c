// Imported before a program (`node --import`): when it ends, what it has used goes to file descriptor 3. The process knows
// itself what its parent cannot ask for, on every platform.

import { writeSync } from 'node:fs';

process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  writeSync(3, JSON.stringify({ userCPUTime, systemCPUTime, maxRSS }));
});
