// A permutation of 0 … n-1 that is computed, not stored: each device's order of pieces costs one number.
//
// A Feistel network of eight rounds over the next even power of two, walked until it lands inside the range
// (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002: cycle walking).

import { assert } from '../../common/errors.ts';
import { mix32 } from '../../common/random.ts';

/** With four, the first piece of a file of five would be off by a sixth from evenly spread; with eight no bias is seen. */
const rounds = 8;

/** Where `index` goes in the permutation of 0 … `count` - 1 that `seed` names. `count` is at most 2^32. */
export function permute(index: number, count: number, seed: number): number {
  assert(index >= 0 && index < count, `index ${index} is one of ${count}`);
  if (count === 1) return 0;
  const halfBits = Math.ceil(Math.log2(count) / 2);
  const half = 2 ** halfBits;
  let value = index;
  do {
    let left = Math.floor(value / half);
    let right = value % half;
    for (let round = 0; round < rounds; round += 1) {
      const mixed = (left ^ mix32(right + Math.imul(seed + round, 0x9e3779b1))) & (half - 1);
      left = right;
      right = mixed;
    }
    value = left * half + right;
  } while (value >= count);
  return value;
}
