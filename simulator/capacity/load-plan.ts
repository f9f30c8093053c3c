// From a plan file, or from the options of `sim plan`, to a checked PlanSpec. Mistakes are told as those of scenarios are: where,
// what was expected, what was found, and what was probably meant; all of them at once.

import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { assert, errorCode, OperatorError } from '../../common/errors.ts';
import { isPlanDocument, isScenarioDocument } from '../scenario/document-kind.ts';
import { readProfiles } from '../scenario/load-profile.ts';
import { isObject, problem as problemAt } from '../scenario/outline.ts';
import { applyOverride, type Override } from '../scenario/override.ts';
import { describeFound, describeProblem, type Problem, problemsOfIssues } from '../scenario/problem.ts';
import type { HardwareProfile } from '../scenario/profile.ts';
import { badFile, type Mistake, readYaml } from '../scenario/yaml-text.ts';
import { defaultClasses, type PlanSpec, planSchema } from './plan-spec.ts';

/** A plan with what makes it again. */
export type LoadedPlan = {
  readonly spec: PlanSpec;
  /** Of the file; of options, what they come to as a file. */
  readonly text: string;
  /** For messages and for profiles beside it. */
  readonly path: string;
};

/** The options of the command line that stand for a file, by their keys. */
export type PlanOptions = Readonly<Record<string, string | number | readonly string[] | undefined>>;

/** Reads and checks a plan file; `overrides` are `path=value`. Throws one OperatorError (exit code 2) with every mistake. */
export function loadPlan(path: string, overrides: readonly string[] = []): LoadedPlan {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const message = `${path}: expected a plan file that can be read, found ${errorCode(error)}. Write one (docs/capacity-plans.md), or give --devices, --payload and --deadline.`;
    throw new OperatorError('BAD_PLAN', message, 2, { cause: error });
  }
  return { spec: parsePlan(text, path, overrides), text, path };
}

/** Whether a text is that of a capacity plan, whatever is wrong in it. */
export const isPlanText = (text: string): boolean => isPlanDocument(readYaml(text, '').document);

/** Checks a plan's text. `file` is for messages, and for the folder of profiles beside it. Throws as {@link loadPlan} does. */
export function parsePlan(text: string, file: string, overrides: readonly string[] = []): PlanSpec {
  const { document, mistakes: ofForm, locate } = readYaml(text, file);
  if (document === undefined) throw badFile(file, ofForm);
  if (isScenarioDocument(document)) {
    const message = `${file}: expected a capacity plan (payload, deadline, sites), found a scenario. Run it with “sim run ${file}”, or search how much it bears with “sim saturate ${file}”.`;
    throw new OperatorError('BAD_PLAN', message, 2);
  }
  const mistakes: Mistake[] = [...ofForm];
  const applied: Override[] = [];
  for (const [index, override] of overrides.entries()) {
    const outcome = applyOverride(document, override);
    if (outcome.kind === 'applied') applied.push(outcome.override);
    else mistakes.push(atOption(`--set ${override}`, text.length + index, outcome.problem));
  }
  const place = (problem: Problem): Mistake => {
    const index = applied.findLastIndex(({ path }) => path.every((key, step) => problem.path[step] === key));
    const override = applied[index];
    return override === undefined ? locate(problem) : atOption(`--set ${override.text}`, text.length + index, problem);
  };
  return checkPlan(document, file, mistakes, place);
}

/** A plan of options alone. */
export function planOfOptions(options: PlanOptions): LoadedPlan {
  const { name, payload, deadline, arrive, client, fallbackDelay, classes, nodesMax, seed, ...more } = options;
  const { cdnEgress, sites, devices, link, downlink } = more;
  const document = JSON.parse(
    JSON.stringify({
      ...{ name, seed, payload, deadline, arrive, client, fallbackDelay, classes, nodesMax },
      ...(cdnEgress === undefined ? {} : { cdn: { egress: cdnEgress } }),
      sites: [{ id: 'site', count: sites, devices, link, downlink }],
    }),
  ) as unknown;
  const place = (problem: Problem): Mistake => {
    const key = problem.path.filter((each) => typeof each === 'string').join('.');
    return atOption(optionOfKey[key] ?? `--${key.split('.')[0]}`, 0, problem);
  };
  return { spec: checkPlan(document, 'sim plan', [], place), text: stringify(document), path: 'plan.yaml' };
}

