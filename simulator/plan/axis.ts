// What `--vary` says, as the values of an axis:
//
//     nodes.0.egress=10 Gbit/s..40 Gbit/s:7        evenly from one end to the other, both among them
//     fleet.0.devices=100..100000:7:log            evenly by their ratio
//     nodes.0.profile=vm,vm-sr-iov                 a list of anything that the file could say there
//
// Values are texts, put into the file as `--set` does: what is run is what is shown.

import { isSeq, parseDocument } from 'yaml';
import { OperatorError } from '../../common/errors.ts';
import { parseQuantity } from '../../common/units.ts';
import type { SaturationUnit } from '../result/saturation.ts';
import type { AxisValue, SweepAxis } from '../result/sweep.ts';
import { quantityKinds } from './variable.ts';

/** Of one axis. */
export const valuesMax = 10_000;

/** Digits of a value between two ends. Even steps need more of them to look even than steps by ratio. */
const digits = { even: 6, log: 4 } as const;

const forms = 'PATH=a..b:n, PATH=a..b:n:log or PATH=v1,v2,…';

/** `setsOf`: what a name stands for, as --set takes it. Throws an OperatorError that says what is wrong. */
export function parseAxis(text: string, setsOf = (name: string, value: string) => [`${name}=${value}`]): SweepAxis {
  const equals = text.indexOf('=');
  const name = text.slice(0, Math.max(0, equals)).trim();
  const written = text.slice(equals + 1).trim();
  if (equals < 0 || !/^[^.\s]+(\.[^.\s]+)*$/.test(name) || written === '') {
    throw badAxis(text, `${forms}, such as fleet.0.devices=1000..5000:5`, equals < 0 ? 'no "="' : JSON.stringify(text));
  }
  const range = /^([-+]?[0-9][^,[{"']*?)\s*\.\.\s*(.*)$/s.exec(written);
  const isLog = range !== null && /:\s*log\s*$/.test(written);
  const raw = range === null ? listOf(text, written) : rangeOf(text, range[1] ?? '', range[2] ?? '', isLog);
  const repeated = raw.find((value, index) => raw.indexOf(value) !== index);
  if (repeated !== undefined) {
    const why = range === null ? '' : ': fewer of them are apart enough to be told from each other';
    throw badAxis(text, 'values that differ', `${repeated} twice${why}`);
  }
  if (raw.length < 2) {
    throw badAxis(text, `two values at least (${forms})`, 'one; a single value is what --set is for');
  }
  const measured = measure(raw);
  const values = raw.map((value, index): AxisValue => {
    const number = measured?.values[index];
    return { text: value, ...(number === undefined ? {} : { value: number }), sets: setsOf(name, value) };
  });
  return { name, ...(measured === undefined ? {} : { unit: measured.unit }), isLog, values };
}

function badAxis(text: string, expected: string, found: string): OperatorError {
  return new OperatorError('BAD_AXIS', `--vary ${text}: expected ${expected}; found ${found}.`);
}

/** The parts between commas as they are written; brackets and quotes hold together. */
function listOf(text: string, written: string): string[] {
  const source = `[${written}]`;
  const { contents, errors } = parseDocument(source, { logLevel: 'silent' });
  const wrong = () => badAxis(text, 'values as the file has them, with commas between them', JSON.stringify(written));
  if (errors.length > 0 || !isSeq(contents)) throw wrong();
  const [start = 0, end = 0] = contents.range ?? [];
  if (start !== 0 || end !== source.length) throw wrong(); // a bracket of its own ends the list before
  return contents.items.map((item) => {
    const range = (item as { readonly range?: readonly number[] | null }).range;
    const value = range?.[0] === undefined ? '' : source.slice(range[0], range[1]).trim();
    if (value === '') throw badAxis(text, 'a value between any two commas', JSON.stringify(written));
    return value;
  });
}

function rangeOf(text: string, from: string, rest: string, isLog: boolean): string[] {
  const match = /^(.*?)\s*:\s*(\d+)\s*(:\s*log)?$/s.exec(rest);
  const to = match?.[1] ?? '';
  if (match === null) {
    throw badAxis(text, 'how many values after the range, as in 10..40:7 or 10..40:7:log', JSON.stringify(rest));
  }
  const count = Number(match[2]);
  if (count < 2) throw badAxis(text, 'two values at least', `${count}; a single value is what --set is for`);
  if (count > valuesMax) throw badAxis(text, `at most ${valuesMax} values`, String(count));
  const ends = measure([from, to]);
  if (ends === undefined) {
    const expected = 'two numbers, or two values of one kind with their units (10 Mbit/s..40 Gbit/s:7)';
    throw badAxis(text, expected, `${JSON.stringify(from)} and ${JSON.stringify(to)}`);
  }
  const [low = 0, high = 0] = ends.values;
  if (low === high) throw badAxis(text, 'ends that differ', `${from} twice`);
  if (isLog && !(low > 0 && high > 0)) {
    throw badAxis(text, 'ends above zero, for only they have a ratio (:log)', low > 0 ? to : from);
  }
  const isWhole = ends.unit === 'number' && [low, high].every(Number.isInteger) && Math.abs(high - low) >= count - 1;
  return Array.from({ length: count }, (_, index) => {
    if (index === 0) return from.trim();
    if (index === count - 1) return to;
    const share = index / (count - 1);
    const value = isLog ? low * (high / low) ** share : low + (high - low) * share;
    const rounded = Number(value.toPrecision(isLog ? digits.log : digits.even));
    return ends.unit === 'number' ? String(isWhole ? Math.round(value) : rounded) : quantityText(rounded, from, to);
  });
}

/** In the larger unit of the two ends, as long as that makes a number of one or more. */
function quantityText(value: number, from: string, to: string): string {
  const words = [unitOf(from), unitOf(to)].sort((a, b) => sizeOf(b) - sizeOf(a));
  const word = words.find((each) => Math.abs(value) >= sizeOf(each)) ?? words.at(-1) ?? '';
  return `${Number((value / sizeOf(word)).toPrecision(digits.even))} ${word}`;
}

const unitOf = (text: string): string => /[A-Za-z][A-Za-z/]*\s*$/.exec(text)?.[0].trim() ?? '';

/** Of a unit, in the unit of axes; by a large number of it, for bytes are whole. */
const sizeOf = (unit: string): number => (measure([`1000000 ${unit}`])?.values[0] ?? Number.NaN) / 1e6;

/** Numbers, where all texts are numbers or quantities of one kind; undefined where they are not. */
function measure(
  texts: readonly string[],
): { readonly unit: SaturationUnit; readonly values: readonly number[] } | undefined {
  const numbers = texts.map((text) => (/^[-+]?\d[\d.]*(e[-+]?\d+)?$/i.test(text) ? Number(text) : Number.NaN));
  if (numbers.every(Number.isFinite)) return { unit: 'number', values: numbers };
  for (const [quantity, unit, perInner] of quantityKinds) {
    const values = texts.map((text) => (parseQuantity(text, quantity) ?? Number.NaN) * perInner);
    if (values.every(Number.isFinite)) return { unit, values };
  }
  return undefined;
}
