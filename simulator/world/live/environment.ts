// What surrounds the fleet: the CDN, and the nodes in front of it.

import { request } from 'undici';
import { type Address, formatAddress, parseAddress } from '../../../common/address.ts';
import { assert, OperatorError } from '../../../common/errors.ts';
import type { LedgerEntry } from '../../../common/ledger.ts';
import type { NodeSpec, Scenario } from '../../scenario/scenario.ts';
import type { Children, Program } from './children.ts';
import { driveBytes, type LiveResources } from './machine-limits.ts';

/** A node of the scenario: one that we started (perhaps again), or one that was there. */
export type LiveNode = {
  readonly spec: NodeSpec;
  readonly address: Address;
  readonly options: readonly string[];
  /** Undefined while it is killed, and for a node that we did not start. */
  program: Program | undefined;
  /** How many of its lives ended by kill -9, with their books. */
  lostLives: number;
};

/** The node's own numbers (`GET /books` of its admin). */
export type NodeBooks = {
  readonly hitBytes: number;
  readonly missBytes: number;
  readonly egressBytes: number;
  readonly healthBytes: number;
  readonly hitRequestCount: number;
  readonly missRequestCount: number;
  readonly requestCount: number;
  readonly upstreamBytes: number;
  /** Workers that died, with their books. */
  readonly lostWorkerCount: number;
  /** Processor time since its start, ms of one core. */
  readonly cpuMs: number;
};

export type NodeLedger = { readonly served: readonly LedgerEntry[]; readonly upstream: readonly LedgerEntry[] };

/** The CDN's own numbers (`GET /books` of its admin), over all its processes. */
export type CdnBooks = {
  readonly requestCount: number;
  readonly bodyBytes: number;
  readonly healthBytes: number;
  /** Processor time since its start, ms of one core. */
  readonly cpuMs: number;
};

const adminTimeoutMs = 5000;
/** The CDN takes orders of 1 MiB, and a path may have 2 KiB. */
const objectsPerOrder = 400;

export class Environment {
  readonly nodes = new Map<string, LiveNode>();
  cdns: readonly Program[] = [];
  readonly #children: Children;
  readonly #scenario: Scenario;
  readonly #listenHost: string;

  /** `listenHost`: where nodes and CDN listen for devices; 0.0.0.0: on all addresses of this machine. */
  constructor(children: Children, scenario: Scenario, listenHost = '127.0.0.1') {
    this.#children = children;
    this.#scenario = scenario;
    this.#listenHost = listenHost;
  }

