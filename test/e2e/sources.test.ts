// Where bytes come from: an empty cache, nodes behind nodes, a node that somebody else runs.

import { describe, expect, test } from 'vitest';
import { freePort, noNginx, startNginx } from './nginx-node.ts';
import { SimRun } from './sim-run.ts';

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
