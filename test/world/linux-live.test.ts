// The Linux client on real sockets against the measurements of the real one (../shared facts on the Linux client), fault by
// fault: whom it asks when, with which range lines, how it ends. The same clock for both, but for a test it runs faster:
// times are lower bounds to 0.15 s, and upper bounds to what a busy machine takes.

import { describe, expect, it } from 'vitest';
import { etagOf } from '../../common/content.ts';
import { FastFleet } from './fast-fleet.ts';
import { expectBalanced, expectOwnBooks, scenarioOf } from './fleet-run.ts';
import { type Ban, type LinuxCase, linuxRows, noLength, rest, s500 } from './linux-reference.ts';
import {
  deafListener,
  type Fault,
  halfBytes,
  halfThen,
  headFor,
  healthy,
  refusingAddress,
  type Script,
  sizeBytes,
  status,
  trickle,
  wantedBy,
} from './linux-servers.ts';
import { type Answer, contentOf, type RawRequest, RawServer, updateId } from './raw-server.ts';

const toleranceS = 0.15;
/** Real time that a machine may add to each request. */
const slackMs = 100;

// ---- A run

type Outcome = {
  /** `C 0.1`, or with the rest that it asked for: `A 0.2 24000-39999`. */
  readonly requests: readonly string[];
  readonly atS: readonly number[];
  readonly texts: readonly string[];
  /** On which connection of its server each was. */
  readonly connections: readonly number[];
  readonly state: string;
  readonly ban: Ban;
  readonly corruptBytes: number;
  readonly usefulBytes: number;
};

async function run({ atC, atA = healthy, delay, scale = 20 }: LinuxCase): Promise<Outcome> {
  let onIdle: () => void = () => undefined;
  const idle = new Promise<void>((resolve) => {
    onIdle = resolve;
  });
  const setting = { cdn: { host: '', port: 0 }, scale };
  const sent: { readonly server: string; readonly request: RawRequest; readonly atMs: number }[] = [];
  let fleet: FastFleet | undefined;
  const serverOf = (name: string, script: Script): RawServer => {
    const faults = Array.isArray(script) ? (script as readonly Fault[]) : [script as Fault];
    return new RawServer((request, socket, count) => {
      sent.push({ server: name, request, atMs: fleet?.now() ?? 0 });
      const fault = faults[Math.min(request.index, faults.length - 1)] ?? healthy;
      (typeof fault === 'function' ? fault : fault.scaled(setting))(request, socket, count);
    });
  };
  const cdn = serverOf('A', atA);
  Object.assign(setting.cdn, await cdn.listen());
  const host = typeof atC === 'string' ? undefined : serverOf('C', atC);
  const elsewhere = atC === 'SYN dropped' ? await deafListener() : undefined;
  const address = (await host?.listen()) ?? elsewhere?.address ?? (await refusingAddress());
  const scenario = scenarioOf(`
content: [{ id: ${updateId}, size: ${sizeBytes} B }]
nodes: [{ id: hq }]
fleet:
  - id: line
    client: linux
    devices: 1
    cacheHosts: [hq]
    wants: [${updateId}]
    policy: ${delay === undefined ? '{}' : `{ fallbackDelayBackground: ${delay} }`}`);
  const whole = { number: 0, part: { index: 0, count: 1 }, sourceNetwork: undefined, deviceRows: false };
  fleet = new FastFleet({ scenario, nodes: { hq: address }, cdns: [setting.cdn], ...whole }, onIdle, scale);
  try {
    fleet.start(Date.now());
    await idle;
    const [device] = fleet.devices;
    const agent = device?.agent as { bannedUntilMs: number; bannedUntilMsByOrigin: Map<string, number> | undefined };
    const { startedAtMs } = fleet;
    const report = await fleet.stop(0);
    expectOwnBooks(report);
    expectBalanced(cdn.ledger(), report.ledgers['cdn']);
    if (host !== undefined) expectBalanced(host.ledger(), report.ledgers['hq']);
    const atS = sent.map(({ atMs }) => (atMs - startedAtMs) / 1000);
    return {
      requests: sent.map(({ server, request }) => {
        const lines = [...request.text.matchAll(/Range: bytes=([0-9-]+)/g)].map((line) => ` ${line[1]}`);
        return `${server}${lines.join('')}`;
      }),
      atS,
      connections: sent.map(({ request }) => request.connection),
      texts: sent.map(({ request }) => request.text),
      state: device?.state ?? '',
      ban: agent.bannedUntilMs > 0 ? 'all' : agent.bannedUntilMsByOrigin === undefined ? 'none' : 'origin',
      corruptBytes: report.reading.corruptBytes,
      usefulBytes: device?.usefulBytes ?? 0,
    };
  } finally {
    fleet.end();
    elsewhere?.stop();
    await Promise.all([cdn.stop(), host?.stop()]);
  }
}

