// A cold fill: one client takes an object of 2 GB that the cache does not have, from an origin (nginx, the file in the page
// cache) that is as fast as the machine. Node and nginx `proxy_cache` by turns, on the same disk.
//
// What was filled leaves the page cache after each round, and a round at the beginning does not count: memory that a virtual
// machine has never used costs more to write to than all the rest of a fill.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Effort, inRounds, type Measurement, ratios } from './measurement.ts';
import { evict } from './page-cache.ts';
import { type Server, startNginx, startProgram, startProxy } from './peers.ts';
import { cpuSeconds } from './process-tree.ts';
import { runClient } from './run-client.ts';
import type { Workspace } from './workspace.ts';
import { writeContent } from './written-content.ts';

const contentId = 'cold';

type Fill = { readonly gBPerSecond: number; readonly cpuSecondsPerGB: number };

/** Fills in the workspace's folder; nothing else may be busy there. */
export async function benchColdFill(workspace: Workspace, { quick }: Effort): Promise<Measurement[]> {
  const sizeBytes = quick ? 512 * 2 ** 20 : 2_000_000_000;
  const rounds = quick ? 2 : 5;
  const { folder } = workspace;
  writeContent(join(folder, 'cold.bin'), contentId, sizeBytes);
  const origin = workspace.keep(await startNginx(folder, `root ${folder}; location / { try_files /cold.bin =404; }`));
  const driveBytes = sizeBytes * (rounds + 2);
  const node = workspace.keep(
    await startProgram('cache/main', [
      ...['--drive', `${folder}/cold-drive=${driveBytes} B`, '--listen', '127.0.0.1:0', '--workers', '1'],
      ...['--origin', `bench.test=127.0.0.1:${origin.port}`],
    ]),
  );
  const nginx = workspace.keep(await startProxy(folder, 'cold-proxy', origin.port, 'proxy_cache_valid 200 1h;'));
  const caches: readonly {
    readonly name: string;
    readonly server: Server;
    readonly query: string;
    readonly folder: string;
  }[] = [
    { name: 'node', server: node, query: '?cacheHostOrigin=bench.test', folder: join(folder, 'cold-drive') },
    { name: 'nginx', server: nginx, query: '', folder: join(folder, 'cold-proxy') },
  ];
  const fill = async ({ server, query, folder }: (typeof caches)[number], round: string): Promise<Fill> => {
    const before = cpuSeconds(server.pid);
    const { bytes, wallMs } = await runClient({
      port: server.port,
      target: `/cold-${round}${query}`,
      objectId: contentId,
      sizeBytes,
      connections: 1,
      seconds: 0,
      pieceBytes: 'whole',
      mode: 'read',
    });
    const cpu = cpuSeconds(server.pid) - before;
    evict(folder); // and nothing of this round is written back at the next one's expense
    return { gBPerSecond: bytes / wallMs / 1e6, cpuSecondsPerGB: cpu / (bytes / 1e9) };
  };
  for (const cache of caches) await fill(cache, 'warm-up');
  const samples = await inRounds(caches, rounds, (cache, round) => fill(cache, String(round)));
  rmSync(join(folder, 'cold.bin'));
  const rate = (name: string): number[] => (samples.get(name) ?? []).map(({ gBPerSecond }) => gBPerSecond);
  const cost = (name: string): number[] => (samples.get(name) ?? []).map(({ cpuSecondsPerGB }) => cpuSecondsPerGB);
  return [
    ...caches.flatMap(({ name }) => [
      { name: `cold fill: GB/s, ${name}`, values: rate(name) },
      { name: `cold fill: CPU s/GB of the cache, ${name}`, values: cost(name) },
    ]),
    { name: 'cold fill: GB/s, node ÷ nginx (higher is better)', values: ratios(rate('node'), rate('nginx')) },
    { name: 'cold fill: CPU per GB, node ÷ nginx (lower is better)', values: ratios(cost('node'), cost('nginx')) },
  ];
}
