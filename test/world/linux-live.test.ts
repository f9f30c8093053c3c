// The Linux client on real sockets against the measurements of the real one (../shared facts on the Linux client), fault by
// fault: whom it asks when, with which range lines, how it ends. The same clock for both, but for a test it runs faster:
// times are lower bounds to 0.15 s, and upper bounds to what a busy machine takes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import type { Address } from '../../common/address.ts';
import { etagOf } from '../../common/content.ts';
import type { DeviceOrder } from '../../simulator/world/live/device-protocol.ts';
import { LiveFleet } from '../../simulator/world/live/live-fleet.ts';
import type { Cancel } from '../../simulator/world/world.ts';
import { expectBalanced, expectOwnBooks, scenarioOf } from './fleet-run.ts';
import { type Answer, contentOf, type RawRequest, RawServer, updateId } from './raw-server.ts';

const sizeBytes = 40_000;
/** How much of a body comes before a fault in its middle. */
const halfBytes = 24_000;
const toleranceS = 0.15;
/** Real time that a machine may add to each request. */
const slackMs = 100;
/** How often the fast clock is read at least. */
const tickMs = 4;

/** A fleet whose clock runs `scale` times as fast as the wall's, but not on while this process stands still. */
class FastFleet extends LiveFleet {
  readonly #scale: number;
  readonly #ticker: NodeJS.Timeout;
  #readAtMs = performance.now();
  #nowMs = 0;

  constructor(order: DeviceOrder, onIdle: () => void, scale: number) {
    super(order, onIdle);
    this.#scale = scale;
    this.#ticker = setInterval(() => this.now(), tickMs);
  }

  override now(): number {
    const wallMs = performance.now();
    this.#nowMs += Math.min(wallMs - this.#readAtMs, 2 * tickMs) * this.#scale;
    this.#readAtMs = wallMs;
    return this.#nowMs;
  }

  override schedule(atMs: number, run: () => void): Cancel {
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const leftMs = Math.max(0, Math.ceil((atMs - this.now()) / this.#scale));
      timer = setTimeout(() => (this.now() < atMs ? arm() : run()), leftMs);
    };
    arm();
    return () => clearTimeout(timer);
  }

  end(): void {
    clearInterval(this.#ticker);
  }
}

// ---- What servers do

/** What a request asks for: the last Range line counts. */
function wantedBy(request: RawRequest): { start: number; end: number; isRange: boolean } {
  const lines = [...request.text.matchAll(/\r\nRange: bytes=([0-9]+)-([0-9]+)/g)];
  const last = lines.at(-1);
  return last === undefined
    ? { start: 0, end: sizeBytes, isRange: false }
    : { start: Number(last[1]), end: Number(last[2]) + 1, isRange: true };
}

function headFor(request: RawRequest, changed: Record<string, string | undefined> = {}, line?: string): string {
  const { start, end, isRange } = wantedBy(request);
  const fields: Record<string, string | undefined> = {
    'Content-Length': String(end - start),
    ...(isRange ? { 'Content-Range': `bytes ${start}-${end - 1}/${sizeBytes}` } : {}),
    ETag: etagOf(updateId, 1),
    ...changed,
  };
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === undefined ? [] : `${name}: ${value}\r\n`));
  return `HTTP/1.1 ${line ?? (isRange ? '206 Partial Content' : '200 OK')}\r\n${lines.join('')}\r\n`;
}

const healthy: Answer = (request, socket, sent) => {
  const { start, end } = wantedBy(request);
  socket.write(headFor(request));
  socket.write(contentOf({ start, end }));
  sent(end - start);
};

