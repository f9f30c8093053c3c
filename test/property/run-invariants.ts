// What holds in every virtual run, whatever happens in it: laws of conservation, and what metrics can be at all.

import type { Scenario } from '../../simulator/scenario/scenario.ts';
import type { VirtualRun } from '../../simulator/world/virtual/virtual-world.ts';

/** What is broken, in words; empty when all holds. */
export function brokenLaws(scenario: Scenario, { run }: Pick<VirtualRun, 'run'>): string[] {
  const { metrics } = run;
  const broken: string[] = [];
  const of = (name: string): number => {
    const value = metrics[name];
    if (value === undefined) broken.push(`${name} is absent: ${run.unavailable[name] ?? 'without a reason'}`);
    return value ?? Number.NaN;
  };
  const hold = (law: string, left: number, right: number, tolerance = 0): void => {
    if (!(Math.abs(left - right) <= tolerance)) broken.push(`${law}: ${left} against ${right}`);
  };
  for (const [name, value] of Object.entries(metrics)) {
    if (!Number.isFinite(value) || value < 0) broken.push(`${name} is ${value}`);
    if (/Ratio/.test(name) && value > 1) broken.push(`${name} is ${value}, more than 1`);
    if (/(Bytes|Count|count)$/.test(name) && !/Ratio/.test(name) && !Number.isInteger(value))
      broken.push(`${name} is ${value}, not whole`);
  }
  for (const [name, column] of Object.entries(run.series?.columns ?? {})) {
    const least = name === 'limitIndex' ? -1 : -1e-3;
    const wrong = column.find((value) => !Number.isFinite(value) || value < least);
    if (wrong !== undefined) broken.push(`the series ${name} has ${wrong}`);
  }
  hold('the books balance', of('accounting.imbalanceBytes'), 0);
  for (const prefix of ['', ...scenario.fleet.map(({ id }) => `group.${id}.`)]) {
    const useful = of(`${prefix}fleet.usefulBytes`);
    hold(
      `${prefix}wanted = useful + unfetched`,
      of(`${prefix}fleet.wantedBytes`),
      useful + of(`${prefix}fleet.unfetchedBytes`),
    );
    hold(
      `${prefix}from cache + from CDN = useful + refetched`,
      of(`${prefix}fleet.bytesFromCacheServer`) + of(`${prefix}fleet.bytesFromCdn`),
      useful + of(`${prefix}fleet.refetchedBytes`),
    );
    const completed = of(`${prefix}devices.completedCount`);
    const count = of(`${prefix}devices.count`);
    if (completed + of(`${prefix}devices.failedCount`) > count) broken.push(`${prefix} more ended than there are`);
    hold(`${prefix}completed ratio`, of(`${prefix}devices.completedRatio`), completed / count, 1e-12);
    const times = ['p50', 'p90', 'p95', 'p99', 'max'].map((name) => metrics[`${prefix}devices.completionMs.${name}`]);
    const isSorted = times.every((time, i) => i === 0 || (time ?? 0) >= (times[i - 1] ?? 0));
    if (!isSorted) broken.push(`${prefix} percentiles out of order: ${times.join(' ')}`);
    if (completed === count) hold(`${prefix} all completed, nothing unfetched`, of(`${prefix}fleet.unfetchedBytes`), 0);
  }
  for (const name of [
    'devices.completedCount',
    'fleet.bytesFromCdn',
    'fleet.refetchedBytes',
    'fleet.wantedBytes',
    'fleet.rangeCount',
  ]) {
    const sum = scenario.fleet.reduce((total, { id }) => total + of(`group.${id}.${name}`), 0);
    // Each group is rounded to whole bytes by itself.
    hold(`${name} of groups add up`, of(name), sum, scenario.fleet.length);
  }
  const sizes = new Map(scenario.content.map(({ id, sizeBytes }) => [id, sizeBytes]));
  const wanted = scenario.fleet.reduce(
    (total, { devices, wants }) => total + devices * wants.reduce((sum, id) => sum + (sizes.get(id) ?? 0), 0),
    0,
  );
  hold('wanted = devices × sizes', of('fleet.wantedBytes'), wanted);
  let fetchedFromCdn = of('fleet.bytesFromCdn');
  let sent = 0;
  let fetchedFromNodes = 0;
  for (const { id, parent } of scenario.nodes) {
    const egress = of(`node.${id}.egressBytes`);
    hold(`node ${id}: hit + miss = egress`, of(`node.${id}.hitBytes`) + of(`node.${id}.missBytes`), egress);
    sent += egress;
    const upstream = of(`node.${id}.upstreamBytes`);
    if (parent === undefined) fetchedFromCdn += upstream;
    else fetchedFromNodes += upstream;
    // A body that breaks off counts by the part of it that was sent.
    const isWhole = egress >= Math.max(...sizes.values());
    if (of(`node.${id}.requestCount`) === 0 && isWhole) broken.push(`node ${id} sent ${egress} without a request`);
  }
  const rounding = 2 + scenario.nodes.length;
  hold('CDN sent = root nodes fetched + devices received', of('cdn.egressBytes'), fetchedFromCdn, rounding);
  hold(
    'nodes sent = devices received + children fetched',
    sent,
    of('fleet.bytesFromCacheServer') + fetchedFromNodes,
    rounding,
  );
  return broken;
}
