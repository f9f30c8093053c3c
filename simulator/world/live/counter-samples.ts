// What a program's counters said from moment to moment, and how much they grew in each second.

export type Sample<Counters> = { readonly atEpochMs: number; readonly counters: Counters };

/** Asks a program again and again. */
export class CounterSampler<Counters> {
  readonly #ask: () => Promise<Counters | undefined>;
  readonly samples: Sample<Counters>[] = [];
  #asking = false;

  /** `ask`: what the counters say now; undefined when the program does not answer (killed, frozen). */
  constructor(ask: () => Promise<Counters | undefined>) {
    this.#ask = ask;
  }

  get last(): Counters | undefined {
    return this.samples.at(-1)?.counters;
  }

  /** Asks, unless an answer is still awaited: a frozen program takes seconds to say nothing. */
  async take(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const counters = await this.#ask();
    this.#asking = false;
    if (counters !== undefined) this.samples.push({ atEpochMs: Date.now(), counters });
  }
}

/** Growth from the last sample before this time to the last of all; undefined without a sample before it. */
export function growthSince<Counters>(
  samples: readonly Sample<Counters>[],
  epochMs: number,
  pick: (counters: Counters) => number,
): number | undefined {
  const first = samples.findLastIndex(({ atEpochMs }) => atEpochMs <= epochMs);
  if (first < 0) return undefined;
  const values = samples.slice(first).map(({ counters }) => pick(counters));
  return values.reduce((sum, value, i) => sum + grown(values[i - 1] ?? value, value), 0);
}

/** A program that was started again counts from zero. */
const grown = (before: number, value: number): number => (value >= before ? value - before : value);

/**
 * Growth in each of `length` seconds of the epoch from `startSecond` on; evenly between two samples. What grew outside of the
 * span is put into its first or last second: nothing is lost.
 */
export function growthPerSecond<Counters>(
  samples: readonly Sample<Counters>[],
  startSecond: number,
  length: number,
  pick: (counters: Counters) => number,
): number[] {
  const perSecond = new Array<number>(length).fill(0);
  for (const [i, { atEpochMs, counters }] of samples.entries()) {
    const before = samples[i - 1];
    if (before === undefined || length === 0) continue;
    const added = grown(pick(before.counters), pick(counters));
    const spanMs = Math.max(1, atEpochMs - before.atEpochMs);
    for (let fromMs = before.atEpochMs; fromMs < before.atEpochMs + spanMs; ) {
      const second = Math.floor(fromMs / 1000);
      const untilMs = Math.min((second + 1) * 1000, before.atEpochMs + spanMs);
      const place = Math.min(length - 1, Math.max(0, second - startSecond));
      perSecond[place] = (perSecond[place] ?? 0) + (added * (untilMs - fromMs)) / spanMs;
      fromMs = untilMs;
    }
  }
  return perSecond;
}
