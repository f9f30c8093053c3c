// A part of a fleet that replays a log: real sockets against servers of the test.

import { rmSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etagOf } from '../../common/content.ts';
import type { Cdn } from '../../simulator/cloud/cdn.ts';
import { surveyLog } from '../../simulator/replay/survey.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import { mergeHistograms } from '../../simulator/world/histogram.ts';
import type { DeviceOrder, DeviceReport } from '../../simulator/world/live/device-protocol.ts';
import { combinedLine, scenarioOfLog, writtenLog } from '../replay/written-log.ts';
import { addressOf, cdnOf, expectOwnBooks, fleetOf, withServer } from './fleet-run.ts';
import { type Answer, contentOf, partHead } from './raw-server.ts';

const objectBytes = 5000;

type Line = { readonly atMs: number; readonly client?: string; readonly range?: string; readonly bytes?: number };

/** A line of the node's log. */
function nodeLine({ atMs, client = '10.0.0.1', range, bytes = objectBytes }: Line): string {
  const time = new Date(Date.parse('2026-11-20T08:00:00Z') + atMs).toISOString();
  const status = range === undefined ? 200 : 206;
  const rest = { method: 'GET', target: '/files/a', origin: 'files.test', durationMs: 1 };
  return `${JSON.stringify({ time, client, ...rest, status, range, bodyBytes: bytes })}\n`;
}

const surveyed = (path: string, more = '', client?: string): Promise<Scenario> =>
  surveyLog(scenarioOfLog(path, more, client), new AbortController().signal, () => undefined);
const scenarioOf = (lines: readonly Line[], more = ''): Promise<Scenario> =>
  surveyed(writtenLog(lines.map(nodeLine).join('')), more);

/** Answers rightly, whole objects too; `whenMs`: after so long. */
const serves =
  (afterMs = 0): Answer =>
  (request, socket, sent) => {
    const isWhole = Number.isNaN(request.start);
    const range = isWhole ? { start: 0, end: objectBytes } : { start: request.start, end: request.end };
    const fields = { ETag: etagOf('log-1', 1), ...(isWhole ? { 'Content-Range': undefined } : {}) };
    const head = partHead(range, objectBytes, fields, isWhole ? '200 OK' : undefined);
    setTimeout(() => {
      socket.write(head, 'latin1');
      socket.write(contentOf(range, 'log-1'));
      sent(range.end - range.start);
    }, afterMs);
  };

/** Replays until everybody has got everything, or the log cannot be read on. */
async function replay(
  scenario: Scenario,
  order: Partial<DeviceOrder> & Pick<DeviceOrder, 'cdns'>,
  afterOpening: () => void = () => undefined,
): Promise<DeviceReport> {
  const { fleet, idle } = fleetOf(scenario, order);
  expect(await fleet.replay?.open()).toBeUndefined();
  afterOpening();
  fleet.start(Date.now());
  await idle;
  const report = await fleet.stop(0);
  expectOwnBooks(report);
  return report;
}

let cdn: Cdn;
beforeEach(async () => {
  cdn = await cdnOf(await scenarioOf([{ atMs: 0 }]));
});
afterEach(() => cdn.stop());

