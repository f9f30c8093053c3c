// From a command line to the grid of a sweep: what is varied, checked against the scenario before anything runs.

import { createHash } from 'node:crypto';
import { OperatorError } from '../../common/errors.ts';
import { findScopedMetric, suggestMetric, type WorldName } from '../result/metrics.ts';
import type { SweepAxis } from '../result/sweep.ts';
import { toolVersion } from '../result/tool-version.ts';
import { type LoadedScenario, parseScenario } from '../scenario/load.ts';
import type { Scenario } from '../scenario/scenario.ts';
import { parseAxis } from './axis.ts';
import type { SweepTerms } from './sweep.ts';
import type { SweepIdentity } from './sweep-journal.ts';
import { variableOf } from './variable.ts';

/** Reads all `--vary`; throws an OperatorError that says what is wrong with one, or with them together. */
export function parseAxes(texts: readonly string[], loaded: LoadedScenario): readonly SweepAxis[] {
  const axes = texts.map((text) => parseAxis(text, (name, value) => setsOfName(name, value, text, loaded)));
  for (const [index, { name, unit }] of axes.entries()) {
    const given = `--vary ${texts[index]}`;
    if (axes.findIndex((other) => other.name === name) < index) {
      throw new OperatorError('BAD_AXIS', `${given}: expected something else than before, found ${name} twice.`);
    }
    if (Object.hasOwn(loaded.overrides, name)) {
      const option = name === 'seed' ? '--seed' : '--set';
      throw new OperatorError('BAD_AXIS', `${given}: expected what no other option sets, found ${option} for ${name}.`);
    }
    if (name === 'seed' && unit !== 'number') {
      throw new OperatorError('BAD_AXIS', `${given}: expected whole numbers, as --vary seed=1..5:5 has them.`);
    }
  }
  return axes;
}

/** `devices` and `demand` are what they are in `sim saturate`; all else is a path into the file. */
function setsOfName(name: string, value: string, text: string, loaded: LoadedScenario): string[] {
  if (name === 'demand') return [`live.demand=${value}`];
  if (name !== 'devices') return [`${name}=${value}`];
  const devices = Number(value.replaceAll('_', ''));
  if (Number.isInteger(devices) && devices > 0) return [...variableOf('devices', loaded).sets(devices)];
  throw new OperatorError(
    'BAD_AXIS',
    `--vary ${text}: expected whole numbers of devices above zero; found ${JSON.stringify(value)}.`,
  );
}

/**
 * Whether each axis has a value that the scenario can have, by itself or with the first values of the others: an axis that has none
 * names something that is not there. Gives all scenarios that it tried. Throws an OperatorError.
 */
export function checkAxes({ text, path, overrides }: LoadedScenario, axes: readonly SweepAxis[]): readonly Scenario[] {
  const ofAll = Object.entries(overrides).map(([key, value]) => `${key}=${value}`);
  const tried: Scenario[] = [];
  for (const axis of axes) {
    const others = axes.filter((other) => other !== axis).flatMap(({ values }) => values[0]?.sets ?? []);
    const problems: OperatorError[] = [];
    const isPossible = (sets: readonly string[]): boolean => {
      try {
        tried.push(parseScenario(text, path, [...ofAll, ...sets]).scenario);
        return true;
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        problems.push(error);
        return false;
      }
    };
    const possible = axis.values.filter(({ sets }) => isPossible(sets));
    if (possible.length > 0 || axis.values.some(({ sets }) => isPossible([...others, ...sets]))) continue;
    const first = (problems[0]?.message ?? '').replaceAll('--set ', '--vary ');
    throw new OperatorError('BAD_AXIS', `No value of --vary ${axis.name} gives a scenario:\n${first}`);
  }
  return tried;
}

/** What is shown: what was asked for, else what the scenario expects something of, and when the fleet has finished. */
export function shownMetrics(
  asked: readonly string[],
  { expect, nodes, fleet }: Scenario,
  world: WorldName,
): readonly string[] {
  for (const name of asked) {
    const found = findScopedMetric(name);
    const known: readonly { readonly id: string }[] = found?.scope?.kind === 'node' ? nodes : fleet;
    if (found !== undefined && (found.scope === undefined || known.some(({ id }) => id === found.scope?.id))) continue;
    const meant = suggestMetric(name);
    const message =
      found?.scope === undefined
        ? `--metric ${name}: expected a metric ("sim metrics" lists them all); ${meant === undefined ? 'there is none of that name' : `did you mean ${meant}?`}`
        : `--metric ${name}: expected the id of a ${found.scope.kind} of the scenario: ${known.map(({ id }) => id).join(', ')}.`;
    throw new OperatorError('BAD_OPTION', message);
  }
  if (asked.length > 0) return [...new Set(asked)];
  const isHere = (metric: string): boolean => findScopedMetric(metric)?.definition.worlds.includes(world) === true;
  const expected = expect
    .filter((each) => each.world === undefined || each.world === world)
    .map(({ metric }) => metric);
  const all = [...expected, 'fleet.finishMs', 'cdn.egressBytes'].filter((metric) => isHere(metric));
  // What must be zero, or everybody, in every run is no curve.
  const dull = /^(integrity|accounting)\./;
  return [...new Set(all)].filter((metric) => !dull.test(metric));
}

/** What makes it the same sweep: everything that the numbers depend on. `tried`: scenarios with all hardware that may be modelled. */
export function identityOf(
  { loaded, world, axes }: SweepTerms,
  seeds: readonly number[],
  tried: readonly Scenario[],
): SweepIdentity {
  const hardware = new Map(
    tried.flatMap(({ nodes }) => nodes.flatMap((node) => node.hardware ?? [])).map((each) => [each.id, each]),
  );
  return {
    'program version': toolVersion,
    'scenario file': loaded.sha256,
    'hardware profiles': digest([...hardware].sort(([a], [b]) => (a < b ? -1 : 1))),
    world,
    'options --set': Object.entries(loaded.overrides).flatMap(([key, value]) =>
      key === 'seed' ? [] : [`${key}=${value}`],
    ),
    axes: axes.map(({ name, values }) => `${name}=${values.map(({ text }) => text).join(',')}`),
    seeds,
  };
}

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');
