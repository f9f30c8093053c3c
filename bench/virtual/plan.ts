// How long capacity plans take: the one that is shipped, about a hundred runs, and ten times its sites, about a thousand. Each round has
// its own pool on all cores, as `sim plan` has.

import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { loadPlan } from '../../simulator/capacity/load-plan.ts';
import { makePlan } from '../../simulator/capacity/make-plan.ts';
import type { PlanSpec } from '../../simulator/capacity/plan-spec.ts';
import { VirtualPool } from '../../simulator/plan/virtual-pool.ts';
import type { Effort, Measurement } from '../measurement.ts';

export async function benchPlan({ quick }: Effort): Promise<Measurement[]> {
  const { spec, ...plan } = loadPlan(join(repositoryRoot, 'plans', 'enterprise.yaml'));
  const shipped = await rounds({ spec, ...plan }, quick ? 1 : 3);
  const tenfold = quick ? [] : await rounds({ spec: tenTimes(spec), ...plan }, 3);
  const seconds = (each: readonly Round[]): number[] => each.map(({ elapsedMs }) => elapsedMs / 1000);
  const counts = (each: readonly Round[]): number[] => each.map(({ runCount }) => runCount);
  return [
    { name: 'capacity plan of 37,000 devices: runs', values: counts(shipped) },
    { name: 'capacity plan of 37,000 devices: s', values: seconds(shipped) },
    ...(quick
      ? [{ name: 'ten times its sites', skipped: '--quick' }]
      : [
          { name: 'ten times its sites: runs', values: counts(tenfold) },
          { name: 'ten times its sites: s', values: seconds(tenfold) },
          {
            name: 'ten times its sites: s for a thousand runs',
            values: tenfold.map(({ elapsedMs, runCount }) => elapsedMs / runCount),
          },
        ]),
  ];
}

type Round = { readonly elapsedMs: number; readonly runCount: number };

async function rounds(plan: Parameters<typeof makePlan>[0], count: number): Promise<Round[]> {
  const all: Round[] = [];
  for (let round = 0; round < count; round += 1) {
    const pool = new VirtualPool();
    try {
      const { elapsedMs, runCount } = await makePlan(plan, { runner: pool });
      all.push({ elapsedMs, runCount });
    } finally {
      await pool.close();
    }
  }
  return all;
}

/** Each kind of site ten times, by ten names: no run serves for two. */
function tenTimes(spec: PlanSpec): PlanSpec {
  const sites = Array.from({ length: 10 }, (_, i) => spec.sites.map((site) => ({ ...site, id: `${site.id}-${i}` })));
  return { ...spec, sites: sites.flat() };
}
