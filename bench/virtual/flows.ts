// A scenario as another flow-level simulator sees it: links, ways over them, and flows by their arrival. For devices that fetch
// one object straight from the CDN, where nothing but links and downlinks limits them.

import { assert } from '../../common/errors.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import { arrivalsOf } from '../../simulator/world/fleet-plan.ts';
import { layOut, pathToCdn } from '../../simulator/world/virtual/topology.ts';

/** `device`: its number over all groups. */
export type Flow = {
  readonly device: number;
  readonly arriveAtMs: number;
  readonly bytes: number;
  readonly capBytesPerMs: number;
  readonly route: number;
};

export type FlowProblem = {
  /** Capacity of each link. */
  readonly linksBytesPerMs: readonly number[];
  /** The links of each route. */
  readonly routes: readonly (readonly number[])[];
  /** In the order of their arrival. */
  readonly flows: readonly Flow[];
};

export function flowsOf(scenario: Scenario): FlowProblem {
  assert(scenario.nodes.length === 0 && scenario.cdn.egressBytesPerMs === undefined, 'nothing but links limits');
  const { sites, populations } = layOut(scenario);
  const routes = sites.map((_, site) => pathToCdn(site, sites));
  const sizes = new Map(scenario.content.map(({ id, sizeBytes }) => [id, sizeBytes]));
  const arrivals = scenario.fleet.map((group) => arrivalsOf(scenario, group));
  const flows = populations.flatMap(({ group, groupIndex, site, first, stride, count, downlinkBytesPerMs }) => {
    const base = scenario.fleet.slice(0, groupIndex).reduce((sum, { devices }) => sum + devices, 0);
    return Array.from({ length: count }, (_, k): Flow => {
      const number = first + k * stride;
      return {
        device: base + number,
        arriveAtMs: arrivals[groupIndex]?.[number] as number,
        bytes: sizes.get(group.wants[0] as string) as number,
        capBytesPerMs: downlinkBytesPerMs,
        route: site,
      };
    });
  });
  flows.sort((a, b) => a.arriveAtMs - b.arriveAtMs);
  return { linksBytesPerMs: sites.map(({ spec }) => spec.linkBytesPerMs as number), routes, flows };
}

/** As `bench/simgrid/flows.cpp` reads it: in seconds and bytes/s. */
export function flowsText({ linksBytesPerMs, routes, flows }: FlowProblem): string {
  return [
    ...linksBytesPerMs.map((capacity) => `link ${capacity * 1000}`),
    ...routes.map((links) => `route ${links.join(' ')}`),
    ...flows.map(
      ({ arriveAtMs, bytes, capBytesPerMs, route }) =>
        `flow ${arriveAtMs / 1000} ${bytes} ${capBytesPerMs * 1000} ${route}`,
    ),
    '',
  ].join('\n');
}
