// One component in virtual time: arrivals, timers and ends of flows in the order of their times, each followed by the new
// rates of what it touched.
//
//   next = min(arrival, timer, end of a flow, end of a step of the series) ─▶ do it ─▶ resolve rates ─▶ …

import { assert } from '../../../common/errors.ts';
import { policyOf } from '../../device/policies.ts';
import type { DeviceRow } from '../../result/device-row.ts';
import type { HardwareProfile } from '../../scenario/profile.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import { untilHoursChangeMs } from '../device-rates.ts';
import { deviceCount } from '../fleet-plan.ts';
import { Accounts } from './accounts.ts';
import { Availability } from './availability.ts';
import { ClassBook } from './class-book.ts';
import { type DownloadParts, Downloads } from './downloads.ts';
import { bookUnfetched, deviceRows, unfinishedDevices } from './end-books.ts';
import { EventDesk } from './event-desk.ts';
import type { FlowClass } from './flow-class.ts';
import { FlowFacts, indexOfSource } from './flow-facts.ts';
import { FlowTable } from './flow-table.ts';
import { Frontiers } from './frontiers.ts';
import type { Limits } from './limits.ts';
import { Machines } from './machines.ts';
import { Network } from './network.ts';
import { ProcessorLoad } from './processor-load.ts';
import { missingBytes, type Stock } from './stocks.ts';
import { Supply } from './supply.ts';
import type { Tally } from './tally.ts';
import type { Component, Population, Topology } from './topology.ts';
import { timerKinds, VirtualClock } from './virtual-clock.ts';

/** What all components of a run have in common. */
export type SimulationTerms = {
  readonly scenario: Scenario;
  readonly topology: Topology;
  readonly limits: Limits;
  readonly tally: Tally;
  /** Of a whole group, by the device's number in it. */
  readonly arrivals: (groupIndex: number) => Float64Array;
  /** A prediction is for this machine and the scenario's live window, where there is one. */
  readonly machine: HardwareProfile | undefined;
  /** Where to put a row for each device, when they are asked for. */
  readonly rows: DeviceRow[] | undefined;
};

export class Simulation {
  readonly #terms: SimulationTerms;
  readonly clock = new VirtualClock();
  readonly #flows: FlowTable;
  readonly #network: Network;
  readonly #accounts: Accounts;
  readonly #book: ClassBook;
  readonly #supply: Supply;
  readonly downloads: Downloads;
  readonly #desk: EventDesk;
  readonly #processorLoad: ProcessorLoad;
  readonly #frontiers: Frontiers;
  /** The run's end, where a window sets one. */
  readonly #horizonMs: number;
  #nextArrival = 0;
  #isBegun = false;
  #isStopped = false;
  /** Events in a row after which nothing could ever change. */
  #idleEvents = 0;
  #stepEndMs = 0;
  eventCount = 0;

  constructor(
    terms: SimulationTerms,
    component: Component,
    newDownloads: (parts: DownloadParts) => Downloads = (parts) => new Downloads(parts),
  ) {
    this.#terms = terms;
    const { scenario, topology, limits, tally, machine } = terms;
    const window = machine === undefined ? undefined : scenario.live;
    this.#horizonMs = window?.windowMs ?? Number.POSITIVE_INFINITY;
    const populations = component.populations.map((index) => topology.populations[index] as Population);
    this.#flows = new FlowTable(populations, terms.arrivals, window !== undefined);
    const demand = window?.demandBytesPerMs;
    const perDevice = demand === undefined || demand === 'max' ? undefined : demand / deviceCount(scenario);
    const accounts = new Accounts(tally, () => this.#book.all, perDevice, {
      pacedMs: (flowClass) => this.#pacedMs(flowClass),
      missMs: (flowClass) => this.#supply.missWaitMs(flowClass),
    });
    this.#accounts = accounts;
    this.#network = new Network(this.#flows.flowCount, accounts);
    accounts.listenTo(this.#network);
    const machines = new Machines(this.#network, limits, scenario, topology, component, machine);
    this.#processorLoad = new ProcessorLoad(this.#network, machines);
    const availability = new Availability(machines, topology);
    this.#book = new ClassBook(scenario, this.#network, limits, populations, perDevice);
    this.#supply = new Supply(
      scenario,
      this.#network,
      machines,
      limits,
      this.#book.all,
      (object) => availability.cdnDelayMs(object),
      (each, nowMs) => this.#book.setCap(each, nowMs),
      (flowClass) => this.#pacedMs(flowClass),
    );
    this.#book.setSupply(this.#supply);
    this.downloads = newDownloads({
      clock: this.clock,
      facts: new FlowFacts(scenario, this.#flows),
      network: this.#network,
      book: this.#book,
      supply: this.#supply,
      availability,
      tally,
      oneByOne: window !== undefined,
      cdnLatencyMs: scenario.cdn.latencyMs,
    });
    const { placement } = this.downloads;
    this.#frontiers = new Frontiers(this.clock, this.#network, this.#book, this.#supply, placement);
    if (terms.rows !== undefined) {
      this.downloads.completedAtMs = new Float64Array(this.#flows.deviceCount).fill(Number.NaN);
    }
    this.#desk = new EventDesk({
      scenario,
      clock: this.clock,
      network: this.#network,
      machines,
      availability,
      book: this.#book,
      supply: this.#supply,
      downloads: this.downloads,
      followHours: (groupIndex) => this.#followHours(groupIndex),
    });
  }

