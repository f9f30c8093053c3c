// What a program's counters said from moment to moment, and how much they grew in each second.

export type Sample<Counters> = { readonly atEpochMs: number; readonly counters: Counters };

/** Asks a program again and again. */
export class CounterSampler<Counters extends object> {
  readonly #ask: () => Promise<Counters | undefined>;
  readonly samples: Sample<Counters>[] = [];
  /** What it has counted in all its lives; undefined before the first answer. */
  total: Counters | undefined;
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
    if (counters === undefined) return;
    this.total = sumOfLives(this.total, this.last, counters);
    this.samples.push({ atEpochMs: Date.now(), counters });
  }
}

function sumOfLives<Counters extends object>(
  total: Counters | undefined,
  before: Counters | undefined,
  counters: Counters,
): Counters {
  if (total === undefined || before === undefined) return counters;
  return mapCounters(counters, (value, name) => numberOf(total, name) + grown(numberOf(before, name), value));
}

/** The samples until this time, and what there was then: evenly between the last one before it and the first one after it. */
export function samplesUntil<Counters extends object>(
  samples: readonly Sample<Counters>[],
  epochMs: number,
): readonly Sample<Counters>[] {
  const count = samples.findLastIndex(({ atEpochMs }) => atEpochMs <= epochMs) + 1;
  const [before, after] = [samples[count - 1], samples[count]];
  if (before === undefined || after === undefined || before.atEpochMs === epochMs) return samples.slice(0, count);
  const ratio = (epochMs - before.atEpochMs) / (after.atEpochMs - before.atEpochMs);
  const counters = mapCounters(after.counters, (value, name) => {
    const from = numberOf(before.counters, name);
    const added = grown(from, value);
    return value - added + added * ratio;
  });
  return [...samples.slice(0, count), { atEpochMs: epochMs, counters }];
}

/** Programs tell more than counters: what is no number stays as it is. */
function mapCounters<Counters extends object>(
  counters: Counters,
  map: (value: number, name: string) => number,
): Counters {
  const entries = Object.entries(counters);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'number' ? map(value, name) : value]),
  ) as Counters;
}

function numberOf(counters: object, name: string): number {
  const value = (counters as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'number' ? value : 0;
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
