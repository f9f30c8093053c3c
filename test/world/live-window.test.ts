// The live window (the contract's "The live window"), and that a seed names a run.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etagOf } from '../../common/content.ts';
import type { Cdn } from '../../simulator/cloud/cdn.ts';
import { startCdn } from '../../simulator/cloud/cdn.ts';
import { pieceBytes } from '../../simulator/device/range-plan.ts';
import { mergeHistograms } from '../../simulator/world/histogram.ts';
import type { DeviceReport } from '../../simulator/world/live/device-protocol.ts';
import { addressOf, expectOwnBooks, fleetOf, runFleet, scenarioOf, until, withServer } from './fleet-run.ts';
import { type Answer, contentOf, partHead, type RawServer, servesContent } from './raw-server.ts';

let cdn: Cdn;
beforeEach(async () => {
  cdn = await startCdn();
});
afterEach(() => cdn.stop());

const fileBytes = 10_000;

/** Files of one small range each, so that a device asks often and little is sent. */
const windowOf = (devices: number, files: number, live: string): string => `
content: [${Array.from({ length: files }, (_, i) => `{ id: f${i}, size: ${fileBytes} B }`).join(', ')}]
nodes: [{ id: hq }]
fleet:
  - id: office
    devices: ${devices}
    cacheHosts: [hq]
    wants: [${Array.from({ length: files }, (_, i) => `f${i}`).join(', ')}]
    arrive: { over: 5 min }
live: ${live}`;

const servesFiles: Answer = (request, socket, sent) => {
  const id = /\/files\/(f[0-9]+)/.exec(request.target)?.[1] ?? '';
  socket.write(partHead(request, fileBytes, { ETag: etagOf(id, 1) }));
  socket.write(contentOf(request, id));
  sent(request.end - request.start);
};

const histogramOf = (report: DeviceReport, name: 'latency' | 'service') =>
  mergeHistograms([report.reading.histograms[name]]);

