import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import { plannedDevices } from '../../simulator/world/fleet-plan.ts';
import { runVirtual, type VirtualRun } from '../../simulator/world/virtual/virtual-world.ts';
import { randomCases } from '../random-cases.ts';
import { type Hazards, randomDocument, type ScenarioDocument, scenarioOfDocument } from './random-scenario.ts';
import { brokenLaws } from './run-invariants.ts';

/**
 * The same scenarios in every run of the tests; ORACLE_RUNS searches longer, and among others each time:
 * `ORACLE_RUNS=1000 npx vitest run --project parts test/property`.
 */
const runs = Number(process.env['ORACLE_RUNS'] ?? randomCases(40));
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};
const limitMs = Math.max(30_000, runs * 1000);

const calm: Hazards = { events: false, clients: ['windows', 'linux'] };
const wild: Hazards = { ...calm, events: true };

async function check(
  hazards: Hazards,
  property: (document: ScenarioDocument) => Promise<void>,
  share = 1,
): Promise<void> {
  await fc.assert(fc.asyncProperty(randomDocument(hazards), property), { numRuns: Math.ceil(runs * share), ...seed });
}

/** Fails when the run stands still: ninety devices do not do so much in a second. */
async function run(scenario: Scenario): Promise<VirtualRun> {
  const abort = new AbortController();
  let lastMs = Number.NEGATIVE_INFINITY;
  // Every 20,000 events.
  const onProgress = ({ virtualMs }: { virtualMs: number }) => {
    if (virtualMs - lastMs < 1000 && virtualMs >= lastMs) abort.abort();
    lastMs = virtualMs;
  };
  const result = await runVirtual(scenario, { onProgress, signal: abort.signal });
  expect(result.interrupted, 'it stands still').toBe(false);
  return result;
}

const arrivalsOf = (scenario: Scenario, id: string): number[] =>
  [...plannedDevices(scenario, { index: 0, count: 1 })].flatMap(({ group, arriveAtMs }) =>
    group.id === id ? [arriveAtMs] : [],
  );

const ofGroup = ({ run }: VirtualRun, id: string): [string, number][] =>
  Object.entries(run.metrics).filter(([name]) => name.startsWith(`group.${id}.`));

/** Bytes and counts exactly, times to 1e-9 (the contract's tolerance): other steps of the series round otherwise. */
function expectSame(actual: readonly [string, number][], expected: readonly [string, number][]): void {
  expect(actual.map(([name]) => name)).toEqual(expected.map(([name]) => name));
  for (const [i, [name, value]] of actual.entries()) {
    const other = expected[i]?.[1] ?? Number.NaN;
    if (!name.endsWith('Ms') && !name.includes('Ms.')) expect(value, name).toBe(other);
    else expect(Math.abs(value - other), name).toBeLessThanOrEqual(1e-9 * Math.max(value, other));
  }
}

describe('a run of a random scenario', () => {
  it(
    'ends, and obeys the laws of conservation, whatever happens in it',
    async () => {
      await check(wild, async (document) => {
        const scenario = scenarioOfDocument(document);
        expect(brokenLaws(scenario, await run(scenario))).toEqual([]);
      });
    },
    limitMs,
  );

  it(
    'completes every device when nothing happens, and fetches nothing twice',
    async () => {
      await check(calm, async (document) => {
        const scenario = scenarioOfDocument(document);
        const result = await run(scenario);
        const { metrics, problems } = result.run;
        expect(brokenLaws(scenario, result)).toEqual([]);
        // Hundreds of connections may leave a Linux device less than the 32 kbit/s that it has patience for.
        if (problems.some((problem) => /stall at/.test(problem))) return;
        expect(metrics['devices.completedRatio'], problems.join('\n')).toBe(1);
        expect(metrics['fleet.refetchedBytes']).toBe(0);
        expect(metrics['fallback.deviceCount']).toBe(0);
      });
    },
    limitMs,
  );

  it(
    'comes out the same again, and otherwise with another seed',
    async () => {
      await check(
        wild,
        async (document) => {
          const scenario = scenarioOfDocument(document);
          expect(await run(scenarioOfDocument(document))).toEqual(await run(scenario));
          const other = scenarioOfDocument({ ...document, seed: document.seed + 1 });
          for (const { id, arrive } of scenario.fleet) {
            if (arrive.overMs > 0) expect(arrivalsOf(other, id)).not.toEqual(arrivalsOf(scenario, id));
          }
        },
        0.3,
      );
    },
    limitMs,
  );

  it(
    'does not depend on groups that share nothing with it, nor on their order',
    async () => {
      await check(
        { ...calm, isolated: true },
        async (document) => {
          const together = await run(scenarioOfDocument(document));
          const turned = await run(scenarioOfDocument({ ...document, fleet: [...document.fleet].reverse() }));
          for (const group of document.fleet) {
            const alone = await run(scenarioOfDocument({ ...document, fleet: [group] }));
            expectSame(ofGroup(together, group.id), ofGroup(alone, group.id));
            expectSame(ofGroup(turned, group.id), ofGroup(alone, group.id));
          }
        },
        0.3,
      );
    },
    limitMs,
  );

  it(
    'takes k times as long when every rate is a k-th of it',
    async () => {
      const k = 3;
      await check(
        { ...calm, clients: ['windows'], timeless: true },
        async (document) => {
          const once = await run(scenarioOfDocument(document));
          const slow = await run(slowedDown(scenarioOfDocument(document), k));
          for (const name of ['cdn.egressBytes', 'fleet.bytesFromCacheServer']) {
            const [ofSlow = 0, ofOnce = 0] = [slow.run.metrics[name], once.run.metrics[name]];
            expect(Math.abs(ofSlow - ofOnce)).toBeLessThanOrEqual(2 + 1e-6 * ofOnce);
          }
          expect(ratio(slow.run.metrics['fleet.finishMs'], once.run.metrics['fleet.finishMs'])).toBeCloseTo(k, 6);
        },
        0.5,
      );
    },
    limitMs,
  );
});

const ratio = (a = 0, b = 0): number => (a === b ? 1 : a / b);

/** Everything that has a rate, k times slower, and all times k times longer. */
function slowedDown(scenario: Scenario, k: number): Scenario {
  const slower = (bytesPerMs: number | undefined) => (bytesPerMs === undefined ? undefined : bytesPerMs / k);
  return {
    ...scenario,
    cdn: { ...scenario.cdn, egressBytesPerMs: slower(scenario.cdn.egressBytesPerMs) },
    sites: scenario.sites.map((site) => ({ ...site, linkBytesPerMs: slower(site.linkBytesPerMs) })),
    nodes: scenario.nodes.map((node) => ({
      ...node,
      egressBytesPerMs: slower(node.egressBytesPerMs),
      wanBytesPerMs: slower(node.wanBytesPerMs),
      limit: node.limit === undefined ? undefined : { egressBytesPerMs: slower(node.limit.egressBytesPerMs) },
    })),
    fleet: scenario.fleet.map((group) => ({
      ...group,
      arrive: { atMs: group.arrive.atMs * k, overMs: group.arrive.overMs * k },
      downlink: {
        bytesPerMsMin: (group.downlink?.bytesPerMsMin ?? 1000) / k,
        bytesPerMsMax: (group.downlink?.bytesPerMsMax ?? 1000) / k,
      },
    })),
  };
}
