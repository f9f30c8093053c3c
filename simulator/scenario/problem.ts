// What is wrong with a scenario file, in one form for all sources (YAML, schema, cross checks, --set):
//
//     file:line:column  path: expected …, found …; did you mean …?

import type { z } from 'zod';
import { nearest, type ProblemParams } from './values.ts';

/** Where in the document: keys and list indices from the root. */
export type DocumentPath = readonly (string | number)[];

/** One mistake, before its place in the file is known. */
export type Problem = {
  readonly path: DocumentPath;
  /** Whether to point at the key of an entry (unknown keys) or at its value. */
  readonly at: 'key' | 'value';
  readonly expected: string;
  readonly found: string;
  readonly didYouMean?: string | undefined;
};

/** `path: expected …, found …; did you mean …?`; paths are written as `--set` takes them. */
export function describeProblem(problem: Problem): string {
  const { path, expected, found, didYouMean } = problem;
  const where = path.length === 0 ? 'the whole file' : path.join('.');
  const suggestion = didYouMean === undefined ? '' : `; did you mean ${didYouMean}?`;
  return `${where}: expected ${expected}, found ${found}${suggestion}`;
}

/** How a missing value is shown. */
const nothing = 'nothing';

/** A value as an error shows it: short, on one line, and never mistaken for another type. */
export function describeFound(value: unknown): string {
  if (value === undefined) return nothing;
  if (value === null) return 'nothing (an empty value)';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') {
    const names = Object.keys(value);
    return names.length === 0 ? 'an object without keys' : `an object with the keys ${shortened(names.join(', '))}`;
  }
  return typeof value === 'string' ? JSON.stringify(shortened(value)) : String(value);
}

function shortened(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

/** The value at `path` of a plain document; `undefined` where the path leads nowhere. */
export function valueAt(document: unknown, path: DocumentPath): unknown {
  let value = document;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

type Issue = z.core.$ZodIssue;

/** The problems behind the schema's issues. `document` is what was parsed. */
export function problemsOfIssues(issues: readonly Issue[], document: unknown, base: DocumentPath = []): Problem[] {
  const problems = issues.flatMap((issue) => problemsOfIssue(issue, document, base));
  const misspelt = new Set(
    problems.flatMap(({ at, path, didYouMean }) =>
      at === 'key' && didYouMean !== undefined ? [[...path.slice(0, -1), didYouMean].join('.')] : [],
    ),
  );
  // A key that is missing because it is misspelt is one mistake, not two.
  return problems.filter(({ found, path }) => found !== nothing || !misspelt.has(path.join('.')));
}

function problemsOfIssue(issue: Issue, document: unknown, base: DocumentPath): Problem[] {
  const path = [...base, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))];
  const value = valueAt(document, path);
  const problem = { path, at: 'value', expected: issue.message, found: describeFound(value) } as const;
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, issue.message.split(', ')));
    case 'invalid_union': {
      // The branch whose type fits has no issue at its root: its issues are what the author wants to read.
      const fitting = issue.errors.find((branch) => branch.every((each) => !isAboutType(each)));
      return fitting === undefined ? [problem] : problemsOfIssues(fitting, document, path);
    }
    case 'invalid_value':
      return [{ ...problem, didYouMean: nearest(String(value), issue.values.map(String)) }];
    case 'invalid_type':
      return [{ ...problem, ...typeHint(issue.expected, value) }];
    case 'custom': {
      const params: ProblemParams = issue.params ?? {};
      return [{ ...problem, found: params.found ?? problem.found, didYouMean: params.didYouMean }];
    }
    default:
      return [problem];
  }
}

const isAboutType = (issue: Issue): boolean => issue.code === 'invalid_type' && issue.path.length === 0;

function unknownKey(path: DocumentPath, key: string, known: readonly string[]): Problem {
  return {
    path: [...path, key],
    at: 'key',
    expected: `one of the keys ${known.join(', ')}`,
    found: `the unknown key ${JSON.stringify(shortened(key))}`,
    didYouMean: nearest(key, known),
  };
}

/** What to say of a number where a text was expected, and of a text that is nearly a number. */
function typeHint(expected: string, value: unknown): Pick<Problem, 'didYouMean'> & { readonly found?: string } {
  if (expected === 'string' && typeof value === 'number') return { found: `the bare number ${value}` };
  if ((expected === 'int' || expected === 'number') && typeof value === 'string') {
    const digits = value.replace(/[\s,_]/g, '');
    return /^[0-9]+$/.test(digits) ? { didYouMean: digits } : {};
  }
  return {};
}
