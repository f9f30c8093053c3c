// The network in virtual time: classes of flows over resources, with max-min fair rates that hold between two events.
//
//   change (a flow enters or leaves, a capacity or a use changes) ─▶ settle its island ─▶ … ─▶ resolve: new rates
//
// Time passes for a class by one number, its service: the bytes that one of its connections had since the start. A flow that
// enters at service V with b bytes a connection ends at V + b, whatever the rates do in between (virtual time, as of fair
// queueing), so that a change of rate costs nothing a flow.

import { type FlowLinks, type FlowQueue, newFlowLinks } from './flow-queue.ts';
import { decompose, flatten, type Island } from './islands.ts';
import { KeyHeap } from './key-heap.ts';
import { fillProgressively } from './max-min.ts';
import {
  addClass,
  type ClassSpec,
  type ClassTable,
  newClassTable,
  newResourceTable,
  type ResourceTable,
  splitUses,
} from './network-tables.ts';
import { Trunk } from './trunk.ts';

/** Hears what moved, island by island, before anything changes. */
export type NetworkListener = {
  /** A class moved bytes in so many ms, with as many flows as it still has; its rate was constant unless it is on a trunk. */
  moved(each: number, bytes: number, elapsedMs: number, nowMs: number): void;
  /** The rates of an island's classes are new. */
  resolved(classes: readonly number[], nowMs: number): void;
};

export class Network {
  readonly classes: ClassTable = newClassTable();
  readonly resources: ResourceTable = newResourceTable();
  readonly links: FlowLinks;
  readonly #listener: NetworkListener;
  #islands: readonly Island[] = [];
  #trunks: Trunk[] = [];
  /** Islands to solve, each once; and whether the structure is to be found anew first. */
  readonly #dirty: number[] = [];
  #isDirty: boolean[] = [];
  #isStructureNew = true;
  /** Counts how often the islands were found anew. */
  structure = 0;
  /** Classes on a clock of their own, by when their first flow ends. */
  readonly #ends = new KeyHeap('smallest');
  readonly #switched: number[] = [];
  /** Classes that have no island yet. */
  readonly #homeless: number[] = [];
  /** By resource: the island that uses it; -1: none does, or it is a trunk's, or without limit. */
  #owner: number[] = [];

  constructor(flowCount: number, listener: NetworkListener) {
    this.links = newFlowLinks(flowCount);
    this.#listener = listener;
  }

  addResource(capacity: number, limit: number): number {
    this.resources.capacity.push(capacity);
    this.resources.limit.push(limit);
    return this.resources.capacity.length - 1;
  }

  /** A class that uses nothing yet (`setUses` follows, before the next `resolve`). */
  addClass(spec: ClassSpec, nowMs: number): number {
    const each = addClass(this.classes, spec, this.links, nowMs);
    this.#homeless.push(each);
    return each;
  }

  // ---- Changes

