// The hold model of the timers: with so many pending, take the first away and set another. Beside a plain binary heap of
// objects.

import { randomStream } from '../../common/random.ts';
import { TimerHeap } from '../../simulator/world/virtual/timer-heap.ts';
import { type Effort, inRounds, type Measurement, ratios } from '../measurement.ts';

const pendingCount = 35_000;

type Timer = { readonly atMs: number; readonly order: number; readonly kind: number; readonly subject: number };

/** What both are measured by. */
interface Timers {
  push(atMs: number, kind: number, subject: number): void;
  readonly firstMs: number;
  pop(): void;
}

export async function benchTimerHeap({ quick }: Effort): Promise<Measurement[]> {
  const peers = [
    { name: 'typed', make: (): Timers => new TimerHeap() },
    { name: 'objects', make: (): Timers => new ObjectHeap() },
  ];
  const holds = quick ? 200_000 : 1_000_000;
  const samples = await inRounds(peers, quick ? 3 : 7, async ({ make }) => nsPerHold(make(), holds));
  const typed = samples.get('typed') ?? [];
  const objects = samples.get('objects') ?? [];
  const what = `timers, hold model at ${pendingCount.toLocaleString('en')} pending`;
  return [
    { name: `${what}: CPU ns per pop and push`, values: typed },
    { name: `${what}: CPU ns, binary heap of objects`, values: objects },
    { name: `${what}: ours ÷ heap of objects`, values: ratios(typed, objects) },
  ];
}

/** Increments are exponential, drawn before the clock starts; CPU time is of all threads, what collects garbage included. */
function nsPerHold(timers: Timers, holds: number): number {
  const random = randomStream(7, 'hold model');
  const increments = Float64Array.from({ length: 65_536 }, () => -Math.log(1 - random()));
  for (let i = 0; i < pendingCount; i += 1) timers.push(increments[i] as number, 1, i);
  const since = process.cpuUsage();
  for (let i = 0; i < holds; i += 1) {
    const atMs = timers.firstMs;
    timers.pop();
    timers.push(atMs + (increments[i & 65_535] as number), 1, i);
  }
  const { user, system } = process.cpuUsage(since);
  return ((user + system) * 1000) / holds;
}

/** As one writes it first: an object a timer, in an array. */
class ObjectHeap implements Timers {
  readonly #timers: Timer[] = [];
  #order = 0;

  get firstMs(): number {
    return this.#timers[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  push(atMs: number, kind: number, subject: number): void {
    const timers = this.#timers;
    const timer = { atMs, order: this.#order++, kind, subject };
    let place = timers.length;
    timers.push(timer);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const other = timers[parent] as Timer;
      if (!isBefore(timer, other)) break;
      timers[place] = other;
      place = parent;
    }
    timers[place] = timer;
  }

  pop(): void {
    const timers = this.#timers;
    const last = timers.pop() as Timer;
    if (timers.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= timers.length) break;
      if (child + 1 < timers.length && isBefore(timers[child + 1] as Timer, timers[child] as Timer)) child += 1;
      const other = timers[child] as Timer;
      if (!isBefore(other, last)) break;
      timers[place] = other;
      place = child;
    }
    timers[place] = last;
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
