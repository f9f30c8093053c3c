// From a thousand to ten million devices: time of the simulation by itself and memory of a fresh process. The table and the
// plot go to `out/bench/virtual-growth.md` and `.svg`.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../common/child-program.ts';
import { type Effort, type Measurement, spread } from '../measurement.ts';
import { inWorkspace } from '../workspace.ts';
import type { EngineReport } from './engine.ts';
import { runOwn, TooSlow } from './fresh-process.ts';
import { plotGrowth } from './growth-plot.ts';
import { coupledSites, sitesWithNodes } from './scenarios.ts';

/** Medians of one size. */
export type GrowthPoint = {
  readonly shape: string;
  readonly devices: number;
  readonly eventCount: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly runCount: number;
};

const shapes = [
  { shape: 'core link', textOf: coupledSites },
  { shape: 'node a site', textOf: sitesWithNodes },
];
const limitSeconds = 900;

export async function benchGrowth({ quick }: Effort): Promise<Measurement[]> {
  const results: Measurement[] = [];
  const points: GrowthPoint[] = [];
  await inWorkspace(async ({ folder }) => {
    const file = join(folder, 'scenario.yaml');
    for (const { shape, textOf } of shapes) {
      for (const devices of quick ? [1e3, 1e4, 1e5] : [1e3, 1e4, 1e5, 1e6, 1e7]) {
        const name = `${devices.toLocaleString('en')} devices, ${shape}`;
        writeFileSync(file, textOf(devices));
        try {
          const { point, cpu } = await measure(file, shape, devices);
          points.push(point);
          results.push({ name: `${name}: CPU s of the simulation`, values: cpu });
        } catch (error) {
          if (!(error instanceof TooSlow)) throw error;
          results.push({ name, skipped: error.message });
        }
      }
    }
  });
  report(points);
  return results;
}

async function measure(file: string, shape: string, devices: number): Promise<{ point: GrowthPoint; cpu: number[] }> {
  const runCount = devices > 1e6 ? 1 : 3;
  const seconds: number[] = [];
  const cpu: number[] = [];
  const peaks: number[] = [];
  let eventCount = 0;
  for (let i = 0; i < runCount; i += 1) {
    const { stdout, peakBytes } = await runOwn('bench/virtual/engine', [file], limitSeconds);
    const report = JSON.parse(stdout) as EngineReport;
    seconds.push(report.seconds);
    cpu.push(report.cpuSeconds);
    peaks.push(peakBytes);
    eventCount = report.eventCount;
  }
  const point = {
    shape,
    devices,
    eventCount,
    seconds: spread(seconds).median,
    cpuSeconds: spread(cpu).median,
    peakBytes: spread(peaks).median,
    runCount,
  };
  return { point, cpu };
}

function report(points: readonly GrowthPoint[]): void {
  const folder = join(repositoryRoot, 'out', 'bench');
  mkdirSync(folder, { recursive: true });
  const lines = points.map(({ shape, devices, eventCount, seconds, cpuSeconds, peakBytes, runCount }) => {
    const cells = [
      shape,
      devices.toLocaleString('en'),
      eventCount.toLocaleString('en'),
      seconds.toPrecision(3),
      cpuSeconds.toPrecision(3),
      Math.round(eventCount / cpuSeconds).toLocaleString('en'),
      (peakBytes / 1e6).toFixed(0),
      runCount,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const head = [
    '| shape | devices | events | s | CPU s | events a CPU second | peak memory, MB | n |',
    '|---|--:|--:|--:|--:|--:|--:|--:|',
  ];
  writeFileSync(join(folder, 'virtual-growth.md'), `${[...head, ...lines].join('\n')}\n`);
  writeFileSync(join(folder, 'virtual-growth.svg'), plotGrowth(points));
  process.stderr.write(`  table and plot: ${join('out', 'bench', 'virtual-growth.{md,svg}')}\n`);
}
