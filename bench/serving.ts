// Serving, beside nginx in the same run: ranges of 1 MiB and 4 KiB of an object of 512 MiB in the page
// cache, whole objects, and 1, 32 and 1,000 connections. Rounds are interleaved (A B B A …) and the medians of the ratios are
// quoted: absolute figures move with the machine. What is not in the page cache: cold-serving.ts.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from './ask.ts';
import { benchColdServing } from './cold-serving.ts';
import { type Effort, inRounds, type Measurement, ratios } from './measurement.ts';
import { missing, type Server, startNginx, startProgram } from './peers.ts';
import { cpuSeconds } from './process-tree.ts';
import { runClient } from './run-client.ts';
import { inWorkspace, type Workspace } from './workspace.ts';
import { writeContent } from './written-content.ts';

type Target = { readonly name: 'node' | 'nginx'; readonly server: Server; readonly query: string };
type Sample = {
  readonly serverCpuSecondsPerGB: number;
  readonly requestsPerServerCpuSecond: number;
};
/** What is asked for; `figure` says which of the server's figures counts: small answers cost by request, large ones by byte. */
type Case = {
  readonly what: string;
  readonly objectId: string;
  readonly sizeBytes: number;
  readonly pieceBytes: number | 'whole';
  readonly connections: number;
  readonly figure: 'perByte' | 'perRequest';
};

const large = { objectId: 'large', sizeBytes: 512 * 2 ** 20 };
const hundred = { objectId: 'hundred', sizeBytes: 100_000_000 };
const tiny = { objectId: 'tiny', sizeBytes: 4096 };
const mebibyte = { ...large, what: '1 MiB ranges', pieceBytes: 2 ** 20, figure: 'perByte' } as const;
const fourKiB = { ...large, what: '4 KiB ranges', pieceBytes: 4096, figure: 'perRequest' } as const;
const main: readonly Case[] = [
  { ...mebibyte, connections: 32 },
  { ...fourKiB, connections: 32 },
];
const further: readonly Case[] = [
  { ...mebibyte, connections: 1 },
  { ...mebibyte, connections: 1000 },
  { ...fourKiB, connections: 1 },
  { ...fourKiB, connections: 1000 },
  { ...hundred, what: 'whole objects of 100 MB', pieceBytes: 'whole', connections: 8, figure: 'perByte' },
  { ...tiny, what: 'whole objects of 4 KiB', pieceBytes: 'whole', connections: 32, figure: 'perRequest' },
];

const pathOf = ({ objectId, sizeBytes }: { objectId: string; sizeBytes: number }): string =>
  `/object/${objectId}/${sizeBytes}`;

export async function benchServing(effort: Effort): Promise<Measurement[]> {
  const absent = missing('nginx');
  if (absent !== undefined) return [{ name: 'serving beside nginx', skipped: absent }];
  const seconds = effort.quick ? 1 : 3;
  const rounds = effort.quick ? 2 : 5;
  return await inWorkspace(async (workspace) => {
    const targets = await startTargets(workspace);
    const measurements: Measurement[] = [];
    for (const each of main) measurements.push(...(await compare(targets, each, seconds, rounds)));
    const furtherRounds = effort.quick ? 1 : 3;
    for (const each of further)
      measurements.push(...(await compare(targets, each, effort.quick ? 1 : 2, furtherRounds)));
    measurements.push(...(await benchColdServing(workspace, effort)));
    return measurements;
  });
}

/** nginx, and a node before it that has everything. */
async function startTargets(workspace: Workspace): Promise<Target[]> {
  const { folder } = workspace;
  for (const each of [large, hundred, tiny]) {
    mkdirSync(join(folder, 'object', each.objectId), { recursive: true });
    writeContent(join(folder, pathOf(each)), each.objectId, each.sizeBytes);
  }
  const nginx = workspace.keep(await startNginx(folder, `root ${folder};`));
  const node = workspace.keep(
    await startProgram('cache/main', [
      ...['--drive', `${folder}/drive=2 GB`, '--listen', '127.0.0.1:0', '--workers', '1'],
      ...['--origin', `bench.test=127.0.0.1:${nginx.port}`],
    ]),
  );
  const query = '?cacheHostOrigin=bench.test';
  for (const each of [large, hundred, tiny]) await ask({ port: node.port, target: `${pathOf(each)}${query}` });
  return [
    { name: 'nginx', server: nginx, query: '' },
    { name: 'node', server: node, query },
  ];
}

async function compare(
  targets: readonly Target[],
  which: Case,
  seconds: number,
  rounds: number,
): Promise<Measurement[]> {
  const samples = await inRounds(targets, rounds, (target) => sample(target, which, seconds));
  const node = samples.get('node') ?? [];
  const nginx = samples.get('nginx') ?? [];
  const what = `${which.what}, ${which.connections} connection${which.connections === 1 ? '' : 's'}`;
  if (which.figure === 'perByte') {
    const cost = (all: readonly Sample[]): number[] => all.map((each) => each.serverCpuSecondsPerGB);
    return [
      { name: `${what}: CPU s/GB, node`, values: cost(node) },
      { name: `${what}: CPU s/GB, nginx`, values: cost(nginx) },
      { name: `${what}: CPU per GB, node ÷ nginx (lower is better)`, values: ratios(cost(node), cost(nginx)) },
    ];
  }
  const rate = (all: readonly Sample[]): number[] => all.map((each) => each.requestsPerServerCpuSecond);
  return [
    { name: `${what}: requests per CPU s, node`, values: rate(node) },
    { name: `${what}: requests per CPU s, nginx`, values: rate(nginx) },
    { name: `${what}: requests per CPU s, node ÷ nginx (higher is better)`, values: ratios(rate(node), rate(nginx)) },
  ];
}

async function sample({ server, query }: Target, which: Case, seconds: number): Promise<Sample> {
  const { objectId, sizeBytes, pieceBytes, connections } = which;
  const target = `${pathOf(which)}${query}`;
  let before = 0;
  const report = await runClient(
    { port: server.port, target, objectId, sizeBytes, pieceBytes, connections, seconds, mode: 'read' },
    () => {
      before = cpuSeconds(server.pid);
    },
  );
  const serverCpu = cpuSeconds(server.pid) - before;
  return {
    serverCpuSecondsPerGB: serverCpu / (report.bytes / 1e9),
    requestsPerServerCpuSecond: report.requests / serverCpu,
  };
}
