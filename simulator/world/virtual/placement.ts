// Which class each flow is in: by its source, by what else its device has under way, and, where an object is fetched from its
// beginning on, by whether it is at the frontier. Changes of any of these move flows between classes.

import { pieceBytes } from '../../device/range-plan.ts';
import type { ClassBook } from './class-book.ts';
import type { Phase } from './flow-class.ts';
import type { FlowFacts } from './flow-facts.ts';
import type { FlowTable } from './flow-table.ts';
import type { Network } from './network.ts';
import { refreshRatio, type Stock } from './stocks.ts';
import type { Supply } from './supply.ts';
import type { VirtualClock } from './virtual-clock.ts';

const noSource = -2;

export class Placement {
  readonly #clock: VirtualClock;
  readonly #facts: FlowFacts;
  readonly #flows: FlowTable;
  readonly #network: Network;
  readonly #book: ClassBook;
  readonly #supply: Supply;
  /** Where each flow comes from; only where devices have several at a time. */
  readonly #sources: Int8Array;
  /** By device: its downloads under way, as the name of a state of the book. */
  readonly #states = new Map<number, string>();
  readonly #unsettledDevices = new Set<number>();
  /** What a flow has still to move that is in no class yet. */
  readonly #leftOf: (flow: number, p: number) => number;

  constructor(
    clock: VirtualClock,
    facts: FlowFacts,
    network: Network,
    book: ClassBook,
    supply: Supply,
    several: boolean,
    leftOf: (flow: number, p: number) => number,
  ) {
    this.#clock = clock;
    this.#facts = facts;
    this.#flows = facts.flows;
    this.#network = network;
    this.#book = book;
    this.#supply = supply;
    this.#sources = new Int8Array(several ? facts.flows.flowCount : 0).fill(noSource);
    this.#leftOf = leftOf;
  }

  /** A flow begins to move from a source. */
  begin(flow: number, p: number, source: number): void {
    if (this.#sources.length === 0) {
      this.#enter(flow, p, source, '', this.#leftOf(flow, p));
      return;
    }
    this.#sources[flow] = source;
    this.#unsettledDevices.add(this.#flows.deviceOf(flow, p));
  }

  /** A flow stops; returns the bytes that each of its devices had still to move, undefined when it moved nothing. */
  end(flow: number, p: number): number | undefined {
    if (this.#sources.length > 0 && this.#sources[flow] !== noSource) {
      this.#sources[flow] = noSource;
      this.#unsettledDevices.add(this.#flows.deviceOf(flow, p));
    }
    const each = this.#flows.classOf[flow] as number;
    if (each < 0) return undefined;
    this.#flows.classOf[flow] = -1;
    return this.#network.leave(each, flow, this.#flows.multiplicityOf(p), this.#clock.nowMs);
  }

