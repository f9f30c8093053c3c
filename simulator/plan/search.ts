// Which value to try next: a pure function of what was tried so far, so that a search can be tested, bounded and repeated.
//
//   start ──holds──▶ climb (× growth) ──fails──▶ bracket ──▶ bisect ──▶ confirm both ends ──▶ done
//     └────fails──▶ descend (÷ 4) ────holds──▶─┘    ▲                          │ an end changed sides
//                                                   └──────────────────────────┘
//
// One run decides on the way; the two ends of the last bracket are run again until a majority of `repeats` decides, since a run
// that something else disturbed fails by mistake, and a lucky one holds. A value whose runs are a draw is run again at once.

import { assert } from '../../common/errors.ts';

/** What became of a run. `inconclusive`: the generator was the limit; `impossible`: it could not be carried out. */
export type Outcome = 'holds' | 'fails' | 'inconclusive' | 'impossible';

/** One run at one value. */
export type Trial = { readonly value: number; readonly outcome: Outcome };

/** Where and how to search; values are above zero. */
export type SearchSpace = {
  readonly start: number;
  /** Lowest and highest value that may be tried; the highest may be Infinity. `start` is in between. */
  readonly floor: number;
  readonly ceiling: number;
  /** Factor from one value to the next on the way up; above 1. */
  readonly growth: number;
  /** A bracket is narrow enough when its ends differ by this share of the lower one; above 0. */
  readonly resolutionRatio: number;
  /** Runs of which a majority decides at the ends of the bracket; odd. */
  readonly repeats: number;
  /** Whether values are counts. */
  readonly isWhole: boolean;
  /** Rounds to a value that can be written down; never past a neighbour that it was not given. */
  readonly quantize: (value: number) => number;
};

/** Why a value is tried. */
export type Purpose = 'start' | 'climb' | 'descend' | 'bisect' | 'confirm';

export type Proposal =
  | { readonly kind: 'try'; readonly value: number; readonly purpose: Purpose }
  /** `bracketed`: `low` holds, `high` does not. `ceiling`: the highest value holds. `nothing`: not even the floor does. */
  | { readonly kind: 'done'; readonly how: 'bracketed' | 'ceiling' | 'nothing' };

/** The bracket so far: the highest value that holds, and the lowest above it that does not. */
export type Bracket = { readonly low: number | undefined; readonly high: number | undefined };

/** On the way down values are divided by this: it is a search for something that holds, not for the knee. */
const descent = 4;

/** The next value to try, or how the search ended. */
export function propose(space: SearchSpace, trials: readonly Trial[]): Proposal {
  const { start, floor, ceiling } = space;
  if (trials.length === 0) return attempt(start, 'start');
  const draw = [...new Set(trials.map(({ value }) => value))].find((value) => sideOf(trials, value) === 'draw');
  if (draw !== undefined) return attempt(draw, 'confirm');
  const { low, high } = bracketOf(trials);
  if (low === undefined) {
    assert(high !== undefined, 'what was tried holds or does not');
    if (high <= floor) return confirmed(space, trials, [high]) ?? { kind: 'done', how: 'nothing' };
    return attempt(Math.max(floor, below(space, high)), 'descend');
  }
  if (high === undefined) {
    if (low >= ceiling) return confirmed(space, trials, [low]) ?? { kind: 'done', how: 'ceiling' };
    return attempt(Math.min(ceiling, above(space, low)), 'climb');
  }
  const middle = middleOf(space, low, high);
  if (middle !== undefined) return attempt(middle, 'bisect');
  return confirmed(space, trials, [low, high]) ?? { kind: 'done', how: 'bracketed' };
}

/** The highest value that holds, and the lowest above it that does not. A draw is on neither side. */
export function bracketOf(trials: readonly Trial[]): Bracket {
  const on = (side: 'holds' | 'not'): number[] =>
    trials.flatMap(({ value }) => (sideOf(trials, value) === side ? [value] : []));
  const held = on('holds');
  const low = held.length === 0 ? undefined : Math.max(...held);
  const not = on('not').filter((value) => low === undefined || value > low);
  return { low, high: not.length === 0 ? undefined : Math.min(...not) };
}

