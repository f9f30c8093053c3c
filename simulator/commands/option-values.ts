// What options of several commands take: how each is read, and what is said of a wrong value.

import { InvalidArgumentError, Option } from 'commander';
import { type Address, parseAddress } from '../../common/address.ts';
import { parseQuantity, quantityExamples } from '../../common/units.ts';

/** How a command line changes its scenario. */
export type ScenarioOptions = { readonly seed?: string; readonly set: readonly string[] };

export const seedOption = (): Option => new Option('--seed <n>', 'another seed than the file has');

/** `--set`, or another one that may be repeated; `none`: what it is without, in words. */
export function setOption(
  what = 'changes a value of the file; may be repeated',
  flags = '--set <path=value>',
  none = 'none',
): Option {
  const gather = (text: string, all: readonly string[]): readonly string[] => [...all, text];
  return new Option(flags, what).argParser(gather).default([], none);
}

/** All that changes the scenario, as `path=value`. */
export function setsOf({ seed, set }: ScenarioOptions): readonly string[] {
  return seed === undefined ? set : [...set, `seed=${seed}`];
}

/** `expected`: such a number in words, with its bounds. */
export const wholeNumber =
  (expected: string, min: number, max: number) =>
  (text: string): number => {
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected ${expected}; found "${text}".`);
  };

/** A port of this machine alone (127.0.0.1), or `address:port`; undefined when it is neither. */
export const portOrAddress = (text: string): Address | undefined =>
  parseAddress(/^\d+$/.test(text) ? `127.0.0.1:${text}` : text);

/** In ms, 0 or more. */
export function duration(text: string): number {
  const value = parseQuantity(text, 'duration');
  if (value !== undefined && value >= 0) return value;
  throw new InvalidArgumentError(`Expected ${quantityExamples.duration}; found "${text}".`);
}

/** In ms. */
export function durationAboveZero(text: string): number {
  const value = duration(text);
  if (value > 0) return value;
  throw new InvalidArgumentError(`Expected a duration above zero; found "${text}".`);
}
