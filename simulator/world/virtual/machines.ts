// The resources of a component: of each node its network card, processor, drives and WAN, of each site its link in both
// directions, and what the CDN sends. A prediction has one processor more: the machine on which a live run has everything.

import type { FigureBasis, HardwareProfile } from '../../scenario/profile.ts';
import type { LinkName, Scenario } from '../../scenario/scenario.ts';
import type { Limits } from './limits.ts';
import type { Network } from './network.ts';
import { type Component, type NodeCopy, pathToCdn, type SiteCopy, type Topology } from './topology.ts';

/** Resource indices; -1: it never limits. */
export type NodeMachine = {
  readonly copy: NodeCopy;
  readonly profile: HardwareProfile | undefined;
  readonly nic: number;
  readonly cpu: number;
  readonly diskRead: number;
  readonly diskWrite: number;
  readonly wan: number;
  /** As built, without events. */
  readonly wanBytesPerMs: number;
  readonly cores: number;
  /** Share of the content in use that memory holds follows from it. Infinity: all. */
  readonly pageCacheBytes: number;
  /** Infinity: never full. */
  drivesBytes: number;
  drivesLeft: number;
  readonly hitMs: number;
  readonly missMs: number;
};

/** Down: from the CDN's side into the site. */
export type SiteLinks = { readonly down: number; readonly up: number; readonly bytesPerMs: number };

const unlimited = Number.POSITIVE_INFINITY;

export class Machines {
  readonly nodes = new Map<number, NodeMachine>();
  readonly links = new Map<number, SiteLinks>();
  readonly cdn: number;
  /** The processor of the machine that a live run is predicted for. */
  readonly machine: { readonly cpu: number; readonly profile: HardwareProfile } | undefined;
  readonly #sites: readonly SiteCopy[];

  constructor(
    network: Network,
    limits: Limits,
    scenario: Scenario,
    topology: Topology,
    component: Component,
    machine: HardwareProfile | undefined,
  ) {
    this.#sites = topology.sites;
    const changing = changingLinks(scenario);
    const add = (
      name: string,
      capacity: number,
      basis: FigureBasis,
      options: { readonly isUpstream?: boolean; readonly unit?: 'cores'; readonly mayChange?: boolean } = {},
    ): number => {
      if (capacity === unlimited && options.mayChange !== true) return -1;
      const limit = limits.index({
        name,
        capacity: capacity === unlimited ? undefined : options.unit === 'cores' ? capacity : capacity * 8000,
        unit: options.unit ?? 'bitsPerSecond',
        basis,
        isUpstream: options.isUpstream ?? false,
      });
      return network.addResource(capacity, limit);
    };
    this.cdn = add('cdn.egress', scenario.cdn.egressBytesPerMs ?? unlimited, 'given', { isUpstream: true });
    this.machine =
      machine === undefined
        ? undefined
        : { cpu: add('machine.cpu', machine.cores ?? unlimited, 'measured', { unit: 'cores' }), profile: machine };
    for (const index of component.nodes) {
      const copy = topology.nodes[index] as NodeCopy;
      this.nodes.set(index, nodeMachine(copy, add, changing, machine));
    }
    const places = [
      ...component.nodes.map((index) => (topology.nodes[index] as NodeCopy).site),
      ...component.populations.map((index) => topology.populations[index]?.site ?? -1),
    ];
    for (const site of new Set(places.flatMap((place) => pathToCdn(place, topology.sites)))) {
      const { spec } = topology.sites[site] as SiteCopy;
      const bytesPerMs = spec.linkBytesPerMs ?? unlimited;
      const options = { isUpstream: true, mayChange: changing.has(`${spec.id}.link`) };
      const down = add(`site.${spec.id}.link`, bytesPerMs, 'given', options);
      const up = add(`site.${spec.id}.link`, bytesPerMs, 'given', options);
      this.links.set(site, { down, up, bytesPerMs });
    }
  }

