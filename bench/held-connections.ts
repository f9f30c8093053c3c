// Many connections: 35,000 that are idle (each has had one answer of 4 KiB), and 5,000 clients that take a large object at
// 2 kB/s. What the node's processes take for each, whether others are still served meanwhile, and what is left afterwards.
// The same of nginx, with as many workers: a process may hold only as many sockets as its limit of open files.
//
// A program of its own, so that it can run in a network of its own (connections.ts). Argument: an Effort as JSON; prints the
// Measurements as one line of JSON.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { watchParent } from '../common/child-program.ts';
import { openFileLimit } from '../common/open-file-limit.ts';
import { ask } from './ask.ts';
import { type HeldReport, Holder, type HolderOrder } from './holder.ts';
import type { Effort, Measurement } from './measurement.ts';
import { type Server, startNginx, startProgram } from './peers.ts';
import { residentBytes, tcpBufferBytes } from './process-tree.ts';
import { type ClientReport, runClient } from './run-client.ts';
import { inWorkspace, type Workspace } from './workspace.ts';
import { writeContent } from './written-content.ts';

const small = { objectId: 'small', sizeBytes: 2 ** 20, path: '/small/object' };
const large = { objectId: 'large', sizeBytes: 64 * 2 ** 20, path: '/large/object' };
const connectsPerSecond = 5000;
const slowBytesPerSecond = 2000;
/** After a phase: collections run, and what was freed goes back. */
const settleMs = 5000;
/** Sockets of one client process: the limit here is 20,000, and a source address has 28,000 ports. */
const connectionsPerHolderMax = 17_500;

type Target = { readonly name: string; readonly server: Server; readonly query: string };

async function holdConnections({ quick }: Effort): Promise<Measurement[]> {
  const idleCount = quick ? 5000 : 35_000;
  const slowCount = quick ? 500 : 5000;
  const workerCount = Math.max(2, Math.ceil((idleCount + slowCount) / (0.7 * openFileLimit())));
  return await inWorkspace(async (workspace) => {
    const { folder } = workspace;
    for (const each of [small, large]) {
      mkdirSync(join(folder, each.path, '..'), { recursive: true });
      writeContent(join(folder, each.path), each.objectId, each.sizeBytes);
    }
    const nginx = workspace.keep(
      await startNginx(folder, `root ${folder};`, { workerCount, connectionsPerWorker: 19_000 }),
    );
    const nodeOptions = [
      ...['--drive', `${folder}/drive=1 GB`, '--listen', '127.0.0.1:0', '--workers', String(workerCount)],
      ...['--max-connections', String(idleCount + slowCount + 1000), '--origin', `bench.test=127.0.0.1:${nginx.port}`],
    ];
    const query = '?cacheHostOrigin=bench.test';
    const node = workspace.keep(await startProgram('cache/main', nodeOptions));
    // Every worker has met both objects before anything is measured.
    for (let i = 0; i < 4 * workerCount; i += 1) {
      for (const { path } of [small, large]) await ask({ port: node.port, target: `${path}${query}` });
    }
    const held = [
      ...(await hold(workspace, { name: 'node', server: node, query }, idleCount, slowCount)),
      ...(await hold(workspace, { name: 'nginx', server: nginx, query: '' }, idleCount, slowCount)),
    ];
    return held;
  });
}

