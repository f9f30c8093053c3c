// Inner values as a scenario file has them, so that what reads them gets the same number again: `24 h`, `2 GB`, `100 Mbit/s`.

import { parseQuantity, type Quantity } from '../../common/units.ts';

const units: Readonly<Record<Quantity, readonly (readonly [unit: string, factor: number])[]>> = {
  bytes: [
    ['TB', 1e12],
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
    ['B', 1],
  ],
  duration: [
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
    ['ms', 1],
  ],
  rate: [
    ['Gbit/s', 1e9 / 8000],
    ['Mbit/s', 1e6 / 8000],
    ['kbit/s', 1e3 / 8000],
    ['bit/s', 1 / 8000],
  ],
};

/** In the largest unit that says it exactly in six digits; else in the smallest. */
export function quantityText(value: number, quantity: Quantity): string {
  for (const [unit, factor] of units[quantity]) {
    const number = Number((value / factor).toPrecision(6));
    const text = `${number} ${unit}`;
    if (number >= 1 && parseQuantity(text, quantity) === value) return text;
  }
  const [unit, factor] = units[quantity].at(-1) as readonly [string, number];
  return `${value / factor} ${unit}`;
}
