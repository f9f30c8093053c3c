// Which header fields of the origin a stored answer repeats: the end-to-end ones that describe the content.

import type { ResponseHead } from '../../common/http-response-parser.ts';

const repeated = [
  'Content-Type',
  'Content-Disposition',
  'Content-Language',
  'Cache-Control',
  'Expires',
  'Vary',
  'X-HW',
] as const;

export function storedFields(head: ResponseHead): (readonly [string, string])[] {
  return repeated.flatMap((name) => {
    const value = head.header(name.toLowerCase());
    return value === undefined ? [] : [[name, value] as const];
  });
}