const optionOfKey: Readonly<Record<string, string>> = {
  'sites.count': '--sites',
  'sites.devices': '--devices',
  'sites.link': '--link',
  'sites.downlink': '--downlink',
  'cdn.egress': '--cdn-egress',
  fallbackDelay: '--fallback-delay',
  nodesMax: '--nodes-max',
  classes: '--class',
};

const atOption = (place: string, offset: number, problem: Problem): Mistake => ({
  place,
  offset,
  message: describeProblem(problem),
});

function checkPlan(
  written: unknown,
  file: string,
  mistakes: readonly Mistake[],
  place: (problem: Problem) => Mistake,
): PlanSpec {
  const document = withPayloadList(written);
  const checked = planSchema.safeParse(document);
  const isOneSize = document !== written;
  const problems = (checked.success ? [] : problemsOfIssues(checked.error.issues, document)).map((each) =>
    isOneSize && each.path[0] === 'payload' ? { ...each, path: ['payload'] } : each,
  );
  const named = isObject(document) && Array.isArray(document['classes']) ? document['classes'] : defaultClasses;
  const entries = named.map((profile: unknown, index) => ({ path: ['classes', index], keys: { profile } }));
  const hardware = readProfiles(entries, file);
  const ofClasses = hardware.problems.map((each) => ({ ...each, path: each.path.slice(0, -1) }));
  const all = [...problems, ...ofClasses, ...(checked.success ? crossProblems(checked.data) : [])].map(place);
  if (mistakes.length + all.length + hardware.mistakes.length > 0) {
    throw badFile(file, [...mistakes, ...all], hardware.mistakes);
  }
  assert(checked.success, 'a plan without mistakes was parsed');
  return specOf(checked.data, hardware.profiles);
}

/** One size is a list of one. */
function withPayloadList(document: unknown): unknown {
  if (!isObject(document) || typeof document['payload'] !== 'string') return document;
  return { ...document, payload: [document['payload']] };
}

type Written = ReturnType<typeof planSchema.parse>;

/** What no single key shows. */
function crossProblems({ sites, classes, deadline, arrive }: Written): Problem[] {
  const problems: Problem[] = [];
  for (const [index, { id }] of sites.entries()) {
    if (sites.findIndex((each) => each.id === id) < index) {
      problems.push(
        problemAt(['sites', index, 'id'], 'an id of its own', `${describeFound(id)}, which another site has`),
      );
    }
  }
  for (const [index, name] of classes.entries()) {
    if (classes.indexOf(name) < index) {
      problems.push(problemAt(['classes', index], 'each class once', `${describeFound(name)} again`));
    }
  }
  if (arrive >= deadline) {
    problems.push(problemAt(['arrive'], 'less than the deadline', 'arrivals that go on until it has passed'));
  }
  return problems;
}

function specOf(written: Written, profiles: ReadonlyMap<string, HardwareProfile>): PlanSpec {
  const { payload, deadline, arrive, cdn, fallbackDelay, classes, ...rest } = written;
  // Longer than any policy may be: 30 days are the most that the client takes.
  const delayMax = 30 * 86_400_000;
  return {
    ...rest,
    payloadBytes: payload,
    deadlineMs: deadline,
    arriveOverMs: arrive,
    fallbackDelayMs: fallbackDelay === 'none' ? undefined : Math.min(fallbackDelay ?? deadline, delayMax),
    cdnEgressBytesPerMs: cdn.egress,
    cdnLatencyMs: cdn.latency,
    classes: classes.flatMap((name) => profiles.get(name) ?? []),
  };
}
