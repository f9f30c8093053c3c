// The downloads of a component: what the world of a device's policy is here. A download that nothing goes wrong with is a
// row of numbers in the flow table; only when a source fails it gets a runner of its policy, which then knows what it would
// have known from the start.

import { assert } from '../../../common/errors.ts';
import type { DownloadEffect, Source, SourceFailureCause } from '../../device/download-policy.ts';
import type { Cancel, Observation, World } from '../world.ts';
import type { Answer, Availability } from './availability.ts';
import type { ClassBook } from './class-book.ts';
import { type FlowFacts, indexOfSource, sourceAt } from './flow-facts.ts';
import { endedFlow, type FlowTable } from './flow-table.ts';
import type { Network } from './network.ts';
import { Placement } from './placement.ts';
import type { Stock } from './stocks.ts';
import type { Supply } from './supply.ts';
import type { GroupTally, Tally } from './tally.ts';
import { type Trouble, Troubles } from './troubles.ts';
import { timerKinds, type VirtualClock } from './virtual-clock.ts';

const observedDone: Observation = { kind: 'done' };

export type DownloadParts = {
  readonly clock: VirtualClock;
  readonly facts: FlowFacts;
  readonly network: Network;
  readonly book: ClassBook;
  readonly supply: Supply;
  readonly availability: Availability;
  readonly tally: Tally;
  /** In a live window a device fetches one file after another. */
  readonly oneByOne: boolean;
  readonly cdnLatencyMs: number;
};

export class Downloads implements World<number> {
  readonly facts: FlowFacts;
  readonly placement: Placement;
  readonly troubles: Troubles;
  readonly failedDevices = new Set<number>();
  /** Downloads that have ended, well or not. */
  #endedCount = 0;
  /** By device: when it had everything; only when rows are asked for. */
  completedAtMs: Float64Array | undefined;
  readonly #parts: DownloadParts;
  readonly #clock: VirtualClock;
  readonly #flows: FlowTable;
  readonly #tally: Tally;
  readonly #fellBackDevices = new Set<number>();
  /** By group: how long after its arrival the first request of a download leaves. */
  readonly #firstMoves: (number | undefined)[] = [];

  constructor(parts: DownloadParts) {
    this.#parts = parts;
    this.#clock = parts.clock;
    this.facts = parts.facts;
    this.#flows = parts.facts.flows;
    this.#tally = parts.tally;
    this.troubles = new Troubles(this, parts.facts);
    const several = !parts.oneByOne && this.#flows.populations.some(({ group }) => group.wants.length > 1);
    const { clock, facts, network, book, supply } = parts;
    this.placement = new Placement(clock, facts, network, book, supply, several, (flow, p) => this.leftOf(flow, p));
  }

  // ---- The world of a policy

  now(): number {
    return this.#clock.nowMs;
  }

  schedule(atMs: number, run: () => void): Cancel {
    return this.#clock.schedule(atMs, run);
  }

  transfer(flow: number, source: Source): void {
    this.#stop(flow);
    const p = this.#flows.populationOf(flow);
    const answer = this.answerOf(flow, p, source);
    const { transport } = this.facts.policy(p);
    const now = this.#clock.nowMs;
    switch (answer.kind) {
      case 'serves':
        this.#askFrom(flow, source);
        this.#move(flow, p, indexOfSource(source));
        return;
      case 'fails':
        this.#wait(flow, source, now + answer.afterMs, answer.cause);
        return;
      case 'unreachable':
        this.#wait(flow, source, now + transport.connectTimeoutMs(this.facts.settingsOf(p)), 'timeout');
        return;
      case 'silent':
        this.#wait(flow, source, now + transport.stallTimeMs, 'timeout');
    }
  }

  observe(flow: number, what: Observation): void {
    const p = this.#flows.populationOf(flow);
    const device = this.#flows.deviceOf(flow, p);
    if (what.kind === 'done' || what.kind === 'failed') this.#endedCount += 1;
    if (what.kind === 'done') this.#downloadDone(flow, p, device);
    else if (what.kind === 'failed') this.#deviceFailed(p, device, what.cause);
    else if (what.source.kind === 'cdn' && what.because !== undefined) this.#fellBack(flow, p, device, what.because);
  }

  // ---- Beginning

