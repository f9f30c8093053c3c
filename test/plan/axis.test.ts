// What --vary says: ranges and lists, their values as texts that the file could have, and what is said of a wrong one.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OperatorError } from '../../common/errors.ts';
import { parseQuantity } from '../../common/units.ts';
import { parseAxis } from '../../simulator/plan/axis.ts';

/** Set ORACLE_RUNS for a longer search. */
const numRuns = Number(process.env['ORACLE_RUNS'] ?? 300);
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};

const textsOf = (text: string): readonly string[] => parseAxis(text).values.map((value) => value.text);

function errorOf(text: string): string {
  try {
    parseAxis(text);
  } catch (error) {
    if (error instanceof OperatorError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
}

describe('an axis', () => {
  it.each([
    { says: 'a=1..5:5', values: ['1', '2', '3', '4', '5'] },
    { says: 'a=5..1:3', values: ['5', '3', '1'] },
    { says: 'a=0..1:5', values: ['0', '0.25', '0.5', '0.75', '1'] },
    { says: 'a=-1..1:3', values: ['-1', '0', '1'] },
    { says: 'a=100..1000:4', values: ['100', '400', '700', '1000'] },
    { says: 'a=1..1000:3', values: ['1', '501', '1000'] },
    { says: 'a=1..1000:4:log', values: ['1', '10', '100', '1000'] },
    { says: 'a=100..10000:4:log', values: ['100', '464', '2154', '10000'] },
    { says: 'a=0.5..1.5:3', values: ['0.5', '1', '1.5'] },
    {
      says: 'a=10 Gbit/s..40 Gbit/s:7',
      values: ['10 Gbit/s', '15 Gbit/s', '20 Gbit/s', '25 Gbit/s', '30 Gbit/s', '35 Gbit/s', '40 Gbit/s'],
    },
    { says: 'a=10Gbit/s..20 Gbit/s:3', values: ['10Gbit/s', '15 Gbit/s', '20 Gbit/s'] },
    { says: 'a=10 Mbit/s..10 Gbit/s:4:log', values: ['10 Mbit/s', '100 Mbit/s', '1 Gbit/s', '10 Gbit/s'] },
    { says: 'a=10 s .. 2 min : 3', values: ['10 s', '1.08333 min', '2 min'] },
    { says: 'a=1 GiB..2 GiB:2', values: ['1 GiB', '2 GiB'] },
    { says: 'a=0 s..1 s:3', values: ['0 s', '0.5 s', '1 s'] },
    { says: 'a=x,y', values: ['x', 'y'] },
    { says: 'a= true , false ', values: ['true', 'false'] },
    { says: 'a="b,c",\'d\'', values: ['"b,c"', "'d'"] },
    { says: 'a=[1, 2],[3],[]', values: ['[1, 2]', '[3]', '[]'] },
    { says: 'a={ over: 5 min },{ at: 1 s, over: 2 s }', values: ['{ over: 5 min }', '{ at: 1 s, over: 2 s }'] },
    { says: 'a=../one.log,../two.log', values: ['../one.log', '../two.log'] },
    { says: 'a=8:30,9:30', values: ['8:30', '9:30'] },
  ])('$says', ({ says, values }) => expect(textsOf(says)).toEqual(values));

  it.each([
    { says: 'a=1,2', unit: 'number', isLog: false, second: 2 },
    { says: 'a=1 Gbit/s,500 Mbit/s', unit: 'bitsPerSecond', isLog: false, second: 5e8 },
    { says: 'a=1 s..10 s:2:log', unit: 'ms', isLog: true, second: 10_000 },
    { says: 'a=1 MB,1 MiB', unit: 'bytes', isLog: false, second: 2 ** 20 },
    { says: 'a=1 s,2 MB', unit: undefined, isLog: false, second: undefined },
    { says: 'a=1,two', unit: undefined, isLog: false, second: undefined },
  ])('$says has numbers in $unit', ({ says, unit, isLog, second }) => {
    const axis = parseAxis(says);
    expect({ unit: axis.unit, isLog: axis.isLog, second: axis.values[1]?.value }).toEqual({ unit, isLog, second });
  });

  it.each([
    ['a', 'no "="'],
    ['=1,2', 'found "=1,2"'],
    ['a=', 'found "a="'],
    ['a b=1,2', 'found "a b=1,2"'],
    ['a=1', 'expected two values at least (PATH=a..b:n, PATH=a..b:n:log or PATH=v1,v2,…); found one'],
    ['a=1..2', 'how many values after the range, as in 10..40:7'],
    ['a=1..2:x', 'how many values after the range'],
    ['a=1..2:1', 'expected two values at least; found 1'],
    ['a=1..2:0', 'expected two values at least; found 0'],
    ['a=1..2:10001', 'expected at most 10000 values; found 10001'],
    ['a=1..1:3', 'expected ends that differ; found 1 twice'],
    ['a=1..2 s:3', 'two values of one kind with their units (10 Mbit/s..40 Gbit/s:7); found "1" and "2 s"'],
    ['a=1 s..2 MB:3', 'two values of one kind'],
    ['a=0..10:3:log', 'expected ends above zero, for only they have a ratio (:log); found 0'],
    ['a=1,2,1', 'expected values that differ; found 1 twice'],
    ['a=1,,2', 'found "1,,2"'],
    ['a=1,[2', 'found "1,[2"'],
    ['a=1],[2', 'found "1],[2"'],
  ])('%s is refused', (says, why) => {
    expect(errorOf(says)).toContain(`BAD_AXIS --vary ${says}: expected`);
    expect(errorOf(says)).toContain(why);
  });

  const number = fc.integer({ min: 1, max: 1_000_000 });
  const unit = fc.constantFrom('', ' kbit/s', ' Mbit/s', ' Gbit/s', ' ms', ' min', ' MB', ' GiB');

  it('of a range has as many values as asked for, from one end to the other, in order, evenly spread', () => {
    fc.assert(
      fc.property(number, number, unit, fc.integer({ min: 2, max: 40 }), fc.boolean(), (a, b, word, count, isLog) => {
        fc.pre(Math.abs(a - b) >= count);
        const says = `x.0.y=${a}${word}..${b}${word}:${count}${isLog ? ':log' : ''}`;
        const found = errorOf(says);
        // By ratio, values that are near each other may be one.
        if (isLog && found.includes('twice')) return;
        const { values } = parseAxis(says);
        expect(values).toHaveLength(count);
        expect([values[0]?.text, values.at(-1)?.text]).toEqual([`${a}${word}`, `${b}${word}`]);
        const numbers = values.map(({ value }) => value ?? Number.NaN);
        const isUp = a < b;
        for (const [index, value] of numbers.entries()) {
          const share = index / (count - 1);
          const [low = 0, high = 0] = [numbers[0], numbers.at(-1)];
          const exact = isLog ? low * (high / low) ** share : low + (high - low) * share;
          expect(Math.abs(value - exact)).toBeLessThanOrEqual(
            Math.max(word === '' || /B/.test(word) ? 0.51 : 0, exact * 6e-4),
          );
          const before = numbers[index - 1];
          if (before !== undefined) expect(isUp ? value > before : value < before).toBe(true);
        }
        expect(values.map(({ sets }) => sets)).toEqual(values.map(({ text }) => [`x.0.y=${text}`]));
      }),
      { numRuns, ...seed },
    );
  });

  it('of a list has what stands between its commas', () => {
    const word = fc.stringMatching(/^[a-z][a-z0-9 ]{0,8}[a-z0-9]$/);
    fc.assert(
      fc.property(fc.uniqueArray(word, { minLength: 2, maxLength: 12 }), (words) => {
        expect(textsOf(`p=${words.join(',')}`)).toEqual(words);
        expect(textsOf(`p=${words.join(' , ')}`)).toEqual(words);
      }),
      { numRuns, ...seed },
    );
  });

  it('of any text is an axis or an operator error, and every value reads as it was shown', () => {
    const part = fc.constantFrom(
      '1',
      '10 Gbit/s',
      '..',
      ':',
      ',',
      'log',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      ' ',
      '-',
      'a',
      '#',
      '&',
      '*',
      '0',
      'e9',
      '!',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 10 }), (parts) => {
        const says = `p=${parts.join('')}`;
        if (errorOf(says) !== 'no error') return;
        const { values, unit: kind } = parseAxis(says);
        expect(values.length).toBeGreaterThan(1);
        expect(new Set(values.map(({ text }) => text)).size).toBe(values.length);
        for (const { text, value } of values) {
          expect(text.trim()).toBe(text);
          if (kind === 'bitsPerSecond') expect((parseQuantity(text, 'rate') ?? 0) * 8000).toBe(value);
          if (kind === 'number') expect(Number(text)).toBe(value);
        }
      }),
      { numRuns: numRuns * 3, ...seed },
    );
  });
});
