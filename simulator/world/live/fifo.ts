// First in, first out, in constant time however many there are (an array's `shift` moves all of them).

import { assert } from '../../../common/errors.ts';

/** Taken places at the beginning that are left before the rest moves up. */
const gapMax = 1024;

export class Fifo<Item> {
  #items: Item[] = [];
  #firstPlace = 0;

  get count(): number {
    return this.#items.length - this.#firstPlace;
  }

  get first(): Item | undefined {
    return this.#items[this.#firstPlace];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  /** Takes the first one out; there must be one. */
  take(): Item {
    const item = this.#items[this.#firstPlace];
    assert(item !== undefined, 'a queue that something is taken of is not empty');
    this.#firstPlace += 1;
    if (this.#firstPlace > gapMax && this.#firstPlace * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#firstPlace);
      this.#firstPlace = 0;
    }
    return item;
  }
}
