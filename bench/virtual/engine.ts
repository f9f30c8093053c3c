// A program: runs a scenario file in the virtual world and says how long that took by itself, without the start of a process,
// reading and reports. With a second file, the time from arrival to completion of each device goes there (float64, in s, by
// the number of the device; NaN: not completed).

import { writeFileSync } from 'node:fs';
import { loadScenario } from '../../simulator/scenario/load.ts';
import { runVirtual } from '../../simulator/world/virtual/virtual-world.ts';

/** What it prints, as JSON. CPU time is of all threads: those that compile and collect garbage too. */
export type EngineReport = { readonly seconds: number; readonly cpuSeconds: number; readonly eventCount: number };

const [file, durations] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: engine SCENARIO [DURATIONS]');
const { scenario } = loadScenario(file);
const sinceMs = performance.now();
const cpuBefore = process.cpuUsage();
const { eventCount, rows } = await runVirtual(scenario, { deviceRows: durations !== undefined });
const { user, system } = process.cpuUsage(cpuBefore);
const seconds = (performance.now() - sinceMs) / 1000;
const report: EngineReport = { seconds, cpuSeconds: (user + system) / 1e6, eventCount };
if (durations !== undefined) {
  const ofDevices = Float64Array.from(rows, ({ DownloadDuration }) =>
    DownloadDuration === '' ? Number.NaN : DownloadDuration,
  );
  writeFileSync(durations, ofDevices);
}
process.stdout.write(JSON.stringify(report));
