// Runs that cannot end: they end, and say who can never finish, and why.

import { expect, it } from 'vitest';
import { runVirtual } from '../../simulator/world/virtual/virtual-world.ts';
import { scenarioOf } from '../world/fleet-run.ts';

const office = (policy: string, events: string): string => `
content: [{ id: update, size: 1 GB }]
cdn: { egress: 1 Gbit/s }
nodes: [{ id: hq, egress: 100 Mbit/s }]
fleet: [{ id: office, devices: 20, cacheHosts: [hq], wants: [update], arrive: { over: 1 min }, policy: { ${policy} } }]
events: [${events}]`;

it('devices that may never fall back wait for a node that never comes back: the run ends and names them', async () => {
  const { run } = await runVirtual(scenarioOf(office('fallbackDelayBackground: never', '{ at: 5 min, kill: hq }')));
  expect(run.problems[0]).toBe(
    '20 devices of office can never finish: they try again and again, and nothing that is still to come changes ' +
      'that; last: refused at hq',
  );
  expect(run.metrics['devices.completedCount']).toBe(0);
  expect(run.unavailable['fleet.finishMs']).toBe('not every device completed');
  expect(run.metrics['accounting.imbalanceBytes']).toBe(0);
});

it('the same devices finish when the node comes back a week later', async () => {
  const events = '{ at: 5 min, kill: hq }, { at: 7 d, restart: hq }';
  const { run } = await runVirtual(scenarioOf(office('fallbackDelayBackground: never', events)));
  expect(run.problems.filter((problem) => problem.includes('never finish'))).toEqual([]);
  expect(run.metrics['devices.completedRatio']).toBe(1);
  expect(run.metrics['fleet.finishMs']).toBeGreaterThan(7 * 86_400_000 - 60_000);
});
