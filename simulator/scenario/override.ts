// `--set path=value`: changes the parsed document before it is validated, so that an override is checked exactly as if
// it stood in the file.

import { parse } from 'yaml';
import { type DocumentPath, describeFound, type Problem } from './problem.ts';

/** One `--set`, taken apart. */
export type Override = {
  /** As given on the command line. */
  readonly text: string;
  readonly path: DocumentPath;
  /** The value's text, as the result file keeps it. */
  readonly valueText: string;
};

/** What came of an override. */
export type AppliedOverride =
  | { readonly kind: 'applied'; readonly override: Override }
  | { readonly kind: 'problem'; readonly text: string; readonly problem: Problem };

/** Applies one override to `document` (plain objects and lists, changed in place). Keys on the way are made as needed. */
export function applyOverride(document: unknown, text: string): AppliedOverride {
  const equals = text.indexOf('=');
  const failed = (path: DocumentPath, expected: string, found: string): AppliedOverride => {
    return { kind: 'problem', text, problem: { path, at: 'value', expected, found } };
  };
  const pathText = equals < 0 ? text : text.slice(0, equals).trim();
  if (equals < 0 || !/^[^.\s]+(\.[^.\s]+)*$/.test(pathText)) {
    return failed([], 'path=value, such as fleet.0.devices=50000', JSON.stringify(text));
  }
  const valueText = text.slice(equals + 1).trim();
  const value = parseValue(valueText);
  if (value === undefined) return failed(pathText.split('.'), 'a value as in the file', JSON.stringify(valueText));

  const path: (string | number)[] = [];
  let container = document;
  const steps = pathText.split('.');
  for (const [index, step] of steps.entries()) {
    const key = keyInto(container, step);
    if (key === undefined) return failed([...path, step], expectedKey(container), JSON.stringify(step));
    path.push(key);
    const entries = container as Record<string | number, unknown>;
    const isLast = index === steps.length - 1;
    if (isLast) entries[key] = value;
    else if (entries[key] === undefined || entries[key] === null) entries[key] = {};
    container = entries[key];
  }
  return { kind: 'applied', override: { text, path, valueText } };
}

/** The value that a text means in YAML; `undefined` when it is none. */
function parseValue(text: string): unknown {
  try {
    const value: unknown = parse(text, { logLevel: 'error' });
    // Plain objects of our own: an alias inside the value must not make two entries one.
    return JSON.parse(JSON.stringify(value));
  } catch {
    return undefined; // The caller says what was found.
  }
}

/** The key or index that a step means in a container; `undefined` when it has no such place. */
function keyInto(container: unknown, step: string): string | number | undefined {
  if (Array.isArray(container)) {
    const index = /^[0-9]{1,9}$/.test(step) ? Number(step) : Number.NaN;
    return index < container.length ? index : undefined;
  }
  // A step that names what every object inherits (__proto__, constructor) is no key of a scenario.
  const isKey = typeof container === 'object' && container !== null && !(step in Object.prototype);
  return isKey ? step : undefined;
}

function expectedKey(container: unknown): string {
  if (typeof container === 'object' && container !== null && !Array.isArray(container)) return 'a key of a scenario';
  if (!Array.isArray(container)) return `a path that ends here, at ${describeFound(container)}`;
  if (container.length === 0) return 'a path that ends here, at an empty list';
  const names = container.slice(0, 8).map((entry: unknown, index) => {
    const name = typeof entry === 'object' && entry !== null && 'id' in entry ? ` (${String(entry.id)})` : '';
    return `${index}${name}`;
  });
  return `one of the list's indices ${names.join(', ')}${container.length > names.length ? ' …' : ''}`;
}
