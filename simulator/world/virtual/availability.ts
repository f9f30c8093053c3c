// Whether a source can be reached and answers, as events have left it; and if not, how a device gets to know.

import { assertNever } from '../../../common/errors.ts';
import type { SourceFailureCause } from '../../device/download-policy.ts';
import type { CdnFault, LinkName } from '../../scenario/scenario.ts';
import type { Machines } from './machines.ts';
import type { Stock } from './stocks.ts';
import type { SiteCopy, Topology } from './topology.ts';

export type NodeState = 'running' | 'killed' | 'frozen' | 'drained';

/**
 * What comes of asking a source. `unreachable`: packets are lost, so a new connection times out and an old one stalls;
 * `silent`: it takes the connection and says nothing.
 */
export type Answer =
  | { readonly kind: 'serves' }
  | { readonly kind: 'fails'; readonly cause: SourceFailureCause; readonly afterMs: number }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'silent' };

const serves: Answer = { kind: 'serves' };
const unreachable: Answer = { kind: 'unreachable' };
const silent: Answer = { kind: 'silent' };

/**
 * A node gives a silent upstream up after 5 s and tries once more, so that it answers 504 after about ten (measured on
 * ours: test/cache/filling-faults.test.ts).
 */
const nodeGivesUpMs = 10_000;

type ActiveFault = { readonly fault: CdnFault; readonly object: number | undefined };

export class Availability {
  readonly #machines: Machines;
  readonly #topology: Topology;
  readonly #nodeStates = new Map<number, NodeState>();
  readonly #cutSites = new Set<number>();
  readonly #cutWans = new Set<number>();
  readonly #faults = new Set<ActiveFault>();

  constructor(machines: Machines, topology: Topology) {
    this.#machines = machines;
    this.#topology = topology;
  }

  nodeState(node: number): NodeState {
    return this.#nodeStates.get(node) ?? 'running';
  }

  setNodeState(node: number, state: NodeState): void {
    this.#nodeStates.set(node, state);
  }

  cut(link: LinkName): void {
    if (link.kind === 'wan') for (const node of this.#nodesOf(link.node)) this.#cutWans.add(node);
    else for (const site of this.#sitesOf(link.site)) this.#cutSites.add(site);
  }

  join(link: LinkName): void {
    if (link.kind === 'wan') for (const node of this.#nodesOf(link.node)) this.#cutWans.delete(node);
    else for (const site of this.#sitesOf(link.site)) this.#cutSites.delete(site);
  }

  /** Returns how to end it. */
  begin(fault: CdnFault, object: number | undefined): () => void {
    const active = { fault, object };
    this.#faults.add(active);
    return () => this.#faults.delete(active);
  }

  /** Beside `cdn.latency`. */
  cdnDelayMs(object: number): number {
    let delayMs = 0;
    for (const { fault, object: only } of this.#faults) {
      if (fault.kind === 'delay' && (only === undefined || only === object)) delayMs += fault.delayMs;
    }
    return delayMs;
  }

  /** What a device at a site gets from the CDN. */
  ofCdn(site: number, object: number): Answer {
    if (this.#isCut(-1, site)) return unreachable;
    return this.#cdnAnswer(object);
  }

  /** What a device at a site gets from a node; `needsMore`: it asks for something that the node does not have. */
  ofNode(node: number, site: number, stock: Stock, needsMore: boolean): Answer {
    if (this.#isCut(stock.node.copy.site, site)) return unreachable;
    const state = this.nodeState(node);
    if (state === 'killed' || state === 'drained') return { kind: 'fails', cause: 'refused', afterMs: 0 };
    if (state === 'frozen') return silent;
    return needsMore ? this.#ofUpstream(stock) : serves;
  }

  /** A node that cannot fetch answers 502, or 504 when upstream says nothing; never 4xx (shared contract of nodes). */
  #ofUpstream(stock: Stock): Answer {
    const { parent } = stock;
    const wayUp = parent === undefined ? -1 : parent.node.copy.site;
    const isCut = this.#cutWans.has(stock.nodeIndex) || this.#isCut(wayUp, stock.node.copy.site);
    if (isCut) return { kind: 'fails', cause: 'status5xx', afterMs: nodeGivesUpMs };
    const answer =
      parent === undefined
        ? this.#cdnAnswer(stock.object)
        : this.ofNode(parent.nodeIndex, parent.node.copy.site, parent, !parent.isComplete);
    switch (answer.kind) {
      case 'serves':
        return serves;
      case 'fails':
        return { kind: 'fails', cause: 'status5xx', afterMs: answer.afterMs };
      default:
        return { kind: 'fails', cause: 'status5xx', afterMs: nodeGivesUpMs };
    }
  }

  #cdnAnswer(object: number): Answer {
    for (const { fault, object: only } of this.#faults) {
      if (only !== undefined && only !== object) continue;
      const answer = answerOf(fault);
      if (answer.kind !== 'serves') return answer;
    }
    return serves;
  }

  #isCut(from: number, to: number): boolean {
    return this.#cutSites.size > 0 && this.#machines.sitesBetween(from, to).some((site) => this.#cutSites.has(site));
  }

  #nodesOf(id: string): number[] {
    return [...this.#machines.nodes].flatMap(([index, { copy }]) => (copy.spec.id === id ? [index] : []));
  }

  #sitesOf(id: string): number[] {
    return this.#topology.sites.flatMap((site: SiteCopy, index) => (site.spec.id === id ? [index] : []));
  }
}

function answerOf(fault: CdnFault): Answer {
  switch (fault.kind) {
    case 'status':
      return { kind: 'fails', cause: fault.status >= 500 ? 'status5xx' : 'status4xx', afterMs: 0 };
    case 'reset':
    case 'shortBody':
      return { kind: 'fails', cause: 'reset', afterMs: 0 };
    case 'wrongContentRange':
      return { kind: 'fails', cause: 'badResponse', afterMs: 0 };
    case 'stall':
      return silent;
    case 'delay':
      return serves;
    default:
      return assertNever(fault);
  }
}
