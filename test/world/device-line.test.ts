// Limits and faults of devices' lines, on real sockets: each is seen by the meter as what it is, and the books balance.
// Times are only bounded from below: a line may be slow on a busy machine, but never faster than it may be.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cdn } from '../../simulator/cloud/cdn.ts';
import { pieceBytes } from '../../simulator/device/range-plan.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import { LineFaults } from '../../simulator/world/live/line-faults.ts';
import { addressOf, cdnOf, expectBalanced, fleetOf, runFleet, scenarioOf, until, withServer } from './fleet-run.ts';
import { type Answer, servesContent } from './raw-server.ts';

const sizeBytes = 200_000;

const scenarioWith = (keys: string, more = '', size = sizeBytes): Scenario =>
  scenarioOf(`
seed: 3
worlds: [live]
content: [{ id: update, size: ${size} B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 1, cacheHosts: [hq], wants: [update], ${keys} }]
${more}`);

let cdn: Cdn;
/** For those who fall back: all tests run side by side, most of them wait. */
beforeAll(async () => {
  cdn = await cdnOf(scenarioWith(''));
});
afterAll(() => cdn.stop());

const serves = servesContent(sizeBytes);
const timeouts = { connectMs: 20_000, stallMs: 20_000, idleCloseMs: 28_500 };

/** How long after its arrival each device had everything, in ms. */
const durations = (rows: readonly { readonly DownloadDuration: number | '' }[]): number[] =>
  rows.map(({ DownloadDuration }) => Number(DownloadDuration) * 1000);