  siteId(site: number): string {
    return (this.#sites[site] as SiteCopy).spec.id;
  }

  /** Links that content crosses from one place to another. */
  linksBetween(from: number, to: number): number[] {
    const fromWay = pathToCdn(from, this.#sites);
    const toWay = pathToCdn(to, this.#sites);
    const up = fromWay.filter((site) => !toWay.includes(site)).map((site) => this.links.get(site)?.up ?? -1);
    const down = toWay.filter((site) => !fromWay.includes(site)).map((site) => this.links.get(site)?.down ?? -1);
    return [...up, ...down].filter((resource) => resource >= 0);
  }

  /** Sites whose links content crosses, for finding out whether one is cut. */
  sitesBetween(from: number, to: number): number[] {
    const fromWay = pathToCdn(from, this.#sites);
    const toWay = pathToCdn(to, this.#sites);
    return [...fromWay.filter((site) => !toWay.includes(site)), ...toWay.filter((site) => !fromWay.includes(site))];
  }
}

function changingLinks(scenario: Scenario): ReadonlySet<string> {
  const name = (link: LinkName): string => (link.kind === 'wan' ? `${link.node}.wan` : `${link.site}.link`);
  return new Set(scenario.events.flatMap((event) => (event.kind === 'narrow' ? [name(event.link)] : [])));
}

type Add = (
  name: string,
  capacity: number,
  basis: FigureBasis,
  options?: { readonly isUpstream?: boolean; readonly unit?: 'cores'; readonly mayChange?: boolean },
) => number;

function nodeMachine(
  copy: NodeCopy,
  add: Add,
  changing: ReadonlySet<string>,
  predicted: HardwareProfile | undefined,
): NodeMachine {
  const { spec } = copy;
  const limit = spec.limit?.egressBytesPerMs ?? unlimited;
  const name = `node.${spec.id}`;
  if (predicted !== undefined) {
    // The modelled machine does not bind a live run: only what is enforced there, and the machine that it runs on.
    return {
      copy,
      profile: predicted,
      nic: add(`${name}.limit`, limit, 'given'),
      cpu: -1,
      diskRead: -1,
      diskWrite: -1,
      wan: -1,
      wanBytesPerMs: unlimited,
      cores: predicted.cores ?? unlimited,
      pageCacheBytes: unlimited,
      drivesBytes: unlimited,
      drivesLeft: 1,
      hitMs: predicted.latency?.hitMs ?? 0,
      missMs: predicted.latency?.missMs ?? 0,
    };
  }
  const profile = spec.hardware;
  const basisOf = (key: string): FigureBasis => profile?.basis[key] ?? 'given';
  const wire = (profile?.nicWireBytesPerMs ?? unlimited) * (profile?.bodyPerWireRatio ?? 1);
  const egress = spec.egressBytesPerMs ?? Math.min(wire, profile?.egressBytesPerMs ?? unlimited);
  const egressBasis = spec.egressBytesPerMs !== undefined ? 'given' : basisOf(egress === wire ? 'nic' : 'egress');
  const isLimit = limit < egress;
  const wan = spec.wanBytesPerMs ?? Math.min(profile?.wanBytesPerMs ?? unlimited, wire);
  const cores = spec.cores ?? profile?.cores ?? unlimited;
  const drives = spec.drivesBytes ?? profile?.drivesBytes;
  const driveCount = drives?.length ?? 1;
  const memory = spec.memoryBytes ?? profile?.memoryBytes;
  return {
    copy,
    profile,
    nic: add(
      `${name}.${isLimit ? 'limit' : egress === wire ? 'nic' : 'egress'}`,
      Math.min(egress, limit),
      isLimit ? 'given' : egressBasis,
    ),
    cpu: profile?.cpu === undefined ? -1 : add(`${name}.cpu`, cores, basisOf('cpu'), { unit: 'cores' }),
    diskRead: add(`${name}.diskRead`, driveCount * (profile?.diskReadBytesPerMs ?? unlimited), basisOf('disk')),
    diskWrite: add(`${name}.diskWrite`, driveCount * (profile?.diskWriteBytesPerMs ?? unlimited), basisOf('disk'), {
      isUpstream: true,
    }),
    wan: add(`${name}.wan`, wan, spec.wanBytesPerMs !== undefined ? 'given' : basisOf('wan'), {
      isUpstream: true,
      mayChange: changing.has(`${spec.id}.wan`),
    }),
    wanBytesPerMs: wan,
    cores,
    pageCacheBytes: memory === undefined ? unlimited : memory * (profile?.pageCacheRatio ?? 0.5),
    drivesBytes: drives?.reduce((sum, bytes) => sum + bytes, 0) ?? unlimited,
    drivesLeft: driveCount,
    hitMs: profile?.latency?.hitMs ?? 0,
    missMs: profile?.latency?.missMs ?? 0,
  };
}
