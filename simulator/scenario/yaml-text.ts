// A YAML text as plain values, with the place of every mistake in it:
//
//     text ──yaml──▶ document (plain objects)
//              └──── positions ──▶ locate(problem) ──▶ file:line:column  path: expected …, found …

import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import { OperatorError } from '../../common/errors.ts';
import { describeProblem, type Problem } from './problem.ts';

/** A problem with its place; `offset` orders them as they stand in the file. */
export type Mistake = { readonly place: string; readonly offset: number; readonly message: string };

/** What a text says, as far as it is YAML. */
export type YamlText = {
  /** Plain objects of our own; `undefined` when the text is not YAML. */
  readonly document: unknown;
  /** Of the form. Past those that leave no document nothing else can be told. */
  readonly mistakes: readonly Mistake[];
  readonly locate: (problem: Problem) => Mistake;
};

/** Reads a text; `file` is for messages only. */
export function readYaml(text: string, file: string): YamlText {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const mistakeAt = (offset: number, message: string): Mistake => {
    const { line, col } = lines.linePos(offset);
    return { place: `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`, offset, message };
  };
  const locate = (problem: Problem) => mistakeAt(offsetOf(problem, yaml), describeProblem(problem));
  const mistakes = [...yaml.errors, ...yaml.warnings].map(({ message, pos }) => mistakeAt(pos[0], `YAML: ${message}`));
  // Past a syntax error the tree is a guess; a key that is there twice leaves a good one.
  if (yaml.errors.some((error) => error.code !== 'DUPLICATE_KEY')) return { document: undefined, mistakes, locate };
  try {
    // Of our own, so that overrides of an aliased entry change that entry alone.
    return { document: JSON.parse(JSON.stringify(yaml.toJS())), mistakes, locate };
  } catch (error) {
    // Only aliases can fail here: one without its anchor, or a few that multiply beyond all bounds.
    const found = error instanceof Error ? error.message : String(error);
    const message = `YAML: expected aliases that can be resolved, found: ${found}`;
    return { document: undefined, mistakes: [mistakeAt(brokenAliasOffset(yaml), message)], locate };
  }
}

function brokenAliasOffset(yaml: Document): number {
  let offset = 0;
  visit(yaml, {
    Alias(_key, alias) {
      if (alias.resolve(yaml) !== undefined) return undefined;
      offset = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return offset;
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

/** The error that names all mistakes of a file, and those of the files that it refers to after them. */
export function badFile(file: string, mistakes: readonly Mistake[], elsewhere: readonly Mistake[] = []): OperatorError {
  const ordered = [...[...mistakes].sort((left, right) => left.offset - right.offset), ...elsewhere];
  const lines = new Set(ordered.map(({ place, message }) => `${place}  ${message}`));
  const count = lines.size === 1 ? '1 mistake' : `${lines.size} mistakes`;
  return new OperatorError('BAD_SCENARIO', [...lines, `${file}: ${count}, nothing was run`].join('\n'));
}
