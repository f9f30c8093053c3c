// Who arrives when: the devices of a scenario, each with its number, group, arrival, seed and speed. The same in both worlds
// and in every process that runs a part of the fleet.

import { mix32, randomStream } from '../../common/random.ts';
import { permute } from '../device/permutation.ts';
import { pieceBytes } from '../device/range-plan.ts';
import type { FleetGroup, Scenario } from '../scenario/scenario.ts';
import { downlinkOf, downlinksOf } from './device-rates.ts';

export type PlannedDevice = {
  /** 0 … number of devices - 1, over all groups. */
  readonly index: number;
  readonly group: FleetGroup;
  readonly groupIndex: number;
  /** Since the start of the run. */
  readonly arriveAtMs: number;
  /** Of the order of its pieces. */
  readonly seed: number;
  /** 0 ≤ phase < 1: where in the interval of a live window its ranges are due; evenly spread over the fleet. */
  readonly phase: number;
  /** Bytes/ms that its line carries to it; Infinity: not limited. */
  readonly downlinkBytesPerMs: number;
};

/** Part `index` of `count` equal parts of the fleet: every count-th device. */
export type FleetPart = { readonly index: number; readonly count: number };

export const wholeFleet: FleetPart = { index: 0, count: 1 };

/** A part of a part, as a part of the whole. */
export const partWithin = (outer: FleetPart, inner: FleetPart): FleetPart => ({
  index: outer.index + outer.count * inner.index,
  count: outer.count * inner.count,
});

/** How many devices the largest of the parts has. */
export const devicesOfPart = (scenario: Scenario, { count }: FleetPart): number =>
  Math.ceil(deviceCount(scenario) / count);

export const deviceCount = (scenario: Scenario): number =>
  scenario.fleet.reduce((sum, group) => sum + group.devices, 0);

/** The devices of a part, in the order of their numbers. */
export function* plannedDevices(scenario: Scenario, part: FleetPart): Generator<PlannedDevice> {
  const total = deviceCount(scenario);
  const phaseSeed = mix32(scenario.seed ^ 0x70686173);
  let index = 0;
  for (const [groupIndex, group] of scenario.fleet.entries()) {
    const arrivals = randomStream(scenario.seed, `arrivals/${group.id}`);
    const orders = randomStream(scenario.seed, `piece order/${group.id}`);
    const siteCount = scenario.sites.find(({ id }) => id === group.site)?.count ?? 1;
    const downlinks = downlinksOf(group, siteCount);
    for (let i = 0; i < group.devices; i += 1) {
      const arriveAtMs = group.arrive.atMs + arrivals() * group.arrive.overMs;
      const seed = Math.floor(orders() * 2 ** 32);
      if (index % part.count === part.index) {
        const phase = permute(index, total, phaseSeed) / total;
        const downlinkBytesPerMs = downlinkOf(downlinks, siteCount, i);
        yield { index, group, groupIndex, arriveAtMs, seed, phase, downlinkBytesPerMs };
      }
      index += 1;
    }
  }
}

/** When each device of a group arrives, by its number in the group; the same draws as {@link plannedDevices}. */
export function arrivalsOf(scenario: Scenario, group: FleetGroup): Float64Array {
  const arrivals = randomStream(scenario.seed, `arrivals/${group.id}`);
  const times = new Float64Array(group.devices);
  for (let i = 0; i < times.length; i += 1) times[i] = group.arrive.atMs + arrivals() * group.arrive.overMs;
  return times;
}

/** Mean bytes of a request of the fleet: a piece, or less for small files; the whole file of a Linux device. */
export function meanRangeBytes(scenario: Scenario): number {
  const sizeOf = new Map(scenario.content.map(({ id, sizeBytes }) => [id, sizeBytes]));
  let bytes = 0;
  let ranges = 0;
  for (const group of scenario.fleet) {
    for (const id of group.wants) {
      const sizeBytes = sizeOf.get(id) ?? 0;
      bytes += group.devices * sizeBytes;
      ranges += group.devices * (group.client === 'linux' ? 1 : Math.ceil(sizeBytes / pieceBytes));
    }
  }
  return bytes / ranges;
}