async function hold(
  workspace: Workspace,
  target: Target,
  idleCount: number,
  slowCount: number,
): Promise<Measurement[]> {
  const { name, server, query } = target;
  await settle();
  const base = memory(server);
  const quiet = await hits(target);
  const holders = await startHolders(workspace, {
    ...{ port: server.port, target: `${small.path}${query}`, range: 'bytes=0-4095' },
    ...{ count: idleCount, perSecond: connectsPerSecond, bytesPerSecond: undefined },
  });
  const idle = joined(holders.map(({ held }) => held));
  await settle();
  const withIdle = memory(server);
  const besideIdle = await hits(target);
  const slow = await startHolders(workspace, {
    ...{ port: server.port, target: `${large.path}${query}`, range: undefined },
    ...{ count: slowCount, perSecond: connectsPerSecond, bytesPerSecond: slowBytesPerSecond },
  });
  const slowHeld = joined(slow.map(({ held }) => held));
  await settle();
  const withSlow = memory(server);
  const besideSlow = await hits(target);
  for (const { holder } of [...holders, ...slow]) await holder.stop();
  await settle();
  const after = memory(server);

  const one = (what: string, value: number): Measurement => ({ name: `${what}, ${name}`, values: [value] });
  const perConnection = (more: Memory, less: Memory, count: number): Measurement[] => [
    one('all processes: kB a connection', (more.allBytes - less.allBytes) / count / 1000),
    ...(name === 'node'
      ? [
          one('owner: kB a connection', (more.firstBytes - less.firstBytes) / count / 1000),
          one(
            'workers: kB a connection',
            (more.allBytes - more.firstBytes - less.allBytes + less.firstBytes) / count / 1000,
          ),
        ]
      : []),
    one('kernel, both ends, TCP buffers: kB a connection', (more.kernelBytes - less.kernelBytes) / count / 1000),
  ];
  const titled = (title: string, measurements: readonly Measurement[]): Measurement[] =>
    measurements.map((each) => ({ ...each, name: `${title}: ${each.name}` }));
  return [
    one('no connections: resident, all processes, MB', base.allBytes / 1e6),
    one('no connections: 4 KiB hits: p99, ms', quiet.latencyMsP99),
    ...titled(`${idleCount.toLocaleString('en')} idle`, [
      one('connections held', idle.heldCount),
      one('connections lost', idle.lostCount),
      one('seconds until all were answered', idle.seconds),
      one('resident, all processes, MB', withIdle.allBytes / 1e6),
      ...perConnection(withIdle, base, idle.heldCount),
      one('4 KiB hits: p99, ms', besideIdle.latencyMsP99),
    ]),
    ...titled(`and ${slowCount.toLocaleString('en')} at ${slowBytesPerSecond} B/s`, [
      one('connections held', slowHeld.heldCount),
      one('connections lost', slowHeld.lostCount),
      ...perConnection(withSlow, withIdle, slowHeld.heldCount),
      one('4 KiB hits: p99, ms', besideSlow.latencyMsP99),
    ]),
    one('all closed: resident, all processes, MB', after.allBytes / 1e6),
  ];
}

type Memory = { readonly allBytes: number; readonly firstBytes: number; readonly kernelBytes: number };

/** The first process is the node's owner. */
function memory(server: Server): Memory {
  const resident = residentBytes(server.pid);
  let allBytes = 0;
  for (const bytes of resident.values()) allBytes += bytes;
  return { allBytes, firstBytes: resident.get(server.pid) ?? 0, kernelBytes: tcpBufferBytes() };
}

/** 1,000 small hits a second, for 3 s. */
function hits({ server, query }: Target): Promise<ClientReport> {
  return runClient({
    ...{ port: server.port, target: `${small.path}${query}`, objectId: small.objectId, sizeBytes: small.sizeBytes },
    ...{ pieceBytes: 4096, connections: 4, everyMs: 4, seconds: 3, mode: 'read' },
  });
}

type Held = { readonly holder: Holder; readonly held: HeldReport };

async function startHolders(workspace: Workspace, order: Omit<HolderOrder, 'firstAddress'>): Promise<Held[]> {
  const holderCount = Math.max(2, Math.ceil(order.count / connectionsPerHolderMax));
  return await Promise.all(
    Array.from({ length: holderCount }, async (_, i) => {
      const holder = workspace.keep(
        new Holder({
          ...order,
          count: Math.floor((order.count * (i + 1)) / holderCount) - Math.floor((order.count * i) / holderCount),
          perSecond: order.perSecond / holderCount,
          firstAddress: 2 + 8 * i + (order.bytesPerSecond === undefined ? 0 : 100),
        }),
      );
      return { holder, held: await holder.held };
    }),
  );
}

function joined(reports: readonly HeldReport[]): HeldReport {
  return {
    heldCount: reports.reduce((sum, { heldCount }) => sum + heldCount, 0),
    lostCount: reports.reduce((sum, { lostCount }) => sum + lostCount, 0),
    seconds: Math.max(...reports.map(({ seconds }) => seconds)),
  };
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, settleMs));
}

watchParent(() => process.kill(process.pid, 'SIGTERM'));
process.stdout.write(`${JSON.stringify(await holdConnections(JSON.parse(process.argv[2] ?? '') as Effort))}\n`);
process.exit(0);
