// Prometheus' text format (version 0.0.4), which node and runs write their numbers in. Times are in seconds and sizes in bytes.
//
//   # HELP name what it means
//   # TYPE name counter
//   name{label="value"} 17

/** By name. */
export type Labels = Readonly<Record<string, string>>;

export type MetricSample = { readonly labels?: Labels; readonly value: number };

/** A distribution: how many values were at most as large as each bound, in all, and their sum. */
export type MetricHistogram = {
  readonly labels?: Labels;
  /** By growing bounds; the one without a bound is `count`. */
  readonly buckets: readonly { readonly bound: number; readonly count: number }[];
  readonly sum: number;
  readonly count: number;
};

/** A metric with all that is known of it. The name of a counter ends in `_total`. */
export type MetricFamily = { readonly name: string; readonly help: string } & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: readonly MetricSample[] }
  | { readonly type: 'histogram'; readonly histograms: readonly MetricHistogram[] }
);

export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** The whole answer to a scrape. */
export function prometheusText(families: readonly MetricFamily[]): string {
  let text = '';
  for (const family of families) {
    const { name, type, help } = family;
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    if (family.type !== 'histogram') for (const { labels, value } of family.samples) text += line(name, labels, value);
    else for (const histogram of family.histograms) text += histogramText(name, histogram);
  }
  return text;
}

function histogramText(name: string, { labels, buckets, sum, count }: MetricHistogram): string {
  const bucket = (bound: string, value: number): string => line(`${name}_bucket`, { ...labels, le: bound }, value);
  const bounded = buckets.map((each) => bucket(String(each.bound), each.count)).join('');
  return `${bounded}${bucket('+Inf', count)}${line(`${name}_sum`, labels, sum)}${line(`${name}_count`, labels, count)}`;
}

function line(name: string, labels: Labels = {}, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

const escapeHelp = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"');
