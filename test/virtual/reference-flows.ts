// Bytes in flight of the reference world: every transfer is one flow with equal rights on each of its resources. Rates are max-min
// fair, found anew from nothing at every event. A flow may stream along with another one that it cannot be ahead of: what a
// node is still fetching reaches a device no sooner than it reaches the node.

export type Transfer = {
  readonly bytes: number;
  movedBytes: number;
  rate: number;
  readonly resources: readonly number[];
  /** What it streams along with; it has the same bytes. */
  readonly source: Transfer | undefined;
  hasBegun: boolean;
  isOver: boolean;
  readonly whenOver: () => void;
  /** Scratch of a solution: it has its rate. */
  isFrozen: boolean;
};

/** Of a byte: less than this is nothing. */
const dust = 1e-6;

export class ReferenceFlows {
  readonly #capacities: number[] = [];
  readonly #flows: Transfer[] = [];
  nowMs = 0;

  addResource(bytesPerMs: number): number {
    this.#capacities.push(bytesPerMs);
    return this.#capacities.length - 1;
  }

  /** A transfer whose first byte is still waited for. */
  announce(bytes: number, resources: readonly number[], source: Transfer | undefined, whenOver: () => void): Transfer {
    const state = { movedBytes: 0, rate: 0, hasBegun: false, isOver: false, isFrozen: false };
    return { bytes, resources, source, whenOver, ...state };
  }

  begin(transfer: Transfer): void {
    transfer.hasBegun = true;
    this.#flows.push(transfer);
  }

  /** When something happens by itself at the rates of now; Infinity when nothing does. */
  nextMs(): number {
    let untilMs = Number.POSITIVE_INFINITY;
    for (const flow of this.#flows) {
      if (flow.rate <= 0) continue;
      untilMs = Math.min(untilMs, (flow.bytes - flow.movedBytes) / flow.rate);
      const { source } = flow;
      if (source === undefined || isAtFrontier(flow) || flow.rate <= source.rate) continue;
      untilMs = Math.min(untilMs, (source.movedBytes - flow.movedBytes) / (flow.rate - source.rate));
    }
    return this.nowMs + untilMs;
  }

  /** Lets time pass up to then, which is no later than `nextMs`, and ends what has come. */
  advanceTo(atMs: number): void {
    const ms = atMs - this.nowMs;
    this.nowMs = atMs;
    for (const flow of this.#flows) flow.movedBytes += flow.rate * ms;
    for (const flow of this.#flows) {
      if (flow.source !== undefined) flow.movedBytes = Math.min(flow.movedBytes, flow.source.movedBytes);
    }
    for (;;) {
      const over = this.#flows.findIndex((flow) => flow.bytes - flow.movedBytes <= dust);
      const flow = this.#flows[over];
      if (flow === undefined) break;
      flow.movedBytes = flow.bytes;
      flow.rate = 0;
      flow.isOver = true;
      this.#flows.splice(over, 1);
      flow.whenOver();
    }
  }

  /** Progressive filling. One that stands at the frontier of its source stops when that does. */
  solve(): void {
    const left = [...this.#capacities];
    const count = left.map(() => 0);
    const rising = new Set<Transfer>();
    for (const flow of this.#flows) {
      flow.isFrozen = false;
      flow.rate = 0;
    }
    for (const flow of this.#flows) {
      rising.add(flow);
      for (const resource of flow.resources) count[resource] = (count[resource] as number) + 1;
    }
    const freeze = (flow: Transfer, level: number): void => {
      flow.rate = level;
      flow.isFrozen = true;
      rising.delete(flow);
      for (const resource of flow.resources) {
        left[resource] = Math.max(0, (left[resource] as number) - level);
        count[resource] = (count[resource] as number) - 1;
      }
    };
    for (;;) {
      for (let more = true; more; ) {
        more = false;
        for (const flow of rising) {
          const { source } = flow;
          if (source === undefined || !isAtFrontier(flow) || (source.hasBegun && !source.isFrozen)) continue;
          freeze(flow, source.rate);
          more = true;
        }
      }
      if (rising.size === 0) return;
      let level = Number.POSITIVE_INFINITY;
      for (const [resource, users] of count.entries()) {
        if (users > 0) level = Math.min(level, (left[resource] as number) / users);
      }
      if (level === Number.POSITIVE_INFINITY) throw new Error('a flow is limited by nothing');
      const isFull = count.map((users, i) => users > 0 && (left[i] as number) / users <= level * (1 + 1e-12));
      const stopped = [...rising].filter(({ resources }) => resources.some((resource) => isFull[resource]));
      for (const flow of stopped) freeze(flow, level);
    }
  }
}

/** It has all that its source has so far. */
function isAtFrontier(flow: Transfer): boolean {
  return flow.source !== undefined && !flow.source.isOver && flow.source.movedBytes - flow.movedBytes <= dust;
}