/** What most runs at a value said; `not`: it failed, was inconclusive or impossible. */
export function sideOf(trials: readonly Trial[], value: number): 'holds' | 'not' | 'draw' {
  const here = trials.filter((trial) => trial.value === value);
  const held = here.filter(({ outcome }) => outcome === 'holds').length;
  if (2 * held === here.length) return 'draw';
  return 2 * held > here.length ? 'holds' : 'not';
}

/**
 * What stands for all runs at a value. Where it does not hold: `fails` only when more runs failed than were inconclusive or
 * impossible, so that a doubt about the generator never becomes the node's limit.
 */
export function outcomeOf(trials: readonly Trial[], value: number): Outcome {
  if (sideOf(trials, value) !== 'not') return 'holds';
  const count = (outcome: Outcome): number =>
    trials.filter((trial) => trial.value === value && trial.outcome === outcome).length;
  if (count('impossible') > 0) return 'impossible';
  return count('fails') > count('inconclusive') ? 'fails' : 'inconclusive';
}

/** Where what holds is no matter of more or less: the lowest value that failed, and the highest that held, above it. */
export function violation(trials: readonly Trial[]): { readonly failed: number; readonly held: number } | undefined {
  const { low } = bracketOf(trials);
  const failed = trials.flatMap(({ value }) => (sideOf(trials, value) === 'not' ? [value] : []));
  const lowest = Math.min(...failed);
  return low !== undefined && lowest < low ? { failed: lowest, held: low } : undefined;
}

/** About how many more runs the search takes, for a progress line; a climb may be longer. */
export function runsLeft(space: SearchSpace, trials: readonly Trial[]): number {
  const { low, high } = bracketOf(trials);
  const { growth, resolutionRatio, repeats } = space;
  const ratio = low === undefined || high === undefined ? growth : high / low;
  const bisections = Math.max(0, Math.ceil(Math.log2(Math.log(ratio) / Math.log1p(resolutionRatio))));
  const toBracket = (low === undefined ? 1 : 0) + (high === undefined ? 1 : 0);
  return toBracket + bisections + (repeats - 1);
}

/** Values beside those of the search that show the curve, from well below the knee to beyond it, evenly by their ratio. */
export function curveValues(space: SearchSpace, trials: readonly Trial[], count: number): readonly number[] {
  const { low, high } = bracketOf(trials);
  if (low === undefined || count === 0) return [];
  const { growth, floor, ceiling, resolutionRatio, quantize } = space;
  const isPast = high !== undefined && outcomeOf(trials, high) === 'fails';
  const least = Math.max(floor, low / growth ** 2);
  const most = isPast ? Math.min(ceiling, high * growth) : low;
  const points = Array.from({ length: count }, (_, i) =>
    quantize(count === 1 ? most : least * (most / least) ** (i / (count - 1))),
  );
  const known = trials.map(({ value }) => value);
  return points.filter((point, index) => {
    const isNear = (other: number): boolean => Math.abs(Math.log(point / other)) < Math.log1p(resolutionRatio) / 2;
    return !known.some(isNear) && !points.slice(0, index).some(isNear);
  });
}

const attempt = (value: number, purpose: Purpose): Proposal => ({ kind: 'try', value, purpose });

/** The first of these values on which no majority has decided yet; what is impossible needs no second look. */
function confirmed(
  { repeats }: SearchSpace,
  trials: readonly Trial[],
  values: readonly number[],
): Proposal | undefined {
  const open = values.find((value) => {
    const here = trials.filter((trial) => trial.value === value);
    const held = here.filter(({ outcome }) => outcome === 'holds').length;
    const isDecided = 2 * Math.max(held, here.length - held) > repeats;
    return !isDecided && !here.some(({ outcome }) => outcome === 'impossible');
  });
  return open === undefined ? undefined : attempt(open, 'confirm');
}

function above({ growth, quantize, isWhole }: SearchSpace, value: number): number {
  return Math.max(quantize(value * growth), isWhole ? value + 1 : 0);
}

function below({ quantize, isWhole }: SearchSpace, value: number): number {
  return Math.min(quantize(value / descent), isWhole ? value - 1 : value);
}

/** The middle of the bracket by ratio; undefined when it is narrow enough, or has no value in between. */
function middleOf({ resolutionRatio, quantize }: SearchSpace, low: number, high: number): number | undefined {
  if (high - low <= resolutionRatio * low) return undefined;
  const middle = quantize(Math.sqrt(low * high));
  return middle > low && middle < high ? middle : undefined;
}
