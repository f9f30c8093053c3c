// sweep.csv: a row for each run, in the order of the grid. The same runs give the same bytes, whenever they were made.

import { stringify } from 'csv-stringify/sync';
import type { Sweep } from '../simulator/result/sweep.ts';

export function sweepCsv({ axes, points, metrics }: Sweep): string {
  const others = new Set(points.flatMap((point) => Object.keys(point.metrics)));
  for (const metric of metrics) others.delete(metric);
  const names = [...metrics, ...[...others].sort()];
  const head = [
    // What has a unit is there as it is written, and as a number.
    ...axes.flatMap(({ name, unit }) => (unit === undefined || unit === 'number' ? [name] : [name, `${name}.${unit}`])),
    // A varied seed is a column already.
    ...(axes.some(({ name }) => name === 'seed') ? [] : ['seed']),
    ...['verdict', 'exitCode', 'limit', 'limitBasis', 'reason', 'durationMs'],
    ...names,
  ];
  const rows = points.map((point) => [
    ...axes.flatMap(({ unit, values }, axis) => {
      const { text = '', value } = values[point.places[axis] ?? 0] ?? {};
      return unit === undefined || unit === 'number' ? [text] : [text, value];
    }),
    ...(axes.some(({ name }) => name === 'seed') ? [] : [point.seed]),
    point.outcome,
    point.exitCode,
    point.bottleneck?.name,
    point.bottleneck?.basis,
    point.reason,
    point.durationMs,
    ...names.map((name) => point.metrics[name]),
  ]);
  return stringify([head, ...rows]);
}
