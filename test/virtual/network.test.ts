import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ClassPlan, expectClose, TwinNetworks } from './network-driver.ts';
import { type SlowFlow, shareOut, whyNotFair } from './slow-solver.ts';

/** Set ORACLE_RUNS for a longer search: `ORACLE_RUNS=1000 npx vitest run test/virtual/network.test.ts`. */
const numRuns = Number(process.env['ORACLE_RUNS'] ?? 60);
/** The same sequences every time, unless a search is asked for. */
const seed = process.env['ORACLE_RUNS'] === undefined ? { seed: 20_261_128 } : {};
const limitMs = 30_000 + numRuns * 500;

const flowCount = 60;

/** Evenly over the logarithm, so that some are far apart; and often equal to one another. */
const magnitude = fc.oneof(
  fc.constantFrom(1, 10, 100),
  fc.double({ min: -2, max: 3, noNaN: true }).map((exponent) => 10 ** exponent),
);
/** Most of the time a resource limits before the cap does; but no rate is ever infinite. */
const cap = fc.oneof(magnitude, fc.constant(1e4));
const coefficient = fc.oneof(fc.constant(1), fc.double({ min: 0.01, max: 4, noNaN: true }));

type Graph = { readonly capacities: readonly number[]; readonly plans: readonly ClassPlan[] };

/** Any resources for any class. */
const anyGraph: fc.Arbitrary<Graph> = fc
  .tuple(
    fc.array(magnitude, { minLength: 1, maxLength: 6 }),
    fc.array(
      fc.record({
        connections: fc.integer({ min: 1, max: 16 }),
        cap,
        picks: fc.array(fc.tuple(fc.nat(5), coefficient), { minLength: 1, maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 12 },
    ),
  )
  .map(([capacities, drawn]) => ({
    capacities,
    plans: drawn.map(({ connections, cap: most, picks }) => {
      const uses = new Map(picks.map(([pick, of]) => [pick % capacities.length, of]));
      return { connections, cap: most, uses: [...uses.keys()], coefficients: [...uses.values()] };
    }),
  }));

/** A core over regions over sites, with more classes than a component is solved as one: the core is a trunk. */
const largeTree: fc.Arbitrary<Graph> = fc
  .tuple(
    fc.array(magnitude, { minLength: 1, maxLength: 2 }),
    fc.integer({ min: 2, max: 4 }),
    fc.integer({ min: 3, max: 5 }),
    fc.array(fc.record({ connections: fc.integer({ min: 1, max: 4 }), cap, weight: coefficient }), {
      minLength: 3,
      maxLength: 3,
    }),
    fc.array(magnitude, { minLength: 24, maxLength: 24 }),
    fc.boolean(),
  )
  .map(([cores, regions, sitesPerRegion, kinds, links, regionIsInfinite]) => {
    const capacities = cores.map((capacity) => capacity * 30);
    const plans: ClassPlan[] = [];
    for (let region = 0; region < regions; region += 1) {
      const regionLink = capacities.length;
      capacities.push(regionIsInfinite ? Number.POSITIVE_INFINITY : (links[region] as number) * 10);
      for (let site = 0; site < sitesPerRegion; site += 1) {
        const siteLink = capacities.length;
        capacities.push(links[4 + ((region * 5 + site) % 20)] as number);
        for (const { connections, cap: most, weight } of kinds) {
          const uses = [...cores.keys(), regionLink, siteLink];
          plans.push({ connections, cap: most, uses, coefficients: [...cores.map(() => weight), 1, 1] });
        }
      }
    }
    return { capacities, plans };
  });

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(...(['enter', 'enter', 'enter', 'leave', 'wait', 'end', 'capacity', 'cap', 'uses'] as const)),
    subject: fc.nat(1000),
    value: magnitude,
    bytes: fc.oneof(magnitude, fc.constantFrom(50, 100)),
    multiplicity: fc.integer({ min: 1, max: 3 }),
    ratio: fc.double({ min: 0.001, max: 1.5, noNaN: true }),
  }),
  { minLength: 1, maxLength: 40 },
);
type Step = typeof steps extends fc.Arbitrary<(infer Value)[]> ? Value : never;

