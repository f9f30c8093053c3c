// What a search varies: a number of the scenario file, or several in proportion, with the unit that the file writes it in. A
// value reaches the run as `--set` does, so that it is checked as if it stood in the file, and one line repeats a step.

import { OperatorError } from '../../common/errors.ts';
import { formatCount, parseQuantity, type Quantity, quantityExamples } from '../../common/units.ts';
import type { SaturationUnit } from '../result/saturation.ts';
import type { LoadedScenario } from '../scenario/load.ts';
import { applyOverride } from '../scenario/override.ts';
import { readYaml } from '../scenario/yaml-text.ts';

/** Values are in `unit`. */
export type Variable = {
  /** `demand`, `devices`, or a path into the file. */
  readonly name: string;
  readonly paths: readonly string[];
  readonly unit: SaturationUnit;
  /** In the file; undefined where it has none. */
  readonly start: number | undefined;
  readonly isWhole: boolean;
  /** Rounds to what `text` can say. */
  readonly quantize: (value: number) => number;
  /** As the file would say it: `8.75 Gbit/s`. */
  readonly text: (value: number) => string;
  /** `path=value`, as --set takes them. */
  readonly sets: (value: number) => readonly string[];
  /** Reads what a command line says; throws an OperatorError that names the option. */
  readonly read: (text: string, option: string) => number;
};

/** Digits of a value with a unit: more than any resolution needs. */
const digits = 4;
const demandPath = 'live.demand';

/**
 * The variable of a name: `demand` (the rate of a live window), `devices` (of all groups, in proportion), or any path to a number
 * of the file. `example`: a value of the kind, for a path that the file does not have. Throws an OperatorError where there is no
 * such number.
 */
export function variableOf(name: string, loaded: LoadedScenario, example?: string): Variable {
  if (loaded.scenario.replay !== undefined && /^devices$|^fleet\.\d+\.devices$/.test(name)) {
    throw new OperatorError(
      'NOTHING_TO_VARY',
      `--vary ${name}: expected a number that ${loaded.path} gives, found that its devices are those of a log. Vary ` +
        'replay.speed, and say by --from where to start when the file does not.',
    );
  }
  if (name === 'devices') return devicesOf(loaded);
  const path = name === 'demand' ? demandPath : name;
  const found = valueAt(documentOf(loaded), path) ?? example;
  const variable = typeof found === 'number' ? numberOf(name, path, found) : quantityOf(name, path, found);
  if (variable !== undefined) return found === example ? { ...variable, start: undefined } : variable;
  throw new OperatorError(
    'NOTHING_TO_VARY',
    `--vary ${name}: expected the path of a number in ${loaded.path}, such as fleet.0.devices or live.demand; found ` +
      `${found === undefined ? 'nothing there' : JSON.stringify(found)}. Name another one, or say where to start by --from.`,
  );
}

/** Whether the file has a live window that asks for a rate. */
export function hasDemand({ scenario }: LoadedScenario): boolean {
  return typeof scenario.live?.demandBytesPerMs === 'number';
}

function devicesOf({ scenario: { fleet } }: LoadedScenario): Variable {
  const total = fleet.reduce((sum, { devices }) => sum + devices, 0);
  const upTo = fleet.map((_, index) => fleet.slice(0, index + 1).reduce((sum, { devices }) => sum + devices, 0));
  const paths = fleet.map((_, index) => `fleet.${index}.devices`);
  // Rounded where groups end, so that they add up; a group keeps one device at least.
  const sets = (value: number): string[] => {
    const ends = upTo.map((end) => Math.round((value * end) / total));
    return ends.map((end, index) => `${paths[index]}=${Math.max(1, end - (ends[index - 1] ?? 0))}`);
  };
  return { ...wholeOf('devices', paths, total), sets };
}

function numberOf(name: string, path: string, start: number): Variable | undefined {
  if (!(start > 0)) return undefined;
  if (Number.isInteger(start)) return wholeOf(name, [path], start);
  const quantize = (value: number): number => Number(value.toPrecision(digits));
  const text = (value: number): string => String(quantize(value));
  return {
    ...wholeOf(name, [path], start),
    unit: 'number',
    isWhole: false,
    quantize,
    text,
    sets: (value) => [`${path}=${text(value)}`],
    read: (written, option) => aboveZero(Number(written), written, option, 'a number above zero'),
  };
}

function wholeOf(name: string, paths: readonly string[], start: number): Variable {
  return {
    name,
    paths,
    unit: 'count',
    start,
    isWhole: true,
    quantize: Math.round,
    text: formatCount,
    sets: (value) => paths.map((path) => `${path}=${value}`),
    read: (written, option) => {
      const value = Number(written.replaceAll(/[_,]/g, ''));
      return aboveZero(Number.isInteger(value) ? value : Number.NaN, written, option, 'a whole number above zero');
    },
  };
}

/** Kinds of value that a unit tells, with what their inner unit is in the unit of results. */
export const quantityKinds: readonly (readonly [Quantity, SaturationUnit, number])[] = [
  ['rate', 'bitsPerSecond', 8000],
  ['duration', 'ms', 1],
  ['bytes', 'bytes', 1],
];

function quantityOf(name: string, path: string, written: unknown): Variable | undefined {
  if (typeof written !== 'string') return undefined;
  const number = Number(written.replaceAll('_', ''));
  if (number > 0) return numberOf(name, path, number); // of the command line: it has texts only
  const kind = quantityKinds.find(([quantity]) => (parseQuantity(written, quantity) ?? 0) > 0);
  if (kind === undefined) return undefined;
  const [quantity, unit, perInner] = kind;
  const word = /[A-Za-z][A-Za-z/]*\s*$/.exec(written)?.[0].trim() ?? '';
  const read = (text: string): number => (parseQuantity(text, quantity) ?? Number.NaN) * perInner;
  const text = (value: number): string => {
    // Bits per second by whatever prefix is short; everything else in the unit of the file.
    const own = word.endsWith('bit/s') ? shortUnit(value) : word;
    return `${Number((value / (read(`1000000 ${own}`) / 1e6)).toPrecision(digits))} ${own}`;
  };
  return {
    name,
    paths: [path],
    unit,
    start: read(written),
    isWhole: false,
    quantize: (value) => read(text(value)),
    text,
    sets: (value) => [`${path}=${text(value)}`],
    read: (given, option) => aboveZero(read(given), given, option, quantityExamples[quantity]),
  };
}

const bitUnits = ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'];

function shortUnit(bitsPerSecond: number): string {
  const place = Math.floor(Math.log10(bitsPerSecond) / 3);
  return bitUnits[Math.min(bitUnits.length - 1, Math.max(0, place))] as string;
}

function aboveZero(value: number, written: string, option: string, expected: string): number {
  if (value > 0 && Number.isFinite(value)) return value;
  throw new OperatorError('BAD_OPTION', `${option}: expected ${expected}, found "${written}".`);
}

/** The file with its overrides, which have been checked. */
function documentOf({ text, path, overrides }: LoadedScenario): unknown {
  const { document } = readYaml(text, path);
  for (const [key, value] of Object.entries(overrides)) applyOverride(document, `${key}=${value}`);
  return document;
}

function valueAt(document: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>((place, key) => {
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, key)) return undefined;
    return (place as Readonly<Record<string, unknown>>)[key];
  }, document);
}
