// Where everything is: the copies of sites and nodes that a scenario asks for, its devices as populations (alike but for
// their arrival), and which of these have to be simulated together. Devices of a group are dealt to the copies of its site in
// turn, and at each copy to the speeds in turn (device-rates.ts).

import { assert } from '../../../common/errors.ts';
import type { FleetGroup, NodeSpec, Scenario, SiteSpec } from '../../scenario/scenario.ts';
import { downlinksOf } from '../device-rates.ts';

/** -1 stands for none: no site is where the CDN is. */
export type SiteCopy = { readonly spec: SiteSpec; readonly specIndex: number; readonly parent: number };
export type NodeCopy = {
  readonly spec: NodeSpec;
  readonly specIndex: number;
  readonly site: number;
  readonly parent: number;
};

/** Devices of one group at one site with one speed: numbers `first`, `first + stride` … of their group. */
export type Population = {
  readonly group: FleetGroup;
  readonly groupIndex: number;
  readonly site: number;
  /** Bytes/ms; Infinity: not limited. */
  readonly downlinkBytesPerMs: number;
  readonly first: number;
  readonly stride: number;
  readonly count: number;
  /** Node copies, in the order in which they are tried. */
  readonly cacheHosts: readonly number[];
};

export type Topology = {
  readonly sites: readonly SiteCopy[];
  readonly nodes: readonly NodeCopy[];
  readonly populations: readonly Population[];
};

/** Populations and nodes that nothing couples to others. */
export type Component = { readonly populations: readonly number[]; readonly nodes: readonly number[] };

export function layOut(scenario: Scenario): Topology {
  const sites = siteCopies(scenario.sites);
  const nodes = nodeCopies(scenario.nodes, scenario.sites, sites);
  const bySite = nodesBySite(nodes);
  const populations = scenario.fleet.flatMap((group, index) => populationsOf(group, index, scenario, sites, bySite));
  return { sites, nodes, populations };
}

/** Copy `k` of a site lies in copy `k` (modulo their number) of its parent. */
function siteCopies(specs: readonly SiteSpec[]): SiteCopy[] {
  const firstCopy: number[] = [];
  let count = 0;
  for (const spec of specs) {
    firstCopy.push(count);
    count += spec.count;
  }
  return specs.flatMap((spec, specIndex) => {
    const parentIndex = specs.findIndex((each) => each.id === spec.parent);
    const parent = specs[parentIndex];
    return Array.from({ length: spec.count }, (_, k) => ({
      spec,
      specIndex,
      parent: parent === undefined ? -1 : (firstCopy[parentIndex] as number) + (k % parent.count),
    }));
  });
}

function nodeCopies(
  specs: readonly NodeSpec[],
  siteSpecs: readonly SiteSpec[],
  sites: readonly SiteCopy[],
): NodeCopy[] {
  const copies: { spec: NodeSpec; specIndex: number; site: number; parent: number }[] = [];
  for (const [specIndex, spec] of specs.entries()) {
    const siteIndex = siteSpecs.findIndex((each) => each.id === spec.site);
    const places = sites.flatMap((site, copy) => (site.specIndex === siteIndex ? [copy] : []));
    for (const site of spec.site === undefined ? [-1] : places) copies.push({ spec, specIndex, site, parent: -1 });
  }
  const bySite = nodesBySite(copies);
  for (const copy of copies) {
    if (copy.spec.parent !== undefined) copy.parent = nodeFor(copy.spec.parent, copy.site, bySite, sites);
  }
  return copies;
}

/** By id of the node: its copies by site. */
type NodesBySite = ReadonlyMap<string, ReadonlyMap<number, number>>;

function nodesBySite(nodes: readonly NodeCopy[]): NodesBySite {
  const byId = new Map<string, Map<number, number>>();
  for (const [index, { spec, site }] of nodes.entries()) {
    const copies = byId.get(spec.id) ?? new Map<number, number>();
    byId.set(spec.id, copies.set(site, index));
  }
  return byId;
}

