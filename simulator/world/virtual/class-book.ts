// The classes of a component by what they are, each made when it is first needed; and the caps of a device's own: downlink,
// policies, the overhead of its requests, and in a live window what is demanded of it.

import { assert } from '../../../common/errors.ts';
import { policyOf } from '../../device/policies.ts';
import { pieceBytes, windowsConnectionsPerFile } from '../../device/range-plan.ts';
import type { DownloadPolicySpec, Scenario } from '../../scenario/scenario.ts';
import { type DeviceRate, deviceRate } from '../device-rates.ts';
import type { FlowClass, Phase } from './flow-class.ts';
import type { Limits } from './limits.ts';
import type { Network } from './network.ts';
import { aloneRate } from './resource-use.ts';
import type { Supply } from './supply.ts';
import type { Population } from './topology.ts';

/** 100 Gbit/s, for a device that nothing else limits: no network card of a device is faster. */
const unlimitedBytesPerMs = 12.5e6;

/** Devices with the same downloads under way share their own link in the same way. */
type DeviceState = { readonly resource: number; readonly population: number; deviceCount: number };

export class ClassBook {
  readonly all: FlowClass[] = [];
  /** By group: what its devices are told at the moment. */
  readonly policies: DownloadPolicySpec[];
  /** Bytes/ms that each device is to ask for (live window); undefined: as fast as it goes. */
  readonly demandBytesPerMs: number | undefined;
  readonly #scenario: Scenario;
  readonly #network: Network;
  readonly #limits: Limits;
  readonly #populations: readonly Population[];
  readonly #byKey = new Map<string, number>();
  readonly #plain: number[] = [];
  readonly #states = new Map<string, DeviceState>();
  #supply: Supply | undefined;

  constructor(
    scenario: Scenario,
    network: Network,
    limits: Limits,
    populations: readonly Population[],
    demandBytesPerMs: number | undefined,
  ) {
    this.#scenario = scenario;
    this.#network = network;
    this.#limits = limits;
    this.#populations = populations;
    this.demandBytesPerMs = demandBytesPerMs;
    this.policies = scenario.fleet.map(({ policy }) => policy);
  }

  /** Before the first class. */
  setSupply(supply: Supply): void {
    this.#supply = supply;
  }

  get(each: number): FlowClass {
    return this.all[each] as FlowClass;
  }

