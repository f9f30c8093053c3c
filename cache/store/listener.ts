// Who is told what becomes of what is stored.

import type { Extent, Generation } from './generation.ts';

/** Told what workers and waiting requests must hear of. */
export interface StoreListener {
  /** An extent gets a file. */
  created(generation: Generation, extent: Extent): void;
  /** An extent goes: nobody may serve from it any more. */
  evicted(generation: Generation, extent: Extent): void;
  /** Bytes that were there since another boot turned out right. */
  proven(generation: Generation, start: number, end: number): void;
  /** … or wrong: they are missing. */
  disproved(generation: Generation): void;
  /** A generation was not used for long: nothing but the store remembers it. */
  cooled(generation: Generation): void;
}
