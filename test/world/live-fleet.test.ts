import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { etagOf, pageBytes } from '../../common/content.ts';
import type { Cdn } from '../../simulator/cloud/cdn.ts';
import { pieceBytes } from '../../simulator/device/range-plan.ts';
import type { Scenario } from '../../simulator/scenario/scenario.ts';
import { mergeHistograms } from '../../simulator/world/histogram.ts';
import type { DeviceReport } from '../../simulator/world/live/device-protocol.ts';
import { addressOf, cdnOf, expectBalanced, fleetOf, runFleet, scenarioOf, until, withServer } from './fleet-run.ts';
import { type Answer, contentOf, partHead, type RawRequest, servesContent } from './raw-server.ts';

/** Three pieces, the last one short; with the seed below a whole one comes first. */
const sizeBytes = 2 * pieceBytes + 1000;

const oneDevice = (): Scenario =>
  scenarioOf(`
seed: 3
content: [{ id: update, size: ${sizeBytes} B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 1, cacheHosts: [hq], wants: [update] }]`);

let cdn: Cdn;
beforeEach(async () => {
  cdn = await cdnOf(oneDevice());
});
afterEach(() => cdn.stop());

const right = servesContent(sizeBytes);
const once =
  (wrong: Answer): Answer =>
  (request, socket, sent) =>
    (request.index === 0 ? wrong : right)(request, socket, sent);

/** A right head with a body that was changed. */
const withBody =
  (change: (body: Buffer, request: RawRequest) => Buffer): Answer =>
  (request, socket, sent) => {
    socket.write(partHead(request, sizeBytes), 'latin1');
    socket.write(change(contentOf(request), request));
    sent(request.end - request.start);
  };

const status =
  (line: string): Answer =>
  (_, socket) =>
    socket.write(`HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`);

const chunked =
  (change: (body: Buffer) => Buffer): Answer =>
  (request, socket, sent) => {
    const body = change(contentOf(request));
    socket.write(partHead(request, sizeBytes, { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }));
    const half = Math.floor(body.length / 2);
    for (const part of [body.subarray(0, half), body.subarray(half)]) {
      socket.write(`${part.length.toString(16)}\r\n`);
      socket.write(part);
      socket.write('\r\n');
    }
    socket.write('0\r\n\r\n');
    sent(body.length);
  };

