// Logs that are replayed by `sim run`, all of it in real processes: what a node wrote of one run is asked for again.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { startProgram } from '../cache/node-process.ts';
import { runsLongTests } from '../long-tests.ts';
import { SimRun } from './sim-run.ts';

type Line = { readonly target: string; readonly method: string; readonly bodyBytes: number };

/** Requests and bytes by object, as a node's log has them. */
function byObject(log: string): Record<string, { requests: number; bytes: number }> {
  const sums: Record<string, { requests: number; bytes: number }> = {};
  for (const text of readFileSync(log, 'utf8').trim().split('\n')) {
    const { target, method, bodyBytes } = JSON.parse(text) as Line;
    const path = `${method} ${target.replace(/\?.*/, '')}`;
    const sum = sums[path] ?? { requests: 0, bytes: 0 };
    sums[path] = { requests: sum.requests + 1, bytes: sum.bytes + bodyBytes };
  }
  return sums;
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** A node in front of a CDN on that port, with an access log; `end` resolves to the log once all of it is written. */
async function loggingNode(cdnPort: number): Promise<{ url: string; end: () => Promise<string> }> {
  const folder = mkdtempSync(join(tmpdir(), 'sim-replay-'));
  folders.push(folder);
  const log = join(folder, 'access.log');
  const node = await startProgram('cache/main', [
    ...[
      '--listen',
      '127.0.0.1:0',
      '--admin',
      '127.0.0.1:0',
      '--drive',
      `${folder}/drive=200 MB`,
      '--ignore-environment',
    ],
    ...['--origin', `files.test=127.0.0.1:${cdnPort}`, '--access-log', log, '--exit-with-parent'],
  ]);
  const end = async (): Promise<string> => {
    await node.end('SIGTERM');
    return log;
  };
  return { url: `http://127.0.0.1:${node.listen.port}`, end };
}

describe.concurrent('sim run of a log', () => {
  test.skipIf(!runsLongTests)(
    'asks a new node for what another one has written down: the same requests and bytes of each object',
    async () => {
      const cdnPort = await freePort();
      const first = await loggingNode(cdnPort);
      const recorded = new SimRun(`
name: To be recorded
content:
  - { id: update, size: 5 MB, host: files.test }
  - { id: patch, size: 700 kB, host: files.test }
cdn: { listen: "127.0.0.1:${cdnPort}" }
nodes: [{ id: hq, url: "${first.url}" }]
fleet: [{ id: office, devices: 30, cacheHosts: [hq], wants: [update, patch], arrive: { over: 2 s } }]
expect: [devices.completedRatio == 1]
`);
      expect(await recorded.exitCode()).toBe(0);
      const log = await first.end();
      const second = await loggingNode(cdnPort);
      const replayed = new SimRun(`
name: Recorded
cdn: { listen: "127.0.0.1:${cdnPort}" }
nodes: [{ id: hq, url: "${second.url}" }]
fleet: [{ id: office, cacheHosts: [hq] }]
replay: { log: ${log}, speed: 2 }
expect: [devices.completedRatio == 1, fleet.bytesFromCdn == 0]
`);
      expect(await replayed.exitCode()).toBe(0);
      const once = { 'GET /filestreamingservice/files/update': { requests: 150, bytes: 150e6 } };
      expect(byObject(log)).toMatchObject(once);
      expect(byObject(await second.end())).toEqual(byObject(log));
      expect(replayed.metrics()).toMatchObject({
        'replay.requestCount': 180,
        'replay.leftOutCount': 0,
        'replay.unusableCount': 0,
        'fleet.rangeCount': 180,
        'fleet.wantedBytes': 30 * 5.7e6,
        'fleet.bytesFromCacheServer': 30 * 5.7e6,
        'cdn.egressBytes': 5.7e6,
        'integrity.verifiedBytes': 30 * 5.7e6,
        'accounting.imbalanceBytes': 0,
      });
      expect(replayed.metrics()['replay.logHitRatioBytes']).toBeCloseTo(29 / 30, 6);
    },
  );

  test('scenarios/replay.yaml: in the live world only, with all that had to be assumed', async () => {
    const run = new SimRun('scenarios/replay.yaml', {
      world: 'default',
      set: { 'replay.speed': 4 },
      options: ['--devices'],
    });
    expect(await run.exitCode()).toBe(0);
    const { metrics, unavailable, notes, problems } = run.run();
    expect(run.result().runs.map(({ world }) => world)).toEqual(['live']);
    expect(metrics).toMatchObject({
      'devices.count': 40,
      'devices.completedCount': 40,
      'replay.requestCount': 373,
      'fleet.rangeCount': 373,
      'replay.leftOutCount': 9,
      'fleet.unfetchedBytes': 0,
      'cdn.egressBytes': 10_600_000,
    });
    expect(unavailable['devices.completionMs.p50']).toBe('a client of a log has no download that could be complete');
    expect(problems).toEqual([]);
    const noted = notes.join('\n');
    expect(noted).toMatch(
      /^replayed: 373 requests of 40 devices, 365 MB in 10\.\d s, 4 times as fast \(nginx log_format\)$/m,
    );
    expect(noted).toMatch(/^left out of the log: 6 \(health checks\), 1 \(not a GET\), 2 \(answered otherwise/m);
    expect(noted).toMatch(/did not run in the virtual world: replay: a log has requests for single ranges/);
    expect(run.file('devices.csv').trim().split('\n')).toHaveLength(41);
    expect(run.stderr).toContain('reading the log');
  });

  const scenario = (more: string): string =>
    `name: Wrong\nfleet: [{ id: office }]\nreplay: { log: access.log${more} }\nexpect: [devices.completedRatio == 1]\n`;

  test.each([
    ['no log', '', {}, {}, /access\.log: expected a log file that can be read, found ENOENT/],
    ['an empty log', '', { 'access.log': '' }, {}, /access\.log: expected at least one line, found an empty file/],
    ['another format', '', { 'access.log': 'x\n' }, {}, /access\.log:1: expected a line of nginx combined, found "x"/],
    [
      'a format that lacks something',
      ', format: $status',
      { 'access.log': 'x\n' },
      {},
      /expected a log_format with \$remote_addr/,
    ],
    [
      'the virtual world',
      '',
      { 'access.log': 'x\n' },
      { world: 'virtual' },
      /cannot run in the virtual world:\n {2}replay/,
    ],
  ] as const)('%s is an error that says so, and nothing is run', async (_what, more, files, options, message) => {
    const run = new SimRun(scenario(more), { ...options, files });
    expect(await run.exitCode()).toBe(2);
    expect(run.stderr).toMatch(message);
    expect(run.wroteResult()).toBe(false);
  });
});

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
