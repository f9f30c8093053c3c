// What a class of flows is: devices of one population that move one object from one source, and how that touches nodes.

import type { Stock } from './stocks.ts';
import type { Population } from './topology.ts';

/**
 * `plain`: everything it asks for is at its source, or is missing at random. Of an object that is fetched from its
 * beginning on: `front`: at the frontier, as fast as it is fetched; `behind`: before it, not waiting for anything.
 */
export type Phase = 'plain' | 'front' | 'behind';

/** A node on the way of a class's bytes: what it sends and fetches for each byte that a device receives. */
export type Level = { readonly stock: Stock; readonly egress: number; readonly upstream: number };

export type FlowClass = {
  readonly population: Population;
  readonly populationIndex: number;
  /** Index into the group's `wants`, and of the object in the scenario. */
  readonly want: number;
  readonly object: number;
  readonly sizeBytes: number;
  /** Of a request: a piece, or less for small files; all for clients that ask for the rest of the file at once. */
  readonly rangeBytes: number;
  readonly isWhole: boolean;
  readonly connections: number;
  /** The cache host by its place in the group's list; -1: the CDN. */
  readonly source: number;
  readonly phase: Phase;
  /** At the node that it fetches from; undefined: the CDN. */
  readonly stock: Stock | undefined;
  /** What a device's downloads share; -1 when it has one at a time, whose cap says it. */
  readonly deviceResource: number;
  /** From the node to the CDN, and what the CDN sends for a byte. */
  levels: readonly Level[];
  cdnCoefficient: number;
  /** Share of its requests that wait for a fetch. */
  missRatio: number;
  /** Below this rate (or at none) its client loses patience; and since when it has been. */
  readonly patienceBytesPerMs: number;
  slowSinceMs: number;
  /** Live window: bytes that were due and have not moved, over all its devices; and whether it hurries because of that. */
  backlogBytes: number;
  isHurrying: boolean;
};
