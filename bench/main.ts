// `npm run bench [name…]`: all benchmarks, or those named. Each compares with peers in the same run; quote the ratios.

import Table from 'cli-table3';
import { benchContent } from './content.ts';
import { benchIndexLoad } from './index-load.ts';
import { type Measurement, spread } from './measurement.ts';
import { benchServing } from './serving.ts';

const benchmarks: Readonly<Record<string, () => Promise<readonly Measurement[]>>> = {
  content: benchContent,
  index: benchIndexLoad,
  serving: benchServing,
};

const names = process.argv.slice(2);
const unknown = names.filter((name) => !(name in benchmarks));
if (unknown.length > 0) {
  process.stderr.write(`bench: expected ${Object.keys(benchmarks).join(' or ')}, found ${unknown.join(', ')}\n`);
  process.exit(2);
}

const table = new Table({
  head: ['benchmark', 'median', 'min', 'max', 'n'],
  colAligns: ['left', 'right', 'right', 'right', 'right'],
  style: { head: [], border: [], compact: true },
});
for (const [name, benchmark] of Object.entries(benchmarks)) {
  if (names.length > 0 && !names.includes(name)) continue;
  process.stderr.write(`${name} …\n`);
  for (const measurement of await benchmark()) {
    if ('skipped' in measurement) {
      table.push([{ colSpan: 5, content: `${measurement.name}: skipped (${measurement.skipped})` }]);
      continue;
    }
    const { min, median, max } = spread(measurement.values);
    const text = (value: number): string => value.toPrecision(4);
    table.push([measurement.name, text(median), text(min), text(max), measurement.values.length]);
  }
}
process.stdout.write(`${table.toString()}\n`);
