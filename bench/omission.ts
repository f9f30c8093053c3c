// Coordinated omission: what load tools say of a server that answers at once, and stands still once, for a second. Who waits
// for an answer before he asks again sees one slow answer a connection; who asks at times of his own sees all that he would
// have asked for. `sim run` on 20 connections at 200 requests a second, beside wrk and autocannon (which has a rate as well), each against
// a server of its own that stands still in the middle of the run.

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as hdr from 'hdr-histogram-js';
import { programPath } from '../common/child-program.ts';
import type { Result } from '../simulator/result/result.ts';
import { type Effort, inRounds, type Measurement } from './measurement.ts';
import { installed, startProgram } from './peers.ts';
import { inWorkspace, type Workspace } from './workspace.ts';

const run = promisify(execFile);

const sizeBytes = 4096;
const connections = 20;
const requestsPerSecond = 200;
const stallMs = 1000;
/** An answer that took so long was in the way of the standstill. */
const slowMs = 100;

/** What a tool says: ms, and how many requests there were; `slow`: those of `slowMs` and more, where it tells. */
type Said = {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly requests: number;
  readonly slow?: number;
};
type Tool = {
  readonly name: string;
  /** Why it cannot be asked. */
  readonly missing: string | undefined;
  ask(port: number, seconds: number, workspace: Workspace): Promise<readonly (Said & { readonly of: string })[]>;
};

const notInstalled = (program: string): string | undefined =>
  installed(program) === undefined ? `not installed: ${program}` : undefined;

const tools: readonly Tool[] = [
  { name: 'sim run', missing: undefined, ask: askOurs },
  { name: 'wrk', missing: notInstalled('wrk'), ask: askWrk },
  { name: 'autocannon', missing: notInstalled('autocannon'), ask: (port, seconds) => askAutocannon(port, seconds, []) },
  {
    name: `autocannon -R ${requestsPerSecond}`,
    missing: notInstalled('autocannon'),
    ask: (port, seconds) => askAutocannon(port, seconds, ['-R', String(requestsPerSecond)]),
  },
];

export async function benchOmission({ quick }: Effort): Promise<Measurement[]> {
  const seconds = quick ? 4 : 10;
  const rounds = quick ? 1 : 5;
  const asked = tools.filter(({ missing }) => missing === undefined);
  const samples = await inRounds(asked, rounds, (tool) =>
    inWorkspace(async (workspace) => {
      const options = [sizeBytes, (seconds / 2) * 1000, stallMs].map(String);
      const server = workspace.keep(await startProgram('bench/stalling-server', options));
      return await tool.ask(server.port, seconds, workspace);
    }),
  );
  return tools.flatMap(({ name, missing }): Measurement[] => {
    if (missing !== undefined) return [{ name, skipped: missing }];
    const all = (samples.get(name) ?? []).flat();
    return [...new Set(all.map(({ of }) => of))].flatMap((of) => {
      const said = all.filter((each) => each.of === of);
      const row = (what: string, pick: (each: Said) => number | undefined): Measurement[] => {
        const values = said.flatMap((each) => pick(each) ?? []);
        return values.length === 0 ? [] : [{ name: `${name}, ${of}: ${what}`, values }];
      };
      return [
        ...row('median, ms', ({ p50 }) => p50),
        ...row('99 %, ms', ({ p99 }) => p99),
        ...row('longest, ms', ({ max }) => max),
        ...row('requests', ({ requests }) => requests),
        ...row(`requests of ${slowMs} ms and more`, ({ slow }) => slow),
      ];
    });
  });
}

/** Files of one range each: a device asks for all of them, one after the other, when they are due. */
async function askOurs(port: number, seconds: number, { folder }: Workspace) {
  const files = Array.from({ length: (requestsPerSecond * seconds) / connections }, (_, i) => `f${i}`);
  const scenario = join(folder, 'scenario.yaml');
  writeFileSync(
    scenario,
    `name: A server that stands still
content: [${files.map((id) => `{ id: ${id}, size: ${sizeBytes} B }`).join(', ')}]
nodes: [{ id: stalling, url: "http://127.0.0.1:${port}" }]
fleet: [{ id: all, devices: ${connections}, cacheHosts: [stalling], wants: [${files.join(', ')}] }]
live: { window: ${seconds} s, demand: ${requestsPerSecond * sizeBytes} B/s }
`,
  );
  const out = join(folder, 'out');
  const words = [programPath('simulator/main'), 'run', scenario, '--world', 'live', '--out', out, '--quiet'];
  // 4: nothing is expected here, so nothing was judged.
  await run(process.execPath, words).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 4) throw error;
  });
  const [live] = (JSON.parse(readFileSync(join(out, 'result.json'), 'utf8')) as Result).runs;
  return (['latency', 'service'] as const).map((name) => {
    const histogram = hdr.decodeFromCompressedBase64(live?.histograms[`range.${name}Ms`] ?? '') as hdr.Histogram;
    const requests = histogram.totalCount;
    const ms = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000;
    const slow = Array.from({ length: requests }, (_, i) => ms((100 * (i + 0.5)) / requests)).filter(
      (each) => each >= slowMs,
    );
    const of = name === 'latency' ? 'from when a range was due' : 'from when it was sent';
    return { of, p50: ms(50), p99: ms(99), max: ms(100), requests, slow: slow.length };
  });
}

async function askWrk(port: number, seconds: number, { folder }: Workspace) {
  const script = join(folder, 'latency.lua');
  writeFileSync(
    script,
    `done = function(summary, latency)
  local slow = 0
  for i = 1, #latency do
    local us, count = latency(i)
    if us >= ${slowMs * 1000} then slow = slow + count end
  end
  io.write(string.format("said %d %d %d %d %d\\n",
    latency:percentile(50), latency:percentile(99), latency.max, summary.requests, slow))
end`,
  );
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, `http://127.0.0.1:${port}/f0`];
  const { stdout } = await run('wrk', options);
  const said = /said (\d+) (\d+) (\d+) (\d+) (\d+)/.exec(stdout)?.slice(1).map(Number) ?? [];
  const [p50 = Number.NaN, p99 = Number.NaN, max = Number.NaN, requests = Number.NaN, slow = Number.NaN] = said;
  return [{ of: 'as fast as it can', p50: p50 / 1000, p99: p99 / 1000, max: max / 1000, requests, slow }];
}

async function askAutocannon(port: number, seconds: number, options: readonly string[]) {
  const words = ['-c', String(connections), '-d', String(seconds), '--json', '--no-progress', ...options];
  const { stdout } = await run('autocannon', [...words, `http://127.0.0.1:${port}/f0`]);
  const { latency, requests } = JSON.parse(stdout) as {
    latency: { p50: number; p99: number; max: number };
    requests: { total: number };
  };
  const of = options.length === 0 ? 'as fast as it can' : 'at the same rate';
  return [{ of, p50: latency.p50, p99: latency.p99, max: latency.max, requests: requests.total }];
}
