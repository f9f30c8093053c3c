// How classes use resources: the way of a byte from the CDN over nodes to a device, and what part of it is fetched for it.
// While an object is not complete at a node, these parts change all the time: they are found anew whenever what is missing
// has changed by two percent, and constant in between.

import { pieceBytes } from '../../device/range-plan.ts';
import type { Scenario } from '../../scenario/scenario.ts';
import type { FlowClass, Level } from './flow-class.ts';
import type { Limits } from './limits.ts';
import type { Machines } from './machines.ts';
import type { Network } from './network.ts';
import {
  evict,
  memoryMissRatio,
  missingBytes,
  missRatio,
  missRatioAtParent,
  refreshRatio,
  type Stock,
  waitersPerFetch,
} from './stocks.ts';

export class Supply {
  readonly stocks: Stock[] = [];
  readonly #scenario: Scenario;
  readonly #network: Network;
  readonly #machines: Machines;
  readonly #limits: Limits;
  readonly #classes: readonly FlowClass[];
  /** Beside the latency of the scenario. */
  readonly #cdnDelayMs: (object: number) => number;
  /** The cap of a class, of which its requests' overhead is a part. */
  readonly #setCap: (each: number, nowMs: number) => void;
  /** Live window: ms of a request that finds its connection idle. */
  readonly #pacedMs: (flowClass: FlowClass) => number;
  /** By node and object, as one number: it is asked for at every transfer. */
  readonly #byKey = new Map<number, Stock>();
  /** By node: share of what it sends that is read from its drives. */
  readonly #memoryMiss = new Map<number, number>();

  constructor(
    scenario: Scenario,
    network: Network,
    machines: Machines,
    limits: Limits,
    classes: readonly FlowClass[],
    cdnDelayMs: (object: number) => number,
    setCap: (each: number, nowMs: number) => void,
    pacedMs: (flowClass: FlowClass) => number,
  ) {
    this.#pacedMs = pacedMs;
    this.#scenario = scenario;
    this.#network = network;
    this.#machines = machines;
    this.#limits = limits;
    this.#classes = classes;
    this.#cdnDelayMs = cdnDelayMs;
    this.#setCap = setCap;
  }

  /** What a node holds of an object; empty at first. */
  stockOf(nodeIndex: number, object: number): Stock {
    const key = nodeIndex * this.#scenario.content.length + object;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const node = this.#machines.nodes.get(nodeIndex);
    const content = this.#scenario.content[object];
    if (node === undefined || content === undefined) throw new Error('Assertion failed: node and object exist');
    const parent = node.copy.parent < 0 ? undefined : this.stockOf(node.copy.parent, object);
    const stock: Stock = {
      index: this.stocks.length,
      node,
      nodeIndex,
      object,
      sizeBytes: content.sizeBytes,
      parent,
      children: [],
      classes: [],
      filledBytes: 0,
      isComplete: false,
      isEvicted: false,
      isScattered: false,
      isAtParentsFrontier: parent !== undefined && parent.filledBytes < 1,
      lastUsedMs: 0,
      refreshAtMs: Number.POSITIVE_INFINITY,
      flowCount: 0,
      waitersPerFetch: 1,
      fetchesUnderWay: 0,
    };
    parent?.children.push(stock);
    this.stocks.push(stock);
    this.#byKey.set(key, stock);
    return stock;
  }