function take(twins: TwinNetworks, { capacities, plans }: Graph, step: Step): void {
  const { kind, subject, value, bytes, multiplicity, ratio } = step;
  const flows = [...twins.entered.keys()];
  const each = subject % plans.length;
  switch (kind) {
    case 'enter': {
      const free = Array.from({ length: flowCount }, (_, flow) => flow).find((flow) => !twins.entered.has(flow));
      if (free !== undefined) twins.enter(free, each, bytes, multiplicity);
      return;
    }
    case 'leave':
      if (flows.length > 0) twins.leave(flows[subject % flows.length] as number);
      return;
    case 'wait':
      twins.wait(value);
      return;
    case 'end':
      twins.waitForEnd();
      return;
    case 'capacity':
      // Now and then a link that did not limit begins to, or the other way round.
      twins.setCapacity(subject % capacities.length, ratio > 1.3 ? Number.POSITIVE_INFINITY : value);
      return;
    case 'cap':
      twins.setCap(each, value);
      return;
    case 'uses': {
      const { uses, coefficients } = plans[each] as ClassPlan;
      // The same resources with other coefficients (as when a cache fills), one of them no more, or others.
      const scaled = coefficients.map((of, i) => (i === subject % 2 ? of * ratio : of));
      const without = scaled.map((of, i) => (uses.length > 1 && i === uses.length - 1 && ratio > 1 ? 0 : of));
      const kept = uses.filter((_, i) => (without[i] as number) > 0);
      if (ratio < 0.7) twins.setUses(each, uses, scaled);
      else
        twins.setUses(
          each,
          kept,
          without.filter((of) => of > 0),
        );
    }
  }
}

function followInBoth(graph: Graph, sequence: readonly Step[]): void {
  const twins = new TwinNetworks(flowCount, graph.capacities, graph.plans);
  for (const step of sequence) {
    take(twins, graph, step);
    twins.resolve();
  }
  twins.checkBooks();
}

describe('the network', () => {
  it(
    'gives the rates of the slow solver after every change, on any graph',
    () => {
      fc.assert(fc.property(anyGraph, steps, followInBoth), { numRuns: numRuns * 4, ...seed });
    },
    limitMs,
  );

  it(
    'gives them on large trees, whose core is a trunk',
    () => {
      let trunks = 0;
      fc.assert(
        fc.property(largeTree, steps, (graph, sequence) => {
          followInBoth(graph, sequence);
          trunks += new TwinNetworks(1, graph.capacities, graph.plans).network.hasTrunk ? 1 : 0;
        }),
        { numRuns, ...seed },
      );
      // A test without trunks would test nothing new.
      expect(trunks).toBeGreaterThan(numRuns / 4);
    },
    limitMs,
  );

  it(
    'ends flows of mixed sizes when the slow simulation does',
    () => {
      const arrivals = fc.array(
        fc.record({ at: fc.double({ min: 0, max: 100, noNaN: true }), each: fc.nat(), bytes: magnitude }),
        { minLength: 1, maxLength: flowCount },
      );
      fc.assert(
        fc.property(fc.oneof(anyGraph, largeTree), arrivals, (graph, drawn) => {
          const twins = new TwinNetworks(flowCount, graph.capacities, graph.plans);
          for (const [flow, { at, each, bytes }] of [...drawn].sort((a, b) => a.at - b.at).entries()) {
            while (twins.network.firstEndMs <= at) {
              twins.waitForEnd();
              twins.resolve();
            }
            twins.wait(Math.max(0, at - twins.nowMs));
            twins.enter(flow, each % graph.plans.length, bytes, 1);
            twins.resolve();
          }
          while (twins.waitForEnd()) twins.resolve();
          expect(twins.entered.size).toBe(0);
          twins.checkBooks();
        }),
        { numRuns, ...seed },
      );
    },
    limitMs,
  );
});

describe('the slow solver itself', () => {
  const flow = (uses: Record<number, number>, connections = 1, most = Number.POSITIVE_INFINITY): SlowFlow => ({
    leftBytes: 1,
    movedBytes: 0,
    connections,
    cap: most,
    uses: new Map(Object.entries(uses).map(([resource, of]) => [Number(resource), of])),
    rate: 0,
  });

  it('shares the textbook example: two links, one flow over both', () => {
    const flows = [flow({ 0: 1, 1: 1 }), flow({ 0: 1 }), flow({ 1: 1 })];
    shareOut(flows, [10, 30]);
    expect(flows.map(({ rate }) => rate)).toEqual([5, 5, 25]);
  });

  it('weighs by connections, and by what a byte takes', () => {
    const flows = [flow({ 0: 1 }, 3), flow({ 0: 0.5 }, 2), flow({ 0: 1 }, 1, 1)];
    shareOut(flows, [9]);
    // 3 x + 0.5 × 2 x + 1 = 9
    expect(flows.map(({ rate }) => rate)).toEqual([6, 4, 1]);
  });

  it('knows unfair rates', () => {
    const flows = [flow({ 0: 1 }), flow({ 0: 1 })];
    for (const [i, rate] of [3, 7].entries()) (flows[i] as SlowFlow).rate = rate;
    expect(whyNotFair(flows, [10])).toEqual(['flow 0 could have more than 3']);
    expect(whyNotFair(flows, [9])[0]).toContain('10 of 9 are used');
    expect(() => expectClose(1, 1.1, 'x')).toThrow('off by');
  });
});