  /** Goes on for so many events; true when the end is reached: everybody has everything or has given up, or the horizon. */
  advance(eventCount: number): boolean {
    if (!this.#isBegun) this.#begin();
    const { grid } = this.#terms.tally;
    for (let i = 0; i < eventCount; i += 1) {
      // What is still to come when nobody is left happens after the end.
      const isDone = this.#horizonMs === Number.POSITIVE_INFINITY && this.downloads.areOver;
      const nextMs = isDone ? Number.POSITIVE_INFINITY : Math.min(this.#nextMs(), this.#horizonMs);
      const isOver = nextMs === Number.POSITIVE_INFINITY || nextMs >= this.#horizonMs || this.#isEndless();
      const endMs = nextMs === Number.POSITIVE_INFINITY ? this.clock.nowMs : nextMs;
      while (this.#stepEndMs < endMs) {
        this.#endStep(this.#stepEndMs);
        this.#stepEndMs = grid.stepEndMs(this.#stepEndMs);
      }
      if (isOver) {
        this.#finish(endMs);
        return true;
      }
      this.#next(nextMs);
      this.#resolve();
      this.eventCount += 1;
      this.#noteIdle();
    }
    return false;
  }

  /** Ends it where it is: what has come is booked, and nothing happens any more. */
  stop(): void {
    this.#isStopped = true;
    this.#finish(this.clock.nowMs);
    this.downloads.stop();
  }

  #begin(): void {
    this.#isBegun = true;
    this.#stepEndMs = this.#terms.tally.grid.stepEndMs(0);
    this.#makeFirstClasses();
    this.#desk.scheduleEvents();
    for (const [groupIndex] of this.#terms.scenario.fleet.entries()) this.#followHours(groupIndex);
  }

  /** Where everybody begins, so that the network's islands are found once. */
  #makeFirstClasses(): void {
    const { facts } = this.downloads;
    for (const [p, { group }] of this.#flows.populations.entries()) {
      if (group.wants.length === 1) this.#book.find(p, 0, indexOfSource(facts.firstSource(p)), 'plain', '', 0);
    }
  }

  /** Devices that go to and fro between sources without end would be simulated without end. */
  #isEndless(): boolean {
    const { flowCount } = this.#flows;
    return this.#idleEvents > 10_000 + 40 * flowCount || this.eventCount > 10_000_000 + 20_000 * flowCount;
  }