  /** A device, or a cohort of them, arrives. */
  arrive(device: number): void {
    const p = this.#flows.populationOfDevice(device);
    const first = this.#flows.firstFlowOf(device, p);
    const tally = this.#groupOf(p);
    const devices = this.#flows.multiplicityOf(p);
    tally.startedCount += devices;
    tally.firstArrivalMs = Math.min(tally.firstArrivalMs, this.#clock.nowMs);
    this.#tally.startedInStep += devices;
    const count = this.#parts.oneByOne ? 1 : this.facts.group(p).wants.length;
    for (let want = 0; want < count; want += 1) this.#begin(first + want, p);
  }

  #begin(flow: number, p: number): void {
    const { client, wants } = this.facts.group(p);
    // Downloads of one Linux agent depend on each other from the start; all others are alone until something fails.
    if (client === 'linux' && wants.length > 1) {
      this.troubles.of(flow, p, false).runner.start();
      return;
    }
    const afterMs = this.#firstMoveAfterMs(flow, p);
    if (afterMs > 0) this.#clock.push(this.#clock.nowMs + afterMs, timerKinds.start, flow);
    else this.startTransfer(flow);
  }

  /** A policy is pure: all downloads of a group that are alone with their agent begin alike. */
  #firstMoveAfterMs(flow: number, p: number): number {
    const { groupIndex } = this.facts.population(p);
    const known = this.#firstMoves[groupIndex];
    if (known !== undefined) return known;
    const policy = this.facts.policy(p);
    const state = policy.initialState(policy.newAgent(), this.facts.originOf(flow, p));
    const effects = policy.step(state, { kind: 'started' }, this.#clock.nowMs, this.facts.settingsOf(p));
    const [effect] = effects as readonly [DownloadEffect];
    assert(effects.length === 1 && effect.kind === 'transfer', 'a download begins with one transfer');
    const afterMs = effect.afterMs ?? 0;
    this.#firstMoves[groupIndex] = afterMs;
    return afterMs;
  }

  /** Its first request leaves. */
  startTransfer(flow: number): void {
    const source = this.facts.firstSource(this.#flows.populationOf(flow));
    this.observe(flow, { kind: 'source', source, because: undefined });
    this.transfer(flow, source);
  }

  // ---- Moving

  /** What a source gives this download now. */
  answerOf(flow: number, p: number, source: Source): Answer {
    const { site, cacheHosts } = this.facts.population(p);
    const object = this.facts.objectOf(flow, p);
    if (source.kind === 'cdn') return this.#parts.availability.ofCdn(site, object);
    const node = cacheHosts[source.index] as number;
    const stock = this.#parts.supply.stockOf(node, object);
    return this.#parts.availability.ofNode(node, site, stock, this.#needsMore(stock, flow, p));
  }

  #needsMore(stock: Stock, flow: number, p: number): boolean {
    if (stock.isComplete) return false;
    if (stock.isScattered || this.facts.isPieces(p)) return true;
    return stock.sizeBytes - this.leftOf(flow, p) >= stock.filledBytes - 1;
  }

  /** What a flow has still to move that moves nothing at the moment. */
  leftOf(flow: number, p: number): number {
    return this.troubles.get(flow)?.leftBytes ?? this.facts.sizeOf(flow, p);
  }

