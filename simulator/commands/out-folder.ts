// Where results go when the command line does not say.

import { createHash } from 'node:crypto';
import { join } from 'node:path';

/** `out/<prefix><scenario>-<local time><ending>`. */
export function outFolder(
  scenarioPath: string,
  startedAt: Date,
  { prefix = '', ending = '' }: { readonly prefix?: string; readonly ending?: string } = {},
): string {
  return join('out', `${prefix}${fileName(scenarioPath)}-${timeName(startedAt)}${ending}`);
}

function fileName(path: string): string {
  const name =
    path
      .split(/[\\/]/)
      .at(-1)
      ?.replace(/\.ya?ml$/i, '') ?? '';
  return name === '' ? createHash('sha256').update(path).digest('hex').slice(0, 8) : name;
}

/** Local time as `2026-11-21-054501`: sorts, and is a file name everywhere. */
function timeName(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return `${day}-${two(time.getHours())}${two(time.getMinutes())}${two(time.getSeconds())}`;
}
