// Series of a virtual run: amounts per step of a common grid. A run's length is not known before, so that the grid begins
// with an estimated step, and doubles it (joining its cells in pairs) when there would be too many.

/** At most so many steps; a report draws no more. */
const stepsMax = 2048;
const stepsMin = stepsMax / 2;

export class SeriesGrid {
  stepMs: number;
  /** By column: what moved, or happened, in each step. */
  readonly #sums = new Map<string, number[]>();
  /** Steps in use. */
  #length = 0;

  /** `spanMs`: about how long the run will be. Steps are whole seconds: 1, 2, 4 … */
  constructor(spanMs: number) {
    this.stepMs = 1000;
    while (spanMs / this.stepMs > stepsMin) this.stepMs *= 2;
  }

  /** The end of the step that `nowMs` lies in. */
  stepEndMs(nowMs: number): number {
    return (Math.floor(nowMs / this.stepMs) + 1) * this.stepMs;
  }

  /** Adds to the step that ends at or after `nowMs`, and began before. */
  add(column: string, nowMs: number, amount: number): void {
    if (amount === 0) return;
    while (Math.ceil(nowMs / this.stepMs) > stepsMax) this.#double();
    const step = Math.max(0, Math.ceil(nowMs / this.stepMs) - 1);
    let sums = this.#sums.get(column);
    if (sums === undefined) {
      sums = [];
      this.#sums.set(column, sums);
    }
    while (sums.length <= step) sums.push(0);
    sums[step] = (sums[step] as number) + amount;
    this.#length = Math.max(this.#length, step + 1);
  }

  get length(): number {
    return this.#length;
  }

  /** What each step got; all columns have the same length. */
  sums(column: string): number[] {
    const sums = this.#sums.get(column) ?? [];
    return Array.from({ length: this.#length }, (_, step) => sums[step] ?? 0);
  }

  /** As a rate: amount a second. */
  perSecond(column: string): number[] {
    return this.sums(column).map((sum) => (sum * 1000) / this.stepMs);
  }

  /** Running total at the end of each step. */
  totals(column: string): number[] {
    let total = 0;
    return this.sums(column).map((sum) => {
      total += sum;
      return total;
    });
  }

  #double(): void {
    this.stepMs *= 2;
    for (const [column, sums] of this.#sums) {
      const joined = Array.from({ length: Math.ceil(sums.length / 2) }, (_, i) => {
        return (sums[2 * i] ?? 0) + (sums[2 * i + 1] ?? 0);
      });
      this.#sums.set(column, joined);
    }
    this.#length = Math.ceil(this.#length / 2);
  }
}
