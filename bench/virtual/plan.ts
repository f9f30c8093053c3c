// How long a capacity plan takes, and a thousand of its runs: the plan that is shipped, on all cores. Each round has its own pool, as
// `sim plan` has.

import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { loadPlan } from '../../simulator/capacity/load-plan.ts';
import { makePlan } from '../../simulator/capacity/make-plan.ts';
import { VirtualPool } from '../../simulator/plan/virtual-pool.ts';
import type { Effort, Measurement } from '../measurement.ts';

export async function benchPlan({ quick }: Effort): Promise<Measurement[]> {
  const plan = loadPlan(join(repositoryRoot, 'plans', 'enterprise.yaml'));
  const [whole, perThousand]: [number[], number[]] = [[], []];
  for (let round = 0; round < (quick ? 1 : 5); round += 1) {
    const pool = new VirtualPool();
    try {
      const { elapsedMs, runCount } = await makePlan(plan, { runner: pool });
      whole.push(elapsedMs / 1000);
      perThousand.push(elapsedMs / runCount);
    } finally {
      await pool.close();
    }
  }
  return [
    { name: 'capacity plan of 37,000 devices: s', values: whole },
    { name: 'a thousand runs of it: s', values: perThousand },
  ];
}
