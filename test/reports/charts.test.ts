// Charts show what the result holds: points are the series' values, percentiles the histograms'.

import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseQuantity } from '../../common/units.ts';
import { type Chart, tableRowsMax } from '../../reports/html/chart.ts';
import { chartsOf } from '../../reports/html/charts.ts';
import { predictionCharts } from '../../reports/html/prediction-charts.ts';
import { shownSteps, spansOf } from '../../reports/html/thinning.ts';
import type { Result, Run } from '../../simulator/result/result.ts';
import { firstRun, longResult, resultOf, withMeasurement } from './some-results.ts';

let failover: Result;
let metro: Result;
let run: Run;
let charts: ReadonlyMap<string, Chart>;

const chartsById = (of: Run, result: Result) => new Map(chartsOf(of, result).map((chart) => [chart.id, chart]));

beforeAll(async () => {
  failover = await resultOf('failover');
  metro = await resultOf('isp-metro');
  run = firstRun(failover);
  charts = chartsById(run, failover);
});

function chart(id: string): Chart {
  const found = charts.get(id);
  if (found === undefined) throw new Error(`expected the chart ${id}, found ${[...charts.keys()].join(', ')}`);
  return found;
}

/** The y values of a line. */
function valuesOf({ plot }: Chart, name: string): readonly number[] {
  return plot.lines.find((line) => line.name === name)?.points.map(([, y]) => y) ?? [];
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('a chart over time', () => {
  it('has the points of its series, and their sum is what the metrics say', () => {
    const egress = valuesOf(chart('claim-egress'), 'hq');
    const column = run.series.columns['node.hq.egressBitsPerSecond'] ?? [];
    expect(egress).toHaveLength(column.length);
    for (const [step, value] of egress.entries()) expect(value).toBeCloseTo(column[step] ?? Number.NaN, -6);
    const stepSeconds = run.series.stepSeconds ?? 1;
    expect((sum(egress) * stepSeconds) / 8 / (run.metrics['node.hq.egressBytes'] ?? 0)).toBeCloseTo(1, 4);
    const direct = valuesOf(chart('claim-egress'), 'CDN, directly to devices');
    expect((sum(direct) * stepSeconds) / 8 / (run.metrics['fleet.bytesFromCdn'] ?? 0)).toBeCloseTo(1, 4);
  });

  it('puts means into the middle of their step, and counts at its end', () => {
    const [firstMean] = chart('claim-egress').plot.lines[0]?.points ?? [];
    const [firstCount] = chart('claim-devices').plot.lines[0]?.points ?? [];
    expect([firstMean?.[0], firstCount?.[0]]).toEqual([500, 1000]);
  });

  it('counts from the start of the run where its series begins earlier', () => {
    const both = withMeasurement(failover);
    const live = chartsById(both.runs[1] as Run, both);
    const egress = live.get('measurement-egress');
    expect(egress?.plot.lines[0]?.points[0]?.[0]).toBe(-1500);
    expect(egress?.plot.events).toEqual([
      { at: 0, label: 'start' },
      { at: 5000, label: '1' },
      { at: 12_000, label: '2' },
    ]);
    expect(egress?.table.rows[0]?.[0]).toBe('-2.00 s');
  });

  it('marks the events by their numbers', () => {
    const marks = run.timeline.map(({ atMs }, index) => ({ at: atMs, label: String(index + 1) }));
    expect(marks).toHaveLength(2);
    for (const id of ['claim-egress', 'claim-fallback', 'claim-devices']) expect(chart(id).plot.events).toEqual(marks);
  });

  it('has a line for the limit of a node, also where the CDN sends more than that', () => {
    expect(chart('claim-egress').plot.limits).toEqual([{ at: 2e9, label: 'node.hq.limit 2.00 Gbit/s, given' }]);
    expect(chart('claim-upstream').plot.limits).toEqual([{ at: 10e9, label: 'cdn.egress 10.0 Gbit/s, given' }]);
  });

  it('has that line in the live world, too, which knows no other limits', () => {
    const both = withMeasurement(failover);
    const { limits: _, ...measured } = both.runs[1] as Run;
    const live = chartsOf(measured, both);
    expect(live.find(({ id }) => id === 'measurement-egress')?.plot.limits.map(({ at }) => at)).toEqual([2e9]);
    expect(live.find(({ id }) => id === 'measurement-upstream')?.plot.limits).toEqual([]);
  });

  it('names a limit that is far above what moved, and a rate that was expected, instead of drawing them far off', () => {
    const ofMetro = chartsById(firstRun(metro), metro);
    expect(ofMetro.get('claim-egress')?.plot.limits.map(({ label }) => label)).toEqual([
      'node.pop.nic 23.5 Gbit/s, assumed',
      'expected of pop: ≥ 20.0 Gbit/s sustained',
    ]);
    expect(ofMetro.get('claim-upstream')?.notes.join(' ')).toContain('Not drawn: node.pop.wan 23.5 Gbit/s, given.');
  });
});

describe('devices by state', () => {
  it('are all devices, at every step', () => {
    const { lines } = chart('claim-devices').plot;
    const stacked = lines.filter(({ shape }) => shape === 'stack');
    for (const place of (stacked[0]?.points ?? []).keys()) {
      expect(sum(stacked.map(({ points }) => points[place]?.[1] ?? 0))).toBe(run.metrics['devices.count']);
    }
  });
});

describe('a distribution', () => {
  it('of times to complete passes through the percentiles of the metrics', () => {
    const { plot, table } = chart('claim-completion');
    const points = plot.lines[0]?.points ?? [];
    const timeAt = (share: number) => points.find(([, y]) => y >= share)?.[0];
    expect(timeAt(0.5)).toBe(run.metrics['devices.completionMs.p50']);
    expect(timeAt(0.9)).toBe(run.metrics['devices.completionMs.p90']);
    expect(timeAt(1)).toBe(run.metrics['devices.completionMs.max']);
    expect(plot.lines.map(({ name }) => name)).toEqual(['all devices', 'group early', 'group late']);
    expect(table.rows.map((row) => row[1])).toEqual(['2,000', '1,500', '500']);
  });

  it('of the times of ranges has the percentiles of the metrics', () => {
    const { plot } = chart('claim-latency');
    const names = plot.x.kind === 'names' ? plot.x.names : [];
    const at = (name: string) => valuesOf(chart('claim-latency'), 'from when it was due')[names.indexOf(name)];
    for (const [name, statistic] of [
      ['50 %', 'p50'],
      ['99 %', 'p99'],
      ['99.9 %', 'p999'],
      ['max', 'max'],
    ] as const) {
      expect(at(name)).toBe(run.metrics[`range.latencyMs.${statistic}`]);
    }
  });
});

it('what bound is said from when to when, without a gap', () => {
  const { rows } = chart('claim-limit').table;
  const names = new Set((run.limits ?? []).map(({ name }) => name));
  for (const [index, [from, , name = '']] of rows.entries()) {
    if (index > 0) expect(from).toBe(rows[index - 1]?.[1]);
    expect(names.has(name) || name === 'nothing moved').toBe(true);
  }
});

it('every chart says what it shows, has a table of as many columns as its head, and lines that differ without colours', () => {
  const both = withMeasurement(failover);
  const all = [...both.runs.flatMap((each) => chartsOf(each, both)), ...predictionCharts(both)];
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  expect(all.length).toBeGreaterThan(20);
  for (const { id, summary, table, plot } of all) {
    expect(summary, id).toMatch(/^\S.*\.$/);
    for (const row of table.rows) expect(row.length, id).toBe(table.head.length);
    const looks = plot.lines.map(({ tone, dash }) => `${tone} ${dash}`);
    expect(new Set(looks).size, id).toBe(looks.length);
    for (const { points } of plot.lines) {
      expect(
        points.every(([x, y]) => Number.isFinite(x) && Number.isFinite(y)),
        id,
      ).toBe(true);
    }
  }
});

it('a scenario in which nothing failed has no chart of failures, and a world without processors none of those', () => {
  const ids = chartsOf(firstRun(metro), metro).map(({ id }) => id);
  expect(ids).not.toContain('claim-fallback');
  expect(ids).not.toContain('claim-processors');
});

it('a limit that a measured second exceeds is drawn all the same; the model exceeds one only over copies, and then names it', () => {
  const column = 'node.hq.egressBitsPerSecond';
  const faster = (of: Run): Run => {
    const { columns } = of.series;
    const values = (columns[column] ?? []).map((rate) => rate * 1.03);
    return { ...of, series: { ...of.series, columns: { ...columns, [column]: values } } };
  };
  const both = withMeasurement(failover);
  const result: Result = { ...both, runs: both.runs.map(faster) };
  const [claim, measurement] = result.runs.map((of) => chartsById(of, result).get(`${of.purpose}-egress`));
  expect(measurement?.plot.limits.map(({ at }) => at)).toContain(2e9);
  expect(measurement?.notes.join()).not.toContain('(each)');
  expect(claim?.plot.limits.map(({ at }) => at)).not.toContain(2e9);
  expect(claim?.notes.join()).toContain('node.hq.limit 2.00 Gbit/s, given (each)');
});

it('of many nodes the largest have a line each, and the others are one: nothing is lost', () => {
  const long = longResult(failover, 20);
  const of = chartsById(firstRun(long), long).get('claim-egress');
  const names = of?.plot.lines.map(({ name }) => name) ?? [];
  expect(names).toHaveLength(7);
  expect(names).toContain('15 other nodes');
});

describe('a day in seconds', () => {
  it('is drawn with a thousandth of its points, says so, and has a table of bounded size with the same mean', () => {
    const long = longResult(failover, 1);
    const { plot, table, notes } = chartsById(firstRun(long), long).get('claim-egress') as Chart;
    const column = firstRun(long).series.columns['node.n0.egressBitsPerSecond'] ?? [];
    const drawn = plot.lines[0]?.points.length ?? 0;
    expect(drawn).toBeLessThan(1100);
    expect(notes.join(' ')).toContain(`Drawn with ${drawn} of 86400 steps`);
    expect(table.rows.length).toBeLessThanOrEqual(tableRowsMax);
    const highest = Math.max(...(plot.lines[0]?.points.map(([, y]) => y) ?? []));
    expect(highest / Math.max(...column)).toBeCloseTo(1, 5);
    const cells = table.rows.map((row) => (parseQuantity(row[1] ?? '', 'rate') ?? Number.NaN) * 8000);
    expect(sum(cells) / cells.length / (sum([...column]) / column.length)).toBeCloseTo(1, 2);
  });

  it('keeps the extremes of every column, in order, and at most about as many steps as asked for', () => {
    const columns = fc.array(
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 400 }),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(columns, fc.integer({ min: 4, max: 100 }), (drawn, pointsMax) => {
        const length = Math.min(...drawn.map((column) => column.length));
        const equal = drawn.map((column) => column.slice(0, length));
        const steps = shownSteps(equal, pointsMax);
        expect([...steps].sort((a, b) => a - b)).toEqual(steps);
        expect(new Set(steps).size).toBe(steps.length);
        expect(steps.length).toBeLessThanOrEqual(Math.max(pointsMax, 2 * equal.length) + 2);
        expect([steps[0], steps.at(-1)]).toEqual([0, length - 1]);
        for (const column of equal) {
          const shown = steps.map((step) => column[step] ?? Number.NaN);
          expect(Math.max(...shown)).toBe(Math.max(...column));
          expect(Math.min(...shown)).toBe(Math.min(...column));
        }
      }),
      { seed: 7 },
    );
  });

  it('is cut into spans that cover it', () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.integer({ min: 1, max: 300 }), (length, spansMax) => {
        const spans = spansOf(length, spansMax);
        expect(spans.length).toBeLessThanOrEqual(spansMax);
        expect(sum(spans.map(({ from, to }) => to - from))).toBe(length);
      }),
      { seed: 7 },
    );
  });
});
