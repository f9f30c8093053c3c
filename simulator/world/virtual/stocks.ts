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
 * Bytes of pieces that are not complete, those under way included: of these, half has come on average, but nobody gets it
 * before those who wait for it.
 */
function incompleteBytes(stock: Stock): number {
  const piece = Math.min(pieceBytes, stock.sizeBytes);
  return Math.min(stock.sizeBytes, Math.max(missingBytes(stock), piece) + (stock.fetchesUnderWay * piece) / 2);
}

/**
 * Share of the bytes that a class asks for that are not in the stock, in scattered order. What a device has came from the
 * stock, so all that is missing is among what it has still to get (`leftBytes`, the mean of its class), unless it was evicted.
 * It never asks again for what its own `connections` wait for.
 */
export function missRatio(stock: Stock, leftBytes: number, connections: number): number {
  if (stock.isComplete) return 0;
  const incomplete = incompleteBytes(stock);
  if (stock.isEvicted) return Math.min(1, incomplete / stock.sizeBytes);
  if (leftBytes <= missingBytes(stock) + 1) return 1;
  const piece = Math.min(pieceBytes, stock.sizeBytes);
  const own = Math.max(0, Math.min(Math.min(connections, stock.fetchesUnderWay) * piece, incomplete - piece));
  const missing = incomplete - own;
  return Math.min(1, missing / Math.max(leftBytes - (connections * piece) / 2, missing));
}

/**
 * Requests that wait for one fetch. `blocked` requests fall on the pieces that are not complete; those of one device never
 * on the same one. Each that becomes free draws one of them at random: U fetches at a time, U (1 + others ÷ pieces) = blocked
 * in equilibrium, with pieces = missing + U ÷ 2, as half of those under way has come.
 */
export function waitersPerFetch(stock: Stock, blocked: number, deviceCount: number): number {
  const piece = Math.min(pieceBytes, stock.sizeBytes);
  const missing = Math.max(1, missingBytes(stock) / piece);
  const ofOthers = deviceCount <= 1 ? 0 : blocked * (1 - 1 / deviceCount);
  const half = missing + ofOthers - blocked / 2;
  const underWay = Math.sqrt(half * half + 2 * blocked * missing) - half;
  return 1 + ofOthers / Math.min(stock.sizeBytes / piece, missing + underWay / 2);
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