  /** `state`: the downloads that the device has under way, when there is more than one. */
  find(p: number, want: number, source: number, phase: Phase, state: string, nowMs: number): number {
    const isPlain = state === '' && phase === 'plain' && want === 0;
    const place = p * 32 + source + 1;
    if (isPlain && this.#plain[place] !== undefined) return this.#plain[place];
    const key = `${p}/${want}/${source}/${phase}/${state}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const each = this.#make(p, want, source, phase, state, nowMs);
    this.#byKey.set(key, each);
    if (isPlain) this.#plain[place] = each;
    return each;
  }

  #make(p: number, want: number, source: number, phase: Phase, state: string, nowMs: number): number {
    const population = this.#populations[p] as Population;
    const { group } = population;
    const object = this.#scenario.content.findIndex(({ id }) => id === group.wants[want]);
    const sizeBytes = this.#scenario.content[object]?.sizeBytes ?? 0;
    const isWhole = policyOf(group.client).transport.ranges === 'rest';
    const pieces = Math.ceil(sizeBytes / pieceBytes);
    assert(this.#supply !== undefined, 'the supply is set before the first class');
    const node = source < 0 ? undefined : (population.cacheHosts[source] as number);
    const stock = node === undefined ? undefined : this.#supply.stockOf(node, object);
    const flowClass: FlowClass = {
      population,
      populationIndex: p,
      want,
      object,
      sizeBytes,
      isWhole,
      rangeBytes: isWhole ? sizeBytes : sizeBytes / pieces,
      connections: isWhole ? 1 : (group.connectionsPerFile ?? windowsConnectionsPerFile(pieces)),
      source,
      phase,
      stock,
      deviceResource: state === '' ? -1 : this.deviceState(p, state, nowMs).resource,
      levels: [],
      cdnCoefficient: 0,
      missRatio: 0,
      patienceBytesPerMs: policyOf(group.client).transport.stallBytesPerMs,
      slowSinceMs: Number.NaN,
      backlogBytes: 0,
      isHurrying: this.demandBytesPerMs === undefined,
    };
    const spec = { connections: flowClass.connections, cap: 0, capLimit: -1, uses: [], coefficients: [] };
    const each = this.#network.addClass(spec, nowMs);
    this.all.push(flowClass);
    assert(each === this.all.length - 1, 'classes of network and book have the same numbers');
    stock?.classes.push(each);
    this.#supply.apply(each, nowMs);
    return each;
  }

  /** What devices with several downloads under way share. */
  deviceState(p: number, state: string, nowMs: number): DeviceState {
    const key = `${p}/${state}`;
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    const { bytesPerMs, limit } = this.rateOf(p, nowMs);
    const index = this.#limits.index(this.#limitOf(p, limit, bytesPerMs));
    const isLimited = Number.isFinite(bytesPerMs) || this.#mayBeLimited(p);
    const resource = isLimited ? this.#network.addResource(0, index) : -1;
    const made = { resource, population: p, deviceCount: 0 };
    this.#states.set(key, made);
    return made;
  }

  /** So many more devices (or fewer) have these downloads under way. */
  countDevices(state: DeviceState, change: number, nowMs: number): void {
    state.deviceCount += change;
    this.#setDeviceCapacity(state, nowMs);
  }

  #setDeviceCapacity({ resource, population, deviceCount }: DeviceState, nowMs: number): void {
    if (resource < 0) return;
    const { bytesPerMs } = this.rateOf(population, nowMs);
    this.#network.setCapacity(resource, Math.min(bytesPerMs, unlimitedBytesPerMs) * deviceCount, nowMs);
  }

  #mayBeLimited(p: number): boolean {
    const id = this.#populations[p]?.group.id;
    return this.#scenario.events.some((event) => event.kind === 'policy' && event.group === id);
  }

  rateOf(p: number, nowMs: number): DeviceRate {
    const { groupIndex, downlinkBytesPerMs } = this.#populations[p] as Population;
    const policy = this.policies[groupIndex] as DownloadPolicySpec;
    return deviceRate(policy, downlinkBytesPerMs, this.#scenario.startsAtMs + nowMs);
  }

  #limitOf(p: number, what: string, bytesPerMs: number) {
    return {
      name: `group.${this.#populations[p]?.group.id}.${what}`,
      capacity: Number.isFinite(bytesPerMs) ? bytesPerMs * 8000 : undefined,
      unit: 'bitsPerSecond',
      basis: 'given',
      isUpstream: false,
    } as const;
  }

  /** The policies of a group, or the hour, have changed. */
  refreshRates(groupIndex: number, nowMs: number): void {
    for (const [each, { population }] of this.all.entries()) {
      if (population.groupIndex === groupIndex) this.setCap(each, nowMs);
    }
    for (const state of this.#states.values()) {
      if (this.#populations[state.population]?.groupIndex === groupIndex) this.#setDeviceCapacity(state, nowMs);
    }
  }

  setCap(each: number, nowMs: number): void {
    const flowClass = this.get(each);
    const p = flowClass.populationIndex;
    const { connections, rangeBytes, deviceResource } = flowClass;
    const rate = this.rateOf(p, nowMs);
    let bytesPerMs = Number.POSITIVE_INFINITY;
    let what = 'unlimited';
    const lower = (to: number, name: string): void => {
      if (to >= bytesPerMs) return;
      bytesPerMs = to;
      what = name;
    };
    if (deviceResource < 0) lower(rate.bytesPerMs, rate.limit);
    const overheadMs = this.#supply?.overheadMs(flowClass) ?? 0;
    if (overheadMs > 0 && !flowClass.isWhole) {
      // One request at a time on a connection: the overhead is waited for each time (docs/model.md, "Requests").
      const aloneBytesPerMs = Math.min(rate.bytesPerMs, aloneRate(this.#network, each, deviceResource));
      lower((connections * rangeBytes) / (overheadMs + rangeBytes / aloneBytesPerMs), 'requests');
    }
    if (!flowClass.isHurrying && this.demandBytesPerMs !== undefined) lower(this.demandBytesPerMs, 'demand');
    lower(unlimitedBytesPerMs, 'unlimited');
    const basis = what === 'unlimited' ? 'assumed' : 'given';
    const limit = this.#limits.index({ ...this.#limitOf(p, what, what === 'requests' ? Infinity : bytesPerMs), basis });
    this.#network.setCap(each, bytesPerMs / connections, limit, nowMs);
  }
}
