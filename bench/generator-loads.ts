// Who loads a server in the generator's benchmark, how each is started, and what it says when it has ended: ours in three ways
// (every byte verified, bodies read, bodies discarded) and the peers.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programPath } from '../common/child-program.ts';
import type { FleetOrder, FleetReport } from './fleet-order.ts';
import { installed } from './peers.ts';
import type { ClientOrder, ClientReport } from './run-client.ts';
import { runTimed } from './timed-program.ts';

/** An object that a server has, ranges of it at random places, and how they are asked for. */
export type Work = {
  readonly port: number;
  readonly objectId: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly pieceBytes: number;
  readonly connections: number;
  readonly seconds: number;
  /** For what a tool wants to read from a file. */
  readonly folder: string;
};

export type PeerOrder = Work & { readonly peer: 'undici' | 'autocannon' };

/** Bytes of bodies (of peers that do not tell them apart: of whole answers), and answers. */
export type LoadReport = {
  readonly bytes: number;
  readonly requests: number;
  /** Since its warm-up, when it measures that itself. */
  readonly cpuSeconds?: number;
};

export type LoadSample = Required<LoadReport> & { readonly peakBytes: number };

export type Load = {
  readonly name: string;
  /** Why it cannot do this; undefined when it can. */
  readonly skips: (work: Work) => string | undefined;
  readonly run: (work: Work) => Promise<LoadSample>;
};

/** A load that has not ended by then hangs: it is killed, and the benchmark fails. */
const graceSeconds = 60;

const node = (program: string, order: unknown, ...options: string[]): string[] => [
  ...[process.execPath, ...options, programPath(program), JSON.stringify(order)],
];
const never = (): undefined => undefined;
const unlessInstalled = (program: string) => (): string | undefined =>
  installed(program) === undefined ? 'not installed' : undefined;

/** The fleet of a run. It takes files in pieces of 1 MiB: smaller ones are for `ourClient`. It counts from its warm-up on. */
const ourFleet = (name: string, bodies: 'verify' | 'discard'): Load => ({
  name,
  skips: ({ pieceBytes }) => (pieceBytes === 2 ** 20 ? undefined : 'asks for pieces of 1 MiB'),
  run: async ({ folder: _, pieceBytes: __, ...work }) => {
    const order: FleetOrder = { ...work, overrides: [`bodies=${bodies}`] };
    const command = node('bench/fleet-client', order, '--expose-gc');
    const { stdout, peakBytes } = await runTimed(command, work.seconds + graceSeconds);
    const { bytes, requests, cpuMs } = JSON.parse(stdout) as FleetReport;
    return { bytes, requests, cpuSeconds: cpuMs / 1000, peakBytes };
  },
});

/** The connections of a fleet without its devices. It counts from its warm-up on. */
const ourClient = (name: string, mode: ClientOrder['mode'], only: (work: Work) => string | undefined): Load => ({
  name,
  skips: only,
  run: async ({ folder: _, path, ...work }) => {
    const order: ClientOrder = { ...work, target: path, mode, startsAtOnce: true };
    const { stdout, peakBytes } = await runTimed(node('bench/range-client', order), work.seconds + graceSeconds);
    const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as ClientReport;
    return { bytes: report.bytes, requests: report.requests, cpuSeconds: report.cpuMs / 1000, peakBytes };
  },
});

/** Of a peer that does not measure itself the whole process counts, its start and its connecting included. */
const peer = (
  name: string,
  skips: Load['skips'],
  command: (work: Work) => string[],
  read: (said: string) => LoadReport,
) => ({
  name,
  skips,
  run: async (work: Work): Promise<LoadSample> => {
    const { stdout, ...used } = await runTimed(command(work), work.seconds + graceSeconds);
    return { ...used, ...read(stdout) };
  },
});

