// Faults on command: what the CDN does wrong, to which requests, and for how long.

import { z } from 'zod';

const limits = {
  /** Ends the fault after this many milliseconds; without it the fault lasts until it is cleared. */
  forMs: z.number().int().positive().optional(),
  /** Only requests for this object id. */
  object: z.string().min(1).optional(),
  /** Only the next so many matching requests. */
  count: z.number().int().positive().optional(),
};
/** Body bytes sent first. */
const afterBytes = z.number().int().nonnegative().optional();

/** What POST /faults takes: exactly one kind of fault, with its limits. */
export const faultSchema = z.union([
  /** Answers with this status and an empty body. */
  z.strictObject({
    status: z.number().int().min(400).max(599),
    retryAfterSeconds: z.number().int().nonnegative().optional(),
    ...limits,
  }),
  /** Waits before the answer's head, on top of the CDN's latency and other delays. */
  z.strictObject({ delayMs: z.number().int().positive(), ...limits }),
  /** Falls silent after so many bytes (0: after the head; absent: before the head) until the fault is over. */
  z.strictObject({ stall: z.literal(true), afterBytes, ...limits }),
  /** Resets the connection (RST) after so many bytes (0: after the head; absent: before the head). */
  z.strictObject({ reset: z.literal(true), afterBytes, ...limits }),
  /** Declares the full length and ends the connection (FIN) after so many bytes; absent: after half of them. */
  z.strictObject({ shortBody: z.literal(true), afterBytes, ...limits }),
  /** A 206 names a range that is shifted by a byte; the bytes are those that were asked for. */
  z.strictObject({ wrongContentRange: z.literal(true), ...limits }),
]);

export type FaultOrder = z.infer<typeof faultSchema>;

/** How faults are written, for error messages. */
export const faultExamples =
  'one of {"status":503}, {"delayMs":300}, {"stall":true,"afterBytes":65536}, {"reset":true,"afterBytes":65536}, {"shortBody":true}, ' +
  '{"wrongContentRange":true}; each may carry "forMs", "object" (an id) and "count" (the next N requests only)';

/** A fault that was ordered and is not over. */
export type ActiveFault = {
  readonly id: string;
  readonly order: FaultOrder;
  /** How many more requests it may meet. */
  readonly countLeft: number;
};

/** What the faults do to one request. Of several faults the delays add up; of the rest the oldest that matches counts. */
export type FaultEffect = {
  readonly delayMs: number;
  readonly fault: { readonly order: FaultOrder; readonly whenOver: WhenOver } | undefined;
};

/** Runs `run` when the fault is over (at once when it is already); returns how to call that off. */
export type WhenOver = (run: () => void) => () => void;

type Entry = {
  id: string;
  order: FaultOrder;
  countLeft: number;
  endMs: number;
  timer: NodeJS.Timeout | undefined;
  waiting: Set<() => void>;
};

const noEffect: FaultEffect = { delayMs: 0, fault: undefined };

export class FaultTable {
  readonly #entries = new Map<string, Entry>();
  #nextId = 1;

  add(order: FaultOrder): string {
    const id = `fault-${this.#nextId}`;
    this.#nextId += 1;
    const endMs = order.forMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + order.forMs;
    const timer = order.forMs === undefined ? undefined : setTimeout(() => this.#end(id), order.forMs).unref();
    this.#entries.set(id, {
      id,
      order,
      countLeft: order.count ?? Number.POSITIVE_INFINITY,
      endMs,
      timer,
      waiting: new Set(),
    });
    return id;
  }

  /** Ends all faults: answers that are stalled go on. */
  clear(): void {
    for (const id of [...this.#entries.keys()]) this.#end(id);
  }

  /** The faults that still wait for requests, or hold some. */
  list(): ActiveFault[] {
    return [...this.#entries.values()].map(({ id, order, countLeft }) => ({
      id,
      order,
      countLeft: Math.min(countLeft, Number.MAX_SAFE_INTEGER),
    }));
  }

  /** Applies the faults to a request for the object `objectId` (`undefined`: unknown path), and counts it. */
  apply(objectId: string | undefined): FaultEffect {
    if (this.#entries.size === 0) return noEffect;
    let delayMs = 0;
    let chosen: Entry | undefined;
    for (const entry of this.#entries.values()) {
      const { order } = entry;
      if (entry.countLeft <= 0 || performance.now() >= entry.endMs) continue;
      if (order.object !== undefined && order.object !== objectId) continue;
      if ('delayMs' in order) delayMs += order.delayMs;
      else if (chosen === undefined) chosen = entry;
      else continue;
      entry.countLeft -= 1;
      if (entry.countLeft <= 0 && !('stall' in order)) this.#end(entry.id);
    }
    if (chosen === undefined) return { delayMs, fault: undefined };
    const { id, order, waiting } = chosen;
    const whenOver: WhenOver = (run) => {
      if (this.#entries.has(id)) waiting.add(run);
      else run();
      return () => waiting.delete(run);
    };
    return { delayMs, fault: { order, whenOver } };
  }

  #end(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    clearTimeout(entry.timer);
    for (const run of entry.waiting) run();
  }
}
