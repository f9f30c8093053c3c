// Scripts run against the real node and the real CDN, and their counts against the books of both. Everywhere in the
// stand-in for k6; in k6 itself where there is one, by name on the PATH or as the file that the variable K6 names.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { formatAddress } from '../../common/address.ts';
import { permute } from '../../simulator/device/permutation.ts';
import { Setup } from '../cache/node-process.ts';
import { type Answer, contentOf, partHead, type RawRequest, RawServer } from '../world/raw-server.ts';
import { k6Js, k6Ts, withoutTypes } from './exported.ts';
import { namesOf, numbersOf, runInStandIn } from './k6-stand-in.ts';

const MiB = 2 ** 20;
const updateBytes = 5 * MiB + 137;
const appBytes = 300_000;

const scenario = (fleet: string, more = '') => `name: A small fleet
seed: 7
content:
  - { id: update, size: ${updateBytes} B, host: content.test, path: /object/update/${updateBytes} }
  - { id: app, size: ${appBytes} B, host: content.test, path: /object/app/${appBytes} }
nodes: [{ id: hq }, { id: spare }]
${more}fleet:
${fleet}
expect:
  - devices.completedRatio == 1
  - fleet.bytesFromCdn == 0
  - integrity.corruptBytes == 0
`;

let setup: Setup;
beforeAll(async () => {
  setup = await Setup.start();
});
afterAll(() => setup.stop());

const urlOf = (address: { host: string; port: number }): string => `http://${formatAddress(address)}`;

/** Nobody listens there: the port was free a moment ago, and connections to it are refused. */
async function refusing(): Promise<string> {
  const server = new RawServer(() => undefined);
  const address = await server.listen();
  await server.stop();
  return urlOf(address);
}

const k6 = process.env['K6'] ?? 'k6';
const hasK6 = spawnSync(k6, ['version']).status === 0;
if (!hasK6) process.stderr.write('skipped: exported scripts in k6 itself, which is not installed here\n');