/** `C 0.1, A 0.2 24000-39999` as measured: the same requests, none too early, none later than the machine's slack. */
function expectRequests(outcome: Outcome, measured: string, scale: number): void {
  const wanted = measured.split(', ').map((each) => {
    const [server, seconds, ...ranges] = each.split(' ');
    return { request: [server, ...ranges].join(' '), seconds: Number(seconds) };
  });
  expect(outcome.requests).toEqual(wanted.map(({ request }) => request));
  for (const [i, { request, seconds }] of wanted.entries()) {
    const atS = outcome.atS[i] ?? Number.NaN;
    const latestS = seconds + toleranceS + ((i + 1) * slackMs * scale) / 1000;
    expect(atS >= seconds - toleranceS && atS <= latestS, `${request} at ${atS.toFixed(2)} s, not ${seconds} s`).toBe(
      true,
    );
  }
}

describe.concurrent('the Linux client on real sockets, as measured: its cache host', () => {
  it.each(linuxRows)('$title', async ({ requests, ban = 'none', state = 'completed', ...options }) => {
    const outcome = await run(options);
    expectRequests(outcome, requests, options.scale ?? 20);
    expect({ ban: outcome.ban, state: outcome.state }).toEqual({ ban, state });
    if (state === 'completed') expect(outcome.usefulBytes).toBe(sizeBytes);
    expect(outcome.corruptBytes).toBe(0);
  });
});

describe.concurrent('over minutes', () => {
  it('C and CDN that always fail are asked by turns, until the download is given up after 300 s', async () => {
    const scale = 40;
    const outcome = await run({ atC: s500, atA: s500, scale });
    const measured =
      'C 0.1, A 0.2, A 2.3, C 6.4, C 14.5, A 30.6, A 60.7, C 90.8, C 120.9, A 151.0, A 181.1, C 211.2, C 241.3, A 271.4';
    expectRequests(outcome, measured, scale);
    expect({ state: outcome.state, ban: outcome.ban }).toEqual({ state: 'failed', ban: 'none' });
  });
});

describe.concurrent('a cache host that sends too slowly', () => {
  it('below 4,000 B/s is left after 20 to 25 s, and the CDN asked for the rest', async () => {
    const outcome = await run({ atC: trickle(1000) });
    const [, range = ''] = outcome.requests[1]?.split(' ') ?? [];
    const got = Number(range.split('-')[0]);
    expect(outcome.requests).toEqual(['C', `A ${got}-${sizeBytes - 1}`]);
    expect(outcome.atS[1]).toBeGreaterThanOrEqual(20.2 - toleranceS);
    expect(got).toBeGreaterThanOrEqual(19_000);
    expect(outcome).toMatchObject({ ban: 'all', state: 'completed', usefulBytes: sizeBytes, corruptBytes: 0 });
  });
});

describe.concurrent('a connection', () => {
  it.each([
    { title: 'is used again after an error without a body', body: '', connections: [0, 0, 0] },
    { title: 'is closed after an error with a body', body: 'busy', connections: [0, 1, 2] },
  ])('$title', async ({ body, connections }) => {
    const outcome = await run({
      atC: [s500, s500, healthy].map((each) => (each === s500 ? status('500 No', body) : each)),
      delay: '30 s',
    });
    expect(outcome.requests).toEqual(['C', 'C', 'C']);
    expect(outcome.connections).toEqual(connections);
  });

  it('that the server closed while it was idle is replaced, and nothing has failed', async () => {
    const answersThenCloses: Answer = (_, socket) =>
      socket.write('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n', () => setTimeout(() => socket.end(), 10));
    const outcome = await run({ atC: [answersThenCloses, healthy], delay: '30 s' });
    expect(outcome).toMatchObject({ requests: ['C', 'C'], connections: [0, 1], state: 'completed' });
  });
});

