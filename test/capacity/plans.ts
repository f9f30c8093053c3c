// Plans of a few lines, and what the searches need to run them in this thread.

import { parsePlan } from '../../simulator/capacity/load-plan.ts';
import { type MadePlan, makePlan } from '../../simulator/capacity/make-plan.ts';
import type { PlanSpec, SiteSpec } from '../../simulator/capacity/plan-spec.ts';
import { Trials } from '../../simulator/capacity/trials.ts';
import { runVirtualJob } from '../../simulator/plan/virtual-job.ts';

export const runner = { run: runVirtualJob };

/** `class vm` sends 1.1 Gbit/s, and nothing else limits it: closed forms are exact. */
export function specOf(lines: string, site: string): PlanSpec {
  return parsePlan(`cdn: { latency: 0 s }\nclasses: [vm]\n${lines}\nsites: [{ id: s, ${site} }]\n`, 'plan.yaml');
}

export const siteOf = ({ sites }: PlanSpec): SiteSpec => sites[0] as SiteSpec;

export const trialsOf = (): Trials => new Trials(runner, 'plan.yaml', 0, () => undefined);

/** A plan, with the scenarios of its runs. */
export async function madeOfRuns(spec: PlanSpec): Promise<{ readonly plan: MadePlan; readonly texts: string[] }> {
  const texts: string[] = [];
  const run: typeof runner.run = (job) => {
    texts.push(job.text);
    return runner.run(job);
  };
  return { plan: await makePlan({ spec, text: '', path: 'plan.yaml' }, { runner: { run } }), texts };
}

export const made = (spec: PlanSpec): Promise<MadePlan> => makePlan({ spec, text: '', path: 'plan.yaml' }, { runner });
