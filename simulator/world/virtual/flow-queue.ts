// The flows of one class, by the service (bytes a connection) at which each ends. Flows of one size that come one after
// another end in the order in which they came, so most of the time this is a list to which one adds at the end; a flow that
// ends before the last of the list (it had less to fetch) goes to a heap beside it.
//
//   list   100 ⇄ 200 ⇄ 300       links[…].next and .back, shared by all classes: a flow is in one class at a time
//   heap   150                   .back is -2 - place, so that a flow can be taken from the middle of either
//   first = the smaller of both heads

/** Of all flows: at which service of its class each ends, and its neighbours. */
export type FlowLinks = { readonly endsAt: Float64Array; readonly next: Int32Array; readonly back: Int32Array };

export function newFlowLinks(flowCount: number): FlowLinks {
  return {
    endsAt: new Float64Array(flowCount),
    next: new Int32Array(flowCount),
    back: new Int32Array(flowCount),
  };
}

const none = -1;
const heapBase = -2;

export class FlowQueue {
  readonly #links: FlowLinks;
  #head = none;
  #tail = none;
  #heap: number[] = [];
  #count = 0;

  constructor(links: FlowLinks) {
    this.#links = links;
  }

  get count(): number {
    return this.#count;
  }

  /** The flow that ends first; -1 when there is none. */
  get first(): number {
    const ofHeap = this.#heap[0];
    if (ofHeap === undefined) return this.#head;
    if (this.#head === none) return ofHeap;
    return this.#endOf(ofHeap) < this.#endOf(this.#head) ? ofHeap : this.#head;
  }

  /** Infinity when there is none. */
  get firstEndsAt(): number {
    const first = this.first;
    return first === none ? Number.POSITIVE_INFINITY : this.#endOf(first);
  }

  /** Adds a flow; its `endsAt` must not change while it is here. */
  push(flow: number): void {
    this.#count += 1;
    const { next, back } = this.#links;
    const tail = this.#tail;
    if (tail !== none && this.#endOf(flow) < this.#endOf(tail)) {
      this.#heap.push(flow);
      this.#rise(this.#heap.length - 1);
      return;
    }
    next[flow] = none;
    back[flow] = tail;
    if (tail === none) this.#head = flow;
    else next[tail] = flow;
    this.#tail = flow;
  }

  delete(flow: number): void {
    this.#count -= 1;
    const { next, back } = this.#links;
    const before = back[flow] as number;
    if (before <= heapBase) {
      this.#deleteFromHeap(heapBase - before);
      return;
    }
    const after = next[flow] as number;
    if (before === none) this.#head = after;
    else next[before] = after;
    if (after === none) this.#tail = before;
    else back[after] = before;
  }

  /** All of them, in the order in which they end. */
  flows(): number[] {
    const flows = [...this.#heap];
    for (let flow = this.#head; flow !== none; flow = this.#links.next[flow] as number) flows.push(flow);
    return flows.sort((a, b) => this.#endOf(a) - this.#endOf(b) || a - b);
  }

  #endOf(flow: number): number {
    return this.#links.endsAt[flow] as number;
  }

  #deleteFromHeap(place: number): void {
    const last = this.#heap.pop() as number;
    if (place === this.#heap.length) return;
    this.#heap[place] = last;
    this.#sink(this.#rise(place));
  }

  #rise(from: number): number {
    const heap = this.#heap;
    const { back } = this.#links;
    const flow = heap[from] as number;
    const end = this.#endOf(flow);
    let place = from;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const other = heap[parent] as number;
      if (this.#endOf(other) <= end) break;
      heap[place] = other;
      back[other] = heapBase - place;
      place = parent;
    }
    heap[place] = flow;
    back[flow] = heapBase - place;
    return place;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const { back } = this.#links;
    const flow = heap[from] as number;
    const end = this.#endOf(flow);
    let place = from;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      const sibling = heap[child + 1];
      if (sibling !== undefined && this.#endOf(sibling) < this.#endOf(heap[child] as number)) child += 1;
      const other = heap[child] as number;
      if (this.#endOf(other) >= end) break;
      heap[place] = other;
      back[other] = heapBase - place;
      place = child;
    }
    heap[place] = flow;
    back[flow] = heapBase - place;
  }
}