  setCapacity(resource: number, capacity: number, nowMs: number): void {
    const { capacity: capacities } = this.resources;
    const old = capacities[resource] as number;
    if (old === capacity) return;
    for (const each of this.usersOf(resource)) this.touch(each, nowMs);
    for (const trunk of this.#trunks) if (trunk.resources.includes(resource)) trunk.advance(nowMs);
    capacities[resource] = capacity;
    if (Number.isFinite(old) !== Number.isFinite(capacity)) this.#isStructureNew = true;
  }

  setCap(each: number, cap: number, limit: number, nowMs: number): void {
    if (this.classes.cap[each] === cap && this.classes.capLimit[each] === limit) return;
    this.touch(each, nowMs);
    this.classes.cap[each] = cap;
    this.classes.capLimit[each] = limit;
    this.#outdate(this.classes.island[each] as number);
  }

  /** What a class uses; only what it uses more than nothing of. */
  setUses(each: number, uses: readonly number[], coefficients: readonly number[], nowMs: number): void {
    this.touch(each, nowMs);
    const { classes } = this;
    const old = classes.uses[each] as readonly number[];
    const isSame = old.length === uses.length && uses.every((resource, i) => resource === old[i]);
    classes.uses[each] = uses;
    classes.coefficients[each] = coefficients;
    const isHomeless = (classes.island[each] as number) < 0;
    if (!isSame && !isHomeless) this.#isStructureNew = true;
    if (isHomeless) return;
    const trunk = this.#trunkOf(each);
    this.#outdate(classes.island[each] as number);
    if (!this.#isStructureNew) splitUses(classes, each, trunk?.resources ?? []);
    // Its share in the sums of the trunk is of the old coefficients.
    else if (trunk !== undefined) trunk.advance(nowMs);
  }

  #outdate(index: number): void {
    const island = this.#islands[index];
    if (island !== undefined) island.isFlat = false;
  }

  /** A flow of `multiplicity` devices begins to move `bytes` for each of them. */
  enter(each: number, flow: number, bytes: number, multiplicity: number, nowMs: number): void {
    this.touch(each, nowMs);
    const { classes, links } = this;
    const end = this.serviceOf(each, nowMs) + bytes / (classes.connections[each] as number);
    links.endsAt[flow] = end;
    const queue = this.queueOf(each);
    queue.push(flow);
    classes.firstEnd[each] = queue.firstEndsAt;
    classes.flowCount[each] = (classes.flowCount[each] as number) + multiplicity;
    classes.endsAtSum[each] = (classes.endsAtSum[each] as number) + multiplicity * end;
  }

  /** Takes a flow away; gives the bytes that each of its devices had still to move. */
  leave(each: number, flow: number, multiplicity: number, nowMs: number): number {
    this.touch(each, nowMs);
    const { classes, links } = this;
    const end = links.endsAt[flow] as number;
    const queue = this.queueOf(each);
    queue.delete(flow);
    classes.firstEnd[each] = queue.firstEndsAt;
    const count = (classes.flowCount[each] as number) - multiplicity;
    classes.flowCount[each] = count;
    classes.endsAtSum[each] = count === 0 ? 0 : (classes.endsAtSum[each] as number) - multiplicity * end;
    return Math.max(0, end - this.serviceOf(each, nowMs)) * (classes.connections[each] as number);
  }

  /**
   * Before a class changes: what it moved is booked, and outside of trunks what its island moved, so that every change of a
   * rate is seen. On a trunk that would be all classes at every event; there each is booked when its own flows change.
   */
  touch(each: number, nowMs: number): void {
    const index = this.classes.island[each] as number;
    if (index < 0) return;
    const isDirty = this.#isDirty[index] === true;
    if ((this.#islands[index] as Island).trunk >= 0) this.#settleClass(each, nowMs);
    else if (!isDirty) this.#settleIsland(index, nowMs);
    if (isDirty) return;
    this.#isDirty[index] = true;
    this.#dirty.push(index);
  }

  // ---- Reading

  get hasTrunk(): boolean {
    return this.#trunks.length > 0;
  }

  queueOf(each: number): FlowQueue {
    return this.classes.queue[each] as FlowQueue;
  }

  usersOf(resource: number): number[] {
    return this.classes.uses.flatMap((uses, each) => (uses.includes(resource) ? [each] : []));
  }

  serviceOf(each: number, nowMs: number): number {
    const { onTrunk, offset, service, rate, atMs } = this.classes;
    if (onTrunk[each] === true) return (this.#trunkOf(each)?.serviceAt(nowMs) ?? 0) + (offset[each] as number);
    return (service[each] as number) + (rate[each] as number) * (nowMs - (atMs[each] as number));
  }

  /** Bytes/ms of one flow of the class, as resolved last. */
  flowRate(each: number): number {
    const { onTrunk, rate, connections } = this.classes;
    const ofConnection = onTrunk[each] === true ? (this.#trunkOf(each)?.level ?? 0) : (rate[each] as number);
    return ofConnection * (connections[each] as number);
  }

  /** The limit of the report that binds the class. */
  limitOf(each: number): number {
    if (this.classes.onTrunk[each] === true) return this.#trunkOf(each)?.limit ?? -1;
    return this.classes.boundBy[each] as number;
  }

  /** Mean of the bytes that the flows of a class have still to move. */
  meanLeft(each: number, nowMs: number): number {
    const { flowCount, endsAtSum, connections } = this.classes;
    const count = flowCount[each] as number;
    if (count === 0) return 0;
    return (
      Math.max(0, (endsAtSum[each] as number) / count - this.serviceOf(each, nowMs)) * (connections[each] as number)
    );
  }

  /** When the next flow ends; Infinity when none moves. */
  get firstEndMs(): number {
    let first = this.#ends.firstKey;
    for (const trunk of this.#trunks) first = Math.min(first, trunk.firstEndMs);
    return first;
  }

  /** The class whose first flow ends next, with its service set to exactly that; -1 when there is none by then. */
  classEndingAt(nowMs: number): number {
    for (const trunk of this.#trunks) {
      if (trunk.firstEndMs <= nowMs) return trunk.ends.first;
    }
    return this.#ends.firstKey <= nowMs ? this.#ends.first : -1;
  }

  // ---- Settling and resolving

  /** Books everything up to now. */
  settleAll(nowMs: number): void {
    for (let index = 0; index < this.#islands.length; index += 1) this.#settleIsland(index, nowMs);
  }

  /** Books what one class moved, up to now. */
  settle(each: number, nowMs: number): void {
    if ((this.classes.island[each] as number) >= 0) this.#settleClass(each, nowMs);
  }

  /** Finds the new rates of what has changed. */
  resolve(nowMs: number): void {
    for (const each of this.#homeless)
      if (!this.#isStructureNew && !this.#adopt(each, nowMs)) this.#isStructureNew = true;
    this.#homeless.length = 0;
    if (this.#isStructureNew) this.#restructure(nowMs);
    if (this.#dirty.length === 0) return;
    for (const index of this.#dirty) this.#solve(index, nowMs);
    for (const index of this.#dirty) {
      this.#isDirty[index] = false;
      this.#listener.resolved((this.#islands[index] as Island).classes, nowMs);
    }
    this.#dirty.length = 0;
  }

  #settleIsland(index: number, nowMs: number): void {
    for (const each of (this.#islands[index] as Island).classes) this.#settleClass(each, nowMs);
  }

  #settleClass(each: number, nowMs: number): void {
    const { classes } = this;
    const elapsedMs = nowMs - (classes.settledAtMs[each] as number);
    if (elapsedMs === 0) return;
    classes.settledAtMs[each] = nowMs;
    const service = this.serviceOf(each, nowMs);
    const moved = service - (classes.settled[each] as number);
    classes.settled[each] = service;
    const flowCount = classes.flowCount[each] as number;
    if (flowCount === 0) return;
    this.#listener.moved(each, moved * flowCount * (classes.connections[each] as number), elapsedMs, nowMs);
  }

  /** Gives a new class to the island whose resources it uses; false when that would join islands, or part a trunk. */
  #adopt(each: number, nowMs: number): boolean {
    const { classes, resources } = this;
    const uses = classes.uses[each] as readonly number[];
    const finite = uses.filter((resource) => Number.isFinite(resources.capacity[resource]));
    const index = finite.map((resource) => this.#owner[resource] ?? -1).find((owner) => owner >= 0) ?? -1;
    const island = this.#islands[index];
    if (island === undefined) return false;
    const trunk = this.#trunks[island.trunk];
    const ofTrunk = trunk?.resources ?? [];
    const isAtHome = finite.every((resource) => {
      const owner = this.#owner[resource] ?? -1;
      return owner === index || ofTrunk.includes(resource) || (owner < 0 && !this.#isTrunkResource(resource));
    });
    if (!isAtHome || ofTrunk.some((resource) => !uses.includes(resource))) return false;
    if (this.#isDirty[index] !== true) {
      this.#isDirty[index] = true;
      this.#dirty.push(index);
      this.#settleIsland(index, nowMs);
    }
    island.classes.push(each);
    for (const resource of uses) {
      if (ofTrunk.includes(resource) || island.resources.includes(resource)) continue;
      island.resources.push(resource);
      if (Number.isFinite(resources.capacity[resource])) this.#owner[resource] = index;
    }
    classes.island[each] = index;
    classes.atMs[each] = nowMs;
    splitUses(classes, each, ofTrunk);
    trunk?.admit(each);
    island.isFlat = false;
    return true;
  }

  #isTrunkResource(resource: number): boolean {
    return this.#trunks.some((trunk) => trunk.resources.includes(resource));
  }

  #restructure(nowMs: number): void {
    const { classes, resources } = this;
    this.settleAll(nowMs);
    for (let each = 0; each < classes.flowCount.length; each += 1) {
      classes.service[each] = this.serviceOf(each, nowMs);
      classes.atMs[each] = nowMs;
      classes.endSet[each] = Number.NaN;
    }
    classes.onTrunk.fill(false);
    const { islands, trunks } = decompose(classes, resources);
    this.#islands = islands;
    this.#trunks = trunks.map((of) => new Trunk(of, classes, resources, nowMs));
    this.#ends.clear();
    this.#dirty.length = 0;
    this.#isDirty = islands.map(() => true);
    this.#owner = resources.capacity.map(() => -1);
    for (const [index, island] of islands.entries()) {
      this.#dirty.push(index);
      for (const resource of island.resources) {
        if (Number.isFinite(resources.capacity[resource])) this.#owner[resource] = index;
      }
      for (const each of island.classes) {
        classes.island[each] = index;
        splitUses(classes, each, trunks[island.trunk] ?? []);
      }
    }
    this.#isStructureNew = false;
    this.structure += 1;
  }

  #solve(index: number, nowMs: number): void {
    const island = this.#islands[index] as Island;
    if (!island.isFlat) flatten(island, this.classes);
    fillProgressively(island, this.classes, this.resources);
    const trunk = this.#trunks[island.trunk];
    if (trunk !== undefined) {
      trunk.advance(nowMs);
      this.#switched.length = 0;
      trunk.update(island.classes, this.#switched);
      for (const each of this.#switched) this.#setClock(each, trunk, nowMs);
    }
    for (const each of island.classes) this.#setClock(each, trunk, nowMs);
  }

  /** Puts a class on the clock that it now has: its own, with its demand as rate, or the trunk's. */
  #setClock(each: number, trunk: Trunk | undefined, nowMs: number): void {
    const { classes } = this;
    const isBound = trunk?.isBound(each) === true;
    if (isBound !== classes.onTrunk[each]) this.#switchClock(each, isBound, trunk, nowMs);
    const end = classes.firstEnd[each] as number;
    if (isBound && trunk !== undefined) {
      if (end === classes.endSet[each]) return;
      classes.endSet[each] = end;
      trunk.ends.set(each, end - (classes.offset[each] as number));
      return;
    }
    const rate = classes.demand[each] as number;
    if (rate === classes.rate[each]) {
      if (end === classes.endSet[each]) return;
    } else {
      classes.service[each] = this.serviceOf(each, nowMs);
      classes.atMs[each] = nowMs;
      classes.rate[each] = rate;
    }
    classes.endSet[each] = end;
    const left = Math.max(0, end - (classes.service[each] as number));
    if (rate > 0 && left < Number.POSITIVE_INFINITY) this.#ends.set(each, (classes.atMs[each] as number) + left / rate);
    else this.#ends.delete(each);
  }

  #switchClock(each: number, isBound: boolean, trunk: Trunk | undefined, nowMs: number): void {
    const { classes } = this;
    this.#settleClass(each, nowMs);
    const service = this.serviceOf(each, nowMs);
    classes.onTrunk[each] = isBound;
    classes.endSet[each] = Number.NaN;
    if (isBound) {
      classes.offset[each] = service - (trunk?.serviceAt(nowMs) ?? 0);
      this.#ends.delete(each);
    } else {
      trunk?.ends.delete(each);
      classes.service[each] = service;
      classes.atMs[each] = nowMs;
    }
  }

  #trunkOf(each: number): Trunk | undefined {
    const island = this.#islands[this.classes.island[each] as number];
    return island === undefined ? undefined : this.#trunks[island.trunk];
  }
}
