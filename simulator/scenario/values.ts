// The small values of a scenario file: quantities with units, ids, texts, whole numbers. Each says what it expects in
// one phrase ("a rate above zero, such as …"), which is its zod message; `problem.ts` adds what was found, and where.

import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { parseQuantity, type Quantity, quantityExamples } from '../../common/units.ts';

/** What a name of a node, content or fleet group looks like: it becomes part of metric names and paths. */
export const idPattern = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/** Extra words for an error, passed as a zod issue's `params`: what to write instead. */
export type ProblemParams = { readonly didYouMean?: string | undefined; readonly found?: string | undefined };

/** How close a quantity may come to nothing. */
export type Floor = 'zeroOrMore' | 'aboveZero';

const phrases: Readonly<Record<Quantity, Readonly<Record<Floor, string>>>> = {
  bytes: {
    zeroOrMore: quantityExamples.bytes,
    aboveZero: quantityExamples.bytes.replace('a size', 'a size above zero'),
  },
  duration: {
    zeroOrMore: quantityExamples.duration,
    aboveZero: quantityExamples.duration.replace('a duration', 'a duration above zero'),
  },
  rate: {
    zeroOrMore: quantityExamples.rate,
    aboveZero: quantityExamples.rate.replace('a rate', 'a rate above zero'),
  },
};

/** For editors that read the JSON Schema; the real reader is `parseQuantity`. */
const jsonPatterns: Readonly<Record<Quantity, string>> = {
  bytes: '^\\s*[0-9][0-9_]*(\\.[0-9]+)?([eE][+-]?[0-9]+)?\\s*([kKMGTP]?B|[KMGT]iB)\\s*$',
  duration: '^\\s*[0-9][0-9_]*(\\.[0-9]+)?([eE][+-]?[0-9]+)?\\s*(ms|s|min|h|d)\\s*$',
  rate: '^\\s*[0-9][0-9_]*(\\.[0-9]+)?([eE][+-]?[0-9]+)?\\s*([kKMGT]?bit|[kKMGTP]?B|[KMGT]iB)/s\\s*$',
};

/** A quantity with its unit; gives bytes, ms or bytes/ms. A bare number is an error that says what to write. */
export function quantity(kind: Quantity, floor: Floor) {
  return z
    .string({ error: phrases[kind][floor] })
    .meta({ pattern: jsonPatterns[kind] })
    .transform((written, context) => readQuantity(written, kind, floor, context));
}

/** A quantity as above, or one word instead. */
export function quantityOr<const Word extends string>(word: Word, kind: Quantity, floor: Floor) {
  const expected = `${phrases[kind][floor]}, or ${word}`;
  return z
    .string({ error: expected })
    .meta({ pattern: `^${word}$|${jsonPatterns[kind]}` })
    .transform((written, context) => (written === word ? word : readQuantity(written, kind, floor, context, expected)));
}

function readQuantity(
  written: string,
  kind: Quantity,
  floor: Floor,
  context: z.core.$RefinementCtx,
  expected: string = phrases[kind][floor],
): number {
  const value = parseQuantity(written, kind);
  const isTooSmall = value !== undefined && (value < 0 || (value === 0 && floor === 'aboveZero'));
  if (value !== undefined && !isTooSmall && value <= Number.MAX_SAFE_INTEGER) return value;
  const params: ProblemParams = { didYouMean: value === undefined ? nearestQuantity(written, kind) : undefined };
  context.addIssue({ code: 'custom', message: expected, params });
  return z.NEVER;
}

const usualUnits: Readonly<Record<Quantity, readonly string[]>> = {
  bytes: ['B', 'kB', 'MB', 'GB', 'TB', 'KiB', 'MiB', 'GiB', 'TiB'],
  duration: ['ms', 's', 'min', 'h', 'd'],
  rate: ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'MB/s', 'GB/s'],
};

/** Other names that people write for units. */
const unitAliases: Readonly<Record<string, string>> = {
  bps: 'bit/s',
  kbps: 'kbit/s',
  mbps: 'Mbit/s',
  gbps: 'Gbit/s',
  minute: 'min',
  minutes: 'min',
  m: 'min',
  sec: 's',
  seconds: 's',
  hours: 'h',
  hour: 'h',
  days: 'd',
  day: 'd',
};

/** The same number with the unit that was probably meant: `6.5 Gbps` → `6.5 Gbit/s`, `2 gb` → `2 GB`. */
function nearestQuantity(text: string, kind: Quantity): string | undefined {
  const match = /^\s*([0-9][0-9_.]*)\s*([A-Za-z/]+)\s*$/.exec(text);
  const number = match?.[1];
  const unit = match?.[2]?.toLowerCase();
  if (number === undefined || unit === undefined) return undefined;
  const named = unitAliases[unit] ?? '';
  const meant = usualUnits[kind].includes(named) ? named : nearest(unit, usualUnits[kind], 1);
  const suggestion = meant === undefined ? undefined : `${number} ${meant}`;
  return suggestion !== undefined && parseQuantity(suggestion, kind) !== undefined ? suggestion : undefined;
}

/** The name that is nearest to a wrong one, letter case aside; `undefined` when none is near enough to be meant. */
export function nearest(
  wrong: string,
  names: readonly string[],
  distanceMax = Math.max(2, Math.floor(wrong.length / 3)),
): string | undefined {
  let best: string | undefined;
  let bestDistance = distanceMax + 1;
  for (const name of names) {
    const nameDistance = distance(wrong.toLowerCase(), name.toLowerCase());
    if (nameDistance < bestDistance) {
      best = name;
      bestDistance = nameDistance;
    }
  }
  return best;
}

/** A text that is not empty, or one of a form; `expected` is the phrase for what it should be. */
export function text(expected: string, pattern = /\S/) {
  return z.string({ error: expected }).regex(pattern, { error: expected });
}

/** A time of day, `08:30`; gives ms since midnight. */
export const timeOfDay = text('a time of day such as 08:30', /^([01][0-9]|2[0-3]):[0-5][0-9]$/).transform(
  (written) => (Number(written.slice(0, 2)) * 60 + Number(written.slice(3))) * 60_000,
);

/** An id: its own, or a reference to another entry's. */
export function id(of: string) {
  return text(`${of} (letters, digits, "-" and "_", a letter or digit first)`, idPattern);
}

/** A whole number from `min` to `max`. */
export function whole(expected: string, min: number, max = Number.MAX_SAFE_INTEGER) {
  return z.int({ error: expected }).min(min, { error: expected }).max(max, { error: expected });
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words, { error: words.join(' or ') });
}

/** A list; `expected` says of what. */
export function list<Item extends z.ZodType>(expected: string, item: Item, countMin = 0) {
  const error = countMin === 0 ? `a list of ${expected}` : `a list of ${expected}, at least ${countMin}`;
  const items = z.array(item, { error });
  return countMin === 0 ? items : items.min(countMin, { error });
}

/** An object that refuses unknown keys. The message for those is the list of the keys that exist, for suggestions. */
export function keys<Shape extends z.core.$ZodLooseShape>(expected: string, shape: Shape) {
  const names = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? names : `${expected}, an object with the keys ${names}`),
  });
}