describe.concurrent('an answer that the client takes for right', () => {
  it.each<{
    readonly title: string;
    readonly atA: Answer;
    readonly corruptBytes: number;
    readonly usefulBytes: number;
  }>([
    {
      title: 'a resume that is answered with the whole file',
      atA: (request, socket, sent) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${sizeBytes}\r\nETag: ${etagOf(updateId, 1)}\r\n\r\n`);
        socket.write(contentOf({ start: 0, end: sizeBytes }));
        sent(sizeBytes);
        expect(wantedBy(request).isRange).toBe(true);
      },
      corruptBytes: 15_938,
      usefulBytes: 24_062,
    },
    {
      title: 'a resume whose answer is shorter than asked',
      atA: (request, socket, sent) => {
        const { start } = wantedBy(request);
        socket.write(headFor(request, { 'Content-Length': '100' }));
        socket.write(contentOf({ start, end: start + 100 }));
        sent(100);
      },
      corruptBytes: 0,
      usefulBytes: halfBytes + 100,
    },
  ])('$title makes a wrong file, counted as failed', async ({ atA, corruptBytes, usefulBytes }) => {
    const outcome = await run({ atC: halfThen((socket) => void socket.resetAndDestroy()), atA });
    expectRequests(outcome, `C 0.1, A 0.2 ${rest}`, 20);
    expect(outcome.state).toBe('failed');
    // Some of the wrong bytes are right by chance.
    expect(Math.abs(outcome.corruptBytes - corruptBytes)).toBeLessThanOrEqual(corruptBytes * 0.01);
    expect(outcome.usefulBytes + outcome.corruptBytes).toBe(usefulBytes + corruptBytes);
  });

  it.each<{ readonly title: string; readonly atC: Answer; readonly usefulBytes: number }>([
    { title: 'a 200 of length 0', atC: status('200 OK'), usefulBytes: 0 },
    { title: 'a 204', atC: (_, socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'), usefulBytes: 0 },
    {
      title: 'a Content-Length that is too small',
      atC: (request, socket, sent) => {
        socket.write(headFor(request, { 'Content-Length': '1000' }));
        socket.write(contentOf({ start: 0, end: 1000 }));
        sent(1000);
      },
      usefulBytes: 1000,
    },
    {
      title: 'a close without a length',
      atC: (request, socket, sent) => {
        socket.write(noLength(request));
        socket.end(contentOf({ start: 0, end: 1000 }));
        sent(1000);
      },
      usefulBytes: 1000,
    },
  ])('$title makes a short file, counted as failed', async ({ atC, usefulBytes }) => {
    const outcome = await run({ atC });
    expect(outcome).toMatchObject({ requests: ['C'], state: 'failed', usefulBytes, corruptBytes: 0 });
  });
});

describe('its requests', () => {
  it('look as those of the real client, at the cache host and at the CDN', async () => {
    const { texts } = await run({ atC: halfThen((socket) => void socket.resetAndDestroy()) });
    const [atC, atA] = texts.map((text) => text.replace(/127\.0\.0\.1:[0-9]+/, 'HOST'));
    const path = `/filestreamingservice/files/${updateId}`;
    const agent = 'User-Agent: Microsoft-Delivery-Optimization-Lite/10.0.0.1\r\nAccept: */*\r\n';
    expect(atC).toBe(
      `GET ${path}?cacheHostOrigin=au.download.windowsupdate.com HTTP/1.1\r\nHost: HOST\r\n${agent}\r\n`,
    );
    expect(atA).toBe(
      `GET ${path} HTTP/1.1\r\nHost: au.download.windowsupdate.com\r\n${agent}Range: bytes=${rest}\r\n\r\n`,
    );
  });
});
