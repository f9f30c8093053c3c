// Where bytes come from: an empty cache, nodes behind nodes, a node that somebody else runs.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { eventually, SimRun } from './sim-run.ts';

const nginx = '/usr/sbin/nginx';

describe.concurrent('sources', () => {
  test('a crowd on an empty cache: the CDN sends each byte once', async () => {
    const run = new SimRun('scenarios/coldstart.yaml', {
      set: {
        'fleet.0.devices': 60,
        'content.0.size': '6 MB',
        'expect.1': 'cdn.egressBytes == 7 MB',
        'expect.3': 'node.hq.missBytes == 7 MB',
      },
      options: ['--seed', '31'],
    });
    expect(await run.exitCode()).toBe(0);
    expect(run.metrics()).toMatchObject({
      'cdn.egressBytes': 7e6,
      'node.hq.upstreamBytes': 7e6,
      'node.hq.missBytes': 7e6,
      'node.hq.hitBytes': 59 * 7e6,
      'fleet.bytesFromCdn': 0,
      'fleet.refetchedBytes': 0,
    });
  });

  test('nodes three levels deep: the books of each balance, the CDN sends each byte once', async () => {
    const run = new SimRun(`
name: Nested
content: [{ id: update, size: 5 MB }]
nodes:
  - { id: desk, parent: floor }
  - { id: floor, parent: house }
  - { id: house }
fleet:
  - { id: seated, devices: 20, cacheHosts: [desk], wants: [update] }
  - { id: walking, devices: 10, cacheHosts: [floor], wants: [update], arrive: { at: 1 s } }
expect: [devices.completedRatio == 1, cdn.egressBytes == 5 MB]
`);
    expect(await run.exitCode()).toBe(0);
    expect(run.metrics()).toMatchObject({
      'cdn.egressBytes': 5e6,
      'accounting.imbalanceBytes': 0,
      'node.house.upstreamBytes': 5e6,
      'node.house.egressBytes': 5e6,
      'node.floor.upstreamBytes': 5e6,
      'node.floor.egressBytes': 55e6,
      'node.desk.upstreamBytes': 5e6,
      'node.desk.egressBytes': 100e6,
      'node.desk.hitBytes': 95e6,
    });
  });
});

const noNginx = existsSync(nginx) ? '' : ` (skipped: there is no ${nginx})`;
test.skipIf(noNginx !== '')(
  `a node by url, nginx: what only our own node can tell is unavailable${noNginx}`,
  async () => {
    const [cdnPort, nodePort] = [await freePort(), await freePort()];
    await startNginx(nodePort, cdnPort);
    const run = new SimRun(
      `
name: nginx
content: [{ id: update, size: 3 MB }]
cdn: { listen: "127.0.0.1:${cdnPort}" }
nodes: [{ id: real, url: "http://127.0.0.1:${nodePort}" }]
fleet: [{ id: office, devices: 30, cacheHosts: [real], wants: [update], arrive: { over: 1 s } }]
expect:
  - devices.completedRatio == 1
  - fleet.bytesFromCdn == 0
  - node.real.hitRatioBytes >= 0.9
`,
      { world: 'default' },
    );
    expect(await run.exitCode()).toBe(0);
    const { metrics, unavailable, expectations, notes } = run.run();
    expect(run.result().runs.map(({ purpose }) => purpose)).toEqual(['measurement']);
    expect(notes.join('\n')).toMatch(/did not run in the virtual world: node real is a real one \(http.*models only/);
    expect(metrics).toMatchObject({
      'devices.completedRatio': 1,
      'fleet.bytesFromCacheServer': 90e6,
      'integrity.verifiedBytes': 90e6,
      'integrity.corruptBytes': 0,
      'accounting.imbalanceBytes': 0,
      'cdn.egressBytes': 3e6,
    });
    for (const name of ['requestCount', 'hitBytes', 'missBytes', 'egressBytes', 'upstreamBytes', 'hitRatioBytes']) {
      expect(metrics).not.toHaveProperty([`node.real.${name}`]);
      expect(unavailable[`node.real.${name}`]).toBe('only a node that this run started tells its books');
    }
    expect(metrics['node.real.egressBitsPerSecond.peak']).toBeGreaterThan(0);
    expect(expectations[2]).toMatchObject({ verdict: 'notJudged', reason: unavailable['node.real.hitRatioBytes'] });
  },
);

/** nginx as a cache in slices of 1 MiB, in front of the CDN. */
async function startNginx(port: number, originPort: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sim-nginx-'));
  mkdirSync(join(folder, 'cache'));
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; user root; worker_processes 1; pid ${folder}/pid; error_log stderr error;
events { worker_connections 512; }
http {
  access_log off; client_body_temp_path ${folder}/body; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u;
  scgi_temp_path ${folder}/s; proxy_temp_path ${folder}/p;
  proxy_cache_path ${folder}/cache keys_zone=c:1m max_size=100m use_temp_path=off;
  server {
    listen 127.0.0.1:${port};
    location / {
      slice 1m; proxy_cache c; proxy_cache_key $uri$slice_range; proxy_set_header Range $slice_range;
      proxy_set_header Host $arg_cacheHostOrigin; proxy_http_version 1.1; proxy_cache_valid 200 206 1h;
      proxy_cache_lock on; proxy_pass http://127.0.0.1:${originPort}$uri;
    }
  }
}`,
  );
  const isRoot = process.getuid?.() === 0;
  if (!isRoot) spawnSync('sed', ['-i', 's/user root;//', join(folder, 'nginx.conf')]);
  const child = spawn(nginx, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' });
  onTestFinished(async () => {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  await eventually('nginx', () => connects(port));
}

function connects(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true));
    socket.once('connect', () => socket.destroy()).once('error', () => resolve(undefined));
  });
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
