// A part of a run as a file, or on its way to the environment: what one shard of the fleet or the environment measured, with
// what run it belongs to. A checksum covers all of it, so that a part that was edited, or damaged on its way, is known.
//
//   { "schema": 1, "sha256": "…of the part as JSON", "part": { run, startEpochMs, machine, devices | environment … } }

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { OperatorError } from '../../../../common/errors.ts';
import type { Machine, ScenarioSource } from '../../../result/result.ts';
import { toolVersion } from '../../../result/tool-version.ts';
import type { LoadedScenario } from '../../../scenario/load.ts';
import type { HardwareProfile } from '../../../scenario/profile.ts';
import { type DevicesPart, type EnvironmentPart, shardName } from '../parts.ts';

/** Version of the form of a part. */
export const partSchema = 1;

/** What all parts of a run have in common. */
export type RunIdentity = {
  readonly toolVersion: string;
  /** Equal but for its path. */
  readonly scenario: ScenarioSource;
  readonly overrides: Readonly<Record<string, string>>;
  readonly seed: number;
};

/** What every part says of itself. */
type PartBase = {
  readonly run: RunIdentity;
  /** When the clock of the run began. */
  readonly startEpochMs: number;
  readonly machine: Machine;
};

export type ShardPart = PartBase & { readonly kind: 'devices'; readonly devices: DevicesPart };

export type EnvironmentPartFile = PartBase & {
  readonly kind: 'environment';
  readonly environment: EnvironmentPart;
  /** How many shards the run had. */
  readonly shardCount: number;
  /** ISO 8601: when the command was given. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly interrupted: boolean;
  readonly broken?: string | undefined;
  /** Hardware that the scenario's nodes name, so that it can be read where these files are not. */
  readonly hardware: readonly HardwareProfile[];
};

export type Part = ShardPart | EnvironmentPartFile;

export function identityOf({ scenario, path, sha256, text, overrides }: LoadedScenario): RunIdentity {
  return { toolVersion, scenario: { name: scenario.name, path, sha256, text }, overrides, seed: scenario.seed };
}

/** In what `found` is another run than `expected`, in words; undefined: they are the same. */
export function differenceOf(found: RunIdentity, expected: RunIdentity): string | undefined {
  if (found.toolVersion !== expected.toolVersion) {
    return `it is of version ${found.toolVersion} of sim, expected ${expected.toolVersion}`;
  }
  if (found.scenario.sha256 !== expected.scenario.sha256) {
    const short = ({ scenario }: RunIdentity): string => `"${scenario.name}" (sha256 ${scenario.sha256.slice(0, 12)}…)`;
    return `its scenario is ${short(found)}, expected ${short(expected)}`;
  }
  if (overridesText(found) !== overridesText(expected)) {
    return `its scenario was changed by ${overridesText(found)}, expected ${overridesText(expected)}`;
  }
  return found.seed === expected.seed ? undefined : `its seed is ${found.seed}, expected ${expected.seed}`;
}

function overridesText({ overrides }: RunIdentity): string {
  const sets = Object.entries(overrides).map(([path, value]) => `--set ${path}=${value}`);
  return sets.length === 0 ? 'nothing' : sets.sort().join(' ');
}

/** `shard 2/4`, or `the environment`. */
export const partName = (part: Part): string =>
  part.kind === 'environment' ? 'the environment' : shardName(part.devices.shard);

/** The file's name tells the parts of a run apart, so that all can be copied into one folder. */
export function partFileName(part: Part): string {
  if (part.kind === 'environment') return `environment${partEnding}`;
  const { index, count } = part.devices.shard;
  return `shard-${index}-of-${count}${partEnding}`;
}

export const partEnding = '.part.json';

/** The part as text. */
export function sealPart(part: Part): string {
  const json = JSON.stringify(part);
  return `{"schema":${partSchema},"sha256":"${sha256Of(json)}","part":${json}}\n`;
}

const partForm = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('devices'), run: z.looseObject({}), devices: z.looseObject({}) }),
  z.looseObject({ kind: z.literal('environment'), run: z.looseObject({}), environment: z.looseObject({}) }),
]);

/** Reads what {@link sealPart} wrote; `from` names the file, or who sent it. Throws an OperatorError (BAD_PART). */
export function openPart(text: string, from: string): Part {
  const refuse = (found: string): OperatorError =>
    new OperatorError('BAD_PART', `${from}: expected a part of a run, as sim run --shard writes it, found ${found}`);
  let sealed: { schema?: unknown; sha256?: unknown; part?: unknown } | null;
  try {
    sealed = JSON.parse(text) as typeof sealed;
  } catch {
    const isCutOff = text.startsWith('{"schema"');
    throw refuse(isCutOff ? 'one that is cut off. Copy it again.' : 'another file.');
  }
  if (typeof sealed !== 'object' || sealed === null || sealed.part === undefined) throw refuse('another file.');
  if (sealed.schema !== partSchema) {
    const schema = JSON.stringify(sealed.schema);
    throw refuse(`one of form ${schema}, not ${partSchema}: it comes from another version of sim.`);
  }
  // What the checksum holds for is what this version wrote.
  if (sealed.sha256 !== sha256Of(JSON.stringify(sealed.part))) {
    throw refuse('one that its checksum does not hold for: it was edited, or damaged. Copy it again.');
  }
  if (!partForm.safeParse(sealed.part).success) throw refuse('one without what a part holds.');
  return sealed.part as Part;
}

const sha256Of = (text: string): string => createHash('sha256').update(text).digest('hex');