  async start({ cdnProcesses, connections }: Pick<LiveResources, 'cdnProcesses' | 'connections'>): Promise<void> {
    this.cdns = await Promise.all(Array.from({ length: cdnProcesses }, (_, i) => this.#startCdn(i, cdnProcesses)));
    // A child asks its parent: parents first.
    const waiting = [...this.#scenario.nodes];
    while (waiting.length > 0) {
      const index = waiting.findIndex((spec) => spec.parent === undefined || this.nodes.has(spec.parent));
      const spec = waiting.splice(index, 1)[0];
      assert(index >= 0 && spec !== undefined, 'parents form no loop');
      await this.#addNode(spec, connections);
    }
  }

  async restart(id: string): Promise<void> {
    const node = this.#node(id);
    node.program = await this.#children.start(`node ${id}`, 'cache/main', node.options);
  }

  async kill(id: string): Promise<void> {
    const node = this.#node(id);
    if (node.program === undefined) return;
    const { program } = node;
    node.program = undefined;
    node.lostLives += 1;
    await this.#children.kill(program);
  }

  freeze(id: string): void {
    const { program } = this.#node(id);
    if (program !== undefined) this.#children.freeze(program);
  }

  thaw(id: string): void {
    const { program } = this.#node(id);
    if (program !== undefined) this.#children.thaw(program);
  }

  /** Sends an order to every CDN process. */
  async orderCdn(path: string, body: unknown): Promise<void> {
    await Promise.all(this.cdns.map((cdn) => post(cdn.admin, path, body)));
  }

  async nodeBooks(node: LiveNode): Promise<NodeBooks | undefined> {
    return node.program === undefined
      ? undefined
      : ((await get(node.program.admin, '/books')) as NodeBooks | undefined);
  }

  async nodeLedger(node: LiveNode): Promise<NodeLedger | undefined> {
    return node.program === undefined
      ? undefined
      : ((await get(node.program.admin, '/ledger')) as NodeLedger | undefined);
  }

  /** The books of all CDN processes together; undefined when one of them does not answer any more. */
  async cdnBooks(): Promise<CdnBooks | undefined> {
    const all = await Promise.all(this.cdns.map((cdn) => get(cdn.admin, '/books')));
    const books = all.flatMap((each) => (each === undefined ? [] : [each as CdnBooks]));
    if (books.length < this.cdns.length) return undefined;
    return {
      requestCount: books.reduce((sum, each) => sum + each.requestCount, 0),
      bodyBytes: books.reduce((sum, each) => sum + each.bodyBytes, 0),
      healthBytes: books.reduce((sum, each) => sum + each.healthBytes, 0),
      cpuMs: books.reduce((sum, each) => sum + each.cpuMs, 0),
    };
  }

  async cdnLedger(): Promise<readonly LedgerEntry[]> {
    const all = await Promise.all(this.cdns.map((cdn) => get(cdn.admin, '/ledger')));
    return all.flatMap((entries) => (entries as readonly LedgerEntry[] | undefined) ?? []);
  }

  #node(id: string): LiveNode {
    const node = this.nodes.get(id);
    assert(node !== undefined, `node ${id} is in the scenario`);
    return node;
  }

  async #startCdn(index: number, count: number): Promise<Program> {
    const { cdn, content } = this.#scenario;
    const options = ['--latency', `${cdn.latencyMs} ms`, '--ledger', '--exit-with-parent', '--name', `cdn-${index}`];
    if (cdn.egressBytesPerMs !== undefined) options.push('--egress', `${(cdn.egressBytesPerMs * 1000) / count} B/s`);
    const listen = index === 0 ? cdn.listen : undefined;
    options.push('--listen', formatAddress(listen ?? { host: this.#listenHost, port: 0 }));
    const program = await this.#children.start('the CDN', 'simulator/cloud/main', options);
    // The CDN looks objects up by their path alone.
    const objects = content.map(({ path, ...rest }) => ({ ...rest, path: path.replace(/\?.*$/, '') }));
    for (let first = 0; first < objects.length; first += objectsPerOrder) {
      await post(program.admin, '/objects', objects.slice(first, first + objectsPerOrder));
    }
    return program;
  }

  async #addNode(spec: NodeSpec, connections: number): Promise<void> {
    if (spec.url !== undefined) {
      const url = new URL(spec.url);
      const address = parseAddress(`${url.hostname}:${url.port === '' ? 80 : url.port}`);
      assert(address !== undefined, 'the schema checked the URL');
      this.nodes.set(spec.id, { spec, address, options: [], program: undefined, lostLives: 0 });
      return;
    }
    const cdn = this.cdns[0];
    assert(cdn !== undefined, 'the CDN is started before the nodes');
    const options = ['--name', spec.id, '--admin', '127.0.0.1:0', '--ledger', '--exit-with-parent'];
    // Only the scenario says what a node is like.
    options.push('--ignore-environment');
    // Devices of a worker that was killed are back before the node knows that they were gone.
    options.push('--max-connections', String(Math.ceil(1.1 * connections) + 100));
    options.push('--drive', `${this.#children.folder}/${spec.id}=${driveBytes(this.#scenario)} B`);
    for (const host of new Set(this.#scenario.content.map((content) => content.host))) {
      options.push('--origin', `${host}=${formatAddress(fromHere(cdn.listen))}`);
    }
    const parent = spec.parent === undefined ? undefined : this.#node(spec.parent);
    if (parent !== undefined) options.push('--upstream-host', formatAddress(fromHere(parent.address)));
    const limit = spec.limit?.egressBytesPerMs;
    if (limit !== undefined) options.push('--limit-egress', `${limit * 1000} B/s`);
    const program = await this.#children.start(`node ${spec.id}`, 'cache/main', [
      ...options,
      '--listen',
      formatAddress({ host: this.#listenHost, port: 0 }),
    ]);
    // A restart comes back on the same port, as a real node does.
    const again = [...options, '--listen', formatAddress(program.listen)];
    this.nodes.set(spec.id, { spec, address: program.listen, options: again, program, lostLives: 0 });
  }
}

/** Where something on this machine is reached from this machine. */
function fromHere({ host, port }: Address): Address {
  return { host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host, port };
}

/** What an admin interface answers; undefined when it does not in time (killed, frozen). */
async function get(admin: Address, path: string): Promise<unknown> {
  try {
    const { statusCode, body } = await request(`http://${formatAddress(admin)}${path}`, {
      headersTimeout: adminTimeoutMs,
      bodyTimeout: adminTimeoutMs,
      signal: AbortSignal.timeout(adminTimeoutMs),
    });
    const answer = await body.json();
    return statusCode === 200 ? answer : undefined;
  } catch {
    return undefined;
  }
}

async function post(admin: Address, path: string, order: unknown): Promise<void> {
  const { statusCode, body } = await request(`http://${formatAddress(admin)}${path}`, {
    method: 'POST',
    body: JSON.stringify(order),
  });
  const answer = await body.text();
  if (statusCode !== 200) {
    throw new OperatorError('CDN_REFUSED', `The CDN refused ${path} ${JSON.stringify(order)}: ${answer}`, 3);
  }
}
