// The version of this tool, as results name it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';

const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string };

/** E.g. `0.1.0`. */
export const toolVersion: string = version;
