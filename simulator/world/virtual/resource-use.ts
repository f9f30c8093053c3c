// How much of a resource is used, and what one flow would get of its resources alone.

import type { Network } from './network.ts';

/** What is used of a resource, in its unit, at the rates that were resolved last. */
export function useOf(network: Network, resource: number): number {
  const { flowCount, uses, coefficients } = network.classes;
  return network.usersOf(resource).reduce((sum, each) => {
    const coefficient = coefficients[each]?.[uses[each]?.indexOf(resource) ?? -1] ?? 0;
    return sum + coefficient * (flowCount[each] as number) * network.flowRate(each);
  }, 0);
}

/** Bytes/ms that a flow of a class would get of its resources if it had them for itself; Infinity where none limits. */
export function aloneRate({ classes, resources }: Network, each: number): number {
  return (classes.uses[each] ?? []).reduce((least, resource, i) => {
    const capacity = resources.capacity[resource] as number;
    return Math.min(least, capacity / (classes.coefficients[each]?.[i] ?? 1));
  }, Number.POSITIVE_INFINITY);
}
