// Which characters HTTP allows where (RFC 9110, 5.5 and 5.6.2), and how white space around a value is taken off.

const tab = 0x09;
const space = 0x20;

/** RFC 9110, 5.6.2: which of the first 128 characters a header name, a method or a directive may consist of. */
const tokenTable = Uint8Array.from({ length: 128 }, (_, code) =>
  /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)) ? 1 : 0,
);

export const isToken = (code: number): boolean => tokenTable[code] === 1;

/** RFC 9110, 5.5: what a header's value may consist of; no control characters but the tab. */
export const isValue = (code: number): boolean => (code >= space && code !== 0x7f) || code === tab;

export const isBlank = (code: number): boolean => code === space || code === tab;

/** The text of [start, end) without spaces and tabs around it. */
export function trimmed(text: string, start: number, end: number): string {
  let first = start;
  let last = end;
  while (first < last && isBlank(text.charCodeAt(first))) first += 1;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last -= 1;
  return text.slice(first, last);
}