/** The copy of a node that somebody at a site means: the only one, or the one on the way from the site to the CDN. */
function nodeFor(id: string, site: number, nodes: NodesBySite, sites: readonly SiteCopy[]): number {
  const copies = nodes.get(id);
  const [only] = copies?.values() ?? [];
  if (copies?.size === 1 && only !== undefined) return only;
  const place = pathToCdn(site, sites).find((each) => copies?.has(each));
  const found = place === undefined ? undefined : copies?.get(place);
  assert(found !== undefined, `the loader checked that ${id} is on the way from its users to the CDN`);
  return found;
}

/** Sites from here to the CDN, this one included; empty where the CDN is. */
export function pathToCdn(site: number, sites: readonly SiteCopy[]): number[] {
  const way: number[] = [];
  for (let at = site; at >= 0; at = (sites[at] as SiteCopy).parent) way.push(at);
  return way;
}

function populationsOf(
  group: FleetGroup,
  groupIndex: number,
  scenario: Scenario,
  sites: readonly SiteCopy[],
  nodes: NodesBySite,
): Population[] {
  const siteIndex = scenario.sites.findIndex((each) => each.id === group.site);
  const places =
    group.site === undefined ? [-1] : sites.flatMap((site, copy) => (site.specIndex === siteIndex ? [copy] : []));
  const speeds = downlinksOf(group, places.length);
  const stride = places.length * speeds.length;
  return places.flatMap((site, place) =>
    speeds.flatMap((downlinkBytesPerMs, speed): Population[] => {
      const first = place + speed * places.length;
      const count = Math.ceil((group.devices - first) / stride);
      if (count <= 0) return [];
      const cacheHosts = group.cacheHosts.map((id) => nodeFor(id, site, nodes, sites));
      return [{ group, groupIndex, site, downlinkBytesPerMs, first, stride, count, cacheHosts }];
    }),
  );
}

/**
 * Falls apart where nothing is shared: sites with nodes of their own, when neither a link, nor the CDN (`sharesCdn`),
 * nor a node serves two of them.
 */
export function components({ sites, nodes, populations }: Topology, sharesCdn: boolean): Component[] {
  // Elements: the CDN, then sites, nodes, populations.
  const siteAt = (site: number): number => 1 + site;
  const nodeAt = (node: number): number => 1 + sites.length + node;
  const populationAt = (population: number): number => 1 + sites.length + nodes.length + population;
  const root = Int32Array.from({ length: 1 + sites.length + nodes.length + populations.length }, (_, i) => i);
  const find = (element: number): number => {
    let at = element;
    while (root[at] !== at) at = root[at] as number;
    root[element] = at;
    return at;
  };
  const join = (a: number, b: number): void => {
    const [low, high] = [find(a), find(b)].sort((x, y) => x - y) as [number, number];
    root[high] = low;
  };
  const joinLinks = (element: number, site: number): void => {
    for (const each of pathToCdn(site, sites)) {
      if ((sites[each] as SiteCopy).spec.linkBytesPerMs !== undefined) join(element, siteAt(each));
    }
    if (sharesCdn) join(element, 0);
  };
  for (const [index, node] of nodes.entries()) {
    if (node.parent >= 0) join(nodeAt(index), nodeAt(node.parent));
    joinLinks(nodeAt(index), node.site);
  }
  for (const [index, population] of populations.entries()) {
    for (const host of population.cacheHosts) join(populationAt(index), nodeAt(host));
    joinLinks(populationAt(index), population.site);
  }
  const byRoot = new Map<number, { populations: number[]; nodes: number[] }>();
  const partOf = (element: number): { populations: number[]; nodes: number[] } => {
    const at = find(element);
    const part = byRoot.get(at) ?? { populations: [], nodes: [] };
    byRoot.set(at, part);
    return part;
  };
  for (const index of populations.keys()) partOf(populationAt(index)).populations.push(index);
  for (const index of nodes.keys()) partOf(nodeAt(index)).nodes.push(index);
  return [...byRoot.values()].filter((part) => part.populations.length > 0);
}