describe('a replayed log', () => {
  it('is asked for as it was: whole objects and ranges, each when it was due, of its own host', async () => {
    const scenario = await scenarioOf([
      { atMs: 0 },
      { atMs: 60, range: 'bytes=100-299', bytes: 200 },
      { atMs: 120, client: '2001:db8::1', range: 'bytes=-500', bytes: 500 },
    ]);
    await withServer(serves(), async (server, hq) => {
      const startedMs = performance.now();
      const report = await replay(scenario, { cdns: [addressOf(cdn)], nodes: { hq } });
      expect(server.requests.map(({ target, start, end }) => [target, start, end])).toEqual([
        ['/files/a?cacheHostOrigin=files.test', Number.NaN, Number.NaN],
        ['/files/a?cacheHostOrigin=files.test', 100, 300],
        ['/files/a?cacheHostOrigin=files.test', 4500, 5000],
      ]);
      expect(server.requests[0]?.text).not.toContain('Range');
      expect((server.requests[1]?.atMs ?? 0) - startedMs).toBeGreaterThanOrEqual(59);
      expect((server.requests[2]?.atMs ?? 0) - startedMs).toBeGreaterThanOrEqual(119);
      // The second request of the first device found its connection free.
      expect(server.connectionCount).toBe(2);
      expect(report.replay).toEqual({ requestCount: 3, lateLineCount: 0, heldCountMax: 3, problem: undefined });
      expect(report.groups).toMatchObject([
        { count: 2, completedCount: 2, failedCount: 0, rangeCount: 3, wantedBytes: 5700, usefulBytes: 5700 },
      ]);
      expect(report.reading).toMatchObject({ verifiedBytes: 5700, corruptBytes: 0 });
    });
  });

  it('holds a bounded number of connections a device; what waits for one is late since it was due', async () => {
    const lines = Array.from({ length: 6 }, () => ({ atMs: 0, range: 'bytes=4990-4999', bytes: 10 }));
    const scenario = await scenarioOf(lines, 'connectionsPerDevice: 2');
    await withServer(serves(60), async (server, hq) => {
      const report = await replay(scenario, { cdns: [addressOf(cdn)], nodes: { hq } });
      expect(server.connectionCount).toBe(2);
      const { latency, service } = report.reading.histograms;
      // Three rounds of 60 ms, the last of which waited for two.
      expect(mergeHistograms([latency]).maxValue / 1000).toBeGreaterThanOrEqual(179);
      expect(mergeHistograms([latency]).maxValue).toBeGreaterThan(mergeHistograms([service]).maxValue + 100_000);
    });
  });

  it('goes to the CDN for what the node does not give, request by request', async () => {
    const scenario = await scenarioOf([
      { atMs: 0, range: 'bytes=4800-4899', bytes: 100 },
      { atMs: 50, range: 'bytes=4900-4999', bytes: 100 },
    ]);
    const once: Answer = (request, socket, sent) => {
      if (request.index > 0) serves()(request, socket, sent);
      else socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n');
    };
    await withServer(once, async (server, hq) => {
      const report = await replay(scenario, { cdns: [addressOf(cdn)], nodes: { hq } });
      expect(server.requests).toHaveLength(2);
      expect(report.groups).toMatchObject([{ completedCount: 1, bytesFromCdn: 100, bytesFromCacheServer: 100 }]);
      expect(report.reading).toMatchObject({ fallbackDevices: { status5xx: 1 }, failedRanges: { status5xx: 1 } });
    });
  });

  it('sees a wrong byte, and asks elsewhere', async () => {
    const scenario = await scenarioOf([{ atMs: 0, range: 'bytes=4900-4999', bytes: 100 }]);
    const wrong: Answer = ({ start, end }, socket, sent) => {
      const body = contentOf({ start, end }, 'log-1');
      body[50] = (body[50] ?? 0) ^ 1;
      socket.write(partHead({ start, end }, objectBytes, { ETag: etagOf('log-1', 1) }), 'latin1');
      socket.write(body);
      sent(end - start);
    };
    await withServer(wrong, async (_, hq) => {
      const report = await replay(scenario, { cdns: [addressOf(cdn)], nodes: { hq } });
      expect(report.reading).toMatchObject({ corruptBytes: 1, fallbackDevices: { corrupt: 1 } });
      expect(report.groups).toMatchObject([{ completedCount: 1, refetchedBytes: 100, usefulBytes: 100 }]);
    });
  });

  it('is asked for as its client does, and tried again by its policy', async () => {
    const path = writtenLog(nodeLine({ atMs: 0, range: 'bytes=4900-4999', bytes: 100 }));
    const once: Answer = (request, socket, sent) => {
      if (request.index > 0) serves()(request, socket, sent);
      else socket.resetAndDestroy();
    };
    await withServer(once, async (server, hq) => {
      const report = await replay(await surveyed(path, '', 'linux'), { cdns: [addressOf(cdn)], nodes: { hq } });
      for (const { text } of server.requests)
        expect(text).toMatch(/\r\nUser-Agent: Microsoft-Delivery-Optimization-Lite/);
      expect(report.groups).toMatchObject([{ completedCount: 1, usefulBytes: 100 }]);
      expect(report.reading.failedRanges).toEqual({ reset: 1 });
    });
  });

  it('leaves connections that nothing was asked on for long', async () => {
    const scenario = await scenarioOf([
      { atMs: 0, range: 'bytes=4990-4999', bytes: 10 },
      { atMs: 800, range: 'bytes=4990-4999', bytes: 10 },
    ]);
    const timeouts = { connectMs: 5000, stallMs: 5000, idleCloseMs: 100 };
    await withServer(serves(), async (server, hq) => {
      await replay(scenario, { cdns: [addressOf(cdn)], nodes: { hq }, timeouts });
      expect(server.connectionCount).toBe(2);
    });
  });

  it('is one half in each of two processes, and one without devices has nothing to do', async () => {
    const scenario = await scenarioOf([{ atMs: 0 }, { atMs: 10 }]);
    const parts = [0, 1].map((index) =>
      replay(scenario, { cdns: [addressOf(cdn)], nodes: { hq: addressOf(cdn) }, part: { index, count: 2 } }),
    );
    const counts = (await Promise.all(parts)).map((report) => report.replay?.requestCount);
    expect(counts.sort()).toEqual([0, 2]);
  });

  it('goes on when its file is deleted in the run', async () => {
    const scenario = await scenarioOf([{ atMs: 0 }, { atMs: 50 }]);
    const path = scenario.replay?.log ?? '';
    const report = await replay(scenario, { cdns: [addressOf(cdn)], nodes: { hq: addressOf(cdn) } }, () =>
      rmSync(path),
    );
    expect(report.replay).toMatchObject({ requestCount: 2, problem: undefined });
  });

  it('that became another one since it was surveyed is not begun with', async () => {
    const scenario = await scenarioOf([{ atMs: 0 }]);
    writeFileSync(scenario.replay?.log ?? '', '');
    const { fleet } = fleetOf(scenario, { cdns: [addressOf(cdn)] });
    expect(await fleet.replay?.open()).toMatch(/access\.log: expected the log as it was when the run read it first/);
    await fleet.stop(0);
  });

  it('that becomes shorter in the run ends it, with what came until then', async () => {
    const soon = Array.from({ length: 1500 }, (_, i) => combinedLine({ client: `10.0.1.${i % 50}`, bytes: 100 }));
    const path = writtenLog(soon.join('') + combinedLine({ second: 3600, bytes: 100 }).repeat(60_000));
    const scenario = await surveyed(path, 'speed: 100');
    const own = await cdnOf(scenario);
    const report = await replay(scenario, { cdns: [addressOf(own)], nodes: { hq: addressOf(own) } }, () =>
      truncateSync(path, 9),
    );
    await own.stop();
    expect(report.replay?.problem).toMatch(/access\.log: expected \d+ bytes, found \d+: it became shorter/);
    expect(report.replay?.requestCount).toBeLessThanOrEqual(1500);
  });
});
