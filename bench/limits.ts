// How exactly a device's downlink is kept in the live world, and what that costs: one device and many, from 64 kB/s to
// 100 MB/s, over ten seconds. The aim is 2 %.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { programPath } from '../common/child-program.ts';
import { formatBytes } from '../common/units.ts';
import type { Effort, Measurement } from './measurement.ts';
import { startProgram } from './peers.ts';
import { inWorkspace } from './workspace.ts';

export type LimitsOrder = {
  readonly port: number;
  readonly devices: number;
  readonly bytesPerSecond: number;
  readonly seconds: number;
};

/** `errorRatio`: of all devices together; `Worst`: of the one that was off most. */
export type LimitsReport = {
  readonly errorRatio: number;
  readonly errorRatioWorst: number;
  /** Of one core, every byte checked. */
  readonly cpuRatio: number;
  /** What the kernel holds for TCP, of the whole machine. */
  readonly kernelBytes: number;
};

/** Many: as many as a server in one process feeds beside the client. */
const cases = [
  { bytesPerSecond: 64e3, devices: [1, 1000] },
  { bytesPerSecond: 1e6, devices: [1, 200] },
  { bytesPerSecond: 10e6, devices: [1, 20] },
  { bytesPerSecond: 100e6, devices: [1, 2] },
];

export async function benchLimits({ quick }: Effort): Promise<Measurement[]> {
  const seconds = quick ? 2 : 10;
  const rounds = quick ? 1 : 3;
  return await inWorkspace(async (workspace) => {
    const cdn = workspace.keep(await startProgram('simulator/cloud/main', ['--listen', '127.0.0.1:0']));
    const measurements: Measurement[] = [];
    for (const { bytesPerSecond, devices: counts } of cases) {
      for (const devices of counts) {
        const reports: LimitsReport[] = [];
        for (let round = 0; round < rounds; round += 1) {
          reports.push(await runDevices({ port: cdn.port, devices, bytesPerSecond, seconds }));
        }
        const title = `${formatBytes(bytesPerSecond)}/s, ${devices} ${devices === 1 ? 'device' : 'devices'}`;
        const of = (what: string, value: (report: LimitsReport) => number): Measurement => {
          return { name: `${title}: ${what}`, values: reports.map(value) };
        };
        measurements.push(
          of('rate off by, %', ({ errorRatio }) => errorRatio * 100),
          ...(devices === 1 ? [] : [of('worst device off by, %', ({ errorRatioWorst }) => errorRatioWorst * 100)]),
          of('processor of the devices, % of a core', ({ cpuRatio }) => cpuRatio * 100),
          of('kernel memory of TCP, MB', ({ kernelBytes }) => kernelBytes / 1e6),
        );
      }
    }
    return measurements;
  });
}

async function runDevices(order: LimitsOrder): Promise<LimitsReport> {
  const child = spawn(process.execPath, [programPath('bench/limits-client'), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`limits-client ended with ${code}`);
  return JSON.parse(said) as LimitsReport;
}
