// What a pool of threads costs beside its runs: many of the smallest run that there is, in this thread and through a pool of one.

import { runVirtualJob, type VirtualJob } from '../../simulator/plan/virtual-job.ts';
import { VirtualPool } from '../../simulator/plan/virtual-pool.ts';
import { type Effort, inRounds, type Measurement } from '../measurement.ts';

const job: VirtualJob = {
  text: 'name: One\ncontent: [{ id: a, size: 1 B }]\nnodes: [{ id: n }]\nfleet: [{ id: g, devices: 1, cacheHosts: [n], wants: [a] }]\n',
  path: 'one.yaml',
  overrides: [],
};

export async function benchPool({ quick }: Effort): Promise<Measurement[]> {
  const runs = quick ? 500 : 5000;
  const all = async (run: (job: VirtualJob) => Promise<unknown>): Promise<number> => {
    const sinceMs = performance.now();
    await Promise.all(Array.from({ length: runs }, () => run(job)));
    return ((performance.now() - sinceMs) / runs) * 1000;
  };
  const [one, cores] = [new VirtualPool({ size: 1 }), new VirtualPool()];
  const peers = [
    { name: 'in this thread', run: runVirtualJob },
    { name: 'through a pool of one thread', run: (each: VirtualJob) => one.run(each) },
    { name: `through a pool of ${cores.size}, one a core`, run: (each: VirtualJob) => cores.run(each) },
  ];
  try {
    for (const { run } of peers) await all(run); // threads start, and code gets warm
    const samples = await inRounds(peers, quick ? 3 : 7, async ({ run }) => await all(run));
    return [...samples].map(([name, values]) => ({ name: `smallest virtual run ${name}: µs`, values }));
  } finally {
    await Promise.all([one.close(), cores.close()]);
  }
}
