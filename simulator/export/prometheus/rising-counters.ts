// Counters that never go back, as Prometheus reads a fall as a new start. What is known of a run can become less: a killed node's
// books are put together again from the other sides at the end, a device process that died takes what it had counted with it.

import type { Labels, MetricFamily, MetricHistogram } from '../../../common/prometheus-text.ts';

export class RisingCounters {
  /** The most that was ever told, by name, labels and (of histograms) what of it. */
  readonly #most = new Map<string, number>();

  /** The families with no counter, and no part of a histogram, below what was told before. */
  rise(families: readonly MetricFamily[]): readonly MetricFamily[] {
    return families.map((family): MetricFamily => {
      const { name } = family;
      if (family.type === 'gauge') return family;
      if (family.type === 'histogram') {
        return { ...family, histograms: family.histograms.map((each) => this.#histogram(name, each)) };
      }
      const samples = family.samples.map((each) => ({
        ...each,
        value: this.#atLeast(name, each.labels, '', each.value),
      }));
      return { ...family, samples };
    });
  }

  #histogram(name: string, { labels, buckets, sum, count }: MetricHistogram): MetricHistogram {
    return {
      ...(labels === undefined ? {} : { labels }),
      buckets: buckets.map((bucket) => ({
        ...bucket,
        count: this.#atLeast(name, labels, `le ${bucket.bound}`, bucket.count),
      })),
      sum: this.#atLeast(name, labels, 'sum', sum),
      count: this.#atLeast(name, labels, 'count', count),
    };
  }

  #atLeast(name: string, labels: Labels | undefined, what: string, value: number): number {
    const key = JSON.stringify([name, labels, what]);
    const most = Math.max(value, this.#most.get(key) ?? 0);
    this.#most.set(key, most);
    return most;
  }
}
