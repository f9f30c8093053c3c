// The load generator as it is in a run, by itself: a LiveFleet in a process of its own, its devices one connection each,
// against a server that somebody else started. Prints one line of JSON: what came, and what it cost this process.
//
// Argument: a FleetOrder (fleet-order.ts) as JSON. Needs --expose-gc.

import { parseScenario } from '../simulator/scenario/load.ts';
import { LiveFleet } from '../simulator/world/live/live-fleet.ts';
import { type FleetOrder, type FleetReport, warmUpMs } from './fleet-order.ts';

const order = JSON.parse(process.argv[2] ?? '') as FleetOrder;
const { scenario } = parseScenario(
  `name: Benchmark of the load generator
content: [{ id: ${order.objectId}, size: ${order.sizeBytes} B, path: ${order.path} }]
nodes: [{ id: server, url: "http://127.0.0.1:${order.port}" }]
fleet:
  - { id: all, devices: ${order.connections}, cacheHosts: [server], wants: [${order.objectId}], connectionsPerFile: 1 }
live: { window: 1 h, demand: max }
`,
  'benchmark',
  order.overrides,
);
const counted = ['bytes', 'requests', 'cpuMs', 'wallMs', 'verifiedBytes', 'uncheckedBytes'] as const;
const address = { host: '127.0.0.1', port: order.port };

function resident(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

/** What a fleet has received so far, and what the process has used. */
function countsOf(fleet: LiveFleet): Omit<FleetReport, 'residentBefore' | 'residentConnected' | 'residentAfter'> {
  // What is under way counts as far as it came.
  const { bytesFromCacheServer, bytesFromCdn, failedRanges } = fleet.progress();
  if (bytesFromCdn > 0 || failedRanges > 0) throw new Error(`${failedRanges} ranges failed`);
  const { user, system } = process.cpuUsage();
  return {
    bytes: bytesFromCacheServer,
    requests: fleet.devices.reduce((count, device) => count + device.rangeCount, 0),
    cpuMs: (user + system) / 1000,
    wallMs: performance.now(),
    verifiedBytes: fleet.meter.verifiedBytes,
    uncheckedBytes: fleet.meter.uncheckedBytes,
  };
}

/** Devices end when they have their file: fleets follow one another until the time is up. */
async function run(): Promise<FleetReport> {
  const residentBefore = resident();
  let residentConnected = 0;
  let residentAfter = 0;
  let warmMsLeft = warmUpMs;
  const sum = { bytes: 0, requests: 0, cpuMs: 0, wallMs: 0, verifiedBytes: 0, uncheckedBytes: 0 };
  while (sum.wallMs < order.seconds * 1000) {
    let isIdle: () => void = () => undefined;
    const idle = new Promise<void>((resolve) => {
      isIdle = resolve;
    });
    const whole = { number: 0, part: { index: 0, count: 1 }, sourceNetwork: '127.16', deviceRows: false };
    const fleet = new LiveFleet({ scenario, nodes: { server: address }, cdns: [address], ...whole }, isIdle);
    const problem = await fleet.connectAll();
    if (problem !== undefined) throw new Error(problem);
    if (residentConnected === 0) residentConnected = resident();
    const sinceMs = performance.now();
    fleet.start(Date.now());
    if (warmMsLeft > 0) await Promise.race([idle, new Promise((resolve) => setTimeout(resolve, warmMsLeft))]);
    warmMsLeft -= performance.now() - sinceMs;
    const before = countsOf(fleet);
    await Promise.race([
      idle,
      new Promise((resolve) => setTimeout(resolve, Math.max(0, order.seconds * 1000 - sum.wallMs))),
    ]);
    const after = countsOf(fleet);
    if (warmMsLeft <= 0) for (const name of counted) sum[name] += after[name] - before[name];
    if (residentAfter === 0) residentAfter = resident();
    await fleet.stop(0);
  }
  return { ...sum, residentBefore, residentConnected, residentAfter };
}

process.stdout.write(`${JSON.stringify(await run())}\n`);
process.exit(0);
