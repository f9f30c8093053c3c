// How large a live fleet may be on this machine. `size-soak`: the main job's fleet, connected and downloading for fifteen
// minutes: all its memory, and whether it grows. `size-idle`: fleets of more and more connected devices that ask for next to
// nothing, until the machine refuses one, and with which words.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark, Measurement } from './measurement.ts';
import { residentBytes, tcpBufferBytes } from './process-tree.ts';
import { inWorkspace } from './workspace.ts';

const scenario = 'scenarios/enterprise.yaml';
const sampleMs = 2000;
/** What comes before is warming up: the cache fills, code is compiled, heaps find their size. */
const warmUpRatio = 0.2;

type Sample = {
  readonly atMs: number;
  readonly bytes: number;
  readonly kernelBytes: number;
  readonly processCount: number;
};

type FleetRun = {
  readonly exitCode: number | null;
  readonly said: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly samples: readonly Sample[];
};

export const benchSoak: Benchmark = async ({ quick }) => {
  const minutes = quick ? 0.5 : 15;
  const devices = quick ? 2000 : 35_000;
  const run = await runFleet([`live.window=${minutes} min`, `fleet.0.devices=${devices}`]);
  const steady = run.samples.filter(({ atMs }) => atMs >= (run.samples.at(-1)?.atMs ?? 0) * warmUpRatio);
  const title = `${devices.toLocaleString('en')} devices for ${minutes} min`;
  return [
    one(`${title}: exit code`, run.exitCode ?? Number.NaN),
    one(`${title}: connected at most`, run.metrics['devices.connectedCountMax']),
    one(`${title}: sustained, Gbit/s`, (run.metrics['node.hq.egressBitsPerSecond.sustained'] ?? Number.NaN) / 1e9),
    one(`${title}: verified, GB`, (run.metrics['integrity.verifiedBytes'] ?? Number.NaN) / 1e9),
    one(`${title}: resident, all processes, at most, MB`, Math.max(...run.samples.map(({ bytes }) => bytes)) / 1e6),
    one(`${title}: kernel's TCP buffers, at most, MB`, Math.max(...run.samples.map((each) => each.kernelBytes)) / 1e6),
    one(`${title}: growth of the resident memory, MB a minute`, (slope(steady) * 60_000) / 1e6),
  ];
};

export const benchIdle: Benchmark = async ({ quick }) => {
  const measurements: Measurement[] = [];
  for (const devices of quick ? [5000] : [35_000, 70_000, 100_000, 150_000, 200_000]) {
    const run = await runFleet([
      ...['live.window=30 s', 'live.demand=50 Mbit/s', 'content.0.size=64 MB', `fleet.0.devices=${devices}`],
    ]);
    const title = `${devices.toLocaleString('en')} devices, idle`;
    const last = run.samples.at(-2) ?? run.samples.at(-1);
    if (run.metrics['devices.connectedCountMax'] === undefined || last === undefined) {
      measurements.push({ name: title, skipped: run.said.trim().replaceAll('\n', ' ') });
      break;
    }
    const most = Math.max(...run.samples.map(({ bytes }) => bytes));
    // A fleet that lost devices says why.
    if (run.said !== '') process.stderr.write(`  ${title}: exit code ${run.exitCode}, ${run.said}`);
    measurements.push(
      one(`${title}: exit code`, run.exitCode ?? Number.NaN),
      one(`${title}: connected at most`, run.metrics['devices.connectedCountMax']),
      one(`${title}: processes`, Math.max(...run.samples.map(({ processCount }) => processCount))),
      one(`${title}: resident, all processes, kB a device`, most / devices / 1000),
      one(`${title}: kernel's TCP buffers, MB`, last.kernelBytes / 1e6),
    );
  }
  return measurements;
};

const one = (name: string, value: number | undefined): Measurement => ({ name, values: [value ?? Number.NaN] });

/** Runs the scenario in the live world with these changes, and samples the memory of all its processes. */
function runFleet(changes: readonly string[]): Promise<FleetRun> {
  return inWorkspace(async ({ folder }) => {
    const out = join(folder, 'out');
    const sets = [...changes, 'expect=[accounting.imbalanceBytes == 0]'].flatMap((change) => ['--set', change]);
    const child = spawn(
      process.execPath,
      ['dist/simulator/main.js', 'run', scenario, '--world', 'live', '--quiet', '--out', out, ...sets],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString();
    });
    const samples: Sample[] = [];
    const startedMs = performance.now();
    const sampler = setInterval(() => {
      const resident = residentBytes(child.pid ?? 0);
      const bytes = [...resident.values()].reduce((sum, each) => sum + each, 0);
      samples.push({
        ...{ atMs: performance.now() - startedMs, bytes, kernelBytes: tcpBufferBytes(), processCount: resident.size },
      });
    }, sampleMs);
    const exitCode = await new Promise<number | null>((resolve) => child.once('exit', resolve));
    clearInterval(sampler);
    return { exitCode, said, metrics: metricsIn(out), samples };
  });
}

/** Of the only run; none when nothing was run. */
function metricsIn(folder: string): Readonly<Record<string, number>> {
  const file = join(folder, 'result.json');
  if (!existsSync(file)) return {};
  const result = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly runs: readonly { readonly metrics: Record<string, number> }[];
  };
  return result.runs[0]?.metrics ?? {};
}

/** Of the straight line through the samples with the least squares, bytes per ms. */
function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const atMs = mean((sample) => sample.atMs);
  const bytes = mean((sample) => sample.bytes);
  return mean((each) => (each.atMs - atMs) * (each.bytes - bytes)) / mean((each) => (each.atMs - atMs) ** 2);
}