  #enter(flow: number, p: number, source: number, state: string, leftBytes: number): void {
    const now = this.#clock.nowMs;
    const want = this.#facts.wantOf(flow, p);
    let each = this.#book.find(p, want, source, 'plain', state, now);
    const { stock } = this.#book.get(each);
    if (stock !== undefined && !stock.isComplete) {
      const phase = this.#phaseAt(stock, p, stock.sizeBytes - leftBytes);
      if (phase !== 'plain') each = this.#book.find(p, want, source, phase, state, now);
    }
    this.#network.enter(each, flow, leftBytes, this.#flows.multiplicityOf(p), now);
    this.#flows.classOf[flow] = each;
    if (stock !== undefined && !stock.isComplete) this.#askedMore(stock);
  }

  /** Where a download stands that begins at an offset of an object that is not complete. */
  #phaseAt(stock: Stock, p: number, offset: number): Phase {
    if (this.#facts.isPieces(p) && !stock.isScattered) this.scatter(stock);
    if (stock.isScattered) return 'plain';
    return offset >= stock.filledBytes - 1 ? 'front' : 'behind';
  }

  /** More ask for what is missing: coefficients follow when that makes a difference. */
  #askedMore(stock: Stock): void {
    const flowCount = stock.classes.reduce((sum, each) => sum + (this.#network.classes.flowCount[each] as number), 0);
    if (Math.abs(flowCount - stock.flowCount) < refreshRatio * flowCount && stock.flowCount > 0) return;
    this.#supply.refresh(stock, this.#clock.nowMs);
  }

  // ---- Frontiers

  /** From now on what is missing of it is anywhere, and so is what it asks its parents for. */
  scatter(stock: Stock): void {
    for (let at: Stock | undefined = stock; at !== undefined && !at.isComplete; at = at.parent) {
      at.isScattered = true;
      this.toPlain(at);
    }
  }

  /** Nothing of it is missing any more, or it may be missing anywhere: there is no frontier. */
  toPlain(stock: Stock): void {
    for (const each of [...stock.classes]) {
      if (this.#book.get(each).phase === 'plain') continue;
      for (const flow of this.#network.queueOf(each).flows()) this.changePhase(each, flow, 'plain');
    }
  }

  /** Moves a flow to the class of another phase. */
  changePhase(each: number, flow: number, phase: Phase): void {
    const now = this.#clock.nowMs;
    const { populationIndex: p, want, source } = this.#book.get(each);
    const devices = this.#flows.multiplicityOf(p);
    const left = this.#network.leave(each, flow, devices, now);
    const state = this.#states.get(this.#flows.deviceOf(flow, p)) ?? '';
    const other = this.#book.find(p, want, source, phase, state, now);
    this.#network.enter(other, flow, left, devices, now);
    this.#flows.classOf[flow] = other;
  }

  // ---- Devices with several downloads

  /** Flows of a device share its link by how many there are: after any of them began or ended. */
  settleDevices(): void {
    if (this.#unsettledDevices.size === 0) return;
    for (const device of this.#unsettledDevices) this.#settleDevice(device);
    this.#unsettledDevices.clear();
  }

  #settleDevice(device: number): void {
    const now = this.#clock.nowMs;
    const p = this.#flows.populationOfDevice(device);
    const first = this.#flows.firstFlowOf(device, p);
    const active: number[] = [];
    for (let want = 0; want < this.#facts.group(p).wants.length; want += 1) {
      if (this.#sources[first + want] !== noSource) active.push(want);
    }
    const state = active.length < 2 ? '' : active.map((want) => `${want}:${this.#sources[first + want]}`).join(' ');
    const before = this.#states.get(device) ?? '';
    if (state !== before) {
      const devices = this.#flows.multiplicityOf(p);
      if (before !== '') this.#book.countDevices(this.#book.deviceState(p, before, now), -devices, now);
      if (state !== '') this.#book.countDevices(this.#book.deviceState(p, state, now), devices, now);
      this.#states.set(device, state);
    }
    for (const want of active) {
      const flow = first + want;
      const each = this.#flows.classOf[flow] as number;
      if (each >= 0 && state === before) continue;
      const left =
        each < 0 ? this.#leftOf(flow, p) : this.#network.leave(each, flow, this.#flows.multiplicityOf(p), now);
      this.#enter(flow, p, this.#sources[flow] as number, state, left);
    }
  }

  /** Bytes of pieces that are under way, half of each on average, at most what the source gave. */
  halfPieces(flow: number, p: number, source: number, movedBytes: number): number {
    const each = this.#book.find(p, this.#facts.wantOf(flow, p), source, 'plain', '', this.#clock.nowMs);
    const { connections, rangeBytes } = this.#book.get(each);
    return Math.floor(Math.min(movedBytes, (connections * rangeBytes) / 2));
  }

  /** Ranges that a whole file is asked for in. */
  rangesOf(flow: number, p: number): number {
    return this.#facts.isPieces(p) ? Math.ceil(this.#facts.sizeOf(flow, p) / pieceBytes) : 1;
  }
}
