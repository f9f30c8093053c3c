// Lines that the kernel makes (`line: { by: kernel }`): a network namespace for each group that has one, in which its device
// process runs, and one link from there to nodes and CDN, with what `tc` makes of the packets on it.
//
//   namespace of the group                        │ this machine
//   devices ── 198.18.x.2 uplink ═════════════════╪═ link 198.18.x.1 ── nodes, CDN (they listen on the first link)
//               netem: latency, loss              │  netem: latency, loss, rate; tbf: rate alone

import { spawnSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { assert, OperatorError } from '../../../common/errors.ts';
import type { KernelLine, Scenario } from '../../scenario/scenario.ts';
import type { Children } from './children.ts';

/** Bytes of the largest packet on a link, with its Ethernet header. */
const packetBytes = 1514;
/** What is sent faster than the rate waits this long at most, and is dropped then; as much as a home router keeps. */
const queueMs = 100;
/** Without a rate a link delays what comes, up to so many packets: 40 ms at 10 Gbit/s are 33,000. */
const delayedPacketsMax = 100_000;
/** A token bucket for whole 64 KiB and 10 ms: a kernel's timer may be as coarse as that (tc-tbf(8), "burst"). */
const burstBytesMin = 64 * 1024;
const burstMs = 10;
/** 198.18.0.0/15 is for benchmarks of networks (RFC 2544, appendix C.2.2): cut into links of four addresses. */
const linkCountMax = 2 ** 15;

type Link = {
  readonly group: string;
  readonly line: KernelLine;
  readonly namespace: string;
  /** The end of this machine. */
  readonly device: string;
  readonly hostAddress: string;
  readonly groupAddress: string;
};

/** Why this machine can have no line by the kernel; undefined when it can. */
export function whyNoKernelLine(): string | undefined {
  if (process.platform !== 'linux') return 'that takes Linux';
  if (process.getuid?.() !== 0) return 'that takes root (network namespaces)';
  const missing = ['ip', 'tc'].filter((program) => spawnSync(program, ['-V']).error !== undefined);
  return missing.length === 0 ? undefined : `${missing.join(' and ')} (package iproute2) cannot be started`;
}

export class KernelLines {
  readonly #links: readonly Link[];
  readonly #children: Children;

  constructor(children: Children, { fleet }: Scenario) {
    this.#children = children;
    const free = freeLinkNumbers();
    this.#links = fleet.flatMap(({ id: group, line }, index) => {
      if (line?.by !== 'kernel') return [];
      const number = free.next().value;
      if (number === undefined) {
        throw new OperatorError('NO_ADDRESSES', 'line: every address of 198.18.0.0/15 is in use on this machine', 3);
      }
      const own = `dosim${process.pid.toString(36)}-${index}`; // a device's name has at most 15 characters
      const [hostAddress, groupAddress] = [addressOf(number, 1), addressOf(number, 2)];
      return [{ group, line, namespace: own, device: own, hostAddress, groupAddress }];
    });
  }

  /** Where nodes and CDN have to listen, so that everybody can reach them; undefined: where they would anyway. */
  get listenHost(): string | undefined {
    return this.#links[0]?.hostAddress;
  }

  /** The namespace in which the devices of a group are. */
  namespaceOf(group: string): string | undefined {
    return this.#links.find((link) => link.group === group)?.namespace;
  }

  /** Sets all links up; throws an OperatorError (exit code 3) with what `ip` or `tc` said. They go with the children. */
  setUp(): void {
    for (const { group, line, namespace, device, hostAddress, groupAddress } of this.#links) {
      const run = (command: string): void => carryOut(command.split(' '), group);
      this.#children.owns(namespace);
      run(`ip netns add ${namespace}`);
      run(`ip link add ${device} type veth peer name uplink netns ${namespace}`);
      // Packets as a network has them: what is lost or queued is a segment, and not 64 KiB that a card would cut up later.
      run(`ip link set ${device} gso_max_segs 1`);
      run(`ip -n ${namespace} link set uplink gso_max_segs 1`);
      run(`ip addr add ${hostAddress}/30 dev ${device}`);
      run(`ip link set ${device} up`);
      run(`ip -n ${namespace} addr add ${groupAddress}/30 dev uplink`);
      run(`ip -n ${namespace} link set lo up`);
      run(`ip -n ${namespace} link set uplink up`);
      run(`ip -n ${namespace} route add default via ${hostAddress}`);
      run(`tc qdisc add dev ${device} root ${towardsDevices(line)}`);
      const back = delaysAndLosses(line);
      if (back !== '') run(`tc -n ${namespace} qdisc add dev uplink root netem limit ${delayedPacketsMax}${back}`);
    }
  }
}

/** What `tc` is told of the packets to the devices. */
export function towardsDevices(line: KernelLine): string {
  const { latencyMs, rateBytesPerMs } = line;
  const changes = delaysAndLosses(line);
  if (rateBytesPerMs === undefined) return `netem limit ${delayedPacketsMax}${changes}`;
  const rate = `rate ${Math.max(8, Math.round(rateBytesPerMs * 8000))}bit`;
  if (changes === '') {
    const burstBytes = Math.ceil(Math.max(burstBytesMin, rateBytesPerMs * burstMs));
    return `tbf ${rate} burst ${burstBytes}b latency ${queueMs}ms`;
  }
  const packets = 100 + Math.ceil((rateBytesPerMs * (latencyMs + queueMs)) / packetBytes);
  return `netem limit ${packets}${changes} ${rate}`;
}

/** In the words of netem; empty where there are none. */
function delaysAndLosses({ latencyMs, lossRatio }: KernelLine): string {
  const delay = latencyMs > 0 ? ` delay ${Math.round(latencyMs * 1000)}us` : '';
  const loss = lossRatio > 0 ? ` loss ${Number((lossRatio * 100).toPrecision(9))}%` : '';
  return `${delay}${loss}`;
}

/** On the link of this number, of which each has four: the one of the network, this machine's, the group's, and the broadcast. */
const addressOf = (link: number, host: number): string =>
  `198.${18 + (link >> 14)}.${(link >> 6) & 0xff}.${((link & 0x3f) << 2) + host}`;

/** Numbers of links none of whose addresses this machine has; from another one for each run. */
function* freeLinkNumbers(): Generator<number> {
  const used = new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []));
  for (let i = 0; i < linkCountMax; i += 1) {
    const number = (process.pid + i) % linkCountMax;
    if (![0, 1, 2, 3].some((host) => used.has(addressOf(number, host)))) yield number;
  }
}

function carryOut([program, ...words]: readonly string[], group: string): void {
  assert(program !== undefined, 'a command has a program');
  const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status === 0) return;
  const said = (error?.message ?? stderr.trim().split('\n')[0] ?? '').replace(/\.$/, '');
  const kind = /qdisc kind is unknown/.test(said) ? (/ root (\w+)/.exec(words.join(' '))?.[1] ?? '') : undefined;
  const help =
    kind === undefined
      ? ''
      : ` This kernel has no ${kind}: "modprobe sch_${kind}", or let the process make the line (by: process).`;
  const command = [program, ...words].join(' ');
  throw new OperatorError(
    'NO_KERNEL_LINE',
    `The line of ${group} could not be made: "${command}" said: ${said}.${help}`,
    3,
  );
}
