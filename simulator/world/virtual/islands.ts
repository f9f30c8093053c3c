// Which classes have to be solved together. Two classes that share a resource of finite capacity belong to one component.
// A component of many sites under one core link would be one large problem; but where some resources are used by every
// class of it, the rest falls apart into islands, and those resources (the trunk) are one level for all of them:
//
//            core link                     trunk = { core link }
//       ┌────────┼────────┐                islands = { site 1 }, { site 2 }, { site 3 }
//     site 1   site 2   site 3
//
// With x the rate of a connection and d what its island alone would give it: x = min(d, level of the trunk). That is
// max-min fair because every class of the component crosses the trunk: once its level is reached, all stop.

import type { ClassTable, ResourceTable } from './network-tables.ts';

export type Island = {
  /** Its classes by their cap, smallest first (once `isFlat`). */
  readonly classes: number[];
  /** Resources that it uses beside the trunk. */
  readonly resources: number[];
  /** Index of its trunk; -1: none. */
  readonly trunk: number;
  /** The uses of its classes in a row: those of `classes[i]` are at `useStart[i]` … `useStart[i + 1] - 1`. */
  useStart: Int32Array;
  /** Places in `resources`. */
  useResource: Int32Array;
  useCoefficient: Float64Array;
  /** Whether the order of its classes and the row of uses are up to date. */
  isFlat: boolean;
};

const noInts = new Int32Array(0);
const noFloats = new Float64Array(0);

/** Puts the classes in the order of their caps, and their uses in a row: what progressive filling walks over. */
export function flatten(island: Island, { cap, ownUses, ownCoefficients }: ClassTable): void {
  island.classes.sort((a, b) => (cap[a] as number) - (cap[b] as number) || a - b);
  const uses = island.classes.map((each) => ownUses[each] as readonly number[]);
  island.useStart = new Int32Array(uses.length + 1);
  for (const [i, of] of uses.entries()) island.useStart[i + 1] = (island.useStart[i] as number) + of.length;
  island.useResource = Int32Array.from(uses.flat(), (resource) => island.resources.indexOf(resource));
  island.useCoefficient = Float64Array.from(island.classes.flatMap((each) => ownCoefficients[each] ?? []));
  island.isFlat = true;
}

export type Decomposition = {
  readonly islands: readonly Island[];
  /** Resources of each trunk. */
  readonly trunks: readonly (readonly number[])[];
};

/** Below this a component is quicker solved as one. */
const trunkClassesMin = 24;

export function decompose(classes: ClassTable, resources: ResourceTable): Decomposition {
  const all = classes.flowCount.map((_, index) => index);
  const islands: Island[] = [];
  const trunks: (readonly number[])[] = [];
  for (const component of components(all, classes, resources, new Set())) {
    const shared = component.length < trunkClassesMin ? [] : usedByAll(component, classes, resources);
    const parts = shared.length === 0 ? [component] : components(component, classes, resources, new Set(shared));
    // A trunk over one island would be solved twice; one over parts that are nearly the whole gains nothing.
    const isWorthIt = parts.length > 1 && Math.max(...parts.map((part) => part.length)) * 2 <= component.length;
    const trunk = isWorthIt ? trunks.length : -1;
    if (isWorthIt) trunks.push(shared);
    const trunkResources = new Set(isWorthIt ? shared : []);
    for (const part of isWorthIt ? parts : [component]) {
      const used = new Set(part.flatMap((each) => classes.uses[each] ?? []));
      const own = [...used].filter((resource) => !trunkResources.has(resource)).sort((a, b) => a - b);
      islands.push({
        classes: part,
        resources: own,
        trunk,
        useStart: noInts,
        useResource: noInts,
        useCoefficient: noFloats,
        isFlat: false,
      });
    }
  }
  return { islands, trunks };
}

/** Classes that are linked by resources of finite capacity other than `without`; in the order of their first class. */
function components(
  of: readonly number[],
  classes: ClassTable,
  resources: ResourceTable,
  without: ReadonlySet<number>,
): number[][] {
  const rootOf = new Map<number, number>();
  const find = (each: number): number => {
    let root = each;
    while (rootOf.get(root) !== root) root = rootOf.get(root) ?? root;
    rootOf.set(each, root);
    return root;
  };
  const firstUser = new Map<number, number>();
  for (const each of of) {
    rootOf.set(each, each);
    for (const resource of classes.uses[each] ?? []) {
      if (without.has(resource) || resources.capacity[resource] === Number.POSITIVE_INFINITY) continue;
      const first = firstUser.get(resource);
      if (first === undefined) firstUser.set(resource, each);
      else {
        const a = find(first);
        const b = find(each);
        if (a !== b) rootOf.set(Math.max(a, b), Math.min(a, b));
      }
    }
  }
  const parts = new Map<number, number[]>();
  for (const each of of) {
    const root = find(each);
    const part = parts.get(root);
    if (part === undefined) parts.set(root, [each]);
    else part.push(each);
  }
  return [...parts.values()];
}

function usedByAll(component: readonly number[], classes: ClassTable, resources: ResourceTable): number[] {
  const counts = new Map<number, number>();
  for (const each of component) {
    for (const resource of classes.uses[each] ?? []) counts.set(resource, (counts.get(resource) ?? 0) + 1);
  }
  return [...counts]
    .filter(([resource, count]) => count === component.length && Number.isFinite(resources.capacity[resource]))
    .map(([resource]) => resource)
    .sort((a, b) => a - b);
}
