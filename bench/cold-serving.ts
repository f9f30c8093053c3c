// Content that the page cache does not hold: how fast one object of 512 MiB goes out cold, and what clients of small hits
// meet meanwhile. A server whose event loop waits for the disk makes everybody else wait too.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './ask.ts';
import { type Effort, inRounds, type Measurement } from './measurement.ts';
import { evict } from './page-cache.ts';
import { type Server, startNginx, startProgram } from './peers.ts';
import { type ClientOrder, type ClientReport, runClient } from './run-client.ts';
import type { Workspace } from './workspace.ts';
import { writeContent } from './written-content.ts';

const cold = { objectId: 'cold', sizeBytes: 512 * 2 ** 20, path: '/cold/object' };
const warm = { objectId: 'warm', sizeBytes: 2 ** 20, path: '/warm/object' };
/** Clients of small hits: 1,000 requests/s in all, so that what they wait for is the server and not each other. */
const smallConnections = 4;
const smallEveryMs = 4;

type Target = { readonly name: string; readonly server: Server; readonly query: string; readonly folder: string };

export async function benchColdServing(workspace: Workspace, { quick }: Effort): Promise<Measurement[]> {
  const folder = join(workspace.folder, 'cold-serving');
  for (const each of [cold, warm]) {
    mkdirSync(join(folder, 'root', each.path, '..'), { recursive: true });
    writeContent(join(folder, 'root', each.path), each.objectId, each.sizeBytes);
  }
  const nginx = workspace.keep(await startNginx(folder, `root ${folder}/root;`));
  const node = workspace.keep(
    await startProgram('cache/main', [
      ...['--drive', `${folder}/drive=1 GB`, '--listen', '127.0.0.1:0', '--workers', '1'],
      ...['--origin', `bench.test=127.0.0.1:${nginx.port}`],
    ]),
  );
  const query = '?cacheHostOrigin=bench.test';
  for (const { path } of [cold, warm]) await ask({ port: node.port, target: `${path}${query}` });
  const targets: readonly Target[] = [
    { name: 'node', server: node, query, folder: join(folder, 'drive') },
    { name: 'nginx', server: nginx, query: '', folder: join(folder, 'root') },
  ];
  execFileSync('sync');
  const samples = await inRounds(targets, quick ? 2 : 5, async (target) => {
    const before = await small(target, 1);
    evict(target.folder);
    await ask({ port: target.server.port, target: `${warm.path}${target.query}` });
    const [large, meanwhile] = await Promise.all([
      runClient({ ...orderOf(target, cold), pieceBytes: 'whole', connections: 1, seconds: 0 }),
      small(target, 2),
    ]);
    return { gBPerSecond: large.bytes / large.wallMs / 1e6, before, meanwhile };
  });
  const by = (
    what: string,
    of: (sample: { gBPerSecond: number; before: ClientReport; meanwhile: ClientReport }) => number,
  ) => targets.map(({ name }) => ({ name: `${what}, ${name}`, values: (samples.get(name) ?? []).map(of) }));
  return [
    ...by('512 MiB from the disk, small hits beside it: GB/s', ({ gBPerSecond }) => gBPerSecond),
    ...by('4 KiB hits, nothing else: p99, ms', ({ before }) => before.latencyMsP99),
    ...by('4 KiB hits while 512 MiB come from the disk: p99, ms', ({ meanwhile }) => meanwhile.latencyMsP99),
    ...by('4 KiB hits while 512 MiB come from the disk: slowest, ms', ({ meanwhile }) => meanwhile.latencyMsMax),
  ];
}

function small(target: Target, seconds: number): Promise<ClientReport> {
  return runClient({
    ...orderOf(target, warm),
    pieceBytes: 4096,
    connections: smallConnections,
    everyMs: smallEveryMs,
    seconds,
  });
}

function orderOf(
  { server, query }: Target,
  { objectId, sizeBytes, path }: typeof warm,
): Pick<ClientOrder, 'port' | 'target' | 'objectId' | 'sizeBytes' | 'mode'> {
  return { port: server.port, target: `${path}${query}`, objectId, sizeBytes, mode: 'read' };
}
