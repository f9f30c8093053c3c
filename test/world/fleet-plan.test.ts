import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deviceCount,
  devicesOfPart,
  meanRangeBytes,
  partWithin,
  plannedDevices,
} from '../../simulator/world/fleet-plan.ts';
import { scenarioOf } from './fleet-run.ts';

const content = 'content: [{ id: update, size: 5 MB }]';
const group = (id: string, devices: number, arrive = '{ at: 10 s, over: 5 min }'): string =>
  `  - { id: ${id}, devices: ${devices}, wants: [update], arrive: ${arrive} }`;
const planOf = (seed: number, ...groups: readonly string[]) =>
  scenarioOf(`seed: ${seed}\n${content}\nfleet:\n${groups.join('\n')}`);
const whole = { index: 0, count: 1 };

describe('a fleet plan', () => {
  it('is the same for the same seed, and another for another', () => {
    const of = (seed: number) => [...plannedDevices(planOf(seed, group('office', 50)), whole)];
    expect(of(7)).toEqual(of(7));
    const [seven, eight] = [of(7), of(8)];
    for (const [i, device] of seven.entries()) {
      expect(device.arriveAtMs).not.toBe(eight[i]?.arriveAtMs);
      expect(device.seed).not.toBe(eight[i]?.seed);
    }
  });

  it('does not shift a group when another one is added before it', () => {
    const alone = [...plannedDevices(planOf(7, group('office', 40)), whole)];
    const both = [...plannedDevices(planOf(7, group('lab', 13), group('office', 40)), whole)];
    const office = both.filter((device) => device.group.id === 'office');
    expect(office.map(({ arriveAtMs, seed }) => [arriveAtMs, seed])).toEqual(
      alone.map(({ arriveAtMs, seed }) => [arriveAtMs, seed]),
    );
  });

  it('spreads arrivals over the time given, from its start', () => {
    const arrivals = [...plannedDevices(planOf(7, group('office', 3000)), whole)].map((device) => device.arriveAtMs);
    expect(Math.min(...arrivals)).toBeGreaterThanOrEqual(10_000);
    expect(Math.max(...arrivals)).toBeLessThan(310_000);
    for (let fifth = 0; fifth < 5; fifth += 1) {
      const from = 10_000 + fifth * 60_000;
      const count = arrivals.filter((at) => at >= from && at < from + 60_000).length;
      // 600 expected, deviation 22.
      expect(Math.abs(count - 600)).toBeLessThan(130);
    }
  });

  it('spreads phases evenly: each of n places once', () => {
    const scenario = planOf(7, group('office', 101), group('lab', 26));
    const places = [...plannedDevices(scenario, whole)].map(({ phase }) => Math.round(phase * 127));
    expect(places.sort((a, b) => a - b)).toEqual(Array.from({ length: 127 }, (_, i) => i));
  });

  it('falls into parts that are the whole', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
        (count, sizes) => {
          const scenario = planOf(7, ...sizes.map((size, i) => group(`g${i}`, size)));
          const parts = Array.from({ length: count }, (_, index) => [...plannedDevices(scenario, { index, count })]);
          const joined = parts.flat().sort((a, b) => a.index - b.index);
          expect(joined).toEqual([...plannedDevices(scenario, whole)]);
          expect(joined).toHaveLength(deviceCount(scenario));
        },
      ),
      { numRuns: 30 },
    );
  });

  it('falls into shards that fall into processes, each shard into its own number of them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 5, max: 60 }),
        (processCounts, devices) => {
          const scenario = planOf(7, group('office', devices));
          const shards = processCounts.map((processCount, index) => {
            const shard = { index, count: processCounts.length };
            const parts = Array.from({ length: processCount }, (_, process) =>
              partWithin(shard, { index: process, count: processCount }),
            );
            const own = parts.flatMap((part) => [...plannedDevices(scenario, part)]);
            expect(own.sort((a, b) => a.index - b.index)).toEqual([...plannedDevices(scenario, shard)]);
            expect(own.length).toBeLessThanOrEqual(devicesOfPart(scenario, shard));
            return own;
          });
          const joined = shards.flat().sort((a, b) => a.index - b.index);
          expect(joined).toEqual([...plannedDevices(scenario, whole)]);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('knows the mean range: a piece for Windows, the whole file for Linux', () => {
    const scenario = scenarioOf(`
content: [{ id: large, size: 2 MiB }, { id: small, size: 1 kB }]
fleet:
  - { id: one, devices: 3, wants: [large, small] }
  - { id: two, devices: 1, wants: [small] }`);
    expect(meanRangeBytes(scenario)).toBe((3 * (2 * 2 ** 20 + 1000) + 1000) / (3 * 3 + 1));
    const fleet = scenario.fleet.map((group) => ({ ...group, client: 'linux' as const }));
    expect(meanRangeBytes({ ...scenario, fleet })).toBe((3 * (2 * 2 ** 20 + 1000) + 1000) / (3 * 2 + 1));
  });
});
