// Drives the product's network and the slow solver side by side: every change is made to both, and after each the rates, what
// moved and the next end are compared.

import { expect } from 'vitest';
import { Network, type NetworkListener } from '../../simulator/world/virtual/network.ts';
import { useOf } from '../../simulator/world/virtual/resource-use.ts';
import { letPass, type SlowFlow, shareOut, untilFirstEnd, whyNotFair } from './slow-solver.ts';

export type ClassPlan = {
  readonly connections: number;
  readonly cap: number;
  readonly uses: readonly number[];
  readonly coefficients: readonly number[];
};

type Entered = { readonly each: number; readonly multiplicity: number; readonly slow: readonly SlowFlow[] };

/** Equal but for rounding: 1e-9 of the larger, or of `scale`. */
export function expectClose(actual: number, expected: number, what: string, scale = 0, tolerance = 1e-9): void {
  if (actual === expected) return;
  const error = Math.abs(actual - expected) / Math.max(Math.abs(actual), Math.abs(expected), scale);
  if (!(error <= tolerance)) expect.fail(`${what}: ${actual}, expected ${expected} (off by ${error.toExponential(2)})`);
}

export class TwinNetworks {
  readonly network: Network;
  nowMs = 0;
  readonly #capacities: number[];
  readonly #plans: ClassPlan[];
  /** By number of the flow. */
  readonly entered = new Map<number, Entered>();
  /** Bytes that the listener heard of, by class. */
  readonly #heard: number[];
  readonly #slowMoved: number[];

  constructor(flowCount: number, capacities: readonly number[], plans: readonly ClassPlan[]) {
    this.#capacities = [...capacities];
    this.#plans = [...plans];
    this.#heard = plans.map(() => 0);
    this.#slowMoved = plans.map(() => 0);
    const listener: NetworkListener = {
      moved: (each, bytes) => {
        this.#heard[each] = (this.#heard[each] as number) + bytes;
      },
      resolved: () => undefined,
    };
    this.network = new Network(flowCount, listener);
    for (const [index, capacity] of capacities.entries()) this.network.addResource(capacity, index);
    for (const { connections, cap, uses, coefficients } of plans) {
      const spec = { connections, cap, capLimit: 1000, uses: [], coefficients: [] };
      this.network.setUses(this.network.addClass(spec, 0), uses, coefficients, 0);
    }
    this.network.resolve(0);
  }

  get #slow(): SlowFlow[] {
    return [...this.entered.values()].flatMap(({ slow }) => slow);
  }

  enter(flow: number, each: number, bytes: number, multiplicity: number): void {
    const plan = this.#plans[each] as ClassPlan;
    const slow = Array.from({ length: multiplicity }, () => ({
      leftBytes: bytes,
      movedBytes: 0,
      connections: plan.connections,
      cap: plan.cap,
      uses: usesOf(plan),
      rate: 0,
    }));
    this.entered.set(flow, { each, multiplicity, slow });
    this.network.enter(each, flow, bytes, multiplicity, this.nowMs);
  }

  leave(flow: number): void {
    const { each, multiplicity, slow } = this.entered.get(flow) as Entered;
    const left = this.network.leave(each, flow, multiplicity, this.nowMs);
    const scale = (slow[0] as SlowFlow).movedBytes;
    expectClose(left, (slow[0] as SlowFlow).leftBytes, `what flow ${flow} had left`, scale);
    this.entered.delete(flow);
  }

  setCapacity(resource: number, capacity: number): void {
    this.#capacities[resource] = capacity;
    this.network.setCapacity(resource, capacity, this.nowMs);
  }

  setCap(each: number, cap: number): void {
    this.#replan(each, { ...(this.#plans[each] as ClassPlan), cap });
    this.network.setCap(each, cap, 1000, this.nowMs);
  }

  setUses(each: number, uses: readonly number[], coefficients: readonly number[]): void {
    this.#replan(each, { ...(this.#plans[each] as ClassPlan), uses, coefficients });
    this.network.setUses(each, uses, coefficients, this.nowMs);
  }

  #replan(each: number, plan: ClassPlan): void {
    this.#plans[each] = plan;
    for (const entered of this.entered.values()) {
      if (entered.each !== each) continue;
      for (const flow of entered.slow) {
        flow.cap = plan.cap;
        flow.uses = usesOf(plan);
      }
    }
  }

  /** Finds the rates in both, and compares. */
  resolve(): void {
    this.network.resolve(this.nowMs);
    const slow = this.#slow;
    shareOut(slow, this.#capacities);
    expect(whyNotFair(slow, this.#capacities)).toEqual([]);
    for (const [flow, { each, slow: mine }] of this.entered) {
      expectClose(this.network.flowRate(each), (mine[0] as SlowFlow).rate, `rate of flow ${flow} in class ${each}`);
    }
    for (const resource of this.#capacities.keys()) {
      const used = slow.reduce((sum, { rate, uses }) => sum + (uses.get(resource) ?? 0) * rate, 0);
      expectClose(useOf(this.network, resource), used, `use of resource ${resource}`);
    }
    const untilEnd = untilFirstEnd(slow);
    expectClose(this.network.firstEndMs, this.nowMs + untilEnd, 'the next end');
  }

  /** Lets time pass, but not past the next end. */
  wait(ms: number): void {
    const slow = this.#slow;
    const forMs = Math.min(ms, untilFirstEnd(slow));
    if (forMs === Number.POSITIVE_INFINITY) return;
    for (const { each, slow: mine } of this.entered.values()) {
      for (const { rate } of mine) this.#slowMoved[each] = (this.#slowMoved[each] as number) + rate * forMs;
    }
    letPass(slow, forMs);
    this.nowMs += forMs;
  }

  /** Goes to the next end, and takes the flows away that end then; false when none ever ends. */
  waitForEnd(): boolean {
    const slow = this.#slow;
    const untilEnd = untilFirstEnd(slow);
    if (untilEnd === Number.POSITIVE_INFINITY) return false;
    this.wait(untilEnd);
    const endMs = this.network.firstEndMs;
    expectClose(endMs, this.nowMs, 'the end of a flow');
    const each = this.network.classEndingAt(endMs);
    expect(each).toBeGreaterThanOrEqual(0);
    const first = this.network.queueOf(each).first;
    const ended = this.entered.get(first) as Entered;
    const { leftBytes, movedBytes } = ended.slow[0] as SlowFlow;
    // What is left is the difference of two sums: no more precise than the larger of them, nor than a billionth of a byte.
    const scale = Math.max(1, movedBytes);
    expectClose(leftBytes, 0, `what flow ${first} has left at its end`, scale);
    expectClose(this.network.leave(each, first, ended.multiplicity, this.nowMs), 0, 'left at the end', scale);
    this.entered.delete(first);
    return true;
  }

  /** Books of both sides: bytes by class. */
  checkBooks(): void {
    this.network.settleAll(this.nowMs);
    // A byte more: a short wait at a high rate is no more precise than the clock.
    const all = this.#slowMoved.reduce((sum, bytes) => sum + bytes, 1);
    for (const [each, bytes] of this.#slowMoved.entries()) {
      expectClose(this.#heard[each] as number, bytes, `bytes heard of class ${each}`, all);
    }
  }
}

const usesOf = ({ uses, coefficients }: ClassPlan): ReadonlyMap<number, number> =>
  new Map(uses.flatMap((resource, i) => ((coefficients[i] ?? 0) > 0 ? [[resource, coefficients[i] as number]] : [])));
