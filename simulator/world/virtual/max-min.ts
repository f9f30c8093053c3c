// The max-min fair rates of an island: progressive filling. The rate of all connections rises together; a class stops at
// its own cap, or when a resource that it uses is full (Bertsekas and Gallager, "Data Networks", 1992, section 6.5.2;
// with coefficients: a class uses `coefficient` of a resource for each byte).
//
// The level at which a resource is full is (capacity - used by those that stopped) / (Σ coefficient × connections of those
// that rise). With K classes and R resources: O(K + R) a step, and a step stops at least one class.

import type { Island } from './islands.ts';
import type { ClassTable, ResourceTable } from './network-tables.ts';

/** Scratch, by resource: what is left, the weight of those that rise, and how many classes they are. */
type Room = { readonly left: number[]; readonly weight: number[]; readonly rising: number[] };

const room: Room = { left: [], weight: [], rising: [] };

/** Sets `demand` and `boundBy` of the island's classes that have flows; its classes must be sorted by cap. */
export function fillProgressively(island: Island, classes: ClassTable, resources: ResourceTable): void {
  const { flowCount, cap, capLimit, ownUses, demand } = classes;
  const order = island.classes;
  let risingCount = begin(island, classes, resources);
  let next = 0;
  while (risingCount > 0) {
    const fullest = fullestResource(island);
    const level = fullest < 0 ? Number.POSITIVE_INFINITY : levelOf(fullest);
    while ((demand[order[next] as number] as number) >= 0) next += 1;
    const slowest = order[next] as number;
    if ((cap[slowest] as number) <= level) {
      stop(slowest, cap[slowest] as number, capLimit[slowest] as number, classes);
      risingCount -= 1;
      continue;
    }
    for (let i = next; i < order.length; i += 1) {
      const each = order[i] as number;
      if ((demand[each] as number) >= 0 || !(ownUses[each] as readonly number[]).includes(fullest)) continue;
      stop(each, level, resources.limit[fullest] as number, classes);
      risingCount -= 1;
    }
  }
  for (const each of order) if ((flowCount[each] as number) === 0) demand[each] = 0;
}

/** Fills the scratch, and gives the number of classes that have flows; those without are marked as stopped. */
function begin(island: Island, classes: ClassTable, resources: ResourceTable): number {
  const { flowCount, connections, ownUses, ownCoefficients, demand } = classes;
  const { left, weight, rising } = room;
  while (left.length < resources.capacity.length) {
    left.push(0);
    weight.push(0);
    rising.push(0);
  }
  for (const resource of island.resources) {
    left[resource] = resources.capacity[resource] as number;
    weight[resource] = 0;
    rising[resource] = 0;
  }
  let count = 0;
  for (const each of island.classes) {
    const mass = (flowCount[each] as number) * (connections[each] as number);
    demand[each] = mass === 0 ? 0 : -1;
    if (mass === 0) continue;
    count += 1;
    const uses = ownUses[each] as readonly number[];
    const coefficients = ownCoefficients[each] as readonly number[];
    for (let i = 0; i < uses.length; i += 1) {
      const resource = uses[i] as number;
      weight[resource] = (weight[resource] as number) + (coefficients[i] as number) * mass;
      rising[resource] = (rising[resource] as number) + 1;
    }
  }
  return count;
}

const levelOf = (resource: number): number =>
  Math.max(0, room.left[resource] as number) / (room.weight[resource] as number);

/** -1 when no resource of finite capacity is used by a class that rises. */
function fullestResource(island: Island): number {
  let fullest = -1;
  let least = Number.POSITIVE_INFINITY;
  for (const resource of island.resources) {
    if ((room.rising[resource] as number) === 0) continue;
    const level = levelOf(resource);
    if (level < least) {
      least = level;
      fullest = resource;
    }
  }
  return fullest;
}

function stop(each: number, rate: number, limit: number, classes: ClassTable): void {
  const { left, weight, rising } = room;
  classes.demand[each] = rate;
  classes.boundBy[each] = limit;
  const mass = (classes.flowCount[each] as number) * (classes.connections[each] as number);
  const uses = classes.ownUses[each] as readonly number[];
  const coefficients = classes.ownCoefficients[each] as readonly number[];
  for (let i = 0; i < uses.length; i += 1) {
    const resource = uses[i] as number;
    const share = (coefficients[i] as number) * mass;
    left[resource] = (left[resource] as number) - share * rate;
    weight[resource] = (weight[resource] as number) - share;
    rising[resource] = (rising[resource] as number) - 1;
  }
}
