// Serving and asking, beside nginx and wrk in the same run: 1 MiB and 4 KiB ranges of an object of 512 MiB in the page
// cache, 32 connections. Rounds are interleaved (A B B A …) and the medians of the ratios are quoted: absolute figures
// move with the machine.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programPath } from '../common/child-program.ts';
import { ContentFunction } from '../common/content.ts';
import type { Measurement } from './measurement.ts';
import { cpuSeconds, installed, type Server, startNginx, startProgram } from './peers.ts';

const run = promisify(execFile);
const objectId = 'bench';
const sizeBytes = 512 * 2 ** 20;
const path = `/object/${objectId}/${sizeBytes}`;
const originHost = 'bench.test';
const connections = 32;
const seconds = 3;
const rounds = 5;

type ClientReport = {
  readonly bytes: number;
  readonly requests: number;
  readonly cpuMs: number;
  readonly wallMs: number;
};
type Sample = {
  readonly clientGBPerCpuSecond: number;
  readonly serverCpuSecondsPerGB: number;
  readonly requestsPerServerCpuSecond: number;
};

export async function benchServing(): Promise<Measurement[]> {
  const missing = ['nginx', 'wrk'].filter((program) => installed(program) === undefined);
  if (process.platform !== 'linux' || missing.length > 0) {
    return [
      {
        name: 'serving and asking beside nginx and wrk',
        skipped: `needs Linux, nginx and wrk; missing: ${missing.join(', ') || process.platform}`,
      },
    ];
  }
  const folder = mkdtempSync(join(tmpdir(), 'do-bench-'));
  const servers: Server[] = [];
  try {
    mkdirSync(join(folder, 'object', objectId), { recursive: true });
    writeContent(join(folder, 'object', objectId, String(sizeBytes)));
    const nginx = await startNginx(folder, `root ${folder};`);
    servers.push(nginx);
    const node = await startProgram('cache/main', [
      ...['--drive', `${folder}/drive=1 GB`, '--listen', '127.0.0.1:0', '--workers', '1'],
      ...['--origin', `${originHost}=127.0.0.1:${nginx.port}`],
    ]);
    servers.push(node);
    await client(node.port, 2 ** 20, 'warm');
    const large = await compare(nginx, node, 2 ** 20);
    const small = await compare(nginx, node, 4096);
    const wrk = await wrkRounds(nginx, folder);
    return [...report('1 MiB', large), ...report('4 KiB', small), ...generatorReport(large, wrk)];
  } finally {
    for (const server of servers.reverse()) await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

type Pair = { readonly nginx: Sample[]; readonly nginxVerified: Sample[]; readonly node: Sample[] };

async function compare(nginx: Server, node: Server, pieceBytes: number): Promise<Pair> {
  const pair: Pair = { nginx: [], nginxVerified: [], node: [] };
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? ['nginx', 'node'] : ['node', 'nginx'];
    for (const which of order) {
      if (which === 'nginx') pair.nginx.push(await sample(nginx, pieceBytes, 'read'));
      else pair.node.push(await sample(node, pieceBytes, 'read'));
    }
    pair.nginxVerified.push(await sample(nginx, pieceBytes, 'verify'));
  }
  return pair;
}

async function sample(server: Server, pieceBytes: number, mode: 'read' | 'verify'): Promise<Sample> {
  const before = cpuSeconds(server.pid);
  const report = await client(server.port, pieceBytes, mode);
  const serverCpu = cpuSeconds(server.pid) - before;
  return {
    clientGBPerCpuSecond: report.bytes / 1e9 / (report.cpuMs / 1000),
    serverCpuSecondsPerGB: serverCpu / (report.bytes / 1e9),
    requestsPerServerCpuSecond: report.requests / serverCpu,
  };
}

/** Runs the generator's hot path against a server; `warm` asks long enough for every piece to be there. */
async function client(port: number, pieceBytes: number, mode: 'read' | 'verify' | 'warm'): Promise<ClientReport> {
  const target = `${path}?cacheHostOrigin=${originHost}`;
  if (mode === 'warm') {
    const answer = await fetch(`http://127.0.0.1:${port}${target}`);
    await answer.arrayBuffer();
  }
  const { stdout } = await run(process.execPath, [
    programPath('bench/range-client'),
    ...['127.0.0.1', String(port), target, '127.0.0.1', objectId, String(sizeBytes)],
    ...[String(connections), String(seconds), String(pieceBytes), mode === 'verify' ? 'verify' : 'read'],
  ]);
  return JSON.parse(stdout) as ClientReport;
}

/** wrk on the same file: bytes by CPU second of wrk. */
async function wrkRounds(nginx: Server, folder: string): Promise<number[]> {
  const script = join(folder, 'range.lua');
  writeFileSync(
    script,
    `request = function()
  local i = math.random(0, ${sizeBytes / 2 ** 20 - 1})
  return wrk.format("GET", "${path}", {["Range"] = "bytes=" .. i * 1048576 .. "-" .. (i + 1) * 1048576 - 1})
end
done = function(summary) io.write("bytes " .. summary.bytes .. "\\n") end`,
  );
  const results: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const command = `wrk -t1 -c${connections} -d${seconds}s -s ${script} http://127.0.0.1:${nginx.port}/`;
    const { stdout, stderr } = await run('bash', ['-c', `TIMEFORMAT='cpu %U %S'; time ${command}`]);
    const bytes = Number(/bytes ([0-9]+)/.exec(stdout)?.[1]);
    const cpu = /cpu ([0-9.]+) ([0-9.]+)/.exec(stderr);
    results.push(bytes / 1e9 / (Number(cpu?.[1]) + Number(cpu?.[2])));
  }
  return results;
}

