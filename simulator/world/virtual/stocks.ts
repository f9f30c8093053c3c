// What nodes hold of objects, as far as it matters for rates: how much of what a class asks for is missing, and how many of
// those requests cost a fetch (docs/model.md, "Cold content").
//
//   scattered    pieces in shuffled order (Windows): what is missing is anywhere
//   contiguous   one request from the beginning (Linux): what is there ends at a frontier
//
//   fetched bytes per byte delivered = miss ratio ÷ requests that wait for the same piece

import { pieceBytes } from '../../device/range-plan.ts';
import type { NodeMachine } from './machines.ts';

export type Stock = {
  readonly index: number;
  readonly node: NodeMachine;
  readonly nodeIndex: number;
  readonly object: number;
  readonly sizeBytes: number;
  /** Of the node that this one fetches from; undefined: the CDN. */
  readonly parent: Stock | undefined;
  readonly children: Stock[];
  /** Classes that fetch from this node. */
  readonly classes: number[];
  filledBytes: number;
  isComplete: boolean;
  /** Something of it was evicted: devices may have had what is not here any more. */
  isEvicted: boolean;
  isScattered: boolean;
  /** Contiguous, with a parent: whether it waits for what its parent fetches. */
  isAtParentsFrontier: boolean;
  lastUsedMs: number;
  /** When its coefficients are to be found anew; the timer of another time is out of date. */
  refreshAtMs: number;
  /** Flows of its classes, and their connections, when that was done last. */
  flowCount: number;
  /** Requests that wait for the same piece, of those that miss. */
  waitersPerFetch: number;
  /** Pieces that are being fetched, as its parent sees them. */
  fetchesUnderWay: number;
};

/** Coefficients are found anew when what is missing has changed by this share: the error of a step is about half of it. */
export const refreshRatio = 0.02;

export const missingBytes = (stock: Stock): number => Math.max(0, stock.sizeBytes - stock.filledBytes);

/**
 * Share of the bytes that a class asks for that are not in the stock, in scattered order. What a device has came from the
 * stock, so all that is missing is among what it has still to get (`leftBytes`, the mean of its class), unless it was evicted.
 */
export function missRatio(stock: Stock, leftBytes: number): number {
  if (stock.isComplete) return 0;
  // The last piece is fetched as one, however little of it is left.
  const missing = Math.max(missingBytes(stock), Math.min(pieceBytes, stock.sizeBytes));
  const among = stock.isEvicted ? stock.sizeBytes : Math.max(leftBytes, missing);
  return Math.min(1, missing / among);
}

/**
 * Requests that wait for one fetch. `blocked` requests fall on `missing ÷ piece` pieces; those of one device never on the
 * same one. Each that becomes free draws a missing piece at random: with U fetched at a time, U (1 + blocked ÷ pieces) = blocked
 * in equilibrium.
 */
export function waitersPerFetch(stock: Stock, blocked: number, deviceCount: number): number {
  const pieces = Math.max(1, missingBytes(stock) / Math.min(pieceBytes, stock.sizeBytes));
  const ofOthers = deviceCount <= 1 ? 0 : blocked * (1 - 1 / deviceCount);
  return 1 + ofOthers / pieces;
}

/** Share of a child's fetches that its parent has to fetch itself. */
export function missRatioAtParent(child: Stock, parent: Stock): number {
  if (parent.isComplete) return 0;
  if (!parent.isScattered) return child.isAtParentsFrontier ? 1 : 0;
  const missing = Math.max(missingBytes(parent), Math.min(pieceBytes, parent.sizeBytes));
  const among = parent.isEvicted ? parent.sizeBytes : Math.max(missing, missingBytes(child));
  return Math.min(1, missing / among);
}

/** Share of the bytes that a node sends which are not in its memory: its classes ask at random for what is in use. */
export function memoryMissRatio(node: NodeMachine, stocksInUse: readonly Stock[]): number {
  const bytes = stocksInUse.reduce((sum, stock) => sum + stock.filledBytes, 0);
  return bytes <= node.pageCacheBytes ? 0 : 1 - node.pageCacheBytes / bytes;
}

/**
 * Makes room for what a full node fetches: takes it from the object that nobody uses for the longest time; when all are in
 * use, from all by what they hold. Returns the stocks that lost something.
 */
export function evict(stocks: readonly Stock[], drivesBytes: number, isInUse: (stock: Stock) => boolean): Stock[] {
  let excess = stocks.reduce((sum, stock) => sum + stock.filledBytes, 0) - drivesBytes;
  const lost: Stock[] = [];
  const take = (stock: Stock, bytes: number): void => {
    if (bytes <= 0) return;
    stock.filledBytes -= bytes;
    stock.isComplete = false;
    stock.isEvicted = true;
    stock.isScattered = true;
    lost.push(stock);
  };
  const idle = stocks.filter((stock) => !isInUse(stock)).sort((a, b) => a.lastUsedMs - b.lastUsedMs);
  for (const stock of idle) {
    const bytes = Math.min(Math.max(0, excess), stock.filledBytes);
    excess -= bytes;
    take(stock, bytes);
  }
  if (excess <= 0) return lost;
  const inUse = stocks.filter(isInUse);
  const held = inUse.reduce((sum, stock) => sum + stock.filledBytes, 0);
  for (const stock of inUse) take(stock, (excess * stock.filledBytes) / held);
  return lost;
}
