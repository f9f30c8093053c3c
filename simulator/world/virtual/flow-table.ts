// The downloads of a component as columns of numbers, nothing else a device: a flow is one object of one device, or of all
// devices of a population that arrive at the same instant (a cohort, with their number as multiplicity).
//
//   population p: cohorts c = 0, 1 …, wants w = 0, 1 …      device = deviceBase[p] + c      flow = flowBase[p] + c × wants + w

import type { Population } from './topology.ts';

/** In place of the class of a flow. */
export const endedFlow = -2;

export class FlowTable {
  readonly populations: readonly Population[];
  readonly flowCount: number;
  readonly deviceCount: number;
  readonly #flowBase: Int32Array;
  readonly #deviceBase: Int32Array;
  /** Of each device. */
  readonly arriveAtMs: Float64Array;
  /** Devices in the order in which they arrive. */
  readonly order: Int32Array;
  /** Class of each flow; -1: it moves nothing; {@link endedFlow}: it has moved everything. */
  readonly classOf: Int32Array;
  /** By device: downloads that have not ended. */
  readonly openDownloads: Int16Array;
  readonly #populationOfFlow: Uint32Array;
  readonly #multiplicity: Int32Array;
  readonly #wants: Int32Array;

  /** `arrivals`: of a whole group, by the device's number in it; `together`: everybody arrives at 0. */
  constructor(populations: readonly Population[], arrivals: (groupIndex: number) => Float64Array, together: boolean) {
    this.populations = populations;
    this.#flowBase = new Int32Array(populations.length + 1);
    this.#deviceBase = new Int32Array(populations.length + 1);
    let flows = 0;
    let devices = 0;
    for (const [p, population] of populations.entries()) {
      const cohorts = isCohort(population, together) ? 1 : population.count;
      devices += cohorts;
      flows += cohorts * population.group.wants.length;
      this.#deviceBase[p + 1] = devices;
      this.#flowBase[p + 1] = flows;
    }
    this.flowCount = flows;
    this.deviceCount = devices;
    this.arriveAtMs = new Float64Array(devices);
    this.classOf = new Int32Array(flows).fill(-1);
    this.openDownloads = new Int16Array(devices);
    this.#populationOfFlow = new Uint32Array(flows);
    this.#multiplicity = new Int32Array(populations.length);
    this.#wants = Int32Array.from(populations, ({ group }) => group.wants.length);
    for (const [p, population] of populations.entries()) this.#fill(p, population, arrivals, together);
    this.order = sortedByTime(this.arriveAtMs);
  }

  #fill(p: number, population: Population, arrivals: (groupIndex: number) => Float64Array, together: boolean): void {
    const from = this.#deviceBase[p] as number;
    const to = this.#deviceBase[p + 1] as number;
    this.openDownloads.fill(population.group.wants.length, from, to);
    this.#populationOfFlow.fill(p, this.#flowBase[p], this.#flowBase[p + 1]);
    this.#multiplicity[p] = isCohort(population, together) ? population.count : 1;
    if (together) return;
    if (isCohort(population, together)) this.arriveAtMs.fill(population.group.arrive.atMs, from, to);
    else {
      const ofGroup = arrivals(population.groupIndex);
      let number = population.first;
      for (let device = from; device < to; device += 1) {
        this.arriveAtMs[device] = ofGroup[number] as number;
        number += population.stride;
      }
    }
  }

  /** Index of the population in this table. */
  populationOf(flow: number): number {
    return this.#populationOfFlow[flow] as number;
  }

  populationOfDevice(device: number): number {
    return placeIn(this.#deviceBase, device);
  }

  deviceOf(flow: number, p: number): number {
    const inPopulation = flow - (this.#flowBase[p] as number);
    const wants = this.#wants[p] as number;
    return (this.#deviceBase[p] as number) + (wants === 1 ? inPopulation : Math.floor(inPopulation / wants));
  }

  wantOf(flow: number, p: number): number {
    return (flow - (this.#flowBase[p] as number)) % (this.#wants[p] as number);
  }

  firstFlowOf(device: number, p: number): number {
    return (this.#flowBase[p] as number) + (device - (this.#deviceBase[p] as number)) * (this.#wants[p] as number);
  }

  /** Of a device (or the first of a cohort) among those of its population. */
  numberOf(device: number, p: number): number {
    return device - (this.#deviceBase[p] as number);
  }

  /** Devices that a flow stands for. */
  multiplicityOf(p: number): number {
    return this.#multiplicity[p] as number;
  }
}

const isCohort = (population: Population, together: boolean): boolean =>
  together || population.group.arrive.overMs === 0;

/** The place of the last base that is at most `value`. */
function placeIn(bases: Int32Array, value: number): number {
  let low = 0;
  let high = bases.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((bases[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Indices in the order of their times, those of the same time by index. Arrivals are spread about evenly, so that a bucket
 * a device leaves little to sort: linear in the number of devices, where a comparison sort takes ten times as long.
 */
export function sortedByTime(times: Float64Array): Int32Array {
  const count = times.length;
  const order = new Int32Array(count);
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < count; i += 1) {
    first = Math.min(first, times[i] as number);
    last = Math.max(last, times[i] as number);
  }
  const scale = last > first ? (count - 1) / (last - first) : 0;
  const ends = new Int32Array(count + 1);
  for (let i = 0; i < count; i += 1) {
    const bucket = Math.floor(((times[i] as number) - first) * scale);
    ends[bucket + 1] = (ends[bucket + 1] as number) + 1;
  }
  for (let bucket = 0; bucket < count; bucket += 1) {
    ends[bucket + 1] = (ends[bucket + 1] as number) + (ends[bucket] as number);
  }
  for (let i = 0; i < count; i += 1) {
    const bucket = Math.floor(((times[i] as number) - first) * scale);
    order[ends[bucket] as number] = i;
    ends[bucket] = (ends[bucket] as number) + 1;
  }
  for (let i = 1; i < count; i += 1) {
    const each = order[i] as number;
    const time = times[each] as number;
    let place = i;
    while (place > 0 && (times[order[place - 1] as number] as number) > time) {
      order[place] = order[place - 1] as number;
      place -= 1;
    }
    order[place] = each;
  }
  return order;
}
