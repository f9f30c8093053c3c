// Hears of every byte that the network moves, and books it: by group, node, limit and step of the series; and fills stocks.

import type { FlowClass } from './flow-class.ts';
import type { Network, NetworkListener } from './network.ts';
import type { Tally } from './tally.ts';

/** A node fetches at most so much by one request (docs/decisions.md). */
const fetchBytesMax = 8 * 2 ** 20;

type StepTotals = { readonly requests: number; readonly misses: number; readonly stored: number };

/** What requests take, as far as their bytes do not tell. */
export type RequestTimes = {
  /** Ms of a request whose connection is idle before and after it, misses and hits together. */
  pacedMs(flowClass: FlowClass): number;
  /** By how much a miss takes longer than a hit. */
  missMs(flowClass: FlowClass): number;
};

export class Accounts implements NetworkListener {
  readonly #tally: Tally;
  readonly #classesNow: () => readonly FlowClass[];
  #network: Network | undefined;
  /** Classes whose stock is not complete: their rates have changed. */
  readonly changed = new Set<number>();
  /** Of this step of the series, by node of the scenario, and by limit. */
  readonly #egress: number[];
  readonly #miss: number[];
  #cdnBytes = 0;
  #fromCdnBytes = 0;
  #rangeCount = 0;
  readonly #bound: number[] = [];
  /** By node: what it had answered, and held, at the end of the last step. */
  readonly #atLastStep: StepTotals[];
  /** Not yet told to the meters. */
  readonly #unmetered: number[];
  #cdnUnmetered = 0;
  /** By node, -1 the CDN: the island that all its classes are on, so that its rate is known at every change of that; or none. */
  readonly #islandOf = new Map<number, number | undefined>();
  /** Of the network, with so many classes: what `#islandOf` is true of. */
  #structure = -1;
  #classCount = -1;

  /** Bytes/ms that are due to each device in a live window. */
  readonly #demandBytesPerMs: number;
  readonly #requestTimes: RequestTimes;

