// What the network is made of, as columns: resources (a link, a network card, a processor) that have a capacity, and
// classes of flows that use them. All flows of a class have the same path, cap and number of connections, so at every
// instant each of their connections has the same rate.

import { type FlowLinks, FlowQueue } from './flow-queue.ts';

/** By resource. A resource's unit is its own: bytes/ms for a link, ms of processor time per ms for a processor. */
export type ResourceTable = {
  readonly capacity: number[];
  /** Which limit of the report it stands for. */
  readonly limit: number[];
};

/** By class. */
export type ClassTable = {
  /** Devices: each has one flow. */
  readonly flowCount: number[];
  /** Connections of a flow: on a shared link, each gets the same. */
  readonly connections: number[];
  /** Most that a connection can have by itself, in bytes/ms, and the limit of the report that says so. */
  readonly cap: number[];
  readonly capLimit: number[];
  /** Resources that it uses, and how much of each for a byte that it moves. */
  readonly uses: (readonly number[])[];
  readonly coefficients: (readonly number[])[];
  /** The same without what the trunk has and what is zero; and the coefficients of the trunk's resources, in its order. */
  readonly ownUses: (readonly number[])[];
  readonly ownCoefficients: (readonly number[])[];
  readonly trunkCoefficients: (readonly number[])[];
  /** What a connection would have without the trunk (trunk.ts). */
  readonly demand: number[];
  /** What limits it, in terms of the report; where the trunk does, the trunk knows. */
  readonly boundBy: number[];
  readonly queue: FlowQueue[];
  /** Bytes that a connection had since the start, at `atMs`; with `rate` from then on, unless the trunk binds it. */
  readonly service: number[];
  readonly atMs: number[];
  readonly rate: number[];
  /** Service at the last settlement, and when that was. */
  readonly settled: number[];
  readonly settledAtMs: number[];
  /** Service at which its first flow ends; Infinity without one. */
  readonly firstEnd: number[];
  /** The end of a flow by which the class waits for its time; NaN: it has to be set. */
  readonly endSet: number[];
  /** Sum over its devices of the service at which their flow ends: what is left in all follows from it. */
  readonly endsAtSum: number[];
  /** Its island, and whether its rate is the trunk's level. */
  readonly island: number[];
  readonly onTrunk: boolean[];
  /** Trunk-bound: its service minus the trunk's. */
  readonly offset: number[];
};

export function newResourceTable(): ResourceTable {
  return { capacity: [], limit: [] };
}

export function newClassTable(): ClassTable {
  return {
    flowCount: [],
    connections: [],
    cap: [],
    capLimit: [],
    uses: [],
    coefficients: [],
    ownUses: [],
    ownCoefficients: [],
    trunkCoefficients: [],
    demand: [],
    boundBy: [],
    queue: [],
    service: [],
    atMs: [],
    rate: [],
    settled: [],
    settledAtMs: [],
    firstEnd: [],
    endSet: [],
    endsAtSum: [],
    island: [],
    onTrunk: [],
    offset: [],
  };
}

/** What a class begins with. */
export type ClassSpec = {
  readonly connections: number;
  readonly cap: number;
  readonly capLimit: number;
  readonly uses: readonly number[];
  readonly coefficients: readonly number[];
};

export function addClass(table: ClassTable, spec: ClassSpec, links: FlowLinks, nowMs: number): number {
  table.flowCount.push(0);
  table.connections.push(spec.connections);
  table.cap.push(spec.cap);
  table.capLimit.push(spec.capLimit);
  table.uses.push(spec.uses);
  table.coefficients.push(spec.coefficients);
  table.ownUses.push([]);
  table.ownCoefficients.push([]);
  table.trunkCoefficients.push([]);
  table.demand.push(0);
  table.boundBy.push(spec.capLimit);
  table.queue.push(new FlowQueue(links));
  table.service.push(0);
  table.atMs.push(nowMs);
  table.rate.push(0);
  table.settled.push(0);
  table.settledAtMs.push(nowMs);
  table.firstEnd.push(Number.POSITIVE_INFINITY);
  table.endSet.push(Number.NaN);
  table.endsAtSum.push(0);
  table.island.push(-1);
  table.onTrunk.push(false);
  table.offset.push(0);
  return table.flowCount.length - 1;
}

/** Tells the uses of a class apart by whether the trunk has them. */
export function splitUses(table: ClassTable, index: number, trunk: readonly number[]): void {
  const uses = table.uses[index] as readonly number[];
  const coefficients = table.coefficients[index] as readonly number[];
  const ownUses: number[] = [];
  const ownCoefficients: number[] = [];
  const ofTrunk = trunk.map(() => 0);
  for (const [i, resource] of uses.entries()) {
    const coefficient = coefficients[i] as number;
    const place = trunk.indexOf(resource);
    if (place >= 0) ofTrunk[place] = coefficient;
    else if (coefficient > 0) {
      ownUses.push(resource);
      ownCoefficients.push(coefficient);
    }
  }
  table.ownUses[index] = ownUses;
  table.ownCoefficients[index] = ownCoefficients;
  table.trunkCoefficients[index] = ofTrunk;
}
