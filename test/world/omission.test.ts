// A server that answers at once, but stands still once. A client that waits for an answer before it asks again would see one
// slow answer a connection, and leave out all that it would have asked for meanwhile (coordinated omission). Here ranges are due
// at times of their own: how many must be late, and by how much, follows from what the server wrote down, and is counted.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etagOf } from '../../common/content.ts';
import { type Cdn, startCdn } from '../../simulator/cloud/cdn.ts';
import { mergeHistograms } from '../../simulator/world/histogram.ts';
import type { DeviceReport } from '../../simulator/world/live/device-protocol.ts';
import { addressOf, fleetOf, scenarioOf, withServer } from './fleet-run.ts';
import { type Answer, contentOf, partHead } from './raw-server.ts';

const fileBytes = 10_000;
const deviceCount = 10;
const filesPerDevice = 18;
/** Of one device; the fleet asks every 10 ms. */
const intervalMs = 100;
const stallMs = 600;
/** What may lie between an answer that leaves and its last byte at the device, on a busy machine. */
const slackMs = 100;

const files = Array.from({ length: filesPerDevice }, (_, i) => `f${i}`);
const scenario = scenarioOf(`
content: [${files.map((id) => `{ id: ${id}, size: ${fileBytes} B }`).join(', ')}]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: ${deviceCount}, cacheHosts: [hq], wants: [${files.join(', ')}] }]
live: { window: 2 s, demand: ${(deviceCount * fileBytes * 1000) / intervalMs} B/s }`);

let cdn: Cdn;
beforeEach(async () => {
  cdn = await startCdn();
});
afterEach(() => cdn.stop());

/** Each time of a histogram in ms, as often as it was recorded. */
function timesOf(report: DeviceReport, name: 'latency' | 'service'): number[] {
  const histogram = mergeHistograms([report.reading.histograms[name]]);
  const count = histogram.totalCount;
  return Array.from({ length: count }, (_, i) => histogram.getValueAtPercentile((100 * (i + 0.5)) / count) / 1000);
}

const countOf = (values: readonly number[], least: number): number => values.filter((value) => value >= least).length;

describe('a server that stands still once', () => {
  it('shows in the latency of every range that was due meanwhile, and in the service time of one a connection', async () => {
    let stallFromMs = Number.POSITIVE_INFINITY;
    /** When each answer left, by device, and how long the server had kept it. */
    const answeredMs = new Map<string, number[]>();
    const keptMs: number[] = [];
    const serves: Answer = (request, socket, sent) => {
      const id = /\/files\/(f[0-9]+)/.exec(request.target)?.[1] ?? '';
      const device = /MS-CV: (\w+)\./.exec(request.text)?.[1] ?? '';
      answeredMs.set(device, [...(answeredMs.get(device) ?? []), performance.now()]);
      keptMs.push(performance.now() - request.atMs);
      socket.write(partHead(request, fileBytes, { ETag: etagOf(id, 1) }));
      socket.write(contentOf(request, id));
      sent(request.end - request.start);
    };
    const standsStill: Answer = (request, socket, sent) => {
      if (request.index === 50) stallFromMs = request.atMs;
      const leftMs = stallFromMs + stallMs - performance.now();
      const isStill = request.atMs >= stallFromMs && leftMs > 0;
      if (isStill) setTimeout(() => serves(request, socket, sent), leftMs + 1);
      else serves(request, socket, sent);
    };
    await withServer(standsStill, async (server, hq) => {
      const { fleet, idle } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(await fleet.connectAll()).toBeUndefined();
      fleet.start(Date.now());
      await idle;
      const report = await fleet.stop(0);
      expect(server.requests).toHaveLength(deviceCount * filesPerDevice);

      const dueMs = (device: (typeof fleet.devices)[number], round: number): number =>
        fleet.startedAtMs + (device.plan.phase + round) * intervalMs;
      // One connection each: the k-th answer of a device is that of its k-th due time.
      const lateMs = fleet.devices.flatMap((device) =>
        (answeredMs.get(device.correlationVector) ?? []).map((atMs, round) => atMs - dueMs(device, round)),
      );
      const latency = timesOf(report, 'latency');
      expect(latency).toHaveLength(lateMs.length);
      const allDueMs = fleet.devices.flatMap((device) => files.map((_, round) => dueMs(device, round)));
      const stallUntilMs = stallFromMs + stallMs;
      for (const leastMs of [150, 200, 300, 400, 500, 550]) {
        const counted = countOf(latency, leastMs * 0.999);
        // No answer can have come before it left; nor, on the whole, much later.
        expect(counted, `${leastMs} ms, by answers`).toBeGreaterThanOrEqual(countOf(lateMs, leastMs));
        expect(counted, `${leastMs} ms, by answers`).toBeLessThanOrEqual(countOf(lateMs, leastMs - slackMs));
        // And all that were due at least so long before the end of the stall.
        const due = (leftMs: number): number =>
          allDueMs.filter((ms) => ms >= stallFromMs && ms <= stallUntilMs - leftMs).length;
        expect(due(leastMs)).toBeGreaterThanOrEqual(Math.floor((stallMs - leastMs) / 10) - 1);
        expect(counted, `${leastMs} ms, by due times`).toBeGreaterThanOrEqual(due(leastMs));
      }
      // The server kept one request of each connection; the rest waited for it at the device.
      const service = timesOf(report, 'service');
      expect(countOf(keptMs, stallMs - intervalMs - slackMs)).toBe(deviceCount);
      expect(countOf(service, stallMs - intervalMs - slackMs)).toBe(deviceCount);
      expect(countOf(service, stallMs / 2)).toBe(deviceCount);
      expect(countOf(latency, stallMs / 2)).toBeGreaterThanOrEqual(2.5 * deviceCount);
    });
  });
});