function wrkCommand({ port, path, sizeBytes, pieceBytes, connections, seconds, folder }: Work): string[] {
  const script = join(folder, 'range.lua');
  writeFileSync(
    script,
    `request = function()
  local start = math.random(0, ${sizeBytes / pieceBytes - 1}) * ${pieceBytes}
  return wrk.format("GET", "${path}", {["Range"] = "bytes=" .. start .. "-" .. start + ${pieceBytes - 1}})
end
done = function(summary) io.write("said " .. summary.bytes .. " " .. summary.requests .. "\\n") end`,
  );
  return ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, `http://127.0.0.1:${port}/`];
}

/** h2load varies addresses, not fields: each connection asks for one range again and again. */
function h2loadCommand({ port, path, pieceBytes, connections, seconds }: Work): string[] {
  const options = ['--h1', '-t1', `-c${connections}`, `-D${seconds}`, '-H', `Range: bytes=0-${pieceBytes - 1}`];
  return ['h2load', ...options, `http://127.0.0.1:${port}${path}`];
}

function k6Command({ port, path, sizeBytes, pieceBytes, connections, seconds, folder }: Work): string[] {
  const script = join(folder, 'k6.js');
  writeFileSync(
    script,
    `import http from 'k6/http';
export const options = { vus: ${connections}, duration: '${seconds}s', discardResponseBodies: true };
export default function () {
  const start = Math.floor(Math.random() * ${sizeBytes / pieceBytes}) * ${pieceBytes};
  http.get('http://127.0.0.1:${port}${path}', { headers: { Range: 'bytes=' + start + '-' + (start + ${pieceBytes - 1}) } });
}
export function handleSummary({ metrics }) {
  const count = (name) => metrics[name].values.count;
  return { stdout: JSON.stringify({ bytes: count('data_received'), requests: count('http_reqs') }) };
}`,
  );
  return ['k6', 'run', '--quiet', '--no-usage-report', script];
}

const json = (said: string): LoadReport => JSON.parse(said) as LoadReport;

/** Two numbers of a text, its first of which is bytes. */
const matched =
  (pattern: RegExp, bytesFirst: boolean) =>
  (said: string): LoadReport => {
    const [, first, second] = pattern.exec(said) ?? [];
    if (first === undefined || second === undefined) throw new Error(`nothing like ${pattern} in: ${said}`);
    return bytesFirst
      ? { bytes: Number(first), requests: Number(second) }
      : { bytes: Number(second), requests: Number(first) };
  };

/** Bodies as strings: 10,000 of 1 MiB at once do not fit. */
const autocannonSkips = ({ connections, pieceBytes }: Work): string | undefined =>
  connections * pieceBytes > 2 ** 30 ? 'keeps bodies in memory: more than 1 GiB of them' : undefined;

const ofLarge = ({ pieceBytes }: Work): string | undefined => (pieceBytes < 2 ** 20 ? 'for 1 MiB' : undefined);
const ofSmall = ({ pieceBytes }: Work): string | undefined =>
  pieceBytes < 2 ** 20 ? undefined : 'for less than 1 MiB';

/** Ours first; `ours, verified` is what a run does. */
export const loads: readonly Load[] = [
  ourFleet('ours, verified', 'verify'),
  ourClient('ours, verified', 'verify', ofSmall),
  ourClient('ours, read', 'read', ofLarge),
  ourFleet('ours, discarded', 'discard'),
  peer('wrk', unlessInstalled('wrk'), wrkCommand, matched(/said ([0-9]+) ([0-9]+)/, true)),
  peer(
    'h2load',
    unlessInstalled('h2load'),
    h2loadCommand,
    matched(/requests: .* ([0-9]+) succeeded[\s\S]*traffic: .*\(([0-9]+)\) total/, false),
  ),
  peer('undici', never, (work) => node('bench/peer-client', { ...work, peer: 'undici' }), json),
  peer('autocannon', autocannonSkips, (work) => node('bench/peer-client', { ...work, peer: 'autocannon' }), json),
  peer('k6', unlessInstalled('k6'), k6Command, json),
];
