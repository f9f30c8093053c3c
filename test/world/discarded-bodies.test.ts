// bodies: discard: nothing is compared, and every book is as right as ever, whether the kernel drops the bytes or we do.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadKernelReads } from '../../common/kernel-reads.ts';
import type { Cdn } from '../../simulator/cloud/cdn.ts';
import { pieceBytes } from '../../simulator/device/range-plan.ts';
import { addressOf, cdnOf, expectBalanced, runFleet, scenarioOf, until, withServer } from './fleet-run.ts';
import { contentOf, partHead, servesContent } from './raw-server.ts';

const sizeBytes = 12 * pieceBytes + 77;
const scenario = scenarioOf(`
bodies: discard
content: [{ id: update, size: ${sizeBytes} B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 3, cacheHosts: [hq], wants: [update] }]`);

let cdn: Cdn;
beforeEach(async () => {
  cdn = await cdnOf(scenario);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await cdn.stop();
});

describe.each([
  { path: 'dropped in the kernel', portable: '', skipped: loadKernelReads() === undefined },
  { path: 'read and dropped', portable: '1', skipped: false },
])('bodies that are $path', ({ portable, skipped }) => {
  beforeEach(() => vi.stubEnv('CACHE_NODE_PORTABLE', portable));

  it.skipIf(skipped)('are counted to the byte, second by second and connection by connection', async () => {
    const cache = await cdnOf(scenario);
    try {
      const report = await runFleet(scenario, { nodes: { hq: addressOf(cache) }, cdns: [addressOf(cdn)] });
      const { reading } = report;
      expect(reading).toMatchObject({ verifiedBytes: 0, uncheckedBytes: 3 * sizeBytes, corruptBytes: 0 });
      if (portable === '1') expect(reading.droppedBytes).toBe(0);
      else expect(reading.droppedBytes).toBeGreaterThan(sizeBytes);
      expect(report.groups[0]).toMatchObject({ completedCount: 3, bytesFromCacheServer: 3 * sizeBytes });
      await until(() => cache.books().connectionsOpen === 0);
      expect(expectBalanced(cache.ledger(), report.ledgers['hq'])).toBe(0);
    } finally {
      await cache.stop();
    }
  });

  it.skipIf(skipped)('may be wrong, and nobody sees it: that is their price', async () => {
    const right = servesContent(sizeBytes);
    await withServer(
      (request, socket, sent) => {
        if (request.index > 0) return right(request, socket, sent);
        socket.write(partHead(request, sizeBytes), 'latin1');
        socket.write(contentOf(request).fill(0));
        sent(request.end - request.start);
      },
      async (_, hq) => {
        const { reading } = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
        expect(reading).toMatchObject({ failedRanges: {}, verifiedBytes: 0, corruptBytes: 0 });
      },
    );
  });

  it.skipIf(skipped)('that end early are asked for again at the CDN, and what had come is refetched', async () => {
    const right = servesContent(sizeBytes);
    await withServer(
      (request, socket, sent) => {
        if (request.index > 0) return right(request, socket, sent);
        const half = contentOf(request).subarray(0, pieceBytes / 2);
        socket.write(partHead(request, sizeBytes), 'latin1');
        socket.end(half);
        sent(half.length);
      },
      async (server, hq) => {
        const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
        expect(report.reading.refetchedBytes['reset']).toBeGreaterThanOrEqual(pieceBytes / 2);
        expect(report.groups[0]).toMatchObject({ completedCount: 3, usefulBytes: 3 * sizeBytes });
        await until(() => server.openCount === 0);
        expectBalanced(server.ledger(), report.ledgers['hq']);
      },
    );
  });
});
