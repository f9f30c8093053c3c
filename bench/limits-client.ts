// Devices with a downlink, as a device process has them: a real LiveFleet that takes an object straight from a CDN. Measures
// what each got over a time that begins once all are under way, and prints one line of JSON: by how much it was off, and
// what that cost this process.
//
// Argument: a LimitsOrder (limits.ts) as JSON.

import { parseScenario } from '../simulator/scenario/load.ts';
import { LiveFleet } from '../simulator/world/live/live-fleet.ts';
import type { LimitsOrder, LimitsReport } from './limits.ts';
import { tcpBufferBytes } from './process-tree.ts';

const order = JSON.parse(process.argv[2] ?? '') as LimitsOrder;
const { port, devices, bytesPerSecond, seconds } = order;
const arriveMs = 1000;
const settleMs = 3000;
/** More than comes in that time, in whole pieces. */
const sizeBytes = Math.ceil((bytesPerSecond * (seconds + 5)) / 2 ** 20 + 4) * 2 ** 20;
const { scenario } = parseScenario(
  `name: Limits
content: [{ id: a, size: ${sizeBytes} B, path: /object/a/${sizeBytes} }]
fleet: [{ id: g, devices: ${devices}, downlink: ${bytesPerSecond} B/s, wants: [a], arrive: { over: ${arriveMs} ms } }]`,
  'limits',
);
const fleet = new LiveFleet(
  {
    ...{ scenario, part: { index: 0, count: 1 }, nodes: {}, cdns: [{ host: '127.0.0.1', port }] },
    ...{ number: 0, sourceNetwork: undefined, deviceRows: false },
  },
  () => undefined,
);

const received = (): number[] => fleet.devices.map(({ bytesFromCdn }) => bytesFromCdn);
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

fleet.start(Date.now());
await sleep(settleMs);
const before = received();
const startMs = performance.now();
const startCpu = process.cpuUsage();
await sleep(seconds * 1000);
const wallMs = performance.now() - startMs;
const after = received();
const cpu = process.cpuUsage(startCpu);
const wantedBytes = (bytesPerSecond * wallMs) / 1000;
const errors = after.map((bytes, i) => (bytes - (before[i] ?? 0)) / wantedBytes - 1);
const report: LimitsReport = {
  errorRatio: errors.reduce((sum, error) => sum + error, 0) / errors.length,
  errorRatioWorst: Math.max(...errors.map(Math.abs)),
  cpuRatio: (cpu.user + cpu.system) / 1000 / wallMs,
  kernelBytes: tcpBufferBytes(),
};
await fleet.stop(0);
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