describe('a live window', () => {
  it('waits for the first connection of a Linux device, whose agent lets its first request rest a while', async () => {
    const scenario = scenarioOf(
      windowOf(5, 1, '{ window: 1 s, demand: 50 kB/s }').replace('id: office', 'id: iot\n    client: linux'),
    );
    const served: Answer = (request, socket, sent) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${fileBytes}\r\nETag: ${etagOf('f0', 1)}\r\n\r\n`);
      socket.write(contentOf({ ...request, start: 0, end: fileBytes }, 'f0'));
      sent(fileBytes);
    };
    await withServer(served, async (server, hq) => {
      const { fleet, idle } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(await fleet.connectAll()).toBeUndefined();
      expect(fleet.progress()).toMatchObject({ connected: 5, waiting: 0 });
      expect(server.requests).toHaveLength(0);
      fleet.start(Date.now());
      await idle;
      expectOwnBooks(await fleet.stop(0));
      expect(server.requests).toHaveLength(5);
    });
  });

  it('connects first and asks for nothing, then for ranges at evenly spread times, round after round', async () => {
    // 10 devices, 8 ranges each, one every 100 ms: 10 × 10 kB / 100 ms.
    const scenario = scenarioOf(windowOf(10, 8, '{ window: 1 s, demand: 1 MB/s }'));
    await withServer(servesFiles, async (server, hq) => {
      const { fleet, idle } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(await fleet.connectAll()).toBeUndefined();
      await until(() => server.connectionCount >= 10); // a connection is there before its server has taken it
      expect({ connections: server.connectionCount, requests: server.requests.length }).toEqual({
        connections: 10,
        requests: 0,
      });
      expect(fleet.progress()).toMatchObject({ connected: 10, waiting: 0 });
      const startMs = performance.now();
      fleet.start(Date.now());
      await idle;
      const report = await fleet.stop(0);
      expectOwnBooks(report);
      expect(server.requests).toHaveLength(80);
      // One request of each device in each round, in the same order of devices: the k-th at phase + k intervals.
      const devices = server.requests.map(({ text }) => /MS-CV: (\w+)\./.exec(text)?.[1]);
      for (let round = 0; round < 8; round += 1) {
        expect(new Set(devices.slice(10 * round, 10 * round + 10)).size, `round ${round}`).toBe(10);
      }
      // Never before its time (10 ms apart), and mostly soon after it; the clock of the epoch has whole ms only.
      const late = server.requests.map(({ atMs }, i) => atMs - startMs - 10 * i).sort((a, b) => a - b);
      expect(late[0]).toBeGreaterThan(-5);
      expect(late[40]).toBeLessThan(50);
      expect(histogramOf(report, 'latency').totalCount).toBe(80);
      // Arrivals of the scenario are ignored: completion counts from the start of the window.
      expect(report.groups[0]).toMatchObject({ completedCount: 10, firstArrivalMs: 0 });
      expect(report.rows.every(({ DownloadDuration }) => Number(DownloadDuration) > 0.6)).toBe(true);
    });
  });

  it('shows its own delay too: as lateness, and in the latency of what it asked for late', async () => {
    const scenario = scenarioOf(windowOf(1, 20, '{ window: 2 s, demand: 1 MB/s }')); // a range every 10 ms
    await withServer(servesFiles, async (_, hq) => {
      const { fleet, idle } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      await fleet.connectAll();
      fleet.start(Date.now());
      setTimeout(() => {
        const untilMs = performance.now() + 150;
        while (performance.now() < untilMs); // keeps the event loop busy
      }, 5);
      await idle;
      const report = await fleet.stop(0);
      const lateness = mergeHistograms([report.reading.histograms.lateness]);
      expect(lateness.maxValue).toBeGreaterThan(100_000);
      expect(histogramOf(report, 'latency').maxValue).toBeGreaterThan(100_000);
      expect(histogramOf(report, 'latency').getValueAtPercentile(60)).toBeGreaterThan(20_000);
    });
  });

  it('leaves what was due in its warm-up out of all times, and counts it all the same', async () => {
    // One device, a range every 20 ms for 600 ms: 15 are due in the warm-up. The first answer waits for 200 ms.
    const scenario = scenarioOf(windowOf(1, 60, '{ window: 600 ms, warmUp: 300 ms, demand: 500 kB/s }'));
    const stalls: Answer = (request, socket, sent) => {
      setTimeout(() => servesFiles(request, socket, sent), request.index === 0 ? 200 : 0);
    };
    await withServer(stalls, async (server, hq) => {
      const { fleet } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      await fleet.connectAll();
      fleet.start(Date.now());
      await until(() => server.requests.length >= 30);
      const report = await fleet.stop(1000);
      expectOwnBooks(report);
      expect(report.reading.rangesPerSecond.reduce((sum, ranges) => sum + ranges, 0)).toBe(30);
      expect(report.groups[0]).toMatchObject({ rangeCount: 30 });
      for (const name of ['latency', 'service', 'firstByte', 'lateness'] as const) {
        expect(mergeHistograms([report.reading.histograms[name]]).totalCount, name).toBe(15);
      }
    });
  });

  it('with `demand: max` asks for the next range when the last one has come', async () => {
    const scenario = scenarioOf(windowOf(5, 20, '{ window: 60 s, demand: max }'));
    await withServer(servesFiles, async (server, hq) => {
      const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(server.requests).toHaveLength(100);
      expect(report.groups[0]).toMatchObject({ completedCount: 5, bytesFromCdn: 0, rangeCount: 100 });
    });
  });

  it('over several connections loses no range that is due while the last pieces are under way', async () => {
    const scenario = scenarioOf(`
content: [{ id: update, size: ${2 * pieceBytes} B }, { id: more, size: ${2 * pieceBytes} B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 1, cacheHosts: [hq], wants: [update, more], connectionsPerFile: 3 }]
live: { window: 2 s, demand: 50 MiB/s }`); // a range every 20 ms
    const slow: Answer = (request, socket, sent) => {
      const id = request.target.includes('more') ? 'more' : 'update';
      // Both pieces of the first file come late: the ranges that are due at 40 and 60 ms find connections, but no piece.
      setTimeout(
        () => {
          socket.write(partHead(request, 2 * pieceBytes, { ETag: etagOf(id, 1) }));
          socket.write(contentOf(request, id));
          sent(pieceBytes);
        },
        id === 'update' ? 150 : 0,
      );
    };
    await withServer(slow, async (_, hq) => {
      const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      const histogram = histogramOf(report, 'latency');
      // The second file's ranges were due at 40 and 60 ms, and could not be asked for before 150 ms.
      expect(histogram.totalCount).toBe(4);
      expect(histogram.minNonZeroValue).toBeGreaterThan(80_000);
    });
  });

  it('falls back like any other run, and counts the fallback from the last byte or the start of the download', async () => {
    const scenario = scenarioOf(windowOf(2, 3, '{ window: 10 s, demand: max }'));
    for (const { id, host, path, sizeBytes } of scenario.content) cdn.objects.register({ id, host, path, sizeBytes });
    await withServer(
      (_, socket) => socket.resetAndDestroy(),
      async (_, hq) => {
        const startMs = performance.now();
        const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
        const tookMs = performance.now() - startMs;
        expect(report.reading.fallbackDevices).toEqual({ reset: 2 });
        const fallback = mergeHistograms([report.reading.histograms.fallback]);
        expect(fallback.totalCount).toBe(6);
        expect(fallback.maxValue).toBeLessThan(tookMs * 1000 + 1000);
      },
    );
  });

  it('says which server could not be connected to', async () => {
    const scenario = scenarioOf(windowOf(2, 1, '{ window: 10 s, demand: max }'));
    let closed = { host: '', port: 0 };
    await withServer(servesFiles, (_, address) => {
      closed = address;
      return Promise.resolve();
    });
    const { fleet } = fleetOf(scenario, { nodes: { hq: closed }, cdns: [addressOf(cdn)] });
    expect(await fleet.connectAll()).toBe('hq: ECONNREFUSED');
    await fleet.stop(0);
  });

  it('does not close idle connections', async () => {
    const scenario = scenarioOf(windowOf(1, 1, '{ window: 10 s, demand: max }'));
    const timeouts = { connectMs: 1000, stallMs: 1000, idleCloseMs: 1 };
    await withServer(servesFiles, async (server, hq) => {
      const { fleet, idle } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(cdn)], timeouts });
      await fleet.connectAll();
      fleet.start(Date.now());
      await idle;
      const idleMs = performance.now();
      // Two rounds of the sweep.
      await until(() => performance.now() > idleMs + 600);
      expect(server.openCount).toBe(1);
      await fleet.stop(0);
    });
  });
});

describe('a seed', () => {
  const size = 9 * pieceBytes + 5;
  const scenario = (seed: number, groups = '') =>
    scenarioOf(`
seed: ${seed}
content: [{ id: update, size: ${size} B }]
nodes: [{ id: hq }]
fleet:
  - { id: office, devices: 3, cacheHosts: [hq], wants: [update], connectionsPerFile: 1 }${groups}`);

  /** The ranges of each device in the order in which it asked, by the device's vector. */
  const listsOf = (server: RawServer): Record<string, readonly number[]> => {
    const lists: Record<string, number[]> = {};
    for (const { text, start } of server.requests) {
      const device = /MS-CV: (\w+)\./.exec(text)?.[1] ?? '';
      lists[device] = [...(lists[device] ?? []), start];
    }
    return lists;
  };
  const run = async (seed: number): Promise<Record<string, readonly number[]>> => {
    let lists = {};
    await withServer(servesContent(size), async (server, hq) => {
      await runFleet(scenario(seed), { nodes: { hq }, cdns: [addressOf(cdn)] });
      lists = listsOf(server);
    });
    return lists;
  };

  it('gives the same list of requests per device again, and another seed another', async () => {
    const [first, again, other] = [await run(7), await run(7), await run(8)];
    expect(Object.keys(first)).toHaveLength(3);
    expect(again).toEqual(first);
    const orders = (lists: typeof first): string[] => Object.values(lists).map((list) => list.join());
    expect(new Set([...orders(first), ...orders(other)]).size).toBe(6);
  });
});
