// The one file that converts what users write. Inside there is one unit system: ms, bytes, bytes/ms.
// GB is 10^9 bytes, GiB 2^30; bit/s are decimal, as network people write them.

const bytesPerUnit: ReadonlyMap<string, number> = unitTable({
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  PB: 1e15,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
});

const msPerUnit: ReadonlyMap<string, number> = unitTable({
  ms: 1,
  s: 1e3,
  min: 60e3,
  h: 3600e3,
  d: 86_400e3,
});

const bitsPerUnit: ReadonlyMap<string, number> = unitTable({
  bit: 1,
  kbit: 1e3,
  Kbit: 1e3,
  Mbit: 1e6,
  Gbit: 1e9,
  Tbit: 1e12,
});

/** A map, not an object: `5 constructor` must not find what every object inherits. */
function unitTable(factors: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  return new Map(Object.entries(factors));
}

/** What kind of quantity a value is. `rate` is bytes/ms inside, and bits or bytes per second outside. */
export type Quantity = 'bytes' | 'duration' | 'rate';

const quantityPattern = /^\s*(-?[0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*([A-Za-z]+(?:\/s)?)\s*$/;

/** How each quantity is written, for error messages and help texts. */
export const quantityExamples: Readonly<Record<Quantity, string>> = {
  bytes: 'a size with a unit, such as 2 GB, 500 MB or 1 MiB',
  duration: 'a duration with a unit, such as 20 ms, 60 s, 5 min, 24 h or 30 d',
  rate: 'a rate with a unit, such as 6.5 Gbit/s, 100 Mbit/s or 2 MB/s',
};

/**
 * Reads a number with its unit into the inner unit (bytes, ms, bytes/ms).
 * Returns undefined when the text is not of that form, has no unit or a unit of another quantity.
 */
export function parseQuantity(text: string, quantity: Quantity): number | undefined {
  const match = quantityPattern.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const number = Number(match[1].replaceAll('_', ''));
  const unit = match[2];
  const factor = unitFactor(unit, quantity);
  if (factor === undefined) return undefined;
  const value = number * factor;
  if (!Number.isFinite(value)) return undefined;
  return quantity === 'bytes' ? Math.round(value) : value;
}

function unitFactor(unit: string, quantity: Quantity): number | undefined {
  if (quantity === 'bytes') return bytesPerUnit.get(unit);
  if (quantity === 'duration') return msPerUnit.get(unit);
  if (!unit.endsWith('/s')) return undefined;
  const perSecond = unit.slice(0, -2);
  const bits = bitsPerUnit.get(perSecond);
  const bytes = bits === undefined ? bytesPerUnit.get(perSecond) : bits / 8;
  return bytes === undefined ? undefined : bytes / 1000;
}

/** `bytes/ms` as bits per second. */
export const bitsPerSecond = (rateBytesPerMs: number): number => rateBytesPerMs * 8000;

/** Bits per second as `bytes/ms`. */
export const rateFromBitsPerSecond = (value: number): number => value / 8000;

/** `2_000_000_000` → `2.00 GB`; whole bytes below 1 kB. */
export function formatBytes(value: number): string {
  return scaled(value, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
}

/** Bits per second → `6.50 Gbit/s`. */
export function formatBitsPerSecond(value: number): string {
  return scaled(value, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s']);
}

/** Milliseconds → `12.3 ms`, `4.56 s`, `7 min 30 s`, `23 h 56 min`. */
export function formatDuration(ms: number): string {
  const magnitude = Math.abs(ms);
  if (magnitude < 999.5) return `${significant(ms)} ms`;
  if (magnitude < 120e3) return `${significant(ms / 1000)} s`;
  const sign = ms < 0 ? '-' : '';
  const seconds = Math.round(magnitude / 1000);
  if (seconds < 7200) return `${sign}${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${sign}${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `66800000` → `66,800,000`. */
export function formatCount(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 3 });
}

function scaled(value: number, units: readonly string[]): string {
  let index = 0;
  let rest = value;
  while (Math.abs(rest) >= 999.5 && index < units.length - 1) {
    rest /= 1000;
    index += 1;
  }
  return `${index === 0 ? Math.round(rest) : significant(rest)} ${units[index]}`;
}

function significant(value: number): string {
  if (value === 0) return '0';
  // The decade is that of the rounded value: 9.999 is shown as 10.0.
  const rounded = Math.abs(Number(value.toPrecision(3)));
  const digits = Math.max(0, 2 - Math.floor(Math.log10(rounded)));
  return value.toFixed(Math.min(digits, 3));
}
