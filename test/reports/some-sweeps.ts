// Sweeps for the tests of reports: real virtual runs of a scenario of the repository.

import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { placesOf } from '../../simulator/plan/grid.ts';
import { pointSets } from '../../simulator/plan/sweep.ts';
import { virtualPoint } from '../../simulator/plan/sweep-point.ts';
import { parseAxes, shownMetrics } from '../../simulator/plan/sweep-terms.ts';
import { sweepVerdict } from '../../simulator/plan/sweep-verdict.ts';
import { runVirtualJob } from '../../simulator/plan/virtual-job.ts';
import { thisMachine } from '../../simulator/result/machine.ts';
import type { Sweep } from '../../simulator/result/sweep.ts';
import { loadScenario } from '../../simulator/scenario/load.ts';

type How = { readonly metrics?: readonly string[]; readonly seeds?: readonly number[] };

export async function sweepOf(
  scenario: string,
  vary: readonly string[],
  { metrics = [], seeds = [7] }: How = {},
): Promise<Sweep> {
  const loaded = loadScenario(join(repositoryRoot, 'scenarios', `${scenario}.yaml`));
  const axes = parseAxes(vary, loaded);
  const places = placesOf(axes, seeds);
  const terms = { loaded, world: 'virtual' as const, axes, places };
  const points: Sweep['points'][number][] = [];
  for (const place of places) {
    const job = { text: loaded.text, path: loaded.path, overrides: pointSets(terms, place) };
    const point = virtualPoint(place.index, await runVirtualJob(job));
    if (point !== undefined) points.push({ ...point, ...place, command: 'sim run' });
  }
  const { name, question } = loaded.scenario;
  return {
    schema: 1,
    kind: 'sweep',
    tool: { name: 'delivery-optimization-simulator', version: '0.1.0' },
    scenario: {
      name,
      path: loaded.path,
      sha256: loaded.sha256,
      text: loaded.text,
      ...(question === undefined ? {} : { question }),
    },
    overrides: {},
    command: 'sim sweep',
    startedAt: '2026-11-28T01:02:16.000Z',
    machine: thisMachine(),
    world: 'virtual',
    axes,
    seeds,
    metrics: shownMetrics(metrics, loaded.scenario, 'virtual'),
    ...sweepVerdict(points, places.length),
    points,
  };
}
