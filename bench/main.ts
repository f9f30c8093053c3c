// `npm run bench [-- [--quick] name…]`: all benchmarks, or those named. Each compares with peers in the same run; quote the
// ratios, absolute figures move with the machine.

import Table from 'cli-table3';
import { benchConnections } from './connections.ts';
import { benchContent } from './content.ts';
import { benchFilling } from './filling.ts';
import { benchIndexLoad } from './index-load.ts';
import { type Benchmark, spread } from './measurement.ts';
import { peerVersions } from './peers.ts';
import { benchServing } from './serving.ts';

const benchmarks: Readonly<Record<string, Benchmark>> = {
  content: benchContent,
  index: benchIndexLoad,
  serving: benchServing,
  filling: benchFilling,
  connections: benchConnections,
};

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const names = words.filter((word) => word !== '--quick');
const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name));
if (unknown.length > 0) {
  const expected = `--quick and any of ${Object.keys(benchmarks).join(', ')}`;
  process.stderr.write(`bench: expected ${expected}; found ${unknown.join(', ')}\n`);
  process.exit(2);
}

const table = new Table({
  head: ['benchmark', 'median', 'min', 'max', 'n'],
  colAligns: ['left', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [], compact: true },
});
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const sinceMs = performance.now();
  process.stderr.write(`${name} …\n`);
  for (const measurement of await benchmark({ quick })) {
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