describe('a cache host that misbehaves', () => {
  it.each<{ name: string; answer: Answer; cause: string; refetched?: 'some' }>([
    { name: 'answers 404', answer: status('404 Not Found'), cause: 'status4xx' },
    { name: 'answers 416', answer: status('416 Range Not Satisfiable'), cause: 'status4xx' },
    { name: 'answers 503', answer: status('503 Service Unavailable'), cause: 'status5xx' },
    { name: 'redirects', answer: status('302 Found\r\nLocation: /other'), cause: 'badResponse' },
    {
      name: 'says not modified',
      answer: (_, socket) => socket.write('HTTP/1.1 304 Not Modified\r\n\r\n'),
      cause: 'badResponse',
    },
    {
      name: 'says no content',
      answer: (_, socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
      cause: 'badResponse',
    },
    {
      name: 'names another range',
      answer: (request, socket, sent) => {
        const shifted = { start: request.start + 1, end: request.end + 1 };
        socket.write(
          partHead(request, sizeBytes, {
            'Content-Range': `bytes ${shifted.start}-${shifted.end - 1}/${sizeBytes * 2}`,
          }),
        );
        socket.write(contentOf(request));
        sent(request.end - request.start);
      },
      cause: 'badResponse',
    },
    {
      name: 'names another size',
      answer: (request, socket) =>
        socket.write(
          partHead(request, sizeBytes, {
            'Content-Range': `bytes ${request.start}-${request.end - 1}/${sizeBytes + 1}`,
          }),
        ),
      cause: 'badResponse',
    },
    {
      name: 'names no range',
      answer: (request, socket) => socket.write(partHead(request, sizeBytes, { 'Content-Range': undefined })),
      cause: 'badResponse',
    },
    {
      name: 'answers a range with the whole file',
      answer: (_, socket, sent) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${sizeBytes}\r\n\r\n`);
        socket.write(contentOf({ start: 0, end: sizeBytes }));
        sent(sizeBytes);
      },
      cause: 'badResponse',
    },
    {
      name: 'declares less than was asked for',
      answer: (request, socket) => socket.write(partHead(request, sizeBytes, { 'Content-Length': '10' })),
      cause: 'badResponse',
    },
    {
      name: 'sends fewer bytes in chunks',
      answer: chunked((body) => body.subarray(0, -1)),
      cause: 'badResponse',
      refetched: 'some',
    },
    {
      name: 'sends more bytes in chunks',
      answer: chunked((body) => Buffer.concat([body, Buffer.from('x')])),
      cause: 'badResponse',
      refetched: 'some',
    },
    { name: 'sends garbage', answer: (_, socket) => socket.write('\x00\x01garbage\r\n\r\n'), cause: 'badResponse' },
    { name: 'closes before the head', answer: (_, socket) => socket.end(), cause: 'reset' },
    { name: 'resets before the head', answer: (_, socket) => socket.resetAndDestroy(), cause: 'reset' },
    {
      name: 'closes in the middle of the body',
      answer: (request, socket, sent) => {
        socket.write(partHead(request, sizeBytes));
        socket.end(contentOf(request).subarray(0, 500));
        sent(500);
      },
      cause: 'reset',
      refetched: 'some',
    },
    {
      name: 'resets after the head',
      answer: (request, socket) => {
        socket.write(partHead(request, sizeBytes));
        setImmediate(() => socket.resetAndDestroy());
      },
      cause: 'reset',
    },
    {
      name: 'sends one wrong byte',
      answer: withBody((body, request) => {
        const at = Math.min(700, request.end - request.start - 1);
        body[at] = (body[at] ?? 0) ^ 1;
        return body;
      }),
      cause: 'corrupt',
      refetched: 'some',
    },
    {
      name: 'swaps two pages',
      answer: withBody((body) =>
        Buffer.concat([
          body.subarray(pageBytes, 2 * pageBytes),
          body.subarray(0, pageBytes),
          body.subarray(2 * pageBytes),
        ]),
      ),
      cause: 'corrupt',
      refetched: 'some',
    },
    {
      name: "sends another object's bytes",
      answer: withBody((_, request) => contentOf(request, 'other')),
      cause: 'corrupt',
      refetched: 'some',
    },
    {
      name: "sends another version's bytes under this version's tag",
      answer: withBody((_, request) => contentOf(request, 'update', 2)),
      cause: 'corrupt',
      refetched: 'some',
    },
  ])('and $name is left for the CDN, by $cause', async ({ answer, cause, refetched }) => {
    await withServer(answer, async (server, hq) => {
      const report = await runFleet(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      const [group] = report.groups;
      expect(report.reading.failedRanges).toEqual({ [cause]: 1 });
      expect(report.reading.fallbackDevices).toEqual({ [cause]: 1 });
      expect(group).toMatchObject({ completedCount: 1, usefulBytes: sizeBytes, bytesFromCdn: sizeBytes });
      expect((group?.bytesFromCacheServer ?? 0) > 0).toBe(refetched === 'some');
      expect(report.reading.refetchedBytes).toEqual(refetched ? { [cause]: group?.bytesFromCacheServer } : {});
      expect(report.reading.corruptBytes > 0).toBe(cause === 'corrupt');
      expect(report.corruption.length > 0).toBe(cause === 'corrupt');
      expect(report.rows[0]).toMatchObject({
        Status: 'Complete',
        FallbackCause: cause,
        BytesFromCdn: sizeBytes,
        TotalBytesDownloaded: sizeBytes + (group?.refetchedBytes ?? 0),
      });
      expect(server.requests.map(({ start, end }) => end - start)).toEqual([pieceBytes]);
      await until(() => server.openCount === 0 && cdn.books().connectionsOpen === 0);
      expectBalanced(server.ledger(), report.ledgers['hq']);
      expect(expectBalanced(cdn.ledger(), report.ledgers['cdn'])).toBe(0);
    });
  });

  it('and sends extra bytes after a body keeps the piece, and loses the connection', async () => {
    const extra: Answer = (request, socket, sent) => {
      socket.write(
        Buffer.concat([Buffer.from(partHead(request, sizeBytes)), contentOf(request), Buffer.from('extra')]),
      );
      sent(request.end - request.start);
    };
    await withServer(extra, async (server, hq) => {
      const report = await runFleet(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      const [group] = report.groups;
      expect(report.reading.failedRanges).toEqual({ badResponse: 1 });
      expect(report.reading.failureDetails).toEqual({ 'badResponse: EXTRA_BYTES': 1 });
      expect(group).toMatchObject({ completedCount: 1, usefulBytes: sizeBytes, refetchedBytes: 0 });
      expect(group?.bytesFromCacheServer).toBe(report.ledgers['hq']?.[0]?.bodyBytes);
      expectBalanced(server.ledger(), report.ledgers['hq']);
    });
  });

  it('and refuses connections', async () => {
    let closed = { host: '', port: 0 };
    await withServer(right, (_, address) => {
      closed = address;
      return Promise.resolve();
    });
    const report = await runFleet(oneDevice(), { nodes: { hq: closed }, cdns: [addressOf(cdn)] });
    expect(report.reading.fallbackDevices).toEqual({ refused: 1 });
    expect(report.groups[0]).toMatchObject({ bytesFromCacheServer: 0, bytesFromCdn: sizeBytes, completedCount: 1 });
    expect(report.ledgers['hq']).toBeUndefined();
  });

  it.each<{ name: string; answer: Answer; cause: string }>([
    { name: 'never answers', answer: () => undefined, cause: 'timeout' },
    {
      name: 'says 206 and no more',
      answer: (request, socket) => socket.write(partHead(request, sizeBytes)),
      cause: 'timeout',
    },
    {
      name: 'stops in the middle of a body',
      answer: (request, socket, sent) => {
        socket.write(partHead(request, sizeBytes));
        socket.write(contentOf(request).subarray(0, 500));
        sent(500);
      },
      cause: 'stall',
    },
  ])('and $name is left after the time-out, by $cause', async ({ answer, cause }) => {
    await withServer(answer, async (server, hq) => {
      const timeouts = { connectMs: 1000, stallMs: 100, idleCloseMs: 28_500 };
      const report = await runFleet(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)], timeouts });
      expect(report.reading.failureDetails).toEqual({
        [`${cause === 'stall' ? 'stall' : 'timeout'}: no body byte for 100 ms`]: 1,
      });
      expect(report.reading.fallbackDevices).toEqual({ [cause]: 1 });
      expect(report.groups[0]).toMatchObject({ completedCount: 1, bytesFromCdn: sizeBytes });
      await until(() => server.openCount === 0);
      expectBalanced(server.ledger(), report.ledgers['hq']);
    });
  });
});

describe('a cache host that behaves in its own way', () => {
  it.each<{ name: string; answer: Answer; connections: number }>([
    {
      name: 'writes its fields in lower case',
      answer: (request, socket, sent) => {
        const head = partHead(request, sizeBytes).replace(/^[A-Za-z-]+:/gm, (name) => name.toLowerCase());
        socket.write(head);
        socket.write(contentOf(request));
        sent(request.end - request.start);
      },
      connections: 1,
    },
    { name: 'sends chunks', answer: chunked((body) => body), connections: 1 },
    {
      name: 'says 100 Continue first',
      answer: (request, socket, sent) => {
        socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        right(request, socket, sent);
      },
      connections: 1,
    },
    {
      name: 'closes after each answer, and says so',
      answer: (request, socket, sent) => {
        socket.write(partHead(request, sizeBytes, { Connection: 'close' }));
        socket.end(contentOf(request));
        sent(request.end - request.start);
      },
      connections: 3,
    },
    {
      name: 'ends each body by closing',
      answer: (request, socket, sent) => {
        socket.write(partHead(request, sizeBytes, { 'Content-Length': undefined }));
        socket.end(contentOf(request));
        sent(request.end - request.start);
      },
      connections: 3,
    },
    {
      name: 'has a tag of its own',
      answer: (request, socket, sent) => {
        socket.write(partHead(request, sizeBytes, { ETag: '"nginx-1"' }));
        socket.write(contentOf(request));
        sent(request.end - request.start);
      },
      connections: 1,
    },
  ])('and $name serves all the same', async ({ answer, connections }) => {
    await withServer(answer, async (server, hq) => {
      const report = await runFleet(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(report.reading.failedRanges).toEqual({});
      expect(report.groups[0]).toMatchObject({ bytesFromCacheServer: sizeBytes, bytesFromCdn: 0, refetchedBytes: 0 });
      expect(server.connectionCount).toBe(connections);
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBe(0);
    });
  });

  it('and closes an idle connection just as it is used has not failed: the device connects again', async () => {
    const closesOnSecond: Answer = (request, socket, sent) => {
      if (request.connection === 0 && request.indexOnConnection === 1) socket.end();
      else right(request, socket, sent);
    };
    await withServer(closesOnSecond, async (server, hq) => {
      const report = await runFleet(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(report.reading.failedRanges).toEqual({});
      expect(report.groups[0]).toMatchObject({ bytesFromCacheServer: sizeBytes, rangeCount: 3 });
      expect(server.connectionCount).toBe(2);
      expect(server.requests).toHaveLength(4);
    });
  });

  it('and fails for a moment is tried again by the next download', async () => {
    const scenario = scenarioOf(`
content: [{ id: update, size: ${sizeBytes} B }]
nodes: [{ id: hq }]
fleet:
  - { id: early, devices: 1, cacheHosts: [hq], wants: [update] }
  - { id: late, devices: 1, cacheHosts: [hq], wants: [update], arrive: { at: 300 ms } }`);
    await withServer(once(status('503 Service Unavailable')), async (_, hq) => {
      const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(report.groups).toMatchObject([
        { id: 'early', bytesFromCacheServer: 0, bytesFromCdn: sizeBytes },
        { id: 'late', bytesFromCacheServer: sizeBytes, bytesFromCdn: 0 },
      ]);
    });
  });
});

describe('fallback', () => {
  it('is timed once, from the last byte of the cache host; a retry at the CDN is no fallback', async () => {
    // The host breaks off, the CDN fails once, and is asked again a second later.
    cdn.faults.add({ status: 503, count: 1 });
    const broken: Answer = (_, socket) => socket.resetAndDestroy();
    await withServer(broken, async (_, hq) => {
      const report = await runFleet(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(report.reading.fallbackDevices).toEqual({ reset: 1 });
      expect(report.reading.failedRanges).toEqual({ reset: 1, status5xx: 1 });
      expect(timesOf(report, 'fallback')).toHaveLength(1);
      expect(timesOf(report, 'fallback')[0]).toBeGreaterThanOrEqual(999);
    });
  });

  it('of a connection that fails later at the CDN is not counted again', async () => {
    cdn.faults.add({ reset: true, afterBytes: 1000, count: 1 });
    await withServer(status('404 Not Found'), async (_, hq) => {
      const report = await runFleet(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      expect(report.reading.fallbackDevices).toEqual({ status4xx: 1 });
      expect(timesOf(report, 'fallback')).toHaveLength(1);
      expect(timesOf(report, 'fallback')[0]).toBeLessThan(1000);
      expect(report.groups[0]?.completedCount).toBe(1);
    });
  });
});

/** The times of a histogram in ms, each as often as it was recorded, in order. */
function timesOf(report: DeviceReport, name: 'latency' | 'service' | 'fallback' | 'lateness'): number[] {
  const histogram = mergeHistograms([report.reading.histograms[name]]);
  return Array.from({ length: histogram.totalCount }, (_, i) =>
    histogram.getValueAtPercentile((100 * (i + 0.5)) / histogram.totalCount),
  ).map((us) => us / 1000);
}

describe('a new version in the middle of a download', () => {
  it.each([1, 3])('over %i connections makes it begin again, with right bytes and right books', async (connections) => {
    const bigBytes = 12 * pieceBytes + 77;
    const scenario = scenarioOf(`
content: [{ id: update, size: ${bigBytes} B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 2, cacheHosts: [hq], wants: [update], connectionsPerFile: ${connections} }]`);
    const cache = await cdnOf(scenario);
    try {
      const { fleet, idle } = fleetOf(scenario, { nodes: { hq: addressOf(cache) }, cdns: [addressOf(cdn)] });
      fleet.start(Date.now());
      await until(() => cache.books().requestCount >= 8);
      cache.objects.bumpVersion('update');
      await idle;
      const report = await fleet.stop(0);
      expect(report.reading.corruptBytes).toBe(0);
      expect(report.reading.failedRanges).toEqual({});
      expect(Object.keys(report.reading.refetchedBytes)).toEqual(['version']);
      expect(report.groups[0]).toMatchObject({ completedCount: 2, usefulBytes: 2 * bigBytes, bytesFromCdn: 0 });
      await until(() => cache.books().connectionsOpen === 0);
      expectBalanced(cache.ledger(), report.ledgers['hq']);
      const versions = cache.books().objects.map(({ version }) => version);
      expect(versions).toEqual([1, 2]);
    } finally {
      await cache.stop();
    }
  });
});

describe('on the wire', () => {
  it('a request looks as captured from Windows 11, at a cache host and at the CDN', async () => {
    const scenario = scenarioOf(`
content:
  - { id: update, size: 1000 B }
  - { id: second, size: 1000 B, path: /files/second }
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 1, cacheHosts: [hq], wants: [update, second] }]`);
    const texts = async (answer: Answer, toCdn: boolean): Promise<string[]> => {
      const seen: string[] = [];
      await withServer(answer, async (server, address) => {
        await withServer(status('404 Not Found'), async (_, broken) => {
          await runFleet(scenario, { nodes: { hq: toCdn ? broken : address }, cdns: [address] });
          for (const { text } of server.requests) seen.push(text.replaceAll(`:${address.port}`, ':PORT'));
        });
      });
      return seen;
    };
    const serves: Answer = (request, socket, sent) => {
      const id = request.target.includes('second') ? 'second' : 'update';
      socket.write(partHead(request, 1000, { ETag: etagOf(id, 1) }));
      socket.write(contentOf(request, id));
      sent(1000);
    };
    const host = 'au.download.windowsupdate.com';
    const expected = (target: string, vector: string, hostField: string): string =>
      `GET ${target} HTTP/1.1\r\nConnection: Keep-Alive\r\nAccept: */*\r\nRange: bytes=0-999\r\n` +
      `User-Agent: Microsoft-Delivery-Optimization/10.1\r\nMS-CV: ${vector}\r\nContent-Length: 0\r\nHost: ${hostField}\r\n\r\n`;
    const atHost = await texts(serves, false);
    const base = /MS-CV: ([^.]+)\./.exec(atHost[0] ?? '')?.[1] ?? '';
    expect(base).toMatch(/^[A-Za-z0-9]{16}$/);
    const path = '/filestreamingservice/files/update';
    expect(atHost.sort()).toEqual(
      [
        expected(`${path}?cacheHostOrigin=${host}`, `${base}.2.1`, '127.0.0.1:PORT'),
        expected(`/files/second?cacheHostOrigin=${host}`, `${base}.5.1`, '127.0.0.1:PORT'),
      ].sort(),
    );
    // At the CDN: the second request of each file, the original host, no query.
    expect((await texts(serves, true)).sort()).toEqual(
      [expected(path, `${base}.2.2`, host), expected('/files/second', `${base}.5.2`, host)].sort(),
    );
  });

  it.each([
    { pieces: 1, key: '', connections: 1 },
    { pieces: 7, key: '', connections: 1 },
    { pieces: 12, key: '', connections: 2 },
    { pieces: 101, key: '', connections: 3 },
    { pieces: 12, key: ', connectionsPerFile: 5', connections: 5 },
  ])(
    'a file of $pieces ranges$key comes over $connections connections, one request at a time on each',
    async ({ pieces, key, connections }) => {
      const fileBytes = (pieces - 1) * pieceBytes + 10;
      const scenario = scenarioOf(`
content: [{ id: update, size: ${fileBytes} B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 1, cacheHosts: [hq], wants: [update]${key} }]`);
      const unanswered = new Set<number>();
      let overlaps = 0;
      const serve = servesContent(fileBytes);
      const answer: Answer = (request, socket, sent) => {
        if (unanswered.has(request.connection)) overlaps += 1;
        unanswered.add(request.connection);
        setImmediate(() => {
          unanswered.delete(request.connection);
          serve(request, socket, sent);
        });
      };
      await withServer(answer, async (server, hq) => {
        const report = await runFleet(scenario, { nodes: { hq }, cdns: [addressOf(cdn)] });
        expect(server.connectionCount).toBe(connections);
        expect(server.pipelinedCount + overlaps).toBe(0);
        expect(report.groups[0]).toMatchObject({ rangeCount: pieces, usefulBytes: fileBytes, refetchedBytes: 0 });
        expect(new Set(server.requests.map((request) => request.start)).size).toBe(pieces);
        expect(server.requests.map((request) => /MS-CV: \w+\.2\.([0-9]+)/.exec(request.text)?.[1])).toHaveLength(
          pieces,
        );
        const numbers = server.requests.map((request) => Number(/MS-CV: \w+\.2\.([0-9]+)/.exec(request.text)?.[1]));
        expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: pieces }, (_, i) => i + 1));
        expect(report.rows[0]?.HttpConnectionCount).toBe(connections);
      });
    },
  );

  it('an idle connection is closed in order some time after the download', async () => {
    await withServer(right, async (server, hq) => {
      const timeouts = { connectMs: 1000, stallMs: 1000, idleCloseMs: 50 };
      const { fleet, idle } = fleetOf(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)], timeouts });
      fleet.start(Date.now());
      await idle;
      expect(server.openCount).toBe(1);
      await until(() => server.openCount === 0);
      const report = await fleet.stop(0);
      expect(server.ledger()).toMatchObject([{ cut: false }]);
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBe(0);
    });
  });
});

describe('a run that is stopped', () => {
  it('keeps what had come of the pieces under way, and balances', async () => {
    const half: Answer = (request, socket, sent) => {
      socket.write(partHead(request, sizeBytes));
      socket.write(contentOf(request).subarray(0, 700));
      sent(700);
    };
    await withServer(half, async (server, hq) => {
      const { fleet } = fleetOf(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      fleet.start(Date.now());
      await until(() => fleet.progress().bytesFromCacheServer === 700);
      const report = await fleet.stop(0);
      expect(report.groups[0]).toMatchObject({
        usefulBytes: 700,
        refetchedBytes: 0,
        completedCount: 0,
        wantedBytes: sizeBytes,
      });
      await until(() => server.openCount === 0);
      expect(expectBalanced(server.ledger(), report.ledgers['hq'])).toBe(0);
      expect(report.ledgers['hq']).toMatchObject([{ bodyBytes: 700, cut: true }]);
    });
  });

  it('lets what is under way finish within the grace, and asks for nothing more', async () => {
    let finish: () => void = () => undefined;
    const late: Answer = (request, socket, sent) => {
      finish = () => right(request, socket, sent);
    };
    await withServer(late, async (server, hq) => {
      const { fleet } = fleetOf(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      fleet.start(Date.now());
      await until(() => server.requests.length === 1);
      const stopped = fleet.stop(20_000);
      finish();
      const report = await stopped;
      expect(server.requests).toHaveLength(1);
      expect(report.groups[0]?.rangeCount).toBe(1);
      expect(report.ledgers['hq']).toMatchObject([{ cut: false }]);
    });
  });

  it('while it is connecting leaves no connection and no count behind', async () => {
    await withServer(right, async (server, hq) => {
      const { fleet } = fleetOf(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      // Within one turn of the event loop: the connection cannot be open yet.
      fleet.devices[0]?.arrive();
      expect(fleet.waiting.size).toBe(1);
      const report = await fleet.stop(0);
      await until(() => server.openCount === 0);
      expect(fleet.meter.connectedDevices).toBe(0);
      expect(report.ledgers['hq'] ?? []).toEqual([]);
    });
  });
});