describe.concurrent('a downlink', () => {
  it('is not exceeded: 200 kB at 1 MB/s take 200 ms, less what 10 ms of rest are worth', async () => {
    await withServer(serves, async (server, hq) => {
      const report = await runFleet(scenarioWith('downlink: 1 MB/s'), { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(durations(report.rows)[0]).toBeGreaterThanOrEqual(190);
      expect(report.groups[0]).toMatchObject({ completedCount: 1, bytesFromCacheServer: sizeBytes, refetchedBytes: 0 });
      await until(() => server.openCount === 0);
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBe(0);
    });
  });

  it('is shared by all connections and downloads of a device', async () => {
    const scenario = scenarioOf(`
content: [{ id: a, size: 60 kB }, { id: b, size: 60 kB }, { id: c, size: 80 kB }]
fleet: [{ id: office, devices: 3, wants: [a, b, c], downlink: 1 MB/s }]`);
    const own = await cdnOf(scenario);
    const report = await runFleet(scenario, { cdns: [addressOf(own)] });
    for (const durationMs of durations(report.rows)) expect(durationMs).toBeGreaterThanOrEqual(190);
    expect(report.reading.failedRanges).toEqual({});
    expect(expectBalanced(own.ledger(), report.ledgers['cdn'])).toBe(0);
    await own.stop();
  });

  it('starves none of the connections that share it: each piece comes in about the same time', async () => {
    const large = 9 * pieceBytes;
    const scenario = scenarioWith('downlink: 40 MB/s, connectionsPerFile: 3', '', large);
    await withServer(servesContent(large), async (server, hq) => {
      const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(report.groups[0]).toMatchObject({ completedCount: 1, rangeCount: 9 });
      const asked = [0, 1, 2].map((of) => server.requests.filter(({ connection }) => connection === of).length);
      expect(Math.min(...asked)).toBeGreaterThanOrEqual(2);
    });
  });

  it('is not exceeded by bodies that are dropped unseen', async () => {
    const large = 3 * pieceBytes;
    await withServer(servesContent(large), async (server, hq) => {
      const scenario = scenarioWith('downlink: 10 MB/s', 'bodies: discard', large);
      const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(durations(report.rows)[0]).toBeGreaterThanOrEqual(large / 10_000 - 10);
      expect(report.groups[0]).toMatchObject({ completedCount: 1, bytesFromCacheServer: large, refetchedBytes: 0 });
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBe(0);
    });
  });

  it('is cut by the policies of the priority, and a share needs no rate of its own', async () => {
    const policies =
      'downlink: 10 MB/s, policy: { priority: foreground, maxForegroundRatio: 0.1, maxBackgroundRatio: 0.01 }';
    await withServer(serves, async (_, hq) => {
      const report = await runFleet(scenarioWith(policies), { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(durations(report.rows)[0]).toBeGreaterThanOrEqual(190);
    });
  });

  it('that becomes so narrow that one read lasts for long is no silence of the server', async () => {
    // From 100 ms to 2 s at 100 B/s: what was read last is spread over minutes, far beyond the patience of 1 s.
    const keys = 'policy: { maxBackgroundDownload: 1 MB/s }';
    const events = `events:
  - { at: 100 ms, policy: { group: office, maxBackgroundDownload: 100 B/s } }
  - { at: 2 s, policy: { group: office, maxBackgroundDownload: 1 GB/s } }`;
    await withServer(serves, async (_, hq) => {
      const report = await runFleet(scenarioWith(keys, events), {
        ...{ nodes: { hq }, cdns: [addressOf(cdn)], timeouts: { ...timeouts, stallMs: 1000 } },
      });
      expect(report.reading.failedRanges).toEqual({});
      expect(durations(report.rows)[0]).toBeGreaterThanOrEqual(1990);
    });
  });

  it('is cut by the hours: when they end, the rest comes at once', async () => {
    // 1 kB/s until midnight: alone it would take more than three minutes.
    const keys = 'downlink: 1 GB/s, policy: { limitedHours: { from: "23:00", to: "00:00", insideRatio: 0.000001 } }';
    const scenario = { ...scenarioWith(keys), startsAtMs: 86_400_000 - 200 };
    await withServer(serves, async (_, hq) => {
      const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(durations(report.rows)[0]).toBeGreaterThanOrEqual(190);
      expect(report.groups[0]).toMatchObject({ completedCount: 1 });
    });
  });

  it('changes when the devices are told so, also in the middle of a range', async () => {
    // 1 kB/s: alone it would take more than three minutes.
    const keys = 'policy: { maxBackgroundDownload: 1 kB/s }';
    const events = 'events: [{ at: 200 ms, policy: { group: office, maxBackgroundDownload: 1 GB/s } }]';
    await withServer(serves, async (server, hq) => {
      const report = await runFleet(scenarioWith(keys, events), { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(durations(report.rows)[0]).toBeGreaterThanOrEqual(190);
      expect(report.groups[0]).toMatchObject({ completedCount: 1, refetchedBytes: 0, rangeCount: 1 });
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBe(0);
    });
  });
});

describe.concurrent('policies that are told during a run', () => {
  it('give a fallback delay to downloads that have begun', async () => {
    const fails: Answer = (_, socket) => socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
    const events = 'events: [{ at: 500 ms, policy: { group: office, fallbackDelayBackground: 0 s } }]';
    const scenario = scenarioWith('policy: { fallbackDelayBackground: never }', events);
    await withServer(fails, async (server, hq) => {
      const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(server.requests).toHaveLength(1);
      expect(report.groups[0]).toMatchObject({ completedCount: 1, bytesFromCdn: sizeBytes });
    });
  });
});

describe.concurrent('a line', () => {
  it('with a latency opens and asks that much later, twice each', async () => {
    await withServer(serves, async (server, hq) => {
      const report = await runFleet(scenarioWith('line: { latency: 40 ms }'), {
        nodes: { hq },
        cdns: [addressOf(cdn)],
      });
      expect(durations(report.rows)[0]).toBeGreaterThanOrEqual(158);
      expect(server.requests).toHaveLength(1);
      expect(report.reading.failedRanges).toEqual({});
    });
  });

  it('with a latency beyond the patience for a connection is never opened', async () => {
    const patience = { ...timeouts, connectMs: 50 };
    await withServer(serves, async (server, hq) => {
      const { fleet } = fleetOf(scenarioWith('line: { latency: 10 s }'), {
        ...{ nodes: { hq }, cdns: [addressOf(cdn)], timeouts: patience },
      });
      fleet.start(Date.now());
      await until(() => fleet.meter.failedRangeCount === 2);
      const report = await fleet.stop(0);
      expect(report.reading.failureDetails).toEqual({ 'timeout: no connection within 50.0 ms': 2 });
      expect(server.requests).toEqual([]);
    });
  });

  it('carries no more than its rate on each connection', async () => {
    const keys = 'connectionsPerFile: 1, downlink: 1 GB/s, line: { rate: 1 MB/s }';
    await withServer(serves, async (_, hq) => {
      const report = await runFleet(scenarioWith(keys), { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(durations(report.rows)[0]).toBeGreaterThanOrEqual(190);
    });
  });

  it('that loses segments is silent for as long as they take, and loses no byte', async () => {
    await withServer(serves, async (server, hq) => {
      const report = await runFleet(scenarioWith('line: { lossRatio: 0.015 }'), {
        ...{ nodes: { hq }, cdns: [addressOf(cdn)], timeouts },
      });
      const [durationMs = 0] = durations(report.rows);
      // Whole retransmissions, at least one of 138 segments.
      expect(durationMs).toBeGreaterThanOrEqual(200);
      expect(report.groups[0]).toMatchObject({ completedCount: 1, bytesFromCacheServer: sizeBytes, refetchedBytes: 0 });
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBe(0);
    });
  });

  it('that is silent for longer than a device is patient is left for another source, by stall', async () => {
    const patience = { ...timeouts, stallMs: 400 };
    await withServer(serves, async (server, hq) => {
      const scenario = scenarioWith('line: { lossRatio: 0.3 }');
      const { fleet } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(cdn)], timeouts: patience });
      fleet.start(Date.now());
      await until(() => fleet.meter.failedRangeCount > 0);
      const report = await fleet.stop(0);
      expect(Object.keys(report.reading.fallbackDevices)).toEqual(['stall']);
      await until(() => server.openCount === 0);
      expectBalanced(server.ledger(), report.ledgers['hq']);
      expect(report.ledgers['hq']?.[0]?.cut).toBe(true);
    });
  });

  it('that resets after so many bytes does so at that byte, on each connection, however they are read', async () => {
    const resetAfterBytes = 50_000;
    const run = async (more: string) => {
      let bytes: number[] = [];
      await withServer(serves, async (server, hq) => {
        const keys = 'line: { resetAfter: 50 kB }, policy: { fallbackDelayBackground: never }';
        const { fleet } = fleetOf(scenarioWith(keys, more), { nodes: { hq }, cdns: [addressOf(cdn)] });
        fleet.start(Date.now());
        await until(() => fleet.meter.failedRangeCount === 2);
        const report = await fleet.stop(0);
        expect(report.reading.failureDetails).toEqual({ 'reset: reset by its line': 2 });
        expect(report.reading.refetchedBytes['reset']).toBe(report.groups[0]?.refetchedBytes);
        await until(() => server.openCount === 0);
        expectBalanced(server.ledger(), report.ledgers['hq']);
        bytes = (report.ledgers['hq'] ?? []).map(({ bodyBytes }) => bodyBytes);
        expect((report.ledgers['hq'] ?? []).every(({ cut }) => cut)).toBe(true);
      });
      return bytes;
    };
    const bytes = await run('');
    // The head takes something of it.
    expect(bytes).toHaveLength(2);
    for (const each of bytes) {
      expect(each).toBeLessThan(resetAfterBytes);
      expect(each).toBeGreaterThan(resetAfterBytes - 500);
    }
    expect(await run('bodies: discard')).toEqual(bytes);
  });

  it('that resets a share of the requests leaves a device that goes on at the CDN', async () => {
    const scenario = scenarioWith('line: { resetRatio: 1 }', '', 3 * pieceBytes);
    const own = await cdnOf(scenario);
    await withServer(servesContent(3 * pieceBytes), async (server, hq) => {
      const { fleet } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(own)] });
      fleet.start(Date.now());
      await until(() => fleet.meter.failedRangeCount === 1);
      const report = await fleet.stop(0);
      expect(report.reading.fallbackDevices).toEqual({ reset: 1 });
      await until(() => server.openCount === 0);
      expectBalanced(server.ledger(), report.ledgers['hq']);
    });
    await own.stop();
  });

  it('that goes half open leaves the server with a connection of which it never hears again', async () => {
    const patience = { ...timeouts, stallMs: 400 };
    await withServer(serves, async (server, hq) => {
      const scenario = scenarioWith('line: { halfOpenAfter: 50 kB }, policy: { fallbackDelayBackground: never }');
      const { fleet } = fleetOf(scenario, { nodes: { hq }, cdns: [addressOf(cdn)], timeouts: patience });
      fleet.start(Date.now());
      await until(() => fleet.meter.failedRangeCount === 2);
      // Two were given up by the device; the server holds both.
      expect(server.openCount).toBe(2);
      const report = await fleet.stop(0);
      expect(report.reading.failureDetails).toEqual({ 'stall: no body byte for 400 ms': 2 });
      for (const { cut, bodyBytes } of report.ledgers['hq'] ?? []) {
        expect(cut).toBe(true);
        expect(bodyBytes).toBeGreaterThan(49_500);
      }
      await until(() => server.openCount === 0); // at the end of the run they are buried
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBeGreaterThan(0);
    });
  });

  it('is another for each connection and device, and the same again for the same seed', () => {
    const spec = { by: 'process', latencyMs: 0, lossRatio: 0.1, resetRatio: 0 } as const;
    const course = (seed: number) =>
      Array.from({ length: 50 }, (_, i) => new LineFaults(spec, seed + i).untilNextBytes);
    expect(course(5)).toEqual(course(5));
    expect(new Set(course(5)).size).toBeGreaterThan(10);
  });
});

describe.concurrent('idle connections', () => {
  it('are closed 27 to 30 s after the last answer, evenly spread over the devices', () => {
    const scenario = scenarioOf(`
content: [{ id: update, size: 1 kB }]
fleet: [{ id: office, devices: 300, wants: [update] }]`);
    const { fleet } = fleetOf(scenario, { cdns: [addressOf(cdn)] });
    const times = fleet.devices.map((device) => device.timeouts.idleCloseMs).sort((a, b) => a - b);
    expect(times).toEqual(Array.from({ length: 300 }, (_, i) => expect.closeTo(27_000 + 10 * i, 6)));
  });
});
