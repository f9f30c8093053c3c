// Whether this machine can carry a live run: looked at before anything is started, so that a limit is told with what to
// change, and not found out by a run that looks like the node's failure.

import { accessSync, constants, readFileSync, statfsSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import type { Address } from '../../../common/address.ts';
import { errorCode, OperatorError } from '../../../common/errors.ts';
import { openFileLimit } from '../../../common/open-file-limit.ts';
import { formatBytes, formatCount } from '../../../common/units.ts';
import { pieceBytes, windowsConnectionsPerFile } from '../../device/range-plan.ts';
import type { FleetGroup, Scenario } from '../../scenario/scenario.ts';
import { devicesOfPart, type FleetPart, wholeFleet } from '../fleet-plan.ts';

/** Share of a process's open files that a run uses for connections. */
const connectionShare = 0.7;
/** More processes than this are not started for one side of a run. */
const processesMax = 24;
/** Ephemeral ports that a run may use of one source address: the rest is in TIME_WAIT or somebody else's. */
const portShare = 0.8;
/** Kernel memory of both ends of a loopback connection that is being filled: at most about this much, idle ones far less. */
const kernelBytesBusy = 64 * 1024;
const kernelBytesIdle = 4 * 1024;

/** How a run uses the machine. */
export type LiveResources = {
  /** Connections that the fleet may hold at once. */
  readonly connections: number;
  readonly deviceProcesses: number;
  readonly cdnProcesses: number;
  /** `127.16` where the whole of 127.0.0.0/8 can be used; undefined: the system chooses the source address. */
  readonly sourceNetwork: string | undefined;
};

/** What of a run this machine carries. */
export type Load = {
  /** Of the fleet; undefined: nothing. */
  readonly part: FleetPart | undefined;
  /** Whether nodes and CDN are here. */
  readonly environment: boolean;
  /** Where the devices find nodes and CDN, when these are not here. */
  readonly addresses?: readonly Address[];
};

/** Computes what a run needs; throws one OperatorError (exit code 3) that lists every limit that is too low. */
export async function planResources(scenario: Scenario, cores: number, load: Load): Promise<LiveResources> {
  const problems: string[] = [];
  const connectionsInAll = scenario.fleet.reduce(
    (sum, group) => sum + group.devices * connectionsPerDevice(scenario, group),
    0,
  );
  // The environment has all of them at its end.
  const part = load.part ?? wholeFleet;
  const connections = Math.ceil(connectionsInAll / part.count);
  const perProcess = Math.floor(connectionShare * openFileLimit());
  const neededProcesses = Math.max(1, Math.ceil(connections / perProcess));
  // A device is in one process.
  const processesAllowed = Math.min(processesMax, devicesOfPart(scenario, part));
  if (neededProcesses > processesAllowed) {
    const needed = Math.ceil(connections / processesAllowed / connectionShare);
    problems.push(
      `open files: ${formatCount(connections)} connections need ${formatCount(needed)} open files a process, ` +
        `found a limit of ${formatCount(openFileLimit())}. Raise it ("ulimit -n ${needed}", or LimitNOFILE= of the ` +
        'service), or take fewer devices (--set fleet.0.devices=…).',
    );
  }
  const isLocal = staysOnLoopback(scenario, load.addresses ?? []);
  const sourceNetwork = isLocal && (await canBind('127.16.0.1')) ? '127.16' : undefined;
  const ports = ephemeralPorts();
  if (load.part !== undefined && sourceNetwork === undefined && connections > portShare * ports) {
    problems.push(
      `source ports: ${formatCount(connections)} connections from one address need as many ports, found ` +
        `${formatCount(ports)}. Take fewer devices, or let all be on loopback with all of 127.0.0.0/8 in use (on macOS ` +
        '"sudo ifconfig lo0 alias 127.16.0.1 up").',
    );
  }
  // Both ends of each connection, or one of them.
  const endRatio = ((load.part === undefined ? 0 : 1 / part.count) + (load.environment ? 1 : 0)) / 2;
  const kernelBytes = kernelMemoryBytes(scenario, connectionsInAll) * endRatio;
  const kernelBytesMax = tcpMemoryBytesMax();
  if (kernelBytesMax !== undefined && kernelBytes > kernelBytesMax) {
    problems.push(
      `kernel memory for TCP: about ${formatBytes(kernelBytes)} for ${formatCount(connections)} connections, found a ` +
        `limit of ${formatBytes(kernelBytesMax)}. Raise net.ipv4.tcp_mem, or take fewer devices or connections per file.`,
    );
  }
  const diskProblem = load.environment ? problemOfFolder(tmpdir(), scenario) : undefined;
  if (diskProblem !== undefined) problems.push(diskProblem);
  if (problems.length > 0) {
    throw new OperatorError(
      'LIMITS_TOO_LOW',
      `This machine cannot carry the live run:\n  ${problems.join('\n  ')}\nNothing was run.`,
      3,
    );
  }
  const forCores = Math.min(cores, Math.ceil(devicesOfPart(scenario, part) / 500));
  return {
    connections,
    deviceProcesses: Math.max(neededProcesses, forCores),
    cdnProcesses: mayUseCdn(scenario) ? neededProcesses : 1,
    sourceNetwork,
  };
}

/** Size of a node's drive in a live run: all of the content, with room for blocks and the journal. */
export function driveBytes(scenario: Scenario): number {
  const contentBytes = scenario.content.reduce((sum, content) => sum + content.sizeBytes, 0);
  return Math.ceil(contentBytes * 1.05) + 64 * 2 ** 20;
}

/** Why the nodes' caches cannot be below this folder; undefined when they can. */
function problemOfFolder(folder: string, scenario: Scenario): string | undefined {
  const change = 'name another folder by the environment variable TMPDIR.';
  const neededBytes = scenario.nodes.filter((node) => node.url === undefined).length * driveBytes(scenario);
  try {
    accessSync(folder, constants.W_OK);
    const disk = statfsSync(folder);
    const freeBytes = disk.bavail * disk.bsize;
    if (neededBytes <= freeBytes) return undefined;
    const needed = `the nodes' caches need ${formatBytes(neededBytes)} in ${folder}`;
    return `disk: ${needed}, found ${formatBytes(freeBytes)} free. Make room, or ${change}`;
  } catch (error) {
    return `temporary folder: expected one that can be written, found ${errorCode(error)} at ${folder}. Make it, or ${change}`;
  }
}

function connectionsPerDevice(scenario: Scenario, group: FleetGroup): number {
  let connections = 0;
  for (const id of group.wants) {
    const sizeBytes = scenario.content.find((content) => content.id === id)?.sizeBytes ?? 0;
    connections +=
      group.client === 'linux'
        ? 1
        : (group.connectionsPerFile ?? windowsConnectionsPerFile(Math.ceil(sizeBytes / pieceBytes)));
  }
  return connections;
}

/** Whether many devices may turn to the CDN: without cache hosts, or when a node goes away by the scenario. */
function mayUseCdn(scenario: Scenario): boolean {
  const goes = scenario.events.some((event) => event.kind === 'kill' || event.kind === 'freeze');
  return goes || scenario.fleet.some((group) => group.cacheHosts.length === 0);
}

function kernelMemoryBytes(scenario: Scenario, connections: number): number {
  const demand = scenario.live?.demandBytesPerMs;
  // An open model has the ranges of about two seconds under way; a closed one may have one on each connection.
  const busy = typeof demand === 'number' ? Math.min(connections, (demand * 2000) / pieceBytes) : connections;
  return busy * kernelBytesBusy + (connections - busy) * kernelBytesIdle;
}

function tcpMemoryBytesMax(): number | undefined {
  try {
    const pages = Number(readFileSync('/proc/sys/net/ipv4/tcp_mem', 'utf8').trim().split(/\s+/)[2]);
    return pages * 4096;
  } catch {
    return undefined; // not Linux: no such limit is known
  }
}

function ephemeralPorts(): number {
  try {
    const [first, last] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')
      .trim()
      .split(/\s+/)
      .map(Number);
    return (last ?? 65_535) - (first ?? 49_152) + 1;
  } catch {
    return 65_535 - 49_152 + 1; // the range of IANA, which Windows and macOS use
  }
}

/** From an address of 127.0.0.0/8 nothing else can be reached, so a node elsewhere (or by name) rules them out. */
function staysOnLoopback({ nodes, cdn }: Scenario, addresses: readonly Address[]): boolean {
  const hosts = nodes.flatMap(({ url }) => (url === undefined ? [] : [new URL(url).hostname]));
  hosts.push(...addresses.map((address) => address.host));
  if (cdn.listen !== undefined) hosts.push(cdn.listen.host);
  return hosts.every((host) => host.startsWith('127.'));
}

function canBind(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(0, address, () => server.close(() => resolve(true)));
  });
}
