// Objects that are fetched from their beginning on (Linux): who is at the frontier, waiting for what is fetched, and who is
// behind it. The frontier goes as fast as the fastest that is at it, a device or a node that fetches from this one.
//
//   |=========== filled ===========>| frontier
//        ^ behind, at its own rate  ^ at the frontier, as fast as it goes

import type { ClassBook } from './class-book.ts';
import type { Network } from './network.ts';
import type { Placement } from './placement.ts';
import type { Stock } from './stocks.ts';
import type { Supply } from './supply.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Slower by less than this is as fast. */
const tolerance = 1e-6;
/** Nearer than a byte is there. */
const gapBytesMax = 1;

export class Frontiers {
  readonly #clock: VirtualClock;
  readonly #network: Network;
  readonly #book: ClassBook;
  readonly #supply: Supply;
  readonly #placement: Placement;

  constructor(clock: VirtualClock, network: Network, book: ClassBook, supply: Supply, placement: Placement) {
    this.#clock = clock;
    this.#network = network;
    this.#book = book;
    this.#supply = supply;
    this.#placement = placement;
  }

  /** When one that is behind reaches the frontier; now, when one at it turns out to be too slow for it. */
  nextMeetingMs(stock: Stock): number {
    const now = this.#clock.nowMs;
    const frontierRate = this.#rateOf(stock);
    let atMs = Number.POSITIVE_INFINITY;
    const look = (rate: number, isAtFrontier: boolean, gapBytes: number): void => {
      if (isAtFrontier) {
        if (rate < frontierRate * (1 - tolerance)) atMs = now;
      } else if (rate > frontierRate * (1 + tolerance)) {
        // At least as far as what counts as there: a meeting that is over is no meeting.
        atMs = Math.min(atMs, now + Math.max(0, gapBytes) / (rate - frontierRate));
      }
    };
    for (const each of stock.classes) {
      const { phase } = this.#book.get(each);
      if (phase === 'plain' || this.#network.queueOf(each).count === 0) continue;
      look(
        this.#network.flowRate(each),
        phase === 'front',
        this.#gapOf(stock, each, this.#network.queueOf(each).first),
      );
    }
    for (const child of stock.children) {
      if (!this.#supply.isFetching(child)) continue;
      look(this.#supply.fillRate(child), child.isAtParentsFrontier, stock.filledBytes - child.filledBytes);
    }
    return atMs;
  }

  /** Those at the frontier that are slower than it fall behind; those behind that have reached it wait with it. */
  settle(stock: Stock): void {
    // All by the rates that were resolved last: one that falls behind stands at the frontier, and must not join it again.
    const frontierRate = this.#rateOf(stock);
    const isSlower = (rate: number): boolean => rate < frontierRate * (1 - tolerance);
    const moves: { readonly each: number; readonly flow: number; readonly isBehind: boolean }[] = [];
    for (const each of stock.classes) {
      const { phase } = this.#book.get(each);
      if (phase === 'plain' || (this.#network.classes.flowCount[each] as number) === 0) continue;
      const isBehind = isSlower(this.#network.flowRate(each));
      if (isBehind !== (phase === 'front')) continue;
      for (const flow of this.#network.queueOf(each).flows()) {
        // The first to end is the furthest.
        if (phase === 'behind' && this.#gapOf(stock, each, flow) > gapBytesMax) break;
        moves.push({ each, flow, isBehind });
      }
    }
    for (const child of stock.children) {
      if (!this.#supply.isFetching(child)) continue;
      const isBehind = isSlower(this.#supply.fillRate(child));
      const isThere = stock.filledBytes - child.filledBytes <= gapBytesMax;
      child.isAtParentsFrontier = isThere && !isBehind;
    }
    for (const { each, flow, isBehind } of moves)
      this.#placement.changePhase(each, flow, isBehind ? 'behind' : 'front');
  }

  #gapOf(stock: Stock, each: number, flow: number): number {
    const left = (this.#network.links.endsAt[flow] as number) - this.#network.serviceOf(each, this.#clock.nowMs);
    return stock.filledBytes - (stock.sizeBytes - left * (this.#network.classes.connections[each] as number));
  }

  #rateOf(stock: Stock): number {
    let fastest = 0;
    for (const each of stock.classes) {
      const isFront = this.#book.get(each).phase === 'front' && this.#network.queueOf(each).count > 0;
      if (isFront) fastest = Math.max(fastest, this.#network.flowRate(each));
    }
    for (const child of stock.children) {
      const isFront = child.isAtParentsFrontier && this.#supply.isFetching(child);
      if (isFront) fastest = Math.max(fastest, this.#supply.fillRate(child));
    }
    return fastest;
  }
}
