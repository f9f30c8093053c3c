// How much processor time all programs of the machine used during a run: what others took is no part of what it measured.

import os from 'node:os';
import type { LiveProgress } from './live-progress.ts';

export class BusyTime {
  #from: Moment | undefined;
  #to: Moment | undefined;

  /** To be told each phase of a run, as it shows it. */
  hear(phase: LiveProgress['phase']): void {
    if (phase === 'running') this.#from ??= momentNow();
    if (phase === 'finishing') this.#to ??= momentNow();
  }

  /** Cores that others than we used, who used `ownMs`; undefined where the system does not tell. */
  coresBeside(ownMs: number): number | undefined {
    if (this.#from === undefined || this.#to === undefined || this.#to.busyMs === 0) return undefined;
    return Math.max(0, this.#to.busyMs - this.#from.busyMs - ownMs) / (this.#to.atMs - this.#from.atMs);
  }
}

type Moment = { readonly atMs: number; readonly busyMs: number };

function momentNow(): Moment {
  const busyMs = os.cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  return { atMs: performance.now(), busyMs };
}
