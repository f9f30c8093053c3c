// The max-min fair rates of an island: progressive filling. The rate of all connections rises together; a class stops at
// its own cap, or when a resource that it uses is full (Bertsekas and Gallager, "Data Networks", 1992, section 6.5.2;
// with coefficients: a class uses `coefficient` of a resource for each byte).
//
// The level at which a resource is full is (capacity - used by those that stopped) / (Σ coefficient × connections of those
// that rise). With K classes and R resources: O(K + R) a step, and a step stops at least one class.

import type { Island } from './islands.ts';
import type { ClassTable, ResourceTable } from './network-tables.ts';

/** Scratch by place in the island: of resources what is left, the weight of those that rise, and how many they are. */
let left = new Float64Array(16);
let weight = new Float64Array(16);
let rising = new Int32Array(16);
/** Of classes: connections; -1: stopped. */
let masses = new Float64Array(64);

/** Sets `demand` and `boundBy` of the classes of a flat island; `demand` of those without flows is 0. */
export function fillProgressively(island: Island, classes: ClassTable, resources: ResourceTable): void {
  const { classes: order, resources: own } = island;
  const { cap, capLimit } = classes;
  let risingCount = begin(island, classes, resources);
  let next = 0;
  while (risingCount > 0) {
    const fullest = fullestResource(own.length);
    const level = fullest < 0 ? Number.POSITIVE_INFINITY : levelOf(fullest);
    while ((masses[next] as number) < 0) next += 1;
    const slowest = order[next] as number;
    if ((cap[slowest] as number) <= level) {
      stop(island, next, cap[slowest] as number, capLimit[slowest] as number, classes);
      risingCount -= 1;
      continue;
    }
    const limit = resources.limit[own[fullest] as number] as number;
    for (let i = next; i < order.length; i += 1) {
      if ((masses[i] as number) < 0 || !usesResource(island, i, fullest)) continue;
      stop(island, i, level, limit, classes);
      risingCount -= 1;
    }
  }
}

/** Fills the scratch, and gives the number of classes that have flows; those without are marked as stopped. */
function begin(island: Island, classes: ClassTable, resources: ResourceTable): number {
  const { classes: order, resources: own, useStart, useResource, useCoefficient } = island;
  const { flowCount, connections, demand } = classes;
  if (own.length > left.length) {
    left = new Float64Array(own.length * 2);
    weight = new Float64Array(own.length * 2);
    rising = new Int32Array(own.length * 2);
  }
  if (order.length > masses.length) masses = new Float64Array(order.length * 2);
  for (let r = 0; r < own.length; r += 1) {
    left[r] = resources.capacity[own[r] as number] as number;
    weight[r] = 0;
    rising[r] = 0;
  }
  let count = 0;
  for (let i = 0; i < order.length; i += 1) {
    const each = order[i] as number;
    const mass = (flowCount[each] as number) * (connections[each] as number);
    if (mass === 0) {
      masses[i] = -1;
      demand[each] = 0;
      continue;
    }
    masses[i] = mass;
    count += 1;
    for (let use = useStart[i] as number; use < (useStart[i + 1] as number); use += 1) {
      const r = useResource[use] as number;
      weight[r] = (weight[r] as number) + (useCoefficient[use] as number) * mass;
      rising[r] = (rising[r] as number) + 1;
    }
  }
  return count;
}

const levelOf = (r: number): number => Math.max(0, left[r] as number) / (weight[r] as number);

/** -1 when no resource of finite capacity is used by a class that rises. */
function fullestResource(count: number): number {
  let fullest = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let r = 0; r < count; r += 1) {
    if ((rising[r] as number) === 0) continue;
    const level = levelOf(r);
    if (level < least) {
      least = level;
      fullest = r;
    }
  }
  return fullest;
}

function usesResource({ useStart, useResource }: Island, i: number, r: number): boolean {
  for (let use = useStart[i] as number; use < (useStart[i + 1] as number); use += 1) {
    if (useResource[use] === r) return true;
  }
  return false;
}

function stop(island: Island, i: number, rate: number, limit: number, classes: ClassTable): void {
  const { useStart, useResource, useCoefficient } = island;
  const each = island.classes[i] as number;
  classes.demand[each] = rate;
  classes.boundBy[each] = limit;
  const mass = masses[i] as number;
  masses[i] = -1;
  for (let use = useStart[i] as number; use < (useStart[i + 1] as number); use += 1) {
    const r = useResource[use] as number;
    const share = (useCoefficient[use] as number) * mass;
    left[r] = (left[r] as number) - share * rate;
    weight[r] = (weight[r] as number) - share;
    rising[r] = (rising[r] as number) - 1;
  }
}