  #askFrom(flow: number, source: Source): void {
    const trouble = this.troubles.get(flow);
    if (trouble === undefined) return;
    trouble.source = indexOfSource(source);
    trouble.leftAtSourceStart = trouble.leftBytes;
  }

  #move(flow: number, p: number, source: number): void {
    const trouble = this.troubles.get(flow);
    if (trouble !== undefined) {
      trouble.leftAtMove = trouble.leftBytes;
      trouble.movedSinceMs = this.#clock.nowMs;
      if (source < 0 && trouble.leftCacheHostAtMs !== undefined) {
        const firstByteMs = this.#clock.nowMs + this.#parts.cdnLatencyMs;
        this.#tally.fallbackTime.add(firstByteMs - trouble.leftCacheHostAtMs, this.#flows.multiplicityOf(p));
        trouble.leftCacheHostAtMs = undefined;
      }
    }
    if (!this.facts.isPieces(p)) this.#countRequest(flow, p, source);
    this.placement.begin(flow, p, source);
  }

  /** One for all that is left; of those at the frontier, the first makes the node fetch. */
  #countRequest(flow: number, p: number, source: number): void {
    const devices = this.#flows.multiplicityOf(p);
    if (source < 0) {
      this.#tally.cdnRequestCount += devices;
      return;
    }
    const stock = this.#parts.supply.stockOf(
      this.facts.population(p).cacheHosts[source] as number,
      this.facts.objectOf(flow, p),
    );
    const node = this.#tally.nodes[stock.node.copy.specIndex];
    if (node === undefined) return;
    node.requestCount += devices;
    if (this.#needsMore(stock, flow, p) && this.#parts.supply.frontCount(stock) === 0) node.missRequestCount += 1;
  }

  /** A flow stops in the middle; it has a runner by then. */
  #stop(flow: number): void {
    const left = this.placement.end(flow, this.#flows.populationOf(flow));
    if (left === undefined) return;
    const trouble = this.troubles.get(flow);
    assert(trouble !== undefined, 'a flow that stops in the middle has a runner');
    if (trouble.source < 0) trouble.cdnBytes += trouble.leftAtMove - left;
    trouble.leftBytes = left;
    trouble.lastByteMs = this.#clock.nowMs;
  }

  /** A flow has moved everything. */
  ended(flow: number): void {
    const p = this.#flows.populationOf(flow);
    this.placement.end(flow, p);
    this.#flows.classOf[flow] = endedFlow;
    const trouble = this.troubles.get(flow);
    if (!this.facts.isPieces(p)) this.#noteWhole(flow, p, trouble);
    if (trouble === undefined) {
      this.observe(flow, observedDone);
      return;
    }
    if (trouble.source < 0) trouble.cdnBytes += trouble.leftAtMove;
    trouble.leftBytes = 0;
    trouble.runner.sourceFinished();
  }

  /** One request was all that was left: it took from when it was served to now. */
  #noteWhole(flow: number, p: number, trouble: Trouble | undefined): void {
    if (this.#clock.nowMs < this.#tally.timesFromMs) return;
    const arrivedMs = this.#flows.arriveAtMs[this.#flows.deviceOf(flow, p)] as number;
    const firstMs = arrivedMs + (this.#firstMoves[this.facts.population(p).groupIndex] ?? 0);
    const serviceMs = this.#clock.nowMs - (trouble?.movedSinceMs ?? firstMs);
    this.#tally.service.add(serviceMs, this.#flows.multiplicityOf(p));
    this.#tally.latency.add(serviceMs, this.#flows.multiplicityOf(p));
  }

  // ---- Trouble

  #wait(flow: number, source: Source, untilMs: number, cause: SourceFailureCause): void {
    const trouble = this.troubles.of(flow, this.#flows.populationOf(flow), true);
    this.#askFrom(flow, source);
    this.#waitUntil(flow, trouble, source, untilMs, cause);
  }

  #waitUntil(flow: number, trouble: Trouble, source: Source, untilMs: number, cause: SourceFailureCause): void {
    trouble.waiting?.cancel();
    const cancel = this.#clock.schedule(untilMs, () => {
      trouble.waiting = undefined;
      this.#failed(flow, trouble, cause);
    });
    trouble.waiting = { source, cancel };
  }

  /** Its source breaks off at once. */
  fail(flow: number, cause: SourceFailureCause): void {
    const trouble = this.troubles.of(flow, this.#flows.populationOf(flow), true);
    this.#stop(flow);
    this.#failed(flow, trouble, cause);
  }

  /** Its source falls silent: it fails when the client's patience ends, or goes on when the source does. */
  hang(flow: number): void {
    const p = this.#flows.populationOf(flow);
    const trouble = this.troubles.of(flow, p, true);
    this.#stop(flow);
    const cause = trouble.leftAtSourceStart > trouble.leftBytes ? 'stall' : 'timeout';
    const untilMs = this.#clock.nowMs + this.facts.policy(p).transport.stallTimeMs;
    this.#waitUntil(flow, trouble, sourceAt(trouble.source), untilMs, cause);
  }

  #failed(flow: number, trouble: Trouble, cause: SourceFailureCause): void {
    const p = this.#flows.populationOf(flow);
    const devices = this.#flows.multiplicityOf(p);
    const movedBytes = trouble.leftAtSourceStart - trouble.leftBytes;
    const lostBytes =
      this.facts.isPieces(p) && movedBytes > 0 ? this.placement.halfPieces(flow, p, trouble.source, movedBytes) : 0;
    this.#discard(trouble, p, cause, lostBytes);
    this.#tally.failedRangeCount += devices;
    trouble.lastFailure = `${cause} at ${this.facts.sourceName(p, trouble.source)}`;
    this.#tally.addTo(this.#tally.failures, trouble.lastFailure, devices);
    this.#tally.grid.add('failures', Math.max(1, this.#clock.nowMs), devices);
    trouble.runner.sourceFailed(cause, movedBytes > lostBytes);
  }

  /** What came is asked for again. */
  #discard(trouble: Trouble, p: number, cause: SourceFailureCause | 'version', bytes: number): void {
    if (bytes === 0) return;
    trouble.leftBytes += bytes;
    trouble.refetchedBytes += bytes;
    const all = bytes * this.#flows.multiplicityOf(p);
    this.#groupOf(p).refetchedBytes += all;
    this.#tally.addTo(this.#tally.refetched, cause, all);
  }

  /** Lets those go on whose silent source answers again, and tells those whose answer is another now. */
  askAgain(): void {
    for (const [flow, trouble] of this.troubles.all) {
      const { waiting } = trouble;
      if (waiting === undefined || trouble.runner.hasEnded) continue;
      const p = this.#flows.populationOf(flow);
      const answer = this.answerOf(flow, p, waiting.source);
      if (answer.kind === 'unreachable' || answer.kind === 'silent') continue;
      if (answer.kind === 'fails' && answer.afterMs > 0) continue;
      waiting.cancel();
      trouble.waiting = undefined;
      if (answer.kind === 'serves') this.#move(flow, p, indexOfSource(waiting.source));
      else this.#failed(flow, trouble, answer.cause);
    }
  }

  /** The object changed at its origin: those that ask for pieces begin again; a running body stays what it is. */
  restart(object: number): void {
    const { book, network } = this.#parts;
    for (const [each, flowClass] of book.all.entries()) {
      const p = flowClass.populationIndex;
      if (flowClass.object !== object || !this.facts.isPieces(p)) continue;
      for (const flow of network.queueOf(each).flows()) {
        const trouble = this.troubles.of(flow, p, true);
        this.#stop(flow);
        this.#discard(trouble, p, 'version', flowClass.sizeBytes - trouble.leftBytes);
        this.#askFrom(flow, sourceAt(flowClass.source));
        this.#move(flow, p, flowClass.source);
      }
    }
  }

  #fellBack(flow: number, p: number, device: number, because: SourceFailureCause): void {
    const trouble = this.troubles.get(flow);
    if (trouble !== undefined && trouble.source >= 0) trouble.leftCacheHostAtMs = trouble.lastByteMs;
    if (this.#fellBackDevices.has(device)) return;
    this.#fellBackDevices.add(device);
    if (trouble !== undefined) trouble.fallbackCause = because;
    this.#tally.addTo(this.#tally.fallbackDevices, because, this.#flows.multiplicityOf(p));
  }

  // ---- Ending

  /** Whether everybody has everything or has given up. */
  get areOver(): boolean {
    return this.#endedCount === this.#flows.flowCount;
  }

  /** Everybody stops where he is: no timer and no transfer says anything any more. */
  stop(): void {
    for (let flow = 0; flow < this.#flows.flowCount; flow += 1)
      this.placement.end(flow, this.#flows.populationOf(flow));
    for (const { runner, waiting } of this.troubles.all.values()) {
      runner.stop();
      waiting?.cancel();
    }
  }

  #downloadDone(flow: number, p: number, device: number): void {
    const tally = this.#groupOf(p);
    const devices = this.#flows.multiplicityOf(p);
    const open = (this.#flows.openDownloads[device] as number) - 1;
    this.#flows.openDownloads[device] = open;
    if (this.#parts.oneByOne && open > 0) this.#begin(flow + 1, p);
    tally.rangeCount += devices * this.placement.rangesOf(flow, p);
    if (open > 0 || this.failedDevices.has(device)) return;
    const now = this.#clock.nowMs;
    tally.completedCount += devices;
    tally.lastCompletionMs = Math.max(tally.lastCompletionMs, now);
    tally.completion.add(now - (this.#flows.arriveAtMs[device] as number), devices);
    this.#tally.completed(now, devices);
    if (this.completedAtMs !== undefined) this.completedAtMs[device] = now;
  }

  #deviceFailed(p: number, device: number, cause: SourceFailureCause): void {
    if (this.failedDevices.has(device)) return;
    this.failedDevices.add(device);
    const devices = this.#flows.multiplicityOf(p);
    this.#groupOf(p).failedCount += devices;
    this.#tally.addTo(this.#tally.failures, `given up: ${cause}`, devices);
    this.#tally.grid.add('failed', Math.max(1, this.#clock.nowMs), devices);
  }

  #groupOf(p: number): GroupTally {
    return this.#tally.groups[this.facts.population(p).groupIndex] as GroupTally;
  }
}
