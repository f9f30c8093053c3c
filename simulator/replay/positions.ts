// Where in its object a range lies whose log does not say (nginx's combined format has lengths only): assumed is that a
// device asks for one piece of an object after the other, from the beginning, and begins again past the end.

/** Pairs of a device and an object that are remembered; those not used for longest are forgotten, and begin again. */
const pairsMax = 200_000;

export class Positions {
  /** By device and object: where the next piece begins; in the order of their last use. */
  readonly #next = new Map<string, number>();

  /** The start of the next `bytes` of an object for a device. `sizeBytes`: where it is known, it stays within. */
  take(device: string, object: string, bytes: number, sizeBytes = Number.POSITIVE_INFINITY): number {
    const pair = `${device} ${object}`;
    const next = this.#next.get(pair) ?? 0;
    const start = next + bytes <= sizeBytes ? next : 0;
    this.#next.delete(pair);
    this.#next.set(pair, start + bytes);
    if (this.#next.size > pairsMax) {
      const oldest = this.#next.keys().next().value;
      if (oldest !== undefined) this.#next.delete(oldest);
    }
    return start;
  }
}
