// The pace of a line: how fast bytes may pass, as a token bucket without a clock or timers of its own. What is taken is paid
// for afterwards: until then nothing more should be taken.
//
//   take 50 kB at 10 kB/ms      freeAtMs = now + 5        owed: 5 ms
//   … asked again after 2 ms                               owed: 3 ms
//
// What a line could have carried while nobody wanted it is lost, but for the last 10 ms; what it could have carried while
// somebody waited is not, so that timers that ring late cost no rate.

/** A line that rested passes what it could have carried in so long at once. */
export const paceBurstMs = 10;
/** Those that are woken later than they might have been lose nothing, up to this lateness. */
export const paceCatchUpMsMax = 500;

export class Pace {
  #rateBytesPerMs: number;
  /** When all that was taken has passed. */
  #freeAtMs = Number.NEGATIVE_INFINITY;
  #isCatchingUp = false;

  /** Above 0; Infinity: not limited. */
  constructor(rateBytesPerMs: number) {
    this.#rateBytesPerMs = rateBytesPerMs;
  }

  get rateBytesPerMs(): number {
    return this.#rateBytesPerMs;
  }

  /** What is owed is owed in bytes: it passes at the new rate. */
  setRate(rateBytesPerMs: number, nowMs: number): void {
    const owedBytes = this.#rateBytesPerMs === Infinity ? 0 : this.owedMs(nowMs) * this.#rateBytesPerMs;
    if (owedBytes > 0) this.#freeAtMs = nowMs + owedBytes / rateBytesPerMs;
    this.#rateBytesPerMs = rateBytesPerMs;
  }

  /** So many bytes pass, whether or not something is owed. */
  take(bytes: number, nowMs: number): void {
    const keptMs = this.#isCatchingUp ? paceCatchUpMsMax : paceBurstMs;
    const startMs = Math.max(this.#freeAtMs, nowMs - keptMs);
    this.#freeAtMs = startMs + bytes / this.#rateBytesPerMs;
  }

  /** Ms until what was taken has passed; 0: nothing is owed. */
  owedMs(nowMs: number): number {
    return Math.max(0, this.#freeAtMs - nowMs);
  }

  /** Those that waited may go on: what the line could have carried meanwhile is theirs, until `settle`. */
  wake(): void {
    this.#isCatchingUp = true;
  }

  /** Whoever was woken has taken what was there for him. */
  settle(): void {
    this.#isCatchingUp = false;
  }
}
