// Whether a transfer is too slow, as libcurl judges it (CURLOPT_LOW_SPEED_LIMIT and _TIME; lib/speedcheck.c and
// lib/progress.c): the speed is the mean of the last five seconds, looked at once a second; below the limit without a
// break for the whole time, the transfer has failed. Headers are no progress.

const sampleMs = 1000;
/** Six samples: five seconds between the first and the last. */
const sampleCountMax = 6;

export class LowSpeed {
  readonly #limitBytesPerMs: number;
  readonly #timeMs: number;
  /** The last samples, oldest first: moments, and body bytes received until then. */
  #atMs: number[];
  #bytes: number[] = [0];
  /** Since when it has been below the limit: from the start, when nothing has come. */
  #slowSinceMs: number | undefined;

  constructor(limitBytesPerMs: number, timeMs: number, startMs: number) {
    this.#limitBytesPerMs = limitBytesPerMs;
    this.#timeMs = timeMs;
    this.#atMs = [startMs];
    this.#slowSinceMs = startMs;
  }

  /** Call it several times a second. `bytes`: received since the start. */
  isTooSlow(nowMs: number, bytes: number): boolean {
    const lastMs = this.#atMs.at(-1) ?? 0;
    if (nowMs - lastMs >= sampleMs) {
      this.#atMs = [...this.#atMs, nowMs].slice(-sampleCountMax);
      this.#bytes = [...this.#bytes, bytes].slice(-sampleCountMax);
      const spanMs = nowMs - (this.#atMs[0] ?? 0);
      const isSlow = bytes - (this.#bytes[0] ?? 0) < this.#limitBytesPerMs * spanMs;
      this.#slowSinceMs = isSlow ? (this.#slowSinceMs ?? nowMs) : undefined;
    }
    return this.#slowSinceMs !== undefined && nowMs - this.#slowSinceMs >= this.#timeMs;
  }
}
