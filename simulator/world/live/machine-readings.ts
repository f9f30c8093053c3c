// What this machine says of its limits, as far as it says anything: Linux by files below /proc and /sys, other systems hardly.
// A limit that is not known is undefined, and nobody is refused for it.

import { readFileSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileLimit } from '../../../common/open-file-limit.ts';

/** Limits of the machine and of this process, and what is left of them. */
export type MachineReadings = {
  /** Open files of a process; Infinity: no limit. */
  readonly openFilesMax: number;
  /** Open files of all processes that the kernel will still give out. */
  readonly systemFilesFree: number | undefined;
  /** Threads that this user, or this control group, may still start (a process has several). */
  readonly threadsFree: number | undefined;
  /** Ports of one source address that the system chooses from. */
  readonly ephemeralPorts: number;
  /** Connections that wait to be accepted at one listener. */
  readonly listenQueueMax: number | undefined;
  /** Memory of all sockets, in bytes. */
  readonly tcpMemoryBytesMax: number | undefined;
  /** Connections that the firewall's connection tracking can still take; undefined: it is off, or not known. */
  readonly trackedConnectionsFree: number | undefined;
  /** Whether the folder of temporary files is kept in memory. */
  readonly temporaryFilesAreMemory: boolean;
  /** Memory that can be had, in bytes. */
  readonly memoryBytesFree: number | undefined;
};

/** The range of IANA, which Windows and macOS use. */
const ephemeralPortsElsewhere = 65_535 - 49_152 + 1;
/** More than this is no limit: version 1 of control groups writes the largest number it has. */
const noLimitBytes = 2 ** 60;
/** Of statfs(2). */
const tmpfsType = 0x01021994;

/** Reads them; `root`: the folder that /proc and /sys are in. */
export function readMachine(root = '/'): MachineReadings {
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(join(root, path), 'utf8').trim();
    } catch {
      return undefined; // not Linux, or not to be seen from here
    }
  };
  const numbers = (path: string): number[] => (read(path)?.match(/\d+/g) ?? []).map(Number);
  const number = (path: string): number | undefined => numbers(path)[0];

  const [first = Number.NaN, last = Number.NaN] = numbers('proc/sys/net/ipv4/ip_local_port_range');
  const [filesUsed = Number.NaN, , filesMax = Number.NaN] = numbers('proc/sys/fs/file-nr');
  const tcpMemoryPages = numbers('proc/sys/net/ipv4/tcp_mem')[2];
  const tracked = number('proc/sys/net/netfilter/nf_conntrack_count');
  const trackedMax = number('proc/sys/net/netfilter/nf_conntrack_max');
  return {
    openFilesMax: openFileLimit(),
    systemFilesFree: finite(filesMax - filesUsed),
    threadsFree: least(
      freeThreadsOfUser(read),
      freeOfGroup(read, 'pids', 'pids.max', 'pids.max', 'pids.current', 'pids.current'),
    ),
    ephemeralPorts: finite(last - first + 1) ?? ephemeralPortsElsewhere,
    listenQueueMax: number('proc/sys/net/core/somaxconn'),
    tcpMemoryBytesMax: tcpMemoryPages === undefined ? undefined : finite(tcpMemoryPages * 4096),
    // Loaded without a rule that needs it, it counts nothing.
    trackedConnectionsFree:
      tracked === undefined || tracked === 0 ? undefined : finite((trackedMax ?? Number.NaN) - tracked),
    temporaryFilesAreMemory: isMemory(tmpdir()),
    memoryBytesFree: least(freeMemoryOfMachine(read), freeMemoryOfGroup(read)),
  };
}

function isMemory(folder: string): boolean {
  try {
    return process.platform === 'linux' && statfsSync(folder).type === tmpfsType;
  } catch {
    return false; // it is looked at again where it is used
  }
}

type Read = (path: string) => string | undefined;

/** Not for root, whom this limit does not bind. */
function freeThreadsOfUser(read: Read): number | undefined {
  const limits = read('proc/self/limits');
  if (limits === undefined || process.getuid?.() === 0) return undefined;
  return finite(Number(/^Max processes\s+(\d+)/m.exec(limits)?.[1]));
}

function freeMemoryOfMachine(read: Read): number | undefined {
  const kiB = /^MemAvailable:\s+(\d+) kB$/m.exec(read('proc/meminfo') ?? '')?.[1];
  return kiB === undefined ? undefined : Number(kiB) * 1024;
}

/** What the page cache has of the group's memory is given back when it is needed. */
function freeMemoryOfGroup(read: Read): number | undefined {
  const [limit, current] = ['memory.limit_in_bytes', 'memory.usage_in_bytes'];
  const free = freeOfGroup(read, 'memory', 'memory.max', limit, 'memory.current', current);
  if (free === undefined) return undefined;
  const statistics = fileOfGroup(read, 'memory', 'memory.stat', 'memory.stat') ?? '';
  // Version 1 has the group's own, and beside it the total with the groups below.
  const cached = /^total_inactive_file (\d+)$/m.exec(statistics) ?? /^inactive_file (\d+)$/m.exec(statistics);
  return free + Number(cached?.[1] ?? 0);
}

/** A control group's limit less what is used of it; the names are those of version 2 and 1. */
function freeOfGroup(
  read: Read,
  controller: string,
  limitName: string,
  limitName1: string,
  usedName: string,
  usedName1: string,
): number | undefined {
  const limit = Number(fileOfGroup(read, controller, limitName, limitName1) ?? Number.NaN); // "max" is none
  const used = Number(fileOfGroup(read, controller, usedName, usedName1) ?? Number.NaN);
  return limit > noLimitBytes ? undefined : finite(limit - used);
}

/** A file of the control group that this process is in; in a container its own group is the root of what can be seen. */
function fileOfGroup(read: Read, controller: string, name: string, name1: string): string | undefined {
  for (const line of (read('proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const isVersion2 = controllers === '';
    if (!isVersion2 && !controllers.split(',').includes(controller)) continue;
    const mount = isVersion2 ? 'sys/fs/cgroup' : `sys/fs/cgroup/${controller}`;
    const file = isVersion2 ? name : name1;
    const found = read(`${mount}${path}/${file}`) ?? read(`${mount}/${file}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined;
}

function least(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.flatMap((value) => value ?? []);
  return known.length === 0 ? undefined : Math.min(...known);
}