const status =
  (line: string, body = ''): Answer =>
  (_, socket) =>
    socket.write(`HTTP/1.1 ${line}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);

const redirect =
  (code: number, location: (a: Address) => string): ScaledAnswer =>
  ({ cdn }) =>
    status(`${code} Elsewhere\r\nLocation: ${location(cdn)}`);

/** The head and half of the body, then something else. */
const halfThen =
  (then: (socket: net.Socket) => void): Answer =>
  (request, socket, sent) => {
    const { start } = wantedBy(request);
    const end = Math.max(start, halfBytes);
    socket.write(headFor(request));
    socket.write(contentOf({ start, end }), () => setTimeout(() => then(socket), 5));
    sent(end - start);
  };

const hang: Answer = () => undefined;
const reset: Answer = (_, socket) => void socket.resetAndDestroy();

type Setting = { readonly cdn: Address; readonly scale: number };
type ScaledAnswer = (setting: Setting) => Answer;
type Fault = Answer | { readonly scaled: ScaledAnswer };

const scaled = (of: ScaledAnswer): Fault => ({ scaled: of });

/** A body at so many bytes a second. */
const trickle = (bytesPerSecond: number): Fault =>
  scaled(({ scale }) => (request, socket, sent) => {
    const { start, end } = wantedBy(request);
    socket.write(headFor(request));
    let at = start;
    const startedMs = performance.now();
    const timer = setInterval(() => {
      const due = Math.min(end, start + Math.floor(((performance.now() - startedMs) * scale * bytesPerSecond) / 1000));
      if (due > at) socket.write(contentOf({ start: at, end: due }));
      at = due;
      if (at === end) clearInterval(timer);
    }, 5);
    socket.on('close', () => clearInterval(timer));
    sent(end - start);
  });

/** One fault, or one a request; the last one stays. */
type Script = Fault | readonly Fault[];

// ---- A run

type Outcome = {
  /** `C 0.1`, or with the rest that it asked for: `A 0.2 24000-39999`. */
  readonly requests: readonly string[];
  readonly atS: readonly number[];
  readonly texts: readonly string[];
  /** On which connection of its server each was. */
  readonly connections: readonly number[];
  readonly state: string;
  readonly ban: 'none' | 'origin' | 'all';
  readonly corruptBytes: number;
  readonly usefulBytes: number;
};

type Options = {
  readonly atC: Script | 'refused' | 'SYN dropped';
  readonly atA?: Script | undefined;
  readonly delay?: string | undefined;
  readonly scale?: number;
};

async function run({ atC, atA = healthy, delay, scale = 20 }: Options): Promise<Outcome> {
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
  const whole = { part: { index: 0, count: 1 }, sourceNetwork: undefined, deviceRows: false };
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

async function refusingAddress(): Promise<Address> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { host: '127.0.0.1', port };
}

/** A listener that stands still behind a full queue: whoever connects hears nothing (Linux drops the SYN). */
async function deafListener(): Promise<{ readonly address: Address; readonly stop: () => void }> {
  const program =
    "require('net').createServer().listen({port:0,host:'127.0.0.1',backlog:1},function(){console.log(this.address().port)})";
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [data] = (await once(child.stdout, 'data')) as [Buffer];
  const address = { host: '127.0.0.1', port: Number(data.toString()) };
  child.kill('SIGSTOP');
  const fillers = Array.from({ length: 4 }, () => net.connect(address.port, address.host).on('error', () => undefined));
  await Promise.race(fillers.slice(0, 2).map((filler) => once(filler, 'connect')));
  return {
    address,
    stop: () => {
      for (const filler of fillers) filler.destroy();
      child.kill('SIGKILL');
    },
  };
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

// ---- The rows

type Row = Options & {
  readonly title: string;
  readonly requests: string;
  readonly ban?: Outcome['ban'];
  /** Default completed. */
  readonly state?: 'failed';
};

const rest = `${halfBytes}-${sizeBytes - 1}`;
const s500 = status('500 Internal Server Error');
const noLength = (request: RawRequest): string => headFor(request, { 'Content-Length': undefined });

const rows: readonly Row[] = [
  { title: 'healthy', atC: healthy, requests: 'C 0.1' },
  ...[400, 403, 404, 408, 410, 416, 429, 451].map(
    (code): Row => ({ title: `${code}`, atC: status(`${code} No`), requests: 'C 0.1, A 0.2', ban: 'origin' }),
  ),
  { title: '404 with a body', atC: status('404 Not Found', 'nothing'), requests: 'C 0.1, A 0.2', ban: 'origin' },
  ...[500, 502, 503, 504].map(
    (code): Row => ({ title: `${code}`, atC: status(`${code} No`), requests: 'C 0.1, A 0.2' }),
  ),
  { title: '503 with a body', atC: status('503 Busy', 'busy'), requests: 'C 0.1, A 0.2' },
  { title: '302 without a target', atC: status('302 Found'), requests: 'C 0.1, A 0.2' },
  { title: '304', atC: (_, socket) => socket.write('HTTP/1.1 304 Not Modified\r\n\r\n'), requests: 'C 0.1, A 0.2' },
  { title: 'reset before the head', atC: reset, requests: 'C 0.1, A 0.2' },
  { title: 'close before the head', atC: (_, socket) => void socket.end(), requests: 'C 0.1, A 0.2' },
  { title: 'garbage', atC: (_, socket) => socket.write('this is not HTTP at all\r\n\r\n'), requests: 'C 0.1, A 0.2' },
  {
    title: 'reset in mid-body',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    requests: `C 0.1, A 0.2 ${rest}`,
  },
  { title: 'close in mid-body', atC: halfThen((socket) => void socket.end()), requests: `C 0.1, A 0.2 ${rest}` },
  { title: 'refused', atC: 'refused', requests: 'A 0.2', ban: 'all' },
  { title: 'SYN dropped', atC: 'SYN dropped', requests: 'A 3.2', ban: 'all' },
  { title: 'no answer', atC: hang, requests: 'C 0.1, A 20.2', ban: 'all' },
  {
    title: 'a head and no body',
    atC: (request, socket) => socket.write(headFor(request)),
    requests: 'C 0.1, A 20.2',
    ban: 'all',
  },
  { title: 'stall in mid-body', atC: halfThen(() => undefined), requests: `C 0.1, A 25.2 ${rest}`, ban: 'all' },
  { title: '4,400 B/s', atC: trickle(4400), requests: 'C 0.1' },
  ...[301, 302, 303, 307, 308].map(
    (code): Row => ({
      title: `${code} to the CDN`,
      atC: scaled(redirect(code, () => `http://au.download.windowsupdate.com/filestreamingservice/files/${updateId}`)),
      requests: 'C 0.1, A 0.1',
    }),
  ),
  {
    title: '302 to the CDN by address',
    atC: scaled(redirect(302, ({ host, port }) => `http://${host}:${port}/there`)),
    requests: 'C 0.1, A 0.1',
  },
  {
    title: '302 to where nobody is',
    atC: scaled(redirect(302, () => 'http://nobody.test/there')),
    requests: 'C 0.1, A 0.2',
    ban: 'all',
  },
  {
    title: '302 to a target that fails with 404',
    atC: scaled(redirect(302, ({ host, port }) => `http://${host}:${port}/there`)),
    atA: [status('404 Not Found'), healthy],
    requests: 'C 0.1, A 0.1, A 0.2',
    ban: 'origin',
  },
  {
    title: '302 round in a circle',
    atC: status('302 Found\r\nLocation: /again'),
    requests: `${Array.from({ length: 11 }, () => 'C 0.1').join(', ')}, A 0.2`,
  },
  { title: 'C anything, A 404', atC: s500, atA: status('404 Not Found'), requests: 'C 0.1, A 0.2', state: 'failed' },
  {
    title: 'C 404, A 403',
    atC: status('404 Not Found'),
    atA: status('403 No'),
    requests: 'C 0.1, A 0.2',
    ban: 'origin',
    state: 'failed',
  },
  { title: 'delay 30 s, 500', atC: s500, delay: '30 s', requests: 'C 0.1, C 2.2, C 6.3, C 14.4, A 30.5' },
  { title: 'delay 30 s, reset', atC: reset, delay: '30 s', requests: 'C 0.1, C 2.2, C 6.3, C 14.4, A 30.5' },
  { title: 'delay 30 s, 404', atC: status('404 Not Found'), delay: '30 s', requests: 'C 0.1, A 0.2', ban: 'origin' },
  { title: 'delay 30 s, refused', atC: 'refused', delay: '30 s', requests: 'A 2.2', ban: 'all' },
  { title: 'delay 30 s, no answer', atC: hang, delay: '30 s', requests: 'C 0.1, A 22.2', ban: 'all' },
  { title: 'delay 10 s, 500', atC: s500, delay: '10 s', requests: 'C 0.1, C 2.2, C 6.3, A 14.4' },
  {
    title: 'delay never, 404',
    atC: status('404 Not Found'),
    delay: 'never',
    requests: 'C 0.1',
    ban: 'origin',
    state: 'failed',
  },
  { title: 'delay never, refused', atC: 'refused', delay: 'never', requests: 'A 2.2', ban: 'all' },
  {
    title: 'range lines that pile up',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    atA: [s500, s500, healthy],
    requests: `C 0.1, A 0.2 ${rest}, A 2.3 ${rest} ${rest}, C 6.4 ${rest} ${rest} ${rest}, C 14.5 ${[rest, rest, rest, rest].join(' ')}, A 30.6 ${[rest, rest, rest, rest, rest].join(' ')}`,
  },
  {
    title: 'a 206 without Content-Range',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    atA: (request, socket) => socket.write(headFor(request, { 'Content-Range': undefined })),
    requests: `C 0.1, A 0.2 ${rest}`,
    state: 'failed',
  },
  {
    title: 'a 206 with a total of *',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    atA: (request, socket) => socket.write(headFor(request, { 'Content-Range': `bytes ${rest}/*` })),
    requests: `C 0.1, A 0.2 ${rest}`,
    state: 'failed',
  },
  {
    title: 'a 206 with a lower-case content-range',
    atC: halfThen((socket) => void socket.resetAndDestroy()),
    atA: (request, socket) =>
      socket.write(headFor(request, { 'Content-Range': undefined, 'content-range': `bytes ${rest}/${sizeBytes}` })),
    requests: `C 0.1, A 0.2 ${rest}`,
    state: 'failed',
  },
  {
    title: 'no Content-Length, and then an interruption: the agent aborts',
    atC: (request, socket, sent) => {
      socket.write(headFor(request, { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' }));
      socket.write('100\r\n');
      socket.write(contentOf({ start: 0, end: 256 }), () => setTimeout(() => socket.resetAndDestroy(), 5));
      sent(256);
    },
    requests: 'C 0.1',
    state: 'failed',
  },
  {
    title: 'a lower-case content-length, and then an interruption: the agent aborts',
    atC: (request, socket, sent) => {
      socket.write(headFor(request, { 'Content-Length': undefined, 'content-length': String(sizeBytes) }));
      socket.write(contentOf({ start: 0, end: 256 }), () => setTimeout(() => socket.resetAndDestroy(), 5));
      sent(256);
    },
    requests: 'C 0.1',
    state: 'failed',
  },
  {
    title: 'a lower-case content-length, and no interruption',
    atC: (request, socket, sent) => {
      socket.write(headFor(request, { 'Content-Length': undefined, 'content-length': String(sizeBytes) }));
      socket.write(contentOf({ start: 0, end: sizeBytes }));
      sent(sizeBytes);
    },
    requests: 'C 0.1',
  },
  {
    title: 'no length, and a close at the end',
    atC: (request, socket, sent) => {
      socket.write(noLength(request));
      socket.end(contentOf({ start: 0, end: sizeBytes }));
      sent(sizeBytes);
    },
    requests: 'C 0.1',
  },
];

describe.concurrent('the Linux client on real sockets, as measured: its cache host', () => {
  it.each(rows)('$title', async ({ requests, ban = 'none', state = 'completed', ...options }) => {
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
