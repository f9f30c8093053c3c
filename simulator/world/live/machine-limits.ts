// Whether this machine can carry a live run: looked at before anything is started, so that a limit is told with what to
// change, and not found out by a run that looks like the node's failure.

import { accessSync, constants, statfsSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import type { Address } from '../../../common/address.ts';
import { errorCode, OperatorError } from '../../../common/errors.ts';
import { formatBytes, formatCount } from '../../../common/units.ts';
import { pieceBytes, windowsConnectionsPerFile } from '../../device/range-plan.ts';
import type { FleetGroup, Scenario } from '../../scenario/scenario.ts';
import { deviceRate } from '../device-rates.ts';
import { deviceCount, devicesOfPart, type FleetPart, wholeFleet } from '../fleet-plan.ts';
import { connectsPerSecond, devicesPerSourceAddress } from './fleet-connections.ts';
import { type MachineReadings, readMachine } from './machine-readings.ts';

/** Share of a process's open files that a run uses for connections. */
const connectionShare = 0.7;
/** More processes than this are not started for one side of a run. */
const processesMax = 24;
/** Ephemeral ports that a run may use of one source address: the rest is in TIME_WAIT or somebody else's. */
const portShare = 0.8;
/**
 * Kernel memory of both ends of a loopback connection that is being filled: with about this much each moves on. The kernel takes
 * several times as much while it has it, and gives it back when net.ipv4.tcp_mem presses; idle ones need far less.
 */
const kernelBytesBusy = 64 * 1024;
const kernelBytesIdle = 4 * 1024;
/**
 * Memory of a process by itself, and of a connection's end in it (docs/performance.md: 6.7 kB in a node, about as much in a
 * device process, which has the device as well), with room.
 */
const bytesPerProcess = 60e6;
const bytesPerSocket = 10e3;
/** Of a Node process: the main thread, the thread pool, V8's helpers. */
const threadsPerProcess = 12;
/** Of one whose device takes less than it is sent: the range waits in the kernel (measured with 1,000 devices of 64 kB/s). */
const kernelBytesHeld = 600 * 1024;
/** Devices slower than this have the server wait for them, and not the other way round. */
const slowBytesPerMs = 12_500;

/** How a run uses the machine. */
export type LiveResources = {
  /** Connections that the fleet may hold at once. */
  readonly connections: number;
  /** For the groups without a line by the kernel; each of the others has one more. */
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
export async function planResources(
  scenario: Scenario,
  cores: number,
  load: Load,
  machine: MachineReadings = readMachine(),
): Promise<LiveResources> {
  // The environment has all of them at its end.
  const part = load.part ?? wholeFleet;
  const connectionsInAll = connectionsOf(scenario);
  const connections = Math.ceil(connectionsInAll / part.count);
  const perProcess = Math.max(1, Math.floor(connectionShare * machine.openFilesMax));
  const neededProcesses = Math.max(1, Math.ceil(connections / perProcess));
  const near = withoutKernelLines(scenario);
  const nearDevices = devicesOfPart(near, part);
  const nearProcesses = Math.ceil(connectionsOf(near) / part.count / perProcess);
  const isLocal = staysOnLoopback(scenario, load.addresses ?? []);
  const resources: LiveResources = {
    connections,
    deviceProcesses: Math.max(nearProcesses, Math.min(cores, Math.ceil(nearDevices / 500))),
    cdnProcesses: mayUseCdn(scenario) ? neededProcesses : 1,
    sourceNetwork: isLocal && (await canBind('127.16.0.1')) ? '127.16' : undefined,
  };
  const problems = [
    // A device is in one process.
    ...openFileProblems(
      machine,
      scenario,
      connections,
      neededProcesses,
      Math.min(processesMax, devicesOfPart(scenario, part)),
    ),
    ...(load.part === undefined || nearDevices === 0 ? [] : portProblems(machine, near, resources)),
    ...kernelLineProblems(machine, scenario, perProcess),
    ...machineProblems(machine, needsOf(scenario, cores, load, resources, machine), connections),
    ...(load.environment ? listenQueueProblems(machine, connectionsInAll) : []),
    ...(load.environment ? diskProblems(tmpdir(), scenario) : []),
  ];
  if (problems.length > 0) {
    throw new OperatorError(
      'LIMITS_TOO_LOW',
      `This machine cannot carry the live run:\n  ${problems.join('\n  ')}\nNothing was run.`,
      3,
    );
  }
  return resources;
}

// ---- What a run needs of the machine

type Needs = {
  /** Sockets at both ends, or at the one that is here. */
  readonly sockets: number;
  readonly kernelBytes: number;
  readonly memoryBytes: number;
  readonly threads: number;
};

function needsOf(
  scenario: Scenario,
  cores: number,
  { part, environment }: Load,
  { deviceProcesses, cdnProcesses }: LiveResources,
  machine: MachineReadings,
): Needs {
  const connections = connectionsOf(scenario);
  const ends = (part === undefined ? 0 : 1 / part.count) + (environment ? 1 : 0);
  const sockets = Math.ceil(connections * ends);
  // As many as the node starts by itself (settings.ts), and its owner.
  const nodeProcesses = 1 + Math.max(cores, Math.ceil((1.1 * connections) / (connectionShare * machine.openFilesMax)));
  const nodeCount = scenario.nodes.filter((node) => node.url === undefined).length;
  const processes =
    2 +
    (part === undefined ? 0 : deviceProcesses + scenario.fleet.filter(hasKernelLine).length) +
    (environment ? cdnProcesses + nodeCount * nodeProcesses : 0);
  const kernelBytes = (kernelMemoryBytes(scenario) * ends) / 2;
  const driveMemoryBytes = environment && machine.temporaryFilesAreMemory ? nodeCount * driveBytes(scenario) : 0;
  return {
    sockets,
    kernelBytes,
    memoryBytes: processes * bytesPerProcess + sockets * bytesPerSocket + kernelBytes + driveMemoryBytes,
    threads: processes * threadsPerProcess,
  };
}

// ---- Limits that are too low, each with what to change

/** What a run can do with less of. */
function fewerOf({ replay }: Scenario): string {
  return replay === undefined
    ? 'take fewer devices (--set fleet.0.devices=…)'
    : 'take a part of the log (replay.for), or fewer connections a device (--set replay.connectionsPerDevice=1)';
}

function openFileProblems(
  { openFilesMax }: MachineReadings,
  scenario: Scenario,
  connections: number,
  neededProcesses: number,
  processesAllowed: number,
): string[] {
  if (neededProcesses <= processesAllowed) return [];
  const needed = Math.ceil(connections / processesAllowed / connectionShare);
  return [
    `open files: ${formatCount(connections)} connections need ${formatCount(needed)} open files a process, ` +
      `found a limit of ${formatCount(openFilesMax)}. Raise it ("ulimit -n ${needed}", or LimitNOFILE= of the ` +
      `service), or ${fewerOf(scenario)}.`,
  ];
}

function portProblems(
  { ephemeralPorts }: MachineReadings,
  scenario: Scenario,
  { connections, sourceNetwork }: LiveResources,
): string[] {
  const portsMax = Math.floor(portShare * ephemeralPorts);
  const range = 'Widen net.ipv4.ip_local_port_range ("sysctl -w net.ipv4.ip_local_port_range=\'1024 65535\'")';
  if (sourceNetwork === undefined) {
    if (connections <= portsMax) return [];
    return [
      `source ports: ${formatCount(connections)} connections from one address need as many ports, found ` +
        `${formatCount(ephemeralPorts)}. Either ${fewerOf(scenario)}, or let all be on loopback with all of 127.0.0.0/8 in use (on macOS ` +
        '"sudo ifconfig lo0 alias 127.16.0.1 up").',
    ];
  }
  const perDevice = Math.max(...scenario.fleet.map((group) => connectionsPerDevice(scenario, group)));
  const perAddress = Math.min(devicesPerSourceAddress, deviceCount(scenario)) * perDevice;
  if (perAddress <= portsMax) return [];
  return [
    `source ports: ${formatCount(devicesPerSourceAddress)} devices share a source address, and with ${perDevice} ` +
      `connections each need ${formatCount(perAddress)} of its ports, found ${formatCount(ephemeralPorts)}. ${range}, or ` +
      'take fewer connections per file (connectionsPerFile), or fewer files.',
  ];
}

const hasKernelLine = ({ line }: FleetGroup): boolean => line?.by === 'kernel';

const withoutKernelLines = (scenario: Scenario): Scenario => ({
  ...scenario,
  fleet: scenario.fleet.filter((group) => !hasKernelLine(group)),
});

/** A group behind a link of its own is in one process, and has one address. */
function kernelLineProblems(
  { openFilesMax, ephemeralPorts }: MachineReadings,
  scenario: Scenario,
  perProcess: number,
): string[] {
  const connectionsMax = Math.min(perProcess, Math.floor(portShare * ephemeralPorts));
  return scenario.fleet.filter(hasKernelLine).flatMap((group) => {
    const connections = group.devices * connectionsPerDevice(scenario, group);
    if (connections <= connectionsMax) return [];
    return [
      `fleet ${group.id}: ${formatCount(connections)} connections, but behind a line by the kernel all are of one process and one ` +
        `address: expected at most ${formatCount(connectionsMax)} (of ${formatCount(openFilesMax)} open files and ` +
        `${formatCount(ephemeralPorts)} ports). Make several groups of it, each with its own line.`,
    ];
  });
}

function machineProblems(machine: MachineReadings, needs: Needs, connections: number): string[] {
  const problems: string[] = [];
  const compare = (
    needed: number,
    found: number | undefined,
    format: (value: number) => string,
    say: (needed: string, found: string) => string,
  ): void => {
    if (found !== undefined && needed > found) problems.push(say(format(needed), format(found)));
  };
  const many = `${formatCount(connections)} connections`;
  const drives = machine.temporaryFilesAreMemory ? ", and the nodes' drives in a file system of memory (TMPDIR)" : '';
  compare(
    needs.kernelBytes,
    machine.tcpMemoryBytesMax,
    formatBytes,
    (needed, found) =>
      `kernel memory for TCP: about ${needed} for ${many}, found a limit of ${found}. Raise net.ipv4.tcp_mem, or take fewer ` +
      'devices or connections per file.',
  );
  compare(
    needs.memoryBytes,
    machine.memoryBytesFree,
    formatBytes,
    (needed, found) =>
      `memory: about ${needed} for ${many}, the processes that hold them${drives}, found ${found} (of the machine, or of this control ` +
      "group). Free some, raise the container's limit, or take fewer devices.",
  );
  compare(
    1.1 * needs.sockets,
    machine.systemFilesFree,
    formatCount,
    (needed, found) =>
      `open files of the system: ${many} need ${needed}, found ${found} left. Raise fs.file-max, or take fewer devices.`,
  );
  compare(
    needs.threads,
    machine.threadsFree,
    formatCount,
    (needed, found) =>
      `threads: the processes of the run need ${needed}, found ${found}. Raise the limit ("ulimit -u", TasksMax= of the ` +
      "service, or the container's limit of processes).",
  );
  compare(
    1.1 * needs.sockets,
    machine.trackedConnectionsFree,
    formatCount,
    (needed, found) =>
      `connection tracking: ${many} need ${needed} entries, found ${found} left: further ones would be dropped without a word. ` +
      'Raise net.netfilter.nf_conntrack_max, or exempt this traffic (on loopback: "iptables -t raw -A PREROUTING -i lo -j ' +
      'NOTRACK", and the same for OUTPUT with -o lo).',
  );
  return problems;
}

/** A queue of a tenth of all, or of what comes in a tenth of a second, holds on while its process sees to something else. */
function listenQueueProblems({ listenQueueMax }: MachineReadings, connections: number): string[] {
  const needed = Math.floor(Math.min(connections, connectsPerSecond) / 10);
  if (listenQueueMax === undefined || needed <= listenQueueMax) return [];
  return [
    `listen queue: with ${formatCount(connections)} connections up to ${formatCount(needed)} wait to be accepted, found room ` +
      `for ${formatCount(listenQueueMax)}: further ones would be lost without a word. Raise net.core.somaxconn ("sysctl -w ` +
      'net.core.somaxconn=4096").',
  ];
}

/** Size of a node's drive in a live run: all of the content, with room for blocks and the journal. */
export function driveBytes(scenario: Scenario): number {
  if (scenario.replay?.driveBytes !== undefined) return scenario.replay.driveBytes;
  const contentBytes = scenario.content.reduce((sum, content) => sum + content.sizeBytes, 0);
  return Math.ceil(contentBytes * 1.05) + 64 * 2 ** 20;
}

/** Why the nodes' caches cannot be below this folder; exported for tests. */
export function diskProblems(folder: string, scenario: Scenario): string[] {
  const change = 'name another folder by the environment variable TMPDIR.';
  const smaller = scenario.replay === undefined ? '' : "say how large a node's drive is (replay.drive), ";
  const neededBytes = scenario.nodes.filter((node) => node.url === undefined).length * driveBytes(scenario);
  try {
    accessSync(folder, constants.W_OK);
    const disk = statfsSync(folder);
    const freeBytes = disk.bavail * disk.bsize;
    if (neededBytes <= freeBytes) return [];
    const needed = `the nodes' caches need ${formatBytes(neededBytes)} in ${folder}`;
    return [`disk: ${needed}, found ${formatBytes(freeBytes)} free. Make room, ${smaller}or ${change}`];
  } catch (error) {
    return [
      `temporary folder: expected one that can be written, found ${errorCode(error)} at ${folder}. Make it, or ${change}`,
    ];
  }
}

/** Connections that the fleet may hold at once. */
function connectionsOf(scenario: Scenario): number {
  const { replay, fleet } = scenario;
  if (replay?.surveyed !== undefined) return replay.surveyed.activeDeviceCountMax * replay.connectionsPerDevice;
  return fleet.reduce((sum, group) => sum + group.devices * connectionsPerDevice(scenario, group), 0);
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

function kernelMemoryBytes(scenario: Scenario): number {
  const demand = scenario.live?.demandBytesPerMs;
  const devices = deviceCount(scenario);
  return scenario.fleet.reduce((sum, group) => {
    const connections = group.devices * connectionsPerDevice(scenario, group);
    const rate = slowestBytesPerMs(scenario, group);
    // An open model has the ranges of about two seconds under way, or of as long as one takes; a closed one may have one on
    // each connection.
    const busyMs = Math.max(2000, pieceBytes / rate);
    const share = group.devices / devices;
    const busy =
      typeof demand === 'number' ? Math.min(connections, (share * demand * busyMs) / pieceBytes) : connections;
    return (
      sum + busy * (rate < slowBytesPerMs ? kernelBytesHeld : kernelBytesBusy) + (connections - busy) * kernelBytesIdle
    );
  }, 0);
}

/** What the slowest device of a group may receive at the start. */
function slowestBytesPerMs(scenario: Scenario, { policy, downlink }: FleetGroup): number {
  return deviceRate(policy, downlink?.bytesPerMsMin ?? Number.POSITIVE_INFINITY, scenario.startsAtMs).bytesPerMs;
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
