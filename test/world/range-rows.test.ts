// What raw data says of requests, held against what the server saw of them. (That its sums are those of the report is checked
// in every test of a fleet: range-rows.ts.)

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Cdn } from '../../simulator/cloud/cdn.ts';
import { pieceBytes } from '../../simulator/device/range-plan.ts';
import { addressOf, cdnOf, contentHost, fleetOf, scenarioOf, until, withServer } from './fleet-run.ts';
import type { PlainRow } from './range-rows.ts';
import { type Answer, contentOf, partHead, type RawServer, servesContent, updateId } from './raw-server.ts';

const sizeBytes = 2 * pieceBytes + 1000;
const right = servesContent(sizeBytes);

const oneDevice = (client: 'windows' | 'linux' = 'windows'): ReturnType<typeof scenarioOf> =>
  scenarioOf(`
seed: 3
content: [{ id: ${updateId}, size: ${sizeBytes} B }]
nodes: [{ id: hq }]
fleet: [{ id: office, devices: 1, client: ${client}, cacheHosts: [hq], wants: [${updateId}] }]`);

let cdn: Cdn;
beforeEach(async () => {
  cdn = await cdnOf(oneDevice());
});
afterEach(() => cdn.stop());

/** Runs one device to its end, against a cache host that answers so. */
async function rowsOf(
  answer: Answer,
  check: (rows: readonly PlainRow[], server: RawServer) => void,
  client?: 'windows' | 'linux',
): Promise<void> {
  await withServer(answer, async (server, hq) => {
    const { fleet, idle } = fleetOf(oneDevice(client), { nodes: { hq }, cdns: [addressOf(cdn)] });
    fleet.start(Date.now());
    await idle;
    await fleet.stop(0);
    check(fleet.rangeRows, server);
  });
}

const said = (rows: readonly PlainRow[]): object[] => rows.map(({ outcome, server }) => ({ outcome, server }));
const fromCdn = { outcome: 'ok', server: 1 };

/** The head and the first 500 bytes of a right answer. */
const begins: Answer = (request, socket, sent) => {
  socket.write(partHead(request, sizeBytes), 'latin1');
  socket.write(contentOf({ start: request.start, end: request.start + 500 }));
  sent(500);
};

describe('a row', () => {
  it('is there for each request, with its range, its answer and its end of the connection', async () => {
    await rowsOf(right, (rows, server) => {
      const asked = server.requests.map(({ start, end }) => ({ offsetBytes: start, askedBytes: end - start }));
      expect(rows.map(({ offsetBytes, askedBytes }) => ({ offsetBytes, askedBytes }))).toEqual(asked);
      for (const row of rows) {
        expect(row).toMatchObject({ device: 0, group: 0, server: 0, object: updateId, outcome: 'ok', status: 206 });
        expect(`127.0.0.1:${row.clientPort}`).toBe(server.ledger()[0]?.peer);
      }
    });
  });

  it('is there twice when the server closed an idle connection just as it was used: the range was sent again', async () => {
    const closesOnSecond: Answer = (request, socket, sent) => {
      if (request.connection === 0 && request.indexOnConnection === 1) socket.end();
      else right(request, socket, sent);
    };
    await rowsOf(closesOnSecond, (rows, server) => {
      expect(rows.map(({ outcome }) => outcome)).toEqual(['ok', 'resent', 'ok', 'ok']);
      expect(rows.map(({ offsetBytes }) => offsetBytes)).toEqual(server.requests.map(({ start }) => start));
      const [, first, again] = rows;
      expect(first).toMatchObject({ receivedBytes: 0, status: undefined, isComplete: false });
      expect(again).toMatchObject({ offsetBytes: first?.offsetBytes, intendedMs: first?.intendedMs }); // it was due once
      expect(again?.clientPort).not.toBe(first?.clientPort);
    });
  });

  it('of a failure has its cause, its status, and the bytes that came for nothing', async () => {
    const breaks: Answer = (request, socket, sent) => {
      begins(request, socket, sent);
      socket.end();
    };
    await rowsOf(breaks, (rows) => {
      const [failed, ...others] = rows;
      expect(failed).toMatchObject({ outcome: 'reset', server: 0, status: 206, receivedBytes: 500, isComplete: false });
      expect(said(others)).toEqual([fromCdn, fromCdn, fromCdn]);
    });
  });

  it('of a connection that could not be made has its range, and was never sent', async () => {
    const order = { nodes: { hq: { host: '127.0.0.1', port: 1 } }, cdns: [addressOf(cdn)] };
    const { fleet, idle } = fleetOf(oneDevice(), order);
    fleet.start(Date.now());
    await idle;
    await fleet.stop(0);
    const [refused] = fleet.rangeRows;
    expect(refused).toMatchObject({ outcome: 'refused', server: 0, askedBytes: expect.any(Number), receivedBytes: 0 });
    expect(refused).toMatchObject({ sentMs: undefined, firstByteMs: undefined, clientPort: undefined });
  });

  it('of what is under way when the run is stopped is aborted, with the bytes that had come', async () => {
    await withServer(begins, async (_, hq) => {
      const { fleet } = fleetOf(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      fleet.start(Date.now());
      await until(() => fleet.progress().bytesFromCacheServer >= 500);
      await fleet.stop(0);
      expect(fleet.rangeRows).toMatchObject([{ outcome: 'aborted', receivedBytes: 500, status: 206 }]);
    });
  });

  it('of a redirect that a Linux device follows stands before that of where it led to', async () => {
    const elsewhere: Answer = (_, socket) => {
      const location = `http://${contentHost}/filestreamingservice/files/${updateId}`;
      socket.write(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`);
    };
    await rowsOf(
      elsewhere,
      (rows) => {
        expect(said(rows)).toEqual([{ outcome: 'redirected', server: 0 }, fromCdn]);
        expect(rows).toMatchObject([
          { status: 302, askedBytes: sizeBytes, receivedBytes: 0, isComplete: false },
          { status: 200, askedBytes: sizeBytes, receivedBytes: sizeBytes, isComplete: true },
        ]);
      },
      'linux',
    );
  });

  it('of bytes that nobody asked for has no range', async () => {
    const talksOn: Answer = (request, socket, sent) => {
      right(request, socket, sent);
      if (request.index === 2) setTimeout(() => socket.write('HTTP/1.1 200 OK\r\n\r\n'), 20);
    };
    await withServer(talksOn, async (server, hq) => {
      const { fleet, idle } = fleetOf(oneDevice(), { nodes: { hq }, cdns: [addressOf(cdn)] });
      fleet.start(Date.now());
      await idle;
      await until(() => server.openCount === 0);
      await fleet.stop(0);
      const last = fleet.rangeRows.at(-1);
      expect(last).toMatchObject({ outcome: 'badResponse', server: 0, object: undefined, offsetBytes: undefined });
      expect(last?.clientPort).toBe(fleet.rangeRows[0]?.clientPort);
    });
  });
});
