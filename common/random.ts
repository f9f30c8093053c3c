// Seeded randomness. One stream per concern ("arrivals", "piece order" …), so that adding a concern shifts no other.

import seedrandom from 'seedrandom';

/** A stream of numbers in [0, 1), the same for the same seed and name. */
export type RandomStream = () => number;

/** The stream `name` of a run's `seed`. */
export function randomStream(seed: number, name: string): RandomStream {
  return seedrandom(`${seed}/${name}`);
}

/** 32-bit FNV-1a over the UTF-16 units of a text (Fowler, Noll, Vo; draft-eastlake-fnv). For identities, not security. */
export function hashText(text: string, basis = 0x811c9dc5): number {
  let hash = basis;
  for (let i = 0; i < text.length; i += 1) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return mix32(hash);
}

/** A bijection of 32-bit integers in which every input bit reaches every output bit (the finalizer of MurmurHash3). */
export function mix32(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