  /** Nothing moves, nobody is to come, and the scenario changes nothing any more: only clients that try again and again. */
  #noteIdle(): void {
    const isIdle = this.#network.firstEndMs === Number.POSITIVE_INFINITY && !this.#isAnybodyToCome();
    this.#idleEvents = isIdle && this.#desk.pending === 0 ? this.#idleEvents + 1 : 0;
  }

  #isAnybodyToCome(): boolean {
    return this.#nextArrival < this.#flows.deviceCount;
  }

  #nextMs(): number {
    return Math.min(this.#nextArrivalMs(), this.clock.firstMs, this.#network.firstEndMs);
  }

  #nextArrivalMs(): number {
    const { order, arriveAtMs } = this.#flows;
    if (this.#nextArrival >= order.length) return Number.POSITIVE_INFINITY;
    return arriveAtMs[order[this.#nextArrival] as number] as number;
  }

  /** Ends go before arrivals of the same time, and timers before both: what an event changes holds for both. */
  #next(nextMs: number): void {
    if (this.clock.firstMs <= nextMs) {
      this.clock.runFirst((kind, subject) => {
        if (kind === timerKinds.start) this.downloads.startTransfer(subject);
        else this.#refresh(this.#supply.stocks[subject] as Stock);
      });
      return;
    }
    this.clock.nowMs = nextMs;
    const ending = this.#network.classEndingAt(nextMs);
    if (ending >= 0) {
      this.#end(ending);
      return;
    }
    while (this.#nextArrivalMs() <= nextMs) {
      this.downloads.arrive(this.#flows.order[this.#nextArrival] as number);
      this.#nextArrival += 1;
    }
  }

  /** The first flow of a class ends, and those that end with it but for rounding. */
  #end(each: number): void {
    const queue = this.#network.queueOf(each);
    const { endsAt } = this.#network.links;
    const service = endsAt[queue.first] as number;
    while (queue.count > 0 && (endsAt[queue.first] as number) <= service + 1e-3) this.downloads.ended(queue.first);
  }

  #resolve(): void {
    this.downloads.placement.settleDevices();
    this.#network.resolve(this.clock.nowMs);
    if (this.#processorLoad.follow(this.clock.nowMs)) this.#network.resolve(this.clock.nowMs);
    const { changed } = this.#accounts;
    if (changed.size === 0) return;
    const stocks = new Set<Stock>();
    for (const each of changed) {
      const { stock } = this.#book.get(each);
      for (let at = stock; at !== undefined && !at.isComplete; at = at.parent) stocks.add(at);
      this.#pace(each);
      this.#watchPatience(each);
    }
    changed.clear();
    for (const stock of stocks) this.#plan(stock);
  }

  /** When a stock is to be looked at next. */
  #plan(stock: Stock): void {
    const now = this.clock.nowMs;
    // On a trunk others may have filled it since they were booked last.
    if (this.#network.hasTrunk) for (const each of this.#supply.classesBelow(stock)) this.#network.settle(each, now);
    let atMs = this.#supply.nextRefreshMs(stock, now);
    if (!stock.isScattered) atMs = Math.min(atMs, this.#frontiers.nextMeetingMs(stock));
    if (atMs === stock.refreshAtMs) return;
    stock.refreshAtMs = atMs;
    if (atMs < Number.POSITIVE_INFINITY) this.clock.push(atMs, timerKinds.refresh, stock.index);
  }

  #refresh(stock: Stock): void {
    const now = this.clock.nowMs;
    // A timer of a time that no longer holds.
    if (stock.refreshAtMs !== now) return;
    stock.refreshAtMs = Number.POSITIVE_INFINITY;
    const first = this.#supply.classesBelow(stock)[0];
    if (first === undefined) return;
    for (const each of this.#supply.classesBelow(stock)) this.#network.touch(each, now);
    const wasComplete = stock.isComplete;
    if (!stock.isScattered && missingBytes(stock) >= 0.5) {
      this.#frontiers.settle(stock);
    }
    this.#supply.refresh(stock, now);
    if (stock.isComplete && !wasComplete) this.downloads.placement.toPlain(stock);
    this.#desk.keepWithinDrives(stock.nodeIndex);
  }

  /** Live window: a request that finds its connection idle. */
  #pacedMs(flowClass: FlowClass): number {
    return this.#processorLoad.serviceMs(flowClass, this.#supply.overheadMs(flowClass));
  }

  /** Live window: one that is behind what is due of it hurries, until it has caught up. */
  #pace(each: number): void {
    const demand = this.#book.demandBytesPerMs;
    if (demand === undefined) return;
    const now = this.clock.nowMs;
    const flowClass = this.#book.get(each);
    const count = this.#network.classes.flowCount[each] as number;
    if (count === 0) return;
    const rate = this.#network.flowRate(each);
    if (!flowClass.isHurrying) {
      if (rate >= demand * (1 - 1e-9)) return;
      this.clock.schedule(now, () => this.#setHurry(each, true));
      return;
    }
    if (rate <= demand * (1 + 1e-9) || flowClass.backlogBytes === 0) return;
    const doneMs = now + flowClass.backlogBytes / (count * (rate - demand));
    const backlogBytes = flowClass.backlogBytes;
    this.clock.schedule(doneMs, () => {
      this.#network.touch(each, this.clock.nowMs);
      if (flowClass.backlogBytes <= backlogBytes * 1e-6 + 1) this.#setHurry(each, false);
    });
  }

  #setHurry(each: number, isHurrying: boolean): void {
    const flowClass = this.#book.get(each);
    if (flowClass.isHurrying === isHurrying) return;
    flowClass.isHurrying = isHurrying;
    if (!isHurrying) flowClass.backlogBytes = 0;
    this.#book.setCap(each, this.clock.nowMs);
  }

  /** A class that has become too slow for its clients: they leave it together when it still is by then. */
  #watchPatience(each: number): void {
    const flowClass = this.#book.get(each);
    const sinceMs = flowClass.slowSinceMs;
    if (sinceMs !== this.clock.nowMs) return;
    const { stallTimeMs } = policyOf(flowClass.population.group.client).transport;
    this.clock.schedule(sinceMs + stallTimeMs, () => {
      if (flowClass.slowSinceMs !== sinceMs) return;
      flowClass.slowSinceMs = Number.NaN;
      for (const flow of this.#network.queueOf(each).flows()) this.downloads.fail(flow, 'stall');
    });
  }

  #followHours(groupIndex: number): void {
    const { startsAtMs } = this.#terms.scenario;
    const now = this.clock.nowMs;
    const policy = this.#book.policies[groupIndex];
    const wait = untilHoursChangeMs(policy?.limitedHours, startsAtMs + now);
    if (wait === Number.POSITIVE_INFINITY || !this.#isAnybodyLeft()) return;
    this.clock.schedule(now + wait, () => {
      // Whoever was told other policies since then is followed from there.
      if (this.#book.policies[groupIndex] !== policy) return;
      this.#book.refreshRates(groupIndex, this.clock.nowMs);
      this.#followHours(groupIndex);
    });
  }

  #isAnybodyLeft(): boolean {
    return this.#isAnybodyToCome() || this.#network.firstEndMs < Number.POSITIVE_INFINITY;
  }

  #endStep(atMs: number): void {
    this.clock.nowMs = atMs;
    this.#network.settleAll(atMs);
    this.#accounts.endStep(atMs, this.#supply.storedByNode());
  }

  /** Who is left at the end can never finish. */
  #noteStuck(): void {
    for (const [group, { devices, lastFailures }] of unfinishedDevices(this.downloads)) {
      const [most] = [...lastFailures].sort(([, a], [, b]) => b - a);
      const what = this.#isEndless() ? 'try again and again' : 'wait for what never comes';
      const why = `${what}, and nothing that is still to come changes that; last: ${most?.[0]}`;
      this.#terms.tally.stuck.push({ group, devices, why });
    }
  }

  #finish(endMs: number): void {
    assert(endMs >= this.clock.nowMs, 'the end is not before the last event');
    this.#endStep(endMs);
    if (this.#horizonMs === Number.POSITIVE_INFINITY && !this.#isStopped) this.#noteStuck();
    bookUnfetched(this.downloads, this.#network, this.#terms.tally, endMs);
    this.#terms.rows?.push(...deviceRows(this.downloads, this.#network, groupBases(this.#terms.scenario), endMs));
    this.#terms.tally.endMs = Math.max(this.#terms.tally.endMs, endMs);
  }
}

/** Number of the first device of each group. */
function groupBases({ fleet }: Scenario): number[] {
  let base = 0;
  return fleet.map(({ devices }) => {
    base += devices;
    return base - devices;
  });
}
