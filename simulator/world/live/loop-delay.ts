// How long what becomes due in this process waits for the event loop. Moments 10 ms apart are looked at, and for each the
// time until the loop came to it is recorded, also for all those that passed while it stood still: one standstill of a
// second counts for a hundred moments. (`monitorEventLoopDelay` of Node counts it as one, so that its percentiles hide it;
// and its histograms cannot be merged over processes.)

/** Distance of the moments. */
export const momentMs = 10;

export class LoopDelay {
  readonly #record: (delayMs: number) => void;
  #timer: NodeJS.Timeout | undefined;
  #nextMs = 0;

  /** `record` is told the delay of each moment. */
  constructor(record: (delayMs: number) => void) {
    this.#record = record;
  }

  /** Begins at this time of `performance.now()`, now or later. */
  start(atMs: number): void {
    this.#nextMs = atMs;
    this.#look();
  }

  /** Records what has passed until now, and ends. */
  stop(): void {
    if (this.#timer === undefined) return;
    this.#look();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const nowMs = performance.now();
    for (; this.#nextMs <= nowMs; this.#nextMs += momentMs) this.#record(nowMs - this.#nextMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#look(), Math.ceil(this.#nextMs - nowMs));
  }
}