  constructor(
    tally: Tally,
    classes: () => readonly FlowClass[],
    demandBytesPerMs: number | undefined,
    requestTimes: RequestTimes,
  ) {
    this.#requestTimes = requestTimes;
    this.#tally = tally;
    this.#demandBytesPerMs = demandBytesPerMs ?? 0;
    this.#classesNow = classes;
    this.#egress = tally.nodes.map(() => 0);
    this.#miss = tally.nodes.map(() => 0);
    this.#unmetered = tally.nodes.map(() => 0);
    this.#atLastStep = tally.nodes.map(({ requestCount, missRequestCount }) => ({
      requests: requestCount,
      misses: missRequestCount,
      stored: 0,
    }));
  }

  get #classes(): readonly FlowClass[] {
    return this.#classesNow();
  }

  listenTo(network: Network): void {
    this.#network = network;
  }

  moved(each: number, bytes: number, elapsedMs: number, nowMs: number): void {
    if (bytes === 0) return;
    const flowClass = this.#classes[each] as FlowClass;
    const { population, source, levels, cdnCoefficient } = flowClass;
    const group = this.#tally.groups[population.groupIndex];
    const network = this.#network;
    if (group === undefined || network === undefined) return;
    this.#countRequests(flowClass, bytes);
    const isFromCdn = source < 0;
    if (isFromCdn) {
      group.bytesFromCdn += bytes;
      this.#fromCdnBytes += bytes;
    } else group.bytesFromCacheServer += bytes;
    const limit = network.limitOf(each);
    this.#bound[limit] = (this.#bound[limit] ?? 0) + bytes;
    this.#noteTimes(flowClass, each, bytes, elapsedMs, nowMs);
    for (const { stock, egress, upstream } of levels) {
      const { specIndex } = stock.node.copy;
      const sent = bytes * egress;
      this.#egress[specIndex] = (this.#egress[specIndex] as number) + sent;
      this.#unmetered[specIndex] = (this.#unmetered[specIndex] as number) + sent;
      stock.lastUsedMs = nowMs;
      if (upstream === 0) continue;
      const fetched = bytes * upstream;
      this.#miss[specIndex] = (this.#miss[specIndex] as number) + fetched;
      stock.filledBytes += fetched;
    }
    const ofCdn = bytes * cdnCoefficient;
    this.#cdnBytes += ofCdn;
    this.#cdnUnmetered += ofCdn;
  }

  /** Requests for pieces follow from their bytes; those for the rest of a file are counted where they begin. */
  #countRequests({ levels, rangeBytes, cdnCoefficient, source, isWhole }: FlowClass, bytes: number): void {
    const fetchBytes = Math.min(rangeBytes, fetchBytesMax);
    for (const [place, { stock, egress, upstream }] of levels.entries()) {
      const node = this.#tally.nodes[stock.node.copy.specIndex];
      if (node === undefined || (isWhole && place === 0)) continue;
      node.requestCount += (bytes * egress) / fetchBytes;
      node.missRequestCount += (bytes * upstream) / fetchBytes;
    }
    if (!isWhole || source >= 0) this.#tally.cdnRequestCount += (bytes * cdnCoefficient) / fetchBytes;
  }

  /** Where connections are never idle, by Little's law: connections under way = ranges per ms × ms of a range. */
  #noteTimes(flowClass: FlowClass, each: number, bytes: number, elapsedMs: number, nowMs: number): void {
    const { rangeBytes, connections } = flowClass;
    const ranges = bytes / rangeBytes;
    this.#rangeCount += ranges;
    // One request for all that is left takes as long as its flow: noted when that ends.
    if (flowClass.isWhole) return;
    const flowCount = this.#network?.classes.flowCount[each] ?? 0;
    let serviceMs: number;
    let waitedMs = 0;
    if (this.#demandBytesPerMs === 0) serviceMs = (flowCount * connections * elapsedMs) / ranges;
    else {
      // What is due and has not come is under way, as far as there are connections for it; the rest waits for them.
      const dueBytes = this.#demandBytesPerMs * flowCount * elapsedMs;
      flowClass.backlogBytes = Math.max(0, flowClass.backlogBytes + dueBytes - bytes);
      const underWay = Math.min(flowCount * connections, flowClass.backlogBytes / rangeBytes);
      serviceMs = Math.max(this.#requestTimes.pacedMs(flowClass), (underWay * elapsedMs) / ranges);
      waitedMs = Math.max(0, (flowClass.backlogBytes * elapsedMs) / bytes - serviceMs);
    }
    const notedMs = nowMs - this.#tally.timesFromMs;
    if (notedMs <= 0) return;
    const noted = ranges * Math.min(1, notedMs / elapsedMs);
    const missing = flowClass.source < 0 ? 0 : flowClass.missRatio;
    if (missing === 0) this.#note(serviceMs, waitedMs, noted);
    else {
      // Hits are faster than the mean, and misses slower, by what a miss takes longer.
      const missMs = Math.min(this.#requestTimes.missMs(flowClass), serviceMs / missing);
      this.#note(serviceMs - missing * missMs, waitedMs, noted * (1 - missing));
      this.#note(serviceMs + (1 - missing) * missMs, waitedMs, noted * missing);
    }
  }

  #note(serviceMs: number, waitedMs: number, ranges: number): void {
    this.#tally.service.add(serviceMs, ranges);
    this.#tally.latency.add(serviceMs + waitedMs, ranges);
  }

  resolved(classes: readonly number[], nowMs: number): void {
    for (const each of classes) {
      const flowClass = this.#classes[each] as FlowClass;
      this.#notePatience(flowClass, each, nowMs);
      if (flowClass.stock !== undefined && !flowClass.stock.isComplete) this.changed.add(each);
      else if (!flowClass.isHurrying || flowClass.backlogBytes > 0) this.changed.add(each);
    }
    const [first] = classes;
    if (first !== undefined) this.#meter(nowMs, this.#network?.classes.island[first]);
  }

  #notePatience(flowClass: FlowClass, each: number, nowMs: number): void {
    const rate = this.#network?.flowRate(each) ?? 0;
    const isSlow =
      (this.#network?.classes.flowCount[each] ?? 0) > 0 && (rate === 0 || rate < flowClass.patienceBytesPerMs);
    if (!isSlow) flowClass.slowSinceMs = Number.NaN;
    else if (Number.isNaN(flowClass.slowSinceMs)) {
      flowClass.slowSinceMs = nowMs;
      this.changed.add(each);
    }
  }

  /**
   * Bytes since the last call, evenly: of those who are on this island alone, whose bytes are all told by now; at the end of a step
   * (undefined) of everybody.
   */
  #meter(nowMs: number, island: number | undefined): void {
    const { nodes, cdnMeter } = this.#tally;
    for (let node = 0; node < nodes.length; node += 1) {
      const meter = nodes[node]?.meter;
      if (meter === undefined || (island !== undefined && this.#onlyIslandOf(node) !== island)) continue;
      meter.feed(nowMs, this.#unmetered[node] as number);
      this.#unmetered[node] = 0;
    }
    if (cdnMeter === undefined || (island !== undefined && this.#onlyIslandOf(-1) !== island)) return;
    cdnMeter.feed(nowMs, this.#cdnUnmetered);
    this.#cdnUnmetered = 0;
  }

  /** Undefined where there are several, or none. */
  #onlyIslandOf(node: number): number | undefined {
    const network = this.#network;
    if (network === undefined) return undefined;
    // A class that joins an island does not make a new structure of it.
    if (network.structure !== this.#structure || this.#classes.length !== this.#classCount) {
      this.#structure = network.structure;
      this.#classCount = this.#classes.length;
      this.#islandOf.clear();
    }
    if (!this.#islandOf.has(node)) {
      const islands = new Set<number>();
      for (const [each, { levels, cdnCoefficient }] of this.#classes.entries()) {
        const uses = node < 0 ? cdnCoefficient > 0 : levels.some((level) => level.stock.node.copy.specIndex === node);
        if (uses) islands.add(network.classes.island[each] as number);
      }
      const [only] = islands;
      this.#islandOf.set(node, islands.size === 1 && !network.hasTrunk ? only : undefined);
    }
    return this.#islandOf.get(node);
  }

  /** Ends a step of the series; everything is settled. `stored`: bytes on the drives, by node of the scenario. */
  endStep(nowMs: number, stored: readonly number[]): void {
    this.#meter(nowMs, undefined);
    const { grid, nodes } = this.#tally;
    for (const [node, tally] of nodes.entries()) {
      const egress = this.#egress[node] as number;
      const miss = this.#miss[node] as number;
      tally.egressBytes += egress;
      tally.missBytes += miss;
      grid.add(`node.${tally.id}.egress`, nowMs, egress);
      grid.add(`node.${tally.id}.miss`, nowMs, miss);
      const before = this.#atLastStep[node] as StepTotals;
      const after = { requests: tally.requestCount, misses: tally.missRequestCount, stored: stored[node] ?? 0 };
      grid.add(`node.${tally.id}.requests`, nowMs, after.requests - before.requests);
      grid.add(`node.${tally.id}.missRequests`, nowMs, after.misses - before.misses);
      grid.add(`node.${tally.id}.stored`, nowMs, after.stored - before.stored);
      this.#atLastStep[node] = after;
      this.#egress[node] = 0;
      this.#miss[node] = 0;
    }
    this.#tally.cdnBytes += this.#cdnBytes;
    grid.add('cdn', nowMs, this.#cdnBytes);
    grid.add('fromCdn', nowMs, this.#fromCdnBytes);
    grid.add('ranges', nowMs, this.#rangeCount);
    grid.add('started', nowMs, this.#tally.startedInStep);
    grid.add('completed', nowMs, this.#tally.completedInStep);
    this.#tally.startedInStep = 0;
    this.#tally.completedInStep = 0;
    this.#cdnBytes = 0;
    this.#fromCdnBytes = 0;
    this.#rangeCount = 0;
    for (const [limit, bytes] of this.#bound.entries()) {
      if (bytes === undefined || bytes === 0) continue;
      this.#tally.boundBytes[limit] = (this.#tally.boundBytes[limit] ?? 0) + bytes;
      grid.add(`bound.${limit}`, nowMs, bytes);
      this.#bound[limit] = 0;
    }
  }
}
