// Peak and sustained rate of something that moves at rates that are constant for a while: the highest one-second mean, and
// the lowest mean of any ten whole seconds in a row within bounds (the contract's definitions), on whole seconds of the run.

import { sustainedSeconds } from '../rates.ts';

/** A span longer than this at one rate holds no second that its first and last ones do not show. */
const alikeSeconds = sustainedSeconds + 2;

export class RateMeter {
  #atMs = 0;
  #second = 0;
  #bytesInSecond = 0;
  /** Bytes of the last ten whole seconds, in a ring. */
  readonly #ring = new Float64Array(sustainedSeconds);
  #ringCount = 0;
  #bytesPeak = 0;
  #bytesLeast = Number.POSITIVE_INFINITY;
  #fromSecond = Number.POSITIVE_INFINITY;
  #toSecond = Number.POSITIVE_INFINITY;
  #meanFromMs = 0;
  #firstMs = Number.NaN;
  #lastMs = 0;
  #bytes = 0;

  /** Seconds of the run in which the fleet is fully at it; before the first `feed` that reaches them. */
  boundFrom(second: number): void {
    this.#fromSecond = second;
  }

  boundTo(second: number): void {
    this.#toSecond = second;
  }

  /** The mean leaves out what moved before; 0 as long as nothing is said. */
  meanFrom(ms: number): void {
    this.#meanFromMs = ms;
  }

  /** So many bytes moved evenly since the last call. */
  feed(nowMs: number, bytes: number): void {
    if (nowMs <= this.#atMs) {
      this.#bytesInSecond += bytes;
      return;
    }
    const bytesPerMs = bytes / (nowMs - this.#atMs);
    if (bytes > 0 && nowMs > this.#meanFromMs) {
      const fromMs = Math.max(this.#atMs, this.#meanFromMs);
      if (Number.isNaN(this.#firstMs)) this.#firstMs = fromMs;
      this.#lastMs = nowMs;
      this.#bytes += fromMs === this.#atMs ? bytes : bytesPerMs * (nowMs - fromMs);
    }
    let alike = 0;
    while ((this.#second + 1) * 1000 <= nowMs) {
      const endMs = (this.#second + 1) * 1000;
      this.#bytesInSecond += bytesPerMs * (endMs - this.#atMs);
      this.#atMs = endMs;
      this.#endSecond();
      alike += 1;
      // The ring is full of this rate: nothing new until the last whole second, unless a bound lies in between.
      const lastSecond = Math.floor(nowMs / 1000) - 1;
      const crossesBound = this.#second < this.#fromSecond + sustainedSeconds && lastSecond >= this.#fromSecond;
      if (alike > alikeSeconds && lastSecond > this.#second && !crossesBound) {
        this.#second = lastSecond;
        this.#atMs = lastSecond * 1000;
      }
    }
    this.#bytesInSecond += bytesPerMs * (nowMs - this.#atMs);
    this.#atMs = nowMs;
  }

  #endSecond(): void {
    this.#bytesPeak = Math.max(this.#bytesPeak, this.#bytesInSecond);
    this.#ring[this.#ringCount % sustainedSeconds] = this.#bytesInSecond;
    this.#ringCount += 1;
    this.#second += 1;
    this.#bytesInSecond = 0;
    const isWithin = this.#second - sustainedSeconds >= this.#fromSecond && this.#second <= this.#toSecond;
    if (!isWithin || this.#ringCount < sustainedSeconds) return;
    this.#bytesLeast = Math.min(
      this.#bytesLeast,
      this.#ring.reduce((sum, each) => sum + each, 0),
    );
  }

  get peakBitsPerSecond(): number | undefined {
    const bytes = Math.max(this.#bytesPeak, this.#bytesInSecond);
    return bytes === 0 ? undefined : bytes * 8;
  }

  /** From the first byte to the last one, over a second at least. */
  get meanBitsPerSecond(): number | undefined {
    return this.#bytes === 0 ? undefined : (this.#bytes * 8000) / Math.max(1000, this.#lastMs - this.#firstMs);
  }

  /** Undefined when the bounds are shorter than ten seconds. */
  get sustainedBitsPerSecond(): number | undefined {
    return Number.isFinite(this.#bytesLeast) ? (this.#bytesLeast * 8) / sustainedSeconds : undefined;
  }
}