function report(what: string, { nginx, node }: Pair): Measurement[] {
  const cost = (samples: readonly Sample[]): number[] => samples.map((each) => each.serverCpuSecondsPerGB);
  const rate = (samples: readonly Sample[]): number[] => samples.map((each) => each.requestsPerServerCpuSecond);
  if (what === '1 MiB') {
    return [
      { name: `node, ${what} hits: CPU s/GB`, values: cost(node) },
      { name: `nginx, ${what}: CPU s/GB`, values: cost(nginx) },
      { name: `node ÷ nginx, ${what} hits, CPU per GB (lower is better)`, values: ratios(cost(node), cost(nginx)) },
    ];
  }
  return [
    { name: `node, ${what} hits: requests per CPU s`, values: rate(node) },
    { name: `nginx, ${what}: requests per CPU s`, values: rate(nginx) },
    {
      name: `node ÷ nginx, ${what} hits, requests per CPU s (higher is better)`,
      values: ratios(rate(node), rate(nginx)),
    },
  ];
}

function generatorReport({ nginx, nginxVerified }: Pair, wrk: readonly number[]): Measurement[] {
  const rate = (samples: readonly Sample[]): number[] => samples.map((each) => each.clientGBPerCpuSecond);
  return [
    { name: 'generator, bodies read: GB per CPU s', values: rate(nginx) },
    { name: 'generator, bodies verified: GB per CPU s', values: rate(nginxVerified) },
    { name: 'wrk: GB per CPU s', values: wrk },
    { name: 'generator ÷ wrk, bodies read (higher is better)', values: ratios(rate(nginx), wrk) },
    { name: 'generator ÷ wrk, bodies verified (higher is better)', values: ratios(rate(nginxVerified), wrk) },
  ];
}

function ratios(a: readonly number[], b: readonly number[]): number[] {
  return a.map((value, i) => value / (b[i] ?? Number.NaN));
}

function writeContent(file: string): void {
  const descriptor = openSync(file, 'w');
  const content = new ContentFunction(objectId, 1);
  const block = Buffer.allocUnsafe(2 ** 20);
  for (let offset = 0; offset < sizeBytes; offset += block.length) {
    content.fill(block, 0, offset, block.length);
    writeSync(descriptor, block);
  }
}
