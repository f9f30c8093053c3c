import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bitsPerSecond,
  formatBitsPerSecond,
  formatBytes,
  formatCount,
  formatDuration,
  parseQuantity,
  type Quantity,
  quantityExamples,
  rateFromBitsPerSecond,
} from '../../common/units.ts';

describe('a quantity with its unit', () => {
  it.each([
    // text, quantity, inner value
    ['2 GB', 'bytes', 2e9],
    ['2GB', 'bytes', 2e9],
    [' 1.5  MiB ', 'bytes', 1_572_864],
    ['1 B', 'bytes', 1],
    ['1 kB', 'bytes', 1000],
    ['969_710 B', 'bytes', 969_710],
    ['1e3 MB', 'bytes', 1e9],
    ['0.1 B', 'bytes', 0],
    ['20 ms', 'duration', 20],
    ['1.5 min', 'duration', 90_000],
    ['24 h', 'duration', 86_400_000],
    ['30 d', 'duration', 2_592_000_000],
    ['-5 s', 'duration', -5000],
    ['6.5 Gbit/s', 'rate', 812_500],
    ['8 kbit/s', 'rate', 1],
    ['2 MB/s', 'rate', 2000],
    ['1 MiB/s', 'rate', 1048.576],
  ] as const)('%j as %s is %d inside', (text, quantity, value) => {
    expect(parseQuantity(text, quantity)).toBeCloseTo(value, 9);
  });

  it.each([
    ['a bare number', '5', 'bytes'],
    ['no number', 'GB', 'bytes'],
    ['an unknown unit', '5 GBs', 'bytes'],
    ['a unit in the wrong case', '5 gb', 'bytes'],
    ['bits where bytes are meant', '5 Gbit', 'bytes'],
    ['a rate where a size is meant', '5 GB/s', 'bytes'],
    ['a size where a rate is meant', '5 GB', 'rate'],
    ['a duration where a rate is meant', '5 s', 'rate'],
    ['a rate of durations', '5 s/s', 'rate'],
    ['bps', '5 Gbps', 'rate'],
    ['a comma', '5,5 GB', 'bytes'],
    ['two values', '5 min 3 s', 'duration'],
    ['an infinite number', '1e400 s', 'duration'],
    ['a number that its unit makes infinite', '1e308 h', 'duration'],
    ['what every object inherits', '5 constructor', 'bytes'],
    ['what every object inherits, a second', '5 toString/s', 'rate'],
    ['nothing', '', 'duration'],
  ] as const)('is refused with %s', (_what, text, quantity) => {
    expect(parseQuantity(text, quantity)).toBeUndefined();
  });

  it('is undefined or a finite number, whatever the text', () => {
    const unit = fc.oneof(
      fc.string(),
      fc.constantFrom('B', 'GB', 'ms', 'Gbit/s', 'valueOf', '__proto__', 'hasOwnProperty/s'),
    );
    const quantity = fc.constantFrom<Quantity>('bytes', 'duration', 'rate');
    fc.assert(
      fc.property(fc.double(), unit, quantity, (number, text, of) => {
        const value = parseQuantity(`${number} ${text}`, of);
        expect(value === undefined || Number.isFinite(value)).toBe(true);
      }),
    );
  });

  it('has examples that can be read', () => {
    for (const quantity of ['bytes', 'duration', 'rate'] as const) {
      const examples = quantityExamples[quantity].split('such as ')[1]?.split(/, | or /) ?? [];
      expect(examples.length).toBeGreaterThan(2);
      for (const example of examples) expect(parseQuantity(example, quantity), example).toBeGreaterThan(0);
    }
  });
});

it('rates go to bits per second and back', () => {
  expect(bitsPerSecond(812_500)).toBe(6.5e9);
  expect(rateFromBitsPerSecond(6.5e9)).toBe(812_500);
});

describe('a formatted value', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [999.7, '1.00 kB'],
    [1000, '1.00 kB'],
    [2_000_000_000, '2.00 GB'],
    [70e12, '70.0 TB'],
    [9_999_000, '10.0 MB'],
    [5e18, '5000 PB'],
    [-1500, '-1.50 kB'],
  ])('of %d bytes is %s', (value, text) => {
    expect(formatBytes(value)).toBe(text);
  });

  it.each([
    [0, '0 bit/s'],
    [6.5e9, '6.50 Gbit/s'],
    [123_456, '123 kbit/s'],
  ])('of %d bits per second is %s', (value, text) => {
    expect(formatBitsPerSecond(value)).toBe(text);
  });

  it.each([
    [0, '0 ms'],
    [0.0123, '0.012 ms'],
    [12.34, '12.3 ms'],
    [999.9, '1.00 s'],
    [4560, '4.56 s'],
    [119_000, '119 s'],
    [450_000, '7 min 30 s'],
    [7_199_999, '2 h 0 min'],
    [86_154_000, '23 h 56 min'],
    [-450_000, '-7 min 30 s'],
  ])('of %d ms is %s', (value, text) => {
    expect(formatDuration(value)).toBe(text);
  });

  it('of a count groups its digits', () => {
    expect(formatCount(66_800_000)).toBe('66,800,000');
  });
});
