// The directives of an answer: CDN-Cache-Control where there is a valid one (RFC 9213), else Cache-Control (RFC 9111, 5.2).

export type FieldReader = (name: string) => string | undefined;

/** Directive names in lower case with their values; one without a value has '', one that is malformed `malformed`. */
export type Directives = ReadonlyMap<string, string>;

/** The value of a directive that is there but is not of the grammar: never a number, so what it says of time is "stale". */
export const malformed = '\0';

/** What an answer's control fields say, and whether they are the targeted ones, beside which Expires does not count. */
export function directivesOf(field: FieldReader): { readonly directives: Directives; readonly isTargeted: boolean } {
  const targeted = parseTargetedControl(field('cdn-cache-control'));
  if (targeted !== undefined) return { directives: targeted, isTargeted: true };
  return { directives: parseCacheControl(field('cache-control') ?? ''), isTargeted: false };
}

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const element = /(?:"(?:[^"\\]|\\.)*"?|[^",])+/g;
const directive = new RegExp(`^(${token})(?:=(?:"((?:[^"\\\\]|\\\\.)*)"|(${token})))?$`);
const leadingToken = new RegExp(`^${token}`);

/** Of a directive that comes twice the first counts (RFC 9111, 4.2.1). */
export function parseCacheControl(value: string): Directives {
  const directives = new Map<string, string>();
  for (const [text] of value.matchAll(element)) {
    const match = directive.exec(text.trim());
    const name = (match?.[1] ?? leadingToken.exec(text.trim())?.[0])?.toLowerCase();
    if (name === undefined || directives.has(name)) continue;
    directives.set(name, match === null ? malformed : (match[2] ?? match[3] ?? ''));
  }
  return directives;
}

// RFC 8941: a dictionary of items. Inner lists are of the grammar too, but no directive has one.
const key = '[a-z*][a-z0-9_.*-]*';
const bareItem = `(-?[0-9]{1,12}\\.[0-9]{1,3}|-?[0-9]{1,15}|"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\["\\\\])*"|[A-Za-z*][A-Za-z0-9!#$%&'*+.^_\`|~:/-]*|:[A-Za-z0-9+/=]*:|\\?[01])`;
const parameters = `(?:; *${key}(?:=${bareItem.replace('(', '(?:')})?)*`;
const member = new RegExp(`(${key})(?:=${bareItem})?${parameters}`, 'y');
const separator = /[ \t]*,[ \t]*/y;

/** The directives of CDN-Cache-Control; `undefined` when it is absent, empty or invalid, and does not count. */
export function parseTargetedControl(value: string | undefined): Directives | undefined {
  const text = value?.trim() ?? '';
  const directives = new Map<string, string>();
  let position = 0;
  while (position < text.length) {
    member.lastIndex = position;
    const match = member.exec(text);
    if (match?.[1] === undefined) return undefined;
    // Of a key that comes twice the last counts; `?0` says that it does not hold.
    directives.delete(match[1]);
    if (match[2] !== '?0') directives.set(match[1], match[2] === '?1' ? '' : (match[2] ?? ''));
    position = member.lastIndex;
    if (position === text.length) break;
    separator.lastIndex = position;
    if (!separator.test(text) || separator.lastIndex === text.length) return undefined;
    position = separator.lastIndex;
  }
  return directives.size === 0 ? undefined : directives;
}

/** RFC 9111, 1.2.2: a number too large is taken as this one. */
const deltaSecondsMax = 2 ** 31;

/** A directive's `delta-seconds` as ms: `undefined` when the directive is absent, 'invalid' when it says no such number. */
export function durationMs(directives: Directives, name: string): number | undefined | 'invalid' {
  const value = directives.get(name);
  if (value === undefined) return undefined;
  return parseDeltaSeconds(value) ?? 'invalid';
}

/** `delta-seconds` as ms; `undefined` when it is something else. */
export function parseDeltaSeconds(text: string): number | undefined {
  return /^[0-9]+$/.test(text) ? Math.min(Number(text), deltaSecondsMax) * 1000 : undefined;
}
