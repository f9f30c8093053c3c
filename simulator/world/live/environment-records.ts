// What is written down of the environment in the course of a run: what nodes and CDN say of themselves once a second, what
// happened when, and at the end their books and ledgers.

import { CounterSampler, samplesUntil } from './counter-samples.ts';
import type { CdnBooks, Environment, LiveNode, NodeBooks } from './environment.ts';
import type { EnvironmentPart, NodeRecord } from './parts.ts';
import type { TimelineEntry } from './run-events.ts';

export class EnvironmentRecords {
  readonly timeline: TimelineEntry[] = [];
  readonly #environment: Environment;
  readonly #cdn: CounterSampler<CdnBooks>;
  /** By id; of those that we started. */
  readonly #nodes = new Map<string, CounterSampler<NodeBooks>>();

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#cdn = new CounterSampler(() => environment.cdnBooks());
  }

  /** Asks everybody that we started for its counters. */
  async sample(): Promise<void> {
    for (const node of this.#environment.nodes.values()) {
      if (node.spec.url !== undefined || this.#nodes.has(node.spec.id)) continue;
      this.#nodes.set(node.spec.id, new CounterSampler(() => this.#environment.nodeBooks(node)));
    }
    await Promise.all([this.#cdn, ...this.#nodes.values()].map((sampler) => sampler.take()));
  }

  /** Share of hits in what all nodes have sent until the last sample; undefined before the first byte. */
  get hitRatioBytes(): number | undefined {
    let hit = 0;
    let egress = 0;
    for (const { last } of this.#nodes.values()) {
      hit += last?.hitBytes ?? 0;
      egress += last?.egressBytes ?? 0;
    }
    return egress === 0 ? undefined : hit / egress;
  }

  /** What is known at this time (epoch ms): books as of the last sample, without ledgers. */
  soFar(epochMs: number): EnvironmentPart {
    const nodes = [...this.#environment.nodes.values()].map(({ spec: { id, parent, url }, lostLives }): NodeRecord => {
      const sampler = this.#nodes.get(id);
      const lost = lostLives > 0 || (sampler?.last?.lostWorkerCount ?? 0) > 0;
      const samples = samplesUntil(sampler?.samples ?? [], epochMs);
      return { id, parent, external: url !== undefined, lost, books: sampler?.total, samples };
    });
    const cdn = { books: this.#cdn.total, ledger: [], samples: samplesUntil(this.#cdn.samples, epochMs) };
    return { nodes, cdn, timeline: [...this.timeline] };
  }

  /** Asks for all books and ledgers. What is still answered to {@link sample} later changes nothing in what it gives. */
  async close(): Promise<EnvironmentPart> {
    const nodes = await Promise.all([...this.#environment.nodes.values()].map((node) => this.#node(node)));
    const books = await this.#environment.cdnBooks();
    const ledger = await this.#environment.cdnLedger();
    return { nodes, cdn: { books, ledger, samples: [...this.#cdn.samples] }, timeline: [...this.timeline] };
  }

  async #node(node: LiveNode): Promise<NodeRecord> {
    const ledger = await this.#environment.nodeLedger(node);
    const books = await this.#environment.nodeBooks(node);
    const external = node.spec.url !== undefined;
    const isWhole = node.lostLives === 0 && books?.lostWorkerCount === 0 && ledger !== undefined;
    const samples = [...(this.#nodes.get(node.spec.id)?.samples ?? [])];
    const { id, parent } = node.spec;
    return { id, parent, external, lost: !external && !isWhole, books, ledger, samples };
  }
}
