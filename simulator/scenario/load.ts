// From a file to a checked Scenario:
//
//     text ──yaml──▶ document ──--set──▶ document' ──schema──▶ Scenario
//                       │                    └──cross checks──┐
//                       └── positions ──────▶ all problems, each with file:line:column
//
// Either everything is right, or one OperatorError holds every mistake.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import { assert, errorCode, OperatorError } from '../../common/errors.ts';
import { crossCheck } from './cross-checks.ts';
import { applyOverride, type Override } from './override.ts';
import { type DocumentPath, describeProblem, type Problem, problemsOfIssues } from './problem.ts';
import type { Scenario } from './scenario.ts';
import { scenarioSchema } from './schema.ts';
import { nearest } from './values.ts';

/** A scenario with what a result file needs to repeat the run. */
export type LoadedScenario = {
  readonly scenario: Scenario;
  /** As given. */
  readonly path: string;
  /** The file's text, before overrides. */
  readonly text: string;
  /** Of the file's bytes, in hexadecimal. */
  readonly sha256: string;
  /** The values of `--set` by path, as text. */
  readonly overrides: Readonly<Record<string, string>>;
};

/**
 * Reads and checks a scenario file. `overrides` are `path=value` as `--set` takes them, the later one counts.
 * Throws one OperatorError (BAD_SCENARIO, exit code 2) that names every mistake.
 */
export function loadScenario(path: string, overrides: readonly string[] = []): LoadedScenario {
  const bytes = readScenarioFile(path);
  const text = bytes.toString('utf8');
  const { scenario, applied } = parseScenario(text, path, overrides);
  return {
    scenario,
    path,
    text,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    overrides: Object.fromEntries(applied.map((each) => [each.path.join('.'), each.valueText])),
  };
}

function readScenarioFile(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const meant = fileMeant(path);
    const suggestion = meant === undefined ? '' : `; did you mean ${meant}?`;
    const message = `${path}: expected a scenario file that can be read, found ${errorCode(error)}${suggestion}`;
    throw new OperatorError('BAD_SCENARIO', message, 2, { cause: error });
  }
}

/** A file beside `path` with nearly its name. */
function fileMeant(path: string): string | undefined {
  try {
    const names = readdirSync(dirname(path)).filter((name) => /\.ya?ml$/.test(name));
    const meant = nearest(basename(path), names, 2) ?? names.find((name) => name === `${basename(path)}.yaml`);
    return meant === undefined || meant === basename(path) ? undefined : join(dirname(path), meant);
  } catch {
    return undefined; // No such folder: there is nothing to suggest.
  }
}

type Parsed = { readonly scenario: Scenario; readonly applied: readonly Override[] };

/** Checks a scenario's text; `file` is for messages only. Throws as {@link loadScenario} does. */
export function parseScenario(text: string, file: string, overrides: readonly string[] = []): Parsed {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const mistakes: Mistake[] = [...yaml.errors, ...yaml.warnings].map(({ message, pos }) => {
    const { line, col } = lines.linePos(pos[0]);
    return { place: `${file}:${line}:${col}`, offset: pos[0], message: `YAML: ${message}` };
  });
  // Past a syntax error the tree is a guess; a key that is there twice leaves a good one.
  if (yaml.errors.some((error) => error.code !== 'DUPLICATE_KEY')) throw badScenario(file, mistakes);
  const document = plainDocument(yaml, file, lines);

  const applied: Override[] = [];
  for (const [index, override] of overrides.entries()) {
    const outcome = applyOverride(document, override);
    if (outcome.kind === 'applied') applied.push(outcome.override);
    else {
      const message = describeProblem(outcome.problem);
      mistakes.push({ place: `--set ${override}`, offset: text.length + index, message });
    }
  }
  const checked = scenarioSchema.safeParse(document);
  const problems = [
    ...(checked.success ? [] : problemsOfIssues(checked.error.issues, document)),
    ...crossCheck(document),
  ];
  for (const problem of problems) mistakes.push(locate(problem, { file, text, yaml, lines, applied }));
  if (mistakes.length > 0) throw badScenario(file, mistakes);
  assert(checked.success, 'a scenario without mistakes was parsed');
  return { scenario: checked.data, applied };
}

/** The document as plain objects of our own, so that overrides of an aliased entry change that entry alone. */
function plainDocument(yaml: Document, file: string, lines: LineCounter): unknown {
  try {
    return JSON.parse(JSON.stringify(yaml.toJS()));
  } catch (error) {
    // Only aliases can fail here: one without its anchor, or a few that multiply beyond all bounds.
    let offset = 0;
    visit(yaml, {
      Alias(_key, alias) {
        if (alias.resolve(yaml) !== undefined) return undefined;
        offset = alias.range?.[0] ?? 0;
        return visit.BREAK;
      },
    });
    const { line, col } = lines.linePos(offset);
    const message = `YAML: expected aliases that can be resolved, found: ${error instanceof Error ? error.message : String(error)}`;
    throw badScenario(file, [{ place: `${file}:${line}:${col}`, offset, message }]);
  }
}

/** A problem with its place; `offset` orders them as they stand in the file, those of `--set` last. */
type Mistake = { readonly place: string; readonly offset: number; readonly message: string };

type Source = {
  readonly file: string;
  readonly text: string;
  readonly yaml: Document;
  readonly lines: LineCounter;
  readonly applied: readonly Override[];
};

function locate(problem: Problem, source: Source): Mistake {
  const message = describeProblem(problem);
  const startsWith = (path: DocumentPath, start: DocumentPath) => start.every((key, index) => path[index] === key);
  const overrideIndex = source.applied.findLastIndex((each) => startsWith(problem.path, each.path));
  const override = source.applied[overrideIndex];
  if (override !== undefined) {
    return { place: `--set ${override.text}`, offset: source.text.length + overrideIndex, message };
  }
  const offset = offsetOf(problem, source.yaml);
  const { line, col } = source.lines.linePos(offset);
  return { place: `${source.file}:${Math.max(line, 1)}:${Math.max(col, 1)}`, offset, message };
}

/** Where a problem's key or value begins; what is missing is shown at the entry that misses it. */
function offsetOf(problem: Problem, yaml: Document): number {
  let node: unknown = yaml.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const [index, key] of problem.path.entries()) {
    if (isAlias(node)) node = node.resolve(yaml);
    if (isMap(node)) {
      const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === String(key));
      if (pair === undefined) return offset;
      const isLast = index === problem.path.length - 1;
      if (isLast && problem.at === 'key' && isScalar(pair.key)) return pair.key.range?.[0] ?? offset;
      if (isScalar(pair.key)) offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = typeof key === 'number' ? node.items[key] : undefined;
    } else return offset;
    if (isNode(node)) offset = node.range?.[0] ?? offset;
  }
  return offset;
}

function badScenario(file: string, mistakes: readonly Mistake[]): OperatorError {
  const ordered = [...mistakes].sort((left, right) => left.offset - right.offset);
  const lines = new Set(ordered.map(({ place, message }) => `${place}  ${message}`));
  const count = lines.size === 1 ? '1 mistake' : `${lines.size} mistakes`;
  return new OperatorError('BAD_SCENARIO', [...lines, `${file}: ${count}, nothing was run`].join('\n'));
}