/** What a script prints at its end, run by k6. */
async function runInK6(script: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'k6-'));
  try {
    const path = join(folder, 'script.js');
    writeFileSync(path, script);
    const child = spawn(k6, ['run', '--quiet', '--no-usage-report', path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).toBe(0);
    return stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const runStandIn = async (script: string): Promise<string> => (await runInStandIn(script)).stdout;

describe.each([
  { engine: 'the stand-in for k6', written: k6Js, isThere: true, run: runStandIn },
  {
    engine: 'the stand-in for k6, as TypeScript',
    written: k6Ts,
    isThere: true,
    run: (script: string) => runStandIn(withoutTypes(script)),
  },
  { engine: 'k6', written: k6Js, isThere: hasK6, run: runInK6 },
])('a script in $engine', ({ written, isThere, run }) => {
  it.skipIf(!isThere)(
    'counts what the books of node and CDN say',
    async () => {
      const fleet = `  - { id: office, devices: 30, cacheHosts: [hq], wants: [update, app], arrive: { over: 1 s } }
  - { id: lab, devices: 5, client: linux, cacheHosts: [hq], wants: [app], arrive: { at: 1 s } }`;
      const before = { node: await setup.books(), cdn: await setup.cdnBooks() };
      const stdout = await run(
        written(scenario(fleet), { nodes: { hq: urlOf(setup.node.listen) }, cdn: urlOf(setup.cdn.listen) }),
      );
      const after = { node: await setup.books(), cdn: await setup.cdnBooks() };
      const { counts } = numbersOf(stdout);
      const bytes = 30 * (updateBytes + appBytes) + 5 * appBytes;
      expect(counts).toMatchObject({
        devices_started: 35,
        devices_completed: 35,
        fleet_range_count: 30 * 7 + 5,
        http_reqs: 30 * 7 + 5,
        fleet_bytes_from_cache_server: bytes,
      });
      expect(after.node.egressBytes - before.node.egressBytes).toBe(counts['fleet_bytes_from_cache_server']);
      expect(after.node.requestCount - before.node.requestCount).toBe(counts['http_reqs']);
      expect(after.cdn.bodyBytes - before.cdn.bodyBytes).toBeLessThanOrEqual(updateBytes + appBytes);
      expect(counts['fleet_bytes_from_cdn'] ?? 0).toBe(0);
      // The second group arrives a second after the first.
      expect(numbersOf(stdout).largest['fleet_finish_ms max']).toBeGreaterThan(1000);
      expect(stdout).toContain('devices completed   35 of 35');
      expect(stdout).toContain('not judged  integrity.corruptBytes == 0');
    },
    60_000,
  );
});

function requestsByDevice(requests: readonly RawRequest[]): Map<string, RawRequest[]> {
  const byDevice = new Map<string, RawRequest[]>();
  for (const request of requests) {
    const vector = /MS-CV: (\w+)/.exec(request.text)?.[1] ?? '';
    byDevice.set(vector, [...(byDevice.get(vector) ?? []), request]);
  }
  return byDevice;
}

describe('a device of a script', () => {
  let server: RawServer | undefined;
  afterEach(() => server?.stop());

  async function against(answer: Answer, fleet = '  - { id: office, devices: 1, cacheHosts: [hq], wants: [update] }') {
    server = new RawServer(answer);
    const hq = urlOf(await server.listen());
    const nodes = fleet.includes('spare') ? { hq, spare: await refusing() } : { hq };
    const run = await runInStandIn(k6Js(scenario(fleet), { nodes, cdn: urlOf(setup.cdn.listen) }), {
      REQUEST_TIMEOUT_MS: '400',
    });
    return { run, requests: server.requests };
  }

  const right: Answer = (request, socket) => {
    socket.write(partHead(request, updateBytes), 'latin1');
    socket.write(contentOf(request));
  };

  it('asks for pieces in the order of its seed, over connections that no other device uses', async () => {
    const { run, requests } = await against(
      right,
      '  - { id: office, devices: 2, cacheHosts: [hq], wants: [update], connectionsPerFile: 1 }',
    );
    expect(run.counts['devices_completed']).toBe(2);
    const { deviceSeed } = namesOf<{ deviceSeed: (seed: number, group: string, number: number) => number }>(
      k6Js(scenario('  - { id: office, devices: 2, wants: [update] }')),
      ['deviceSeed'],
    );
    const byDevice = requestsByDevice(requests);
    const orders = [...byDevice.values()].map((each) => each.map(({ start }) => start / MiB));
    const planned = [0, 1].map((number) =>
      Array.from({ length: 6 }, (_, i) => permute(i, 6, deviceSeed(7, 'office', number))),
    );
    expect(new Set(orders.map(String))).toEqual(new Set(planned.map(String)));
    const connections = [...byDevice.values()].map((each) => new Set(each.map(({ connection }) => connection)));
    expect([...(connections[0] ?? [])].filter((connection) => connections[1]?.has(connection))).toEqual([]);
    expect(requests[0]?.target).toBe(`/object/update/${updateBytes}?cacheHostOrigin=content.test`);
    expect(requests[0]?.text).toMatch(/User-Agent: Microsoft-Delivery-Optimization\/10\.1\r\n/);
    expect(requests[0]?.text).toMatch(/MS-CV: [A-Za-z0-9]{16}\.2\.1\r\n/);
  });

  it.each<{ what: string; cause: string; answer: Answer }>([
    {
      what: 'answers 404',
      cause: 'status4xx',
      answer: (_, socket) => void socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'),
    },
    {
      what: 'answers 503',
      cause: 'status5xx',
      answer: (_, socket) => void socket.write('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'),
    },
    {
      what: 'names another range',
      cause: 'badResponse',
      answer: (request, socket) => {
        const other = { 'Content-Range': `bytes 0-${request.end - request.start - 1}/9000000` };
        socket.write(partHead(request, updateBytes, other), 'latin1');
        socket.write(contentOf(request));
      },
    },
    {
      what: 'breaks off',
      cause: 'reset',
      answer: (request, socket) => {
        socket.write(partHead(request, updateBytes), 'latin1');
        socket.write(contentOf(request).subarray(0, 1000), () => socket.resetAndDestroy());
      },
    },
    { what: 'says nothing', cause: 'timeout', answer: () => undefined },
  ])('leaves a node that $what for the CDN, because of $cause', async ({ cause, answer }) => {
    const { run } = await against(answer);
    expect(run.counts).toMatchObject({
      devices_completed: 1,
      fallback_device_count: 1,
      fleet_bytes_from_cdn: updateBytes,
      fleet_bytes_from_cache_server: 0,
    });
    expect(run.values('range_failed_count', { cause, server: 'hq' }).length).toBeGreaterThan(0);
    expect(run.values('fallback_device_count', { cause })).toEqual([1]);
    expect(run.values('fallback_time_ms')).toHaveLength(1);
    expect(run.stdout).toMatch(/FAIL {8}fleet\.bytesFromCdn == 0/);
  });

  it('tries the next cache host before the CDN while its delay policy holds', async () => {
    const { run } = await against(
      right,
      '  - { id: office, devices: 1, cacheHosts: [spare, hq], wants: [update], policy: { fallbackDelayBackground: 1 h } }',
    );
    expect(run.counts).toMatchObject({ devices_completed: 1, fleet_bytes_from_cache_server: updateBytes });
    expect(run.values('range_failed_count', { cause: 'refused', server: 'spare' }).length).toBeGreaterThan(0);
    expect(run.values('fallback_device_count')).toEqual([]);
  });

  it('of a Linux fleet asks for the file whole, and for no range', async () => {
    const { run, requests } = await against((_, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${updateBytes}\r\n\r\n`);
      socket.write(contentOf({ start: 0, end: updateBytes }));
    }, '  - { id: lab, devices: 1, client: linux, cacheHosts: [hq], wants: [update] }');
    expect(run.counts).toMatchObject({ devices_completed: 1, fleet_bytes_from_cache_server: updateBytes });
    expect(requests).toHaveLength(1);
    expect(requests[0]?.text).not.toContain('Range');
    expect(requests[0]?.text).toContain('Microsoft-Delivery-Optimization-Lite/10.0.0.1');
  });

  it('stops asking when a live window with all that can be had is over', async () => {
    const window = 'live: { window: 1 s, demand: max }\n';
    const fleet = '  - { id: office, devices: 2, cacheHosts: [hq], wants: [update] }';
    // Every device gets its first piece at once, and the second one when the window is over.
    server = new RawServer((request, socket, sent) => {
      const isFirst = !request.text.includes('.2.2\r\n');
      if (isFirst) right(request, socket, sent);
      else setTimeout(() => right(request, socket, sent), 1200);
    });
    const nodes = { hq: urlOf(await server.listen()) };
    const run = await runInStandIn(k6Js(scenario(fleet, window), { nodes, cdn: urlOf(setup.cdn.listen) }));
    expect(run.counts).toMatchObject({ devices_started: 2, devices_completed: 0, fleet_range_count: 2 * 2 });
    expect(run.values('range_failed_count')).toEqual([]);
  });

  it('asks in a live window for the ranges that are due, each piece once', async () => {
    // 8 devices, a range each second, for two seconds.
    const meanBytes = (updateBytes + appBytes) / 7;
    const window = `live: { window: 2 s, demand: ${Math.round(8 * meanBytes)} B/s }\n`;
    const fleet = '  - { id: office, devices: 8, cacheHosts: [hq], wants: [update, app] }';
    server = new RawServer(right);
    const nodes = { hq: urlOf(await server.listen()) };
    const run = await runInStandIn(k6Js(scenario(fleet, window), { nodes, cdn: urlOf(setup.cdn.listen) }));
    expect(run.counts).toMatchObject({ fleet_range_count: 16, devices_started: 0, fleet_bytes_from_cdn: 0 });
    expect(run.values('dropped_iterations')).toEqual([]);
    const vectors = server.requests.map(({ text, start }) => `${/MS-CV: (\w+)/.exec(text)?.[1]} ${start}`);
    expect(new Set(vectors).size).toBe(16);
  });
});

describe('a script that does not know where its servers are', () => {
  const text = k6Js(scenario('  - { id: office, devices: 1, cacheHosts: [hq], wants: [app] }'));

  it('refuses to start, and says what to do', async () => {
    await expect(runInStandIn(text)).rejects.toThrow(
      'A small fleet cannot start:\n' +
        '  where node hq is was not said: k6 run -e NODE_HQ=http://host[:port] …\n' +
        '  where the CDN is was not said: k6 run -e CDN=http://host[:port] …',
    );
  });

  it('refuses what is no address', async () => {
    await expect(runInStandIn(text, { NODE_HQ: 'hq:80', CDN: 'http://192.0.2.1' })).rejects.toThrow(
      'NODE_HQ: expected http://host[:port] of node hq, found "hq:80"',
    );
  });

  it('refuses numbers that are none', async () => {
    const environment = { NODE_HQ: 'http://192.0.2.1', CDN: 'http://192.0.2.1', PODS: 'two', REQUEST_TIMEOUT_MS: '0' };
    await expect(runInStandIn(text, environment)).rejects.toThrow(
      'A small fleet cannot start:\n' +
        '  PODS: expected a number above zero, found "two"\n' +
        '  REQUEST_TIMEOUT_MS: expected a number above zero, found "0"',
    );
  });

  it('takes them from the environment', async () => {
    const run = await runInStandIn(text, { NODE_HQ: `${urlOf(setup.node.listen)}/`, CDN: urlOf(setup.cdn.listen) });
    expect(run.counts['devices_completed']).toBe(1);
    expect(run.log).toContain(
      'not judged: integrity.corruptBytes == 0: bodies are discarded unread; sim run compares every byte',
    );
  });

  it('leaves sums over the fleet to others when it is one of several', async () => {
    const addresses = { nodes: { hq: urlOf(setup.node.listen) }, cdn: urlOf(setup.cdn.listen) };
    const script = k6Js(
      scenario('  - { id: office, devices: 1, cacheHosts: [hq], wants: [app] }').replace(
        '  - integrity.corruptBytes == 0\n',
        '  - devices.completedCount == 8\n',
      ),
      addresses,
    );
    const { options } = await runInStandIn(script, { PODS: '8' });
    expect(options.thresholds).toEqual({
      dropped_iterations: ['count==0'],
      devices_completed_ratio: ['rate==1'],
      fleet_bytes_from_cdn: ['count==0'],
    });
  });
});
