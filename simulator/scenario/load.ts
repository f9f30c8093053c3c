// From a file to a checked Scenario:
//
//     text ──yaml──▶ document ──--set──▶ document' ──schema──▶ Scenario ◀── hardware of its nodes
//                       │                    ├──cross checks──┐               │
//                       │                    └──profiles──────┼───────────────┘
//                       └── positions ──────▶ all problems, each with file:line:column
//
// Either everything is right, or one OperatorError holds every mistake.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { assert, errorCode, OperatorError } from '../../common/errors.ts';
import { crossCheck } from './cross-checks.ts';
import { isPlanDocument } from './document-kind.ts';
import { readProfiles } from './load-profile.ts';
import { outlineOf } from './outline.ts';
import { applyOverride, type Override } from './override.ts';
import { describeProblem, type Problem, problemsOfIssues } from './problem.ts';
import type { HardwareProfile } from './profile.ts';
import type { Scenario } from './scenario.ts';
import { scenarioSchemaOf } from './schema.ts';
import { nearest } from './values.ts';
import { badFile, type Mistake, readYaml } from './yaml-text.ts';

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

/** Throws an OperatorError (BAD_SCENARIO) that says what was probably meant. */
export function readScenarioFile(path: string): Buffer {
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

/**
 * Checks a scenario's text. `file` is for messages, and for the folder of profiles beside it, unless what these say is given
 * as `known`. Throws as {@link loadScenario} does.
 */
export function parseScenario(
  text: string,
  file: string,
  overrides: readonly string[] = [],
  known?: ReadonlyMap<string, HardwareProfile>,
): Parsed {
  const { document, mistakes: ofForm, locate } = readYaml(text, file);
  if (document === undefined) throw badFile(file, ofForm);
  if (isPlanDocument(document)) {
    const message = `${file}: expected a scenario (content, nodes, fleet), found a capacity plan. Look for the nodes that it takes with “sim plan ${file}”.`;
    throw new OperatorError('BAD_SCENARIO', message);
  }
  const mistakes = [...ofForm];
  const applied: Override[] = [];
  for (const [index, override] of overrides.entries()) {
    const outcome = applyOverride(document, override);
    if (outcome.kind === 'applied') applied.push(outcome.override);
    else {
      const message = describeProblem(outcome.problem);
      mistakes.push({ place: `--set ${override}`, offset: text.length + index, message });
    }
  }
  const checked = scenarioSchemaOf(document).safeParse(document);
  const hardware =
    known === undefined
      ? readProfiles(outlineOf(document).nodes, file)
      : { profiles: known, problems: [], mistakes: [] };
  const problems = [
    ...(checked.success ? [] : problemsOfIssues(checked.error.issues, document)),
    ...hardware.problems,
    ...crossCheck(document, hardware.profiles),
  ];
  for (const problem of problems) mistakes.push(mistakeOfOverride(problem, applied, text.length) ?? locate(problem));
  if (mistakes.length > 0 || hardware.mistakes.length > 0) throw badFile(file, mistakes, hardware.mistakes);
  assert(checked.success, 'a scenario without mistakes was parsed');
  return { scenario: withLog(withHardware(checked.data, hardware.profiles), file), applied };
}

/** The place of a problem that `--set` brought; they stand after those of the file, whose text has that length. */
function mistakeOfOverride(problem: Problem, applied: readonly Override[], textLength: number): Mistake | undefined {
  const index = applied.findLastIndex(({ path }) => path.every((key, step) => problem.path[step] === key));
  const override = applied[index];
  if (override === undefined) return undefined;
  return { place: `--set ${override.text}`, offset: textLength + index, message: describeProblem(problem) };
}

function withHardware(scenario: Scenario, profiles: ReadonlyMap<string, HardwareProfile>): Scenario {
  const nodes = scenario.nodes.map((node) => {
    const hardware = node.profile === undefined ? undefined : profiles.get(node.profile);
    return hardware === undefined ? node : { ...node, hardware };
  });
  return { ...scenario, nodes };
}

/** A log is looked for beside the scenario. */
function withLog(scenario: Scenario, file: string): Scenario {
  const { replay } = scenario;
  return replay === undefined
    ? scenario
    : { ...scenario, replay: { ...replay, log: resolve(dirname(file), replay.log) } };
}
