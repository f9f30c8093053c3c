// The oracle of the network: max-min fair rates by the textbook, one flow at a time, and time that passes flow by flow.
//
// Every connection of every flow rises at the same speed. One stops at its own cap, or when a resource that it uses is full;
// the others go on. (Bertsekas and Gallager, "Data Networks", 1992, 6.5.2.) No classes, no clocks, no sums that are kept.

export type SlowFlow = {
  /** Bytes still to move; Infinity: it stays. */
  leftBytes: number;
  movedBytes: number;
  connections: number;
  /** Bytes/ms of one connection. */
  cap: number;
  /** By resource: how much of it a byte takes; above 0. */
  uses: ReadonlyMap<number, number>;
  /** Bytes/ms of all its connections. */
  rate: number;
};

/** Rounding: a resource is full when this share of it, or less, is left. */
const fullRatio = 1e-12;

/** Sets the rate of every flow. O(flows² × resources). */
export function shareOut(flows: readonly SlowFlow[], capacities: readonly number[]): void {
  const rising = new Set(flows);
  let level = 0;
  const left = [...capacities];
  while (rising.size > 0) {
    const weight = capacities.map(() => 0);
    for (const { connections, uses } of rising) {
      for (const [resource, coefficient] of uses)
        weight[resource] = (weight[resource] ?? 0) + coefficient * connections;
    }
    let step = Number.POSITIVE_INFINITY;
    for (const { cap } of rising) step = Math.min(step, cap - level);
    for (const [resource, sum] of weight.entries()) {
      if (sum > 0) step = Math.min(step, Math.max(0, left[resource] as number) / sum);
    }
    level += step;
    for (const [resource, sum] of weight.entries())
      if (sum > 0) left[resource] = (left[resource] as number) - sum * step;
    const isFull = capacities.map(
      (capacity, resource) => Number.isFinite(capacity) && (left[resource] as number) <= fullRatio * capacity,
    );
    for (const flow of [...rising]) {
      const isStopped = level >= flow.cap || [...flow.uses.keys()].some((resource) => isFull[resource]);
      if (!isStopped) continue;
      flow.rate = Math.min(level, flow.cap) * flow.connections;
      rising.delete(flow);
    }
  }
}

/** Lets time pass at the rates as they are. */
export function letPass(flows: readonly SlowFlow[], ms: number): void {
  for (const flow of flows) {
    const bytes = Math.min(flow.leftBytes, flow.rate * ms);
    flow.leftBytes -= bytes;
    flow.movedBytes += bytes;
  }
}

/** How long until the first of them is done; Infinity when none ever is. */
export function untilFirstEnd(flows: readonly SlowFlow[]): number {
  return Math.min(
    Number.POSITIVE_INFINITY,
    ...flows.map(({ leftBytes, rate }) => (rate > 0 ? leftBytes / rate : Infinity)),
  );
}

/**
 * Whether rates are max-min fair, by the definition instead of a way to find them: nothing is used beyond its capacity, and
 * every connection is at its cap, or uses a full resource on which no connection has more. Says what is wrong.
 */
export function whyNotFair(flows: readonly SlowFlow[], capacities: readonly number[], tolerance = 1e-9): string[] {
  const wrong: string[] = [];
  const used = capacities.map((_, resource) =>
    flows.reduce((sum, { rate, uses }) => sum + rate * (uses.get(resource) ?? 0), 0),
  );
  for (const [resource, sum] of used.entries()) {
    const capacity = capacities[resource] as number;
    if (sum > capacity * (1 + tolerance)) wrong.push(`resource ${resource}: ${sum} of ${capacity} are used`);
  }
  const ofConnection = ({ rate, connections }: SlowFlow): number => rate / connections;
  for (const [index, flow] of flows.entries()) {
    if (ofConnection(flow) >= flow.cap * (1 - tolerance)) continue;
    const hasBottleneck = [...flow.uses.keys()].some((resource) => {
      const isFull = (used[resource] as number) >= (capacities[resource] as number) * (1 - tolerance);
      const users = flows.filter(({ uses }) => uses.has(resource));
      return isFull && users.every((other) => ofConnection(other) <= ofConnection(flow) * (1 + tolerance));
    });
    if (!hasBottleneck) wrong.push(`flow ${index} could have more than ${flow.rate}`);
  }
  return wrong;
}
