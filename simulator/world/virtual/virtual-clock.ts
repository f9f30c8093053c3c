// Virtual time, and what is due: calls that can be taken back, and two kinds of timers that come by the million and need no
// call of their own.

import { assert } from '../../../common/errors.ts';
import type { Cancel } from '../world.ts';
import { TimerHeap } from './timer-heap.ts';

/** `call`: a scheduled function; the others carry a number that says for whom. */
export const timerKinds = { call: 0, start: 1, refresh: 2 } as const;

export class VirtualClock {
  nowMs = 0;
  readonly #timers = new TimerHeap();
  readonly #calls = new Map<number, () => void>();
  #nextCall = 0;

  get firstMs(): number {
    return this.#timers.firstMs;
  }

  /** Calls at that time, or at once (but not within this call) when it has passed. */
  schedule(atMs: number, run: () => void): Cancel {
    const call = this.#nextCall;
    this.#nextCall += 1;
    this.#calls.set(call, run);
    this.#timers.push(Math.max(atMs, this.nowMs), timerKinds.call, call);
    return () => this.#calls.delete(call);
  }

  push(atMs: number, kind: number, subject: number): void {
    this.#timers.push(Math.max(atMs, this.nowMs), kind, subject);
  }

  /** Carries the first timer out; `run` gets those that are no calls. */
  runFirst(run: (kind: number, subject: number) => void): void {
    const { firstMs, firstKind, firstSubject } = this.#timers;
    assert(firstMs >= this.nowMs, 'time does not run back');
    this.nowMs = firstMs;
    this.#timers.pop();
    if (firstKind !== timerKinds.call) {
      run(firstKind, firstSubject);
      return;
    }
    const call = this.#calls.get(firstSubject);
    this.#calls.delete(firstSubject);
    call?.();
  }
}
