// What can limit a flow, as reports name it: one entry for all copies of a node or site. How much of what moved was bound by
// each, over time, says what the bottleneck was, and when.

import type { FigureBasis } from '../../scenario/profile.ts';

export type Limit = {
  /** E.g. `node.hq.nic`, `site.branch.link`, `cdn.egress`, `group.office.downlink`. */
  readonly name: string;
  /** Of one copy, in `unit`; absent where there is no one number. */
  readonly capacity?: number | undefined;
  readonly unit: 'bitsPerSecond' | 'cores';
  /** Where the number comes from: an answer that only repeats an input must look like one. */
  readonly basis: FigureBasis;
  /** On the way from the CDN to a node: classes that it binds wait for what is not stored. */
  readonly isUpstream: boolean;
};

export class Limits {
  readonly all: Limit[] = [];
  readonly #byName = new Map<string, number>();

  /** The index of a limit; the first one of a name counts. */
  index(limit: Limit): number {
    const known = this.#byName.get(limit.name);
    if (known !== undefined) return known;
    this.all.push(limit);
    this.#byName.set(limit.name, this.all.length - 1);
    return this.all.length - 1;
  }
}