  /** Finds a class's levels, uses and cap anew. */
  apply(each: number, nowMs: number): void {
    const flowClass = this.#classes[each] as FlowClass;
    const amounts = new Map<number, number>();
    const add = (resource: number, amount: number): void => {
      if (resource >= 0 && amount > 0) amounts.set(resource, (amounts.get(resource) ?? 0) + amount);
    };
    const { stock, population, rangeBytes } = flowClass;
    if (stock === undefined) {
      flowClass.levels = [];
      flowClass.cdnCoefficient = 1;
      flowClass.missRatio = 1;
      for (const link of this.#machines.linksBetween(-1, population.site)) add(link, 1);
    } else {
      for (const link of this.#machines.linksBetween(stock.node.copy.site, population.site)) add(link, 1);
      this.#climb(flowClass, stock, nowMs, add, each);
    }
    add(this.#machines.cdn, flowClass.cdnCoefficient);
    add(flowClass.deviceResource, 1);
    const { machine } = this.#machines;
    if (machine?.profile.harness !== undefined) {
      const costs = machine.profile.harness;
      // A file's connections are opened once for all its bytes.
      const connectingMs = (costs.clientMsPerConnection * flowClass.connections) / flowClass.sizeBytes;
      add(machine.cpu, connectingMs + costs.clientMsPerByte + costs.clientMsPerRequest / rangeBytes);
      add(machine.cpu, flowClass.cdnCoefficient * (costs.cdnMsPerByte + costs.cdnMsPerRequest / rangeBytes));
    }
    const resources = [...amounts.keys()].sort((a, b) => a - b);
    this.#network.setUses(
      each,
      resources,
      resources.map((resource) => amounts.get(resource) ?? 0),
      nowMs,
    );
    this.#setCap(each, nowMs);
  }

  /** From the node that serves it up to the CDN, as far as something has to be fetched. */
  #climb(
    flowClass: FlowClass,
    first: Stock,
    nowMs: number,
    add: (resource: number, amount: number) => void,
    each: number,
  ): void {
    const levels: Level[] = [];
    let stock: Stock | undefined = first;
    let child: Stock | undefined;
    let egress = 1;
    while (stock !== undefined && egress > 0) {
      const missing: number =
        child === undefined ? this.#ownMissRatio(flowClass, stock, each, nowMs) : missRatioAtParent(child, stock);
      if (child === undefined) flowClass.missRatio = missing;
      const upstream: number = (egress * missing) / (missing === 0 ? 1 : this.#waiters(flowClass, stock, child));
      levels.push({ stock, egress, upstream });
      this.#addNode(stock, egress, upstream, flowClass, child === undefined, add);
      child = stock;
      stock = stock.parent;
      egress = upstream;
    }
    flowClass.levels = levels;
    flowClass.cdnCoefficient = stock === undefined ? egress : 0;
  }

  #ownMissRatio(flowClass: FlowClass, stock: Stock, each: number, nowMs: number): number {
    if (stock.isComplete || flowClass.phase === 'behind') return 0;
    if (flowClass.phase === 'front') return 1;
    const isIdle = (this.#network.classes.flowCount[each] as number) === 0;
    return missRatio(stock, isIdle ? flowClass.sizeBytes : this.#network.meanLeft(each, nowMs), flowClass.connections);
  }

  /** Of those that miss at a stock, how many wait for one fetch. */
  #waiters(flowClass: FlowClass, stock: Stock, child: Stock | undefined): number {
    const isAtFrontier = child === undefined ? flowClass.phase === 'front' : !stock.isScattered;
    if (isAtFrontier) return Math.max(1, this.#readersAtFrontier(stock));
    return stock.waitersPerFetch;
  }

  /** Devices at the frontier of an object that is fetched from its beginning on. */
  frontCount(stock: Stock): number {
    return stock.classes.reduce((sum, each) => {
      const isFront = this.#classes[each]?.phase === 'front';
      return sum + (isFront ? (this.#network.classes.flowCount[each] as number) : 0);
    }, 0);
  }

  /** Devices at the frontier, and each child that waits at it: together they cost one fetch. */
  #readersAtFrontier(stock: Stock): number {
    const children = stock.children.filter((child) => child.isAtParentsFrontier && this.isFetching(child));
    return this.frontCount(stock) + children.length;
  }

  /** Whether somebody makes a node fetch an object. */
  isFetching(stock: Stock): boolean {
    return (
      !stock.isComplete && this.classesBelow(stock).some((each) => (this.#network.classes.flowCount[each] ?? 0) > 0)
    );
  }

  #addNode(
    { node, nodeIndex }: Stock,
    egress: number,
    upstream: number,
    { rangeBytes, connections, sizeBytes }: FlowClass,
    isFirst: boolean,
    add: (resource: number, amount: number) => void,
  ): void {
    const memoryMiss = this.#memoryMiss.get(nodeIndex) ?? 0;
    const read = (egress - upstream) * memoryMiss;
    add(node.nic, egress);
    add(node.diskRead, read);
    add(node.diskWrite, upstream);
    add(node.wan, upstream);
    const costs = node.profile?.cpu;
    const cpu = node.cpu >= 0 ? node.cpu : (this.#machines.machine?.cpu ?? -1);
    if (costs !== undefined && cpu >= 0) {
      add(cpu, egress * (costs.msPerByte + costs.msPerRequest / rangeBytes));
      if (isFirst) add(cpu, (costs.msPerConnection * connections) / sizeBytes);
      add(cpu, read * costs.msPerByteRead);
      add(cpu, upstream * (costs.msPerByteFetched + costs.msPerFetch / rangeBytes));
    }
    const { parent, site } = node.copy;
    const above = parent < 0 ? -1 : (this.#machines.nodes.get(parent)?.copy.site ?? -1);
    for (const link of this.#machines.linksBetween(above, site)) add(link, upstream);
  }

  /** Direct classes of a stock, and those of the nodes that fetch from it. */
  classesBelow(stock: Stock): number[] {
    return [...stock.classes, ...stock.children.flatMap((child) => this.classesBelow(child))];
  }

  /** Ms that a request of a class takes beside the transfer of its bytes. */
  overheadMs({ stock, object, missRatio: missing }: FlowClass): number {
    const cdnMs = this.#scenario.cdn.latencyMs + this.#cdnDelayMs(object);
    return stock === undefined ? cdnMs : stock.node.hitMs + missing * (stock.node.missMs + cdnMs);
  }

  /** Ms by which a miss takes longer than a hit, beside what its bytes take longer. */
  missWaitMs({ stock, object }: FlowClass): number {
    return (stock?.node.missMs ?? 0) + this.#scenario.cdn.latencyMs + this.#cdnDelayMs(object);
  }

  /** What is missing, or who asks, has changed: coefficients of everybody below. Ends a fill that is done. */
  refresh(stock: Stock, nowMs: number): void {
    if (!stock.isComplete && missingBytes(stock) < 0.5) {
      stock.filledBytes = stock.sizeBytes;
      stock.isComplete = true;
      stock.isEvicted = false;
    }
    stock.flowCount = 0;
    let blocked = 0;
    for (const each of stock.classes) {
      stock.flowCount += this.#network.classes.flowCount[each] as number;
      blocked += this.#blockedRequests(each);
    }
    const own = { devices: stock.flowCount, blocked };
    for (const child of stock.children) {
      if (child.isComplete || child.fetchesUnderWay === 0) continue;
      own.devices += 1;
      own.blocked += child.fetchesUnderWay;
    }
    const waiters = stock.isComplete ? 1 : waitersPerFetch(stock, own.blocked, own.devices);
    stock.waitersPerFetch = Math.min(waiters, this.#waitersMax(stock, own.devices, nowMs));
    stock.fetchesUnderWay = stock.isComplete ? 0 : own.blocked / stock.waitersPerFetch;
    for (const each of this.classesBelow(stock)) this.apply(each, nowMs);
  }

  /**
   * A device's own requests never wait for each other's piece, and what the foremost device misses is fetched at least as fast
   * as it asks for it: nobody has what the node never had.
   */
  #waitersMax(stock: Stock, deviceCount: number, nowMs: number): number {
    let asked = 0;
    let ofForemost = 0;
    const { flowCount } = this.#network.classes;
    for (const each of stock.classes) {
      const { first } = this.#network.queueOf(each);
      if (first < 0) continue;
      const { missRatio: missing, connections } = this.#classes[each] as FlowClass;
      const rate = this.#network.flowRate(each) || (this.#network.classes.cap[each] as number) * connections;
      asked += (flowCount[each] as number) * rate * missing;
      const end = this.#network.links.endsAt[first] as number;
      const left = (end - this.#network.serviceOf(each, nowMs)) * connections;
      ofForemost = Math.max(ofForemost, rate * missRatio(stock, left, connections));
    }
    return ofForemost > 0 ? Math.max(1, asked / ofForemost) : Math.max(1, deviceCount);
  }

  /** Requests of a class that wait for something to be fetched: all, where the way from the CDN is what limits it. */
  #blockedRequests(each: number): number {
    const flowClass = this.#classes[each] as FlowClass;
    const { classes } = this.#network;
    const requests = (classes.flowCount[each] as number) * flowClass.connections;
    if (requests === 0 || flowClass.stock?.isComplete === true) return 0;
    const missing = flowClass.missRatio;
    if (this.#limits.all[this.#network.limitOf(each)]?.isUpstream === true) return requests;
    const rate = this.#network.flowRate(each) || (classes.cap[each] as number) * flowClass.connections;
    const betweenMs = (flowClass.connections * flowClass.rangeBytes) / rate;
    const requestMs = flowClass.isHurrying ? betweenMs : Math.min(betweenMs, this.#pacedMs(flowClass));
    const waitMs = this.missWaitMs(flowClass);
    const atMissMs = missing * (waitMs + Math.max(0, requestMs - missing * waitMs));
    return requests * Math.min(1, atMissMs / betweenMs);
  }

  /** Bytes/ms that a node fetches of an object, at the rates that were resolved last. */
  fillRate(stock: Stock): number {
    let rate = 0;
    for (const each of this.classesBelow(stock)) {
      const count = this.#network.classes.flowCount[each] as number;
      if (count === 0) continue;
      const level = (this.#classes[each] as FlowClass).levels.find((every) => every.stock === stock);
      if (level !== undefined) rate += count * this.#network.flowRate(each) * level.upstream;
    }
    return rate;
  }

  /** When its coefficients will have changed enough; Infinity when nothing is fetched. */
  nextRefreshMs(stock: Stock, nowMs: number): number {
    const rate = this.fillRate(stock);
    if (rate <= 0) return Number.POSITIVE_INFINITY;
    const missing = missingBytes(stock);
    const stepBytes = Math.min(missing, Math.max(refreshRatio * missing, Math.min(pieceBytes, stock.sizeBytes) / 2));
    return nowMs + Math.max(stepBytes, 1e-3) / rate;
  }

  /** Memory holds a share of what is in use: when an object comes into use or grows. */
  noteMemory(nodeIndex: number, inUse: readonly Stock[]): boolean {
    const node = this.#machines.nodes.get(nodeIndex);
    if (node === undefined || node.pageCacheBytes === Number.POSITIVE_INFINITY) return false;
    const ratio = memoryMissRatio(node, inUse);
    const before = this.#memoryMiss.get(nodeIndex) ?? 0;
    if (Math.abs(ratio - before) <= refreshRatio * Math.max(ratio, before)) return false;
    this.#memoryMiss.set(nodeIndex, ratio);
    return true;
  }

  /** Keeps a node within its drives; returns the stocks that lost something. */
  evictFrom(nodeIndex: number): Stock[] {
    const node = this.#machines.nodes.get(nodeIndex);
    const stocks = this.stocks.filter((stock) => stock.nodeIndex === nodeIndex);
    if (node === undefined) return [];
    return evict(stocks, node.drivesBytes, (stock) => this.#isUsed(stock));
  }

  #isUsed(stock: Stock): boolean {
    return this.classesBelow(stock).some((each) => (this.#network.classes.flowCount[each] as number) > 0);
  }

  /** Bytes on the drives, by node of the scenario, over all its copies of the component. */
  storedByNode(): number[] {
    const bytes = this.#scenario.nodes.map(() => 0);
    for (const { node, filledBytes } of this.stocks) {
      const { specIndex } = node.copy;
      bytes[specIndex] = (bytes[specIndex] as number) + filledBytes;
    }
    return bytes;
  }

  stocksInUse(nodeIndex: number): Stock[] {
    return this.stocks.filter((stock) => stock.nodeIndex === nodeIndex && this.#isUsed(stock));
  }
}
