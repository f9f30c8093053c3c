// Builds what rolldown.config.ts says: rolldown's own command would print a line for every file.

import { build } from 'rolldown';
import { loadConfig } from 'rolldown/config';

await build(await loadConfig('rolldown.config.ts'));
