// Times with weights that need not be whole numbers: a class of flows moves so and so many ranges a second, each taking the
// same time. Cells of a fixed ratio, 1.0068 (128 to the octave): a value is off by less than 0.34 %.

import { type Histogram, newHistogram } from '../histogram.ts';

const cellsPerOctave = 128;
/** Cell 0 is 1 µs. */
const lowestMs = 0.001;

export class WeightedHistogram {
  #weights = new Float64Array(1024);

  add(ms: number, weight: number): void {
    if (weight <= 0) return;
    this.#addToCell(Math.max(0, Math.round(Math.log2(Math.max(lowestMs, ms) / lowestMs) * cellsPerOctave)), weight);
  }

  addAll(other: WeightedHistogram): void {
    const weights = other.#weights;
    for (let cell = 0; cell < weights.length; cell += 1) {
      const weight = weights[cell] as number;
      if (weight > 0) this.#addToCell(cell, weight);
    }
  }

  #addToCell(cell: number, weight: number): void {
    if (cell >= this.#weights.length) {
      const larger = new Float64Array(Math.max(cell + 1, this.#weights.length * 2));
      larger.set(this.#weights);
      this.#weights = larger;
    }
    this.#weights[cell] = (this.#weights[cell] as number) + weight;
  }

  /** In whole counts, rounded so that the total is that of the weights. */
  toHistogram(): Histogram {
    const histogram = newHistogram(64);
    let total = 0;
    let counted = 0;
    for (const [cell, weight] of this.#weights.entries()) {
      if (weight === 0) continue;
      total += weight;
      const count = Math.round(total) - counted;
      counted += count;
      const us = Math.round(1000 * lowestMs * 2 ** (cell / cellsPerOctave));
      if (count > 0) histogram.recordValueWithCount(us, count);
    }
    return histogram;
  }
}
