// What must hold, as thresholds of k6: an expectation becomes one where a metric of the script measures the same thing,
// else it carries the reason why not.

import type { Expectation } from '../../judge/expectation.ts';
import type { ExportedExpectation } from './script/exported-scenario.ts';

type Measure =
  | { readonly kind: 'sum'; readonly metric: string }
  | { readonly kind: 'ratio'; readonly metric: string }
  | { readonly kind: 'times'; readonly metric: string };

/** By the metric's name without group and statistic. */
const measures: ReadonlyMap<string, Measure> = new Map<string, Measure>([
  ['devices.count', { kind: 'sum', metric: 'devices_started' }],
  ['devices.completedCount', { kind: 'sum', metric: 'devices_completed' }],
  ['devices.failedCount', { kind: 'sum', metric: 'devices_failed' }],
  ['devices.completedRatio', { kind: 'ratio', metric: 'devices_completed_ratio' }],
  ['devices.completionMs', { kind: 'times', metric: 'devices_completion_ms' }],
  ['fleet.finishMs', { kind: 'times', metric: 'fleet_finish_ms' }],
  ['fleet.bytesFromCacheServer', { kind: 'sum', metric: 'fleet_bytes_from_cache_server' }],
  ['fleet.bytesFromCdn', { kind: 'sum', metric: 'fleet_bytes_from_cdn' }],
  ['fleet.rangeCount', { kind: 'sum', metric: 'fleet_range_count' }],
  ['range.latencyMs', { kind: 'times', metric: 'range_latency_ms' }],
  ['range.serviceMs', { kind: 'times', metric: 'range_service_ms' }],
  ['range.firstByteMs', { kind: 'times', metric: 'range_first_byte_ms' }],
  ['range.failedCount', { kind: 'sum', metric: 'range_failed_count' }],
  ['fallback.deviceCount', { kind: 'sum', metric: 'fallback_device_count' }],
  ['fallback.timeMs', { kind: 'times', metric: 'fallback_time_ms' }],
]);

const statistics: Readonly<Record<string, string>> = {
  p50: 'med',
  p90: 'p(90)',
  p95: 'p(95)',
  p99: 'p(99)',
  p999: 'p(99.9)',
  max: 'max',
};

/** Why a metric is none of k6's, by how its name begins; the first that fits counts. */
const reasons: readonly (readonly [string, string])[] = [
  ['node.', "the node's own books have it (GET /books of its admin)"],
  ['cdn.', "the CDN's own books have it (GET /books of its admin)"],
  ['integrity.', 'bodies are discarded unread; sim run compares every byte'],
  ['accounting.', 'it takes the books of both sides; sim run has them'],
  ['generator.', "k6's own dropped_iterations stands in: it must be 0"],
  ['refetched.', 'k6 does not say how much of a broken answer came'],
  ['fleet.', 'k6 does not say how much of a broken answer came'],
  ['fallback.', 'k6 has no ratio of two sums'],
  ['replay.', 'a script of k6 cannot read a log during its run'],
  ['devices.connectedCountMax', 'k6 counts virtual users, not connections'],
];

/** In a live window an iteration is one range: nobody follows a device. */
const ofDevices = /^(devices\.|fleet\.finishMs|fallback\.deviceCount|fallback\.byCause)/;

/** The threshold that stands for an expectation, or why there is none. */
export function exportExpectation(expectation: Expectation, isRangesDue: boolean): ExportedExpectation {
  const { text, world, metric, op, limit, scope } = expectation;
  const expects = text.trim();
  if (world === 'virtual') return { expects, notJudged: 'it is about the virtual world' };
  const name = scope?.kind === 'group' ? metric.split('.').slice(2).join('.') : metric;
  if (isRangesDue && ofDevices.test(name)) {
    return { expects, notJudged: 'in a live window k6 follows ranges, not devices' };
  }
  const found = measureOf(name);
  if (found === undefined) {
    const reason = reasons.find(([start]) => name.startsWith(start))?.[1] ?? 'no metric of k6 measures it';
    return { expects, notJudged: reason };
  }
  const { measure, aggregate, tags } = found;
  const allTags = [...(scope === undefined ? [] : [`fleet_group:${scope.id}`]), ...tags];
  return {
    expects,
    metric: allTags.length === 0 ? measure.metric : `${measure.metric}{${allTags.join(',')}}`,
    threshold: `${aggregate}${op}${decimal(limit)}`,
    ofWholeFleet: measure.kind === 'sum' && !(limit === 0 && (op === '==' || op === '<=')),
  };
}

type FoundMeasure = { readonly measure: Measure; readonly aggregate: string; readonly tags: readonly string[] };

function measureOf(name: string): FoundMeasure | undefined {
  const cause = /^fallback\.byCause\.(.+)$/.exec(name)?.[1];
  if (cause !== undefined) {
    return { measure: { kind: 'sum', metric: 'fallback_device_count' }, aggregate: 'count', tags: [`cause:${cause}`] };
  }
  const whole = measures.get(name);
  if (whole !== undefined) {
    // The fleet has finished when its last device has.
    const aggregate = { sum: 'count', ratio: 'rate', times: 'max' }[whole.kind];
    return { measure: whole, aggregate, tags: [] };
  }
  const dot = name.lastIndexOf('.');
  const measure = measures.get(name.slice(0, dot));
  const aggregate = statistics[name.slice(dot + 1)];
  return measure?.kind === 'times' && aggregate !== undefined ? { measure, aggregate, tags: [] } : undefined;
}

/** k6 reads no exponents. */
function decimal(value: number): string {
  return value.toLocaleString('en-US', { useGrouping: false, maximumFractionDigits: 12 });
}
