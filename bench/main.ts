// `npm run bench [-- [--quick | --full] name…]`: all benchmarks, or those named (`virtual` stands for all whose name begins with
// it). Each compares with peers in the same run; quote the ratios, absolute figures move with the machine.

import { loadavg } from 'node:os';
import Table from 'cli-table3';
import { benchConnections } from './connections.ts';
import { benchContent } from './content.ts';
import { benchFilling } from './filling.ts';
import { benchIdle, benchSoak } from './fleet-size.ts';
import { benchGateErrors, benchGateRuns } from './gate.ts';
import { benchGenerator } from './generator.ts';
import { benchIndexLoad } from './index-load.ts';
import { benchLimits } from './limits.ts';
import { type Benchmark, spread } from './measurement.ts';
import { benchOmission } from './omission.ts';
import { peerVersions } from './peers.ts';
import { benchRaw } from './raw.ts';
import { benchServing } from './serving.ts';
import { benchGrowth } from './virtual/growth.ts';
import { benchPlan } from './virtual/plan.ts';
import { benchPool } from './virtual/pool.ts';
import { benchSimGrid } from './virtual/simgrid.ts';
import { benchSpeed } from './virtual/speed.ts';
import { benchTimerHeap } from './virtual/timer-heap.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  content: benchContent,
  index: benchIndexLoad,
  serving: benchServing,
  filling: benchFilling,
  connections: benchConnections,
  generator: benchGenerator,
  limits: benchLimits,
  'size-soak': benchSoak,
  'size-idle': benchIdle,
  raw: benchRaw,
  omission: benchOmission,
  'gate-runs': benchGateRuns,
  'gate-errors': benchGateErrors,
  'virtual-speed': benchSpeed,
  'virtual-timers': benchTimerHeap,
  'virtual-pool': benchPool,
  plan: benchPlan,
  'virtual-simgrid': benchSimGrid,
  'virtual-growth': benchGrowth,
};

const words = process.argv.slice(2);
const effort = { quick: words.includes('--quick'), full: words.includes('--full') };
const wanted = words.filter((word) => word !== '--quick' && word !== '--full');
const isMeant = (name: string, word: string): boolean => name === word || name.startsWith(`${word}-`);
const unknown = wanted.filter((word) => !Object.keys(benchmarks).some((name) => isMeant(name, word)));
if (unknown.length > 0) {
  const expected = `--quick, --full and any of ${Object.keys(benchmarks).join(', ')}`;
  process.stderr.write(`bench: expected ${expected}; found ${unknown.join(', ')}\n`);
  process.exit(2);
}

const table = new Table({
  head: ['benchmark', 'median', 'min', 'max', 'n'],
  colAligns: ['left', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [], compact: true },
});
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (wanted.length > 0 && !wanted.some((word) => isMeant(name, word))) continue;
  const sinceMs = performance.now();
  process.stderr.write(`${name} … (load ${loadavg()[0]?.toFixed(1)})\n`);
  for (const measurement of await benchmark(effort)) {
    if ('skipped' in measurement) {
      table.push([{ colSpan: 5, content: `${measurement.name}: skipped (${measurement.skipped})` }]);
      continue;
    }
    const { min, median, max } = spread(measurement.values);
    table.push([measurement.name, text(median), text(min), text(max), measurement.values.length]);
  }
  process.stderr.write(`${name}: ${((performance.now() - sinceMs) / 1000).toFixed(0)} s\n`);
}
process.stdout.write(`${table.toString()}\n${peerVersions()}\n`);

/** Four digits that say something, and never an exponent. */
function text(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(4)));
}
