// Processors whose capacity changes with the number of connections that ask at the same time (docs/model.md, "Processor").

import type { Concurrency } from '../../scenario/profile.ts';
import { relativeCapacity } from '../../scenario/scalability-law.ts';
import type { FlowClass } from './flow-class.ts';
import type { Machines } from './machines.ts';
import type { Network } from './network.ts';
import { useOf } from './resource-use.ts';

/** The law is not extrapolated beyond twice what was measured. */
const extrapolationMax = 2;
/** A change of the number of connections that matters. */
const changeRatio = 0.02;

type Processor = {
  readonly resource: number;
  readonly cores: number;
  readonly concurrency: Concurrency;
  /** For which its capacity was set last. */
  connections: number;
};

export class ProcessorLoad {
  readonly #network: Network;
  readonly #machines: Machines;
  readonly #processors: Processor[] = [];
  /** Whether more connections asked than the law was measured for. */
  isBeyondMeasured = false;

  constructor(network: Network, machines: Machines) {
    this.#network = network;
    this.#machines = machines;
    const add = (resource: number, cores: number, concurrency: Concurrency | undefined): void => {
      if (resource < 0 || concurrency === undefined || !Number.isFinite(cores)) return;
      this.#processors.push({ resource, cores, concurrency, connections: 0 });
    };
    const { machine } = machines;
    if (machine !== undefined) add(machine.cpu, machine.profile.cores ?? Infinity, machine.profile.concurrency);
    for (const { cpu, cores, profile } of machines.nodes.values()) add(cpu, cores, profile?.concurrency);
  }

  /** Sets capacities anew where the number of connections has changed; true when one was. */
  follow(nowMs: number): boolean {
    let changed = false;
    for (const processor of this.#processors) {
      const connections = this.#connectionsOf(processor.resource);
      const difference = Math.abs(connections - processor.connections);
      if (connections === 0 || difference <= changeRatio * processor.connections) continue;
      processor.connections = connections;
      const { concurrency, cores, resource } = processor;
      if (connections > extrapolationMax * concurrency.connectionsMax) this.isBeyondMeasured = true;
      const counted = Math.min(connections, extrapolationMax * concurrency.connectionsMax);
      this.#network.setCapacity(resource, cores * relativeCapacity(concurrency, counted), nowMs);
      changed = true;
    }
    return changed;
  }

  /**
   * Ms of a request of a live window that finds its connection idle: its overhead, and its bytes at the speed of one
   * connection that has the machine for itself, longer by what others take of the processor (an M/G/1 queue with processor
   * sharing: 1 ÷ (1 - ρ)).
   */
  serviceMs({ rangeBytes }: FlowClass, overheadMs: number): number {
    const { machine } = this.#machines;
    if (machine === undefined) return overheadMs;
    const { cores = Number.POSITIVE_INFINITY, cpu, harness, concurrency } = machine.profile;
    const msPerByte =
      (cpu?.msPerByte ?? 0) +
      (harness?.clientMsPerByte ?? 0) +
      ((cpu?.msPerRequest ?? 0) + (harness?.clientMsPerRequest ?? 0)) / rangeBytes;
    const alone = cores * (concurrency === undefined ? 1 : relativeCapacity(concurrency, 1));
    const usedRatio = Math.min(0.99, useOf(this.#network, machine.cpu) / cores);
    return Math.max(overheadMs, (rangeBytes * msPerByte) / alone) / (1 - usedRatio);
  }

  #connectionsOf(resource: number): number {
    const { flowCount, connections } = this.#network.classes;
    let sum = 0;
    for (const each of this.#network.usersOf(resource)) {
      sum += (flowCount[each] as number) * (connections[each] as number);
    }
    return sum;
  }
}
