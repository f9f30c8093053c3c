// A live run's numbers for Prometheus, from one table: what stands there is what is served, and what docs/monitoring.md lists.
// They are read out of what is known of the run, by the names that result.json has; what is not known has no sample.

import type { Labels, MetricFamily, MetricHistogram, MetricSample } from '../../../common/prometheus-text.ts';
import { fallbackCauses, refetchCauses } from '../../result/metrics.ts';
import { countsUpTo, decodeHistogram, newHistogram } from '../../world/histogram.ts';
import type { LiveProgress } from '../../world/live/live-progress.ts';
import type { Snapshot } from '../../world/live/live-snapshots.ts';

/** What of a run does not change. */
export type RunTerms = {
  readonly version: string;
  /** Epoch ms: when the command was given. */
  readonly startedAtMs: number;
  readonly seed: number;
  readonly groups: readonly string[];
  /** Those that the run starts, and whose books it knows. */
  readonly nodes: readonly string[];
};

export type RunPhase = LiveProgress['phase'] | 'finished';
export const runPhases: readonly RunPhase[] = ['starting', 'reading', 'connecting', 'running', 'finishing', 'finished'];

/** What there is at one moment; `snapshot`: undefined before the run's clock has begun. */
export type RunState = {
  readonly terms: RunTerms;
  readonly phase: RunPhase;
  readonly snapshot: Snapshot | undefined;
};

export type RunMetric = {
  /** Ends in `_total` when it is a counter. */
  readonly name: string;
  readonly help: string;
  /** Names of labels beside `scenario`, for the documentation. */
  readonly labels: readonly string[];
} & (
  | { readonly type: 'counter' | 'gauge'; readonly samples: (state: RunState) => readonly MetricSample[] }
  | { readonly type: 'histogram'; readonly histograms: (state: RunState) => readonly MetricHistogram[] }
);

type Kind = 'counter' | 'gauge';

/** A sample, unless its value is not known. */
function sample(value: number | undefined, labels?: Labels): MetricSample[] {
  return value === undefined ? [] : [{ value, ...(labels === undefined ? {} : { labels }) }];
}

/** The value of a metric of result.json; `factor` from its unit to Prometheus' one. */
const metricOf = ({ snapshot }: RunState, name: string, factor = 1): number | undefined => {
  const value = snapshot?.metrics[name];
  return value === undefined ? undefined : value * factor;
};

const secondsPerMs = 1 / 1000;

/** A counter is there from the start, at zero: what grows before the first scrape of it would be lost. */
const counted = (state: RunState, type: Kind, name: string, factor = 1): number | undefined =>
  state.snapshot === undefined && type === 'counter' ? 0 : metricOf(state, name, factor);

function whole(type: Kind, name: string, help: string, metric: string, factor = 1): RunMetric {
  return { type, name, help, labels: [], samples: (state) => sample(counted(state, type, metric, factor)) };
}

/** `of`: names of metrics within a group or node, by the value of `source`; one name alone: without that label. */
function scoped(
  scope: 'group' | 'node',
  type: Kind,
  name: string,
  help: string,
  of: string | Readonly<Record<string, string>>,
  factor = 1,
): RunMetric {
  const bySource: (readonly [Labels, string])[] =
    typeof of === 'string' ? [[{}, of]] : Object.entries(of).map(([source, metric]) => [{ source }, metric]);
  return {
    ...{ type, name, help, labels: typeof of === 'string' ? [scope] : [scope, 'source'] },
    samples: (state) =>
      (scope === 'group' ? state.terms.groups : state.terms.nodes).flatMap((id) =>
        bySource.flatMap(([labels, metric]) =>
          sample(counted(state, type, `${scope}.${id}.${metric}`, factor), { [scope]: id, ...labels }),
        ),
      ),
  };
}

function byCause(name: string, help: string, metric: string, causes: readonly string[]): RunMetric {
  return {
    ...{ type: 'counter', name, help, labels: ['cause'] },
    samples: (state) => causes.flatMap((cause) => sample(counted(state, 'counter', `${metric}.${cause}`), { cause })),
  };
}

/** The last value of a column of the series. */
function latest(name: string, help: string, column: string): RunMetric {
  return {
    ...{ type: 'gauge', name, help, labels: [] },
    samples: ({ snapshot }) => sample(snapshot?.series.columns[column]?.at(-1)),
  };
}

/** From a millisecond to the time-outs of clients. */
const rangeBoundsSeconds = [...[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5], ...[1, 2.5, 5, 10, 30, 60]];
/** From a second to the day that the documents plan with. */
const completionBoundsSeconds = [1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400];

function histogramOf(
  { snapshot }: RunState,
  name: string,
  boundsSeconds: readonly number[],
  labels?: Labels,
): MetricHistogram[] {
  const encoded = snapshot?.histograms[name];
  // Nobody has completed before the first one has: then there is no such histogram.
  const histogram = encoded === undefined ? newHistogram() : decodeHistogram(encoded);
  const { counts, sumMs } = countsUpTo(
    histogram,
    boundsSeconds.map((seconds) => seconds * 1000),
  );
  const buckets = boundsSeconds.map((bound, place) => ({ bound, count: counts[place] ?? 0 }));
  return [{ buckets, sum: sumMs * secondsPerMs, count: histogram.totalCount, ...(labels ? { labels } : {}) }];
}

function times(name: string, help: string, histogram: string): RunMetric {
  return {
    ...{ type: 'histogram', name, help, labels: [] },
    histograms: (state) => histogramOf(state, histogram, rangeBoundsSeconds),
  };
}

/** All metrics, in the order in which they are served. */
export const runMetrics: readonly RunMetric[] = [
  {
    ...{ type: 'gauge', name: 'do_run_info', labels: ['seed', 'version'] },
    help: 'Always 1; the labels say what runs: the seed of the scenario, and the version of sim.',
    samples: ({ terms: { seed, version } }) => sample(1, { seed: String(seed), version }),
  },
  {
    ...{ type: 'gauge', name: 'do_run_phase', labels: ['phase'] },
    help: 'What the run is at: 1 for that phase, 0 for all others.',
    samples: (state) => runPhases.flatMap((phase) => sample(phase === state.phase ? 1 : 0, { phase })),
  },
  {
    ...{ type: 'gauge', name: 'do_run_start_time_seconds', labels: [] },
    help: 'When the command was given, in seconds of the epoch.',
    samples: ({ terms }) => sample(terms.startedAtMs * secondsPerMs),
  },
  {
    ...{ type: 'gauge', name: 'do_run_elapsed_seconds', labels: [] },
    help: "Time on the run's clock.",
    samples: ({ snapshot }) => sample((snapshot?.durationMs ?? 0) * secondsPerMs),
  },
  {
    ...{ type: 'counter', name: 'do_run_events_total', labels: [] },
    help: 'Events of the scenario that have happened.',
    samples: ({ snapshot }) => sample(snapshot?.timeline.length ?? 0),
  },

  scoped('group', 'gauge', 'do_run_devices', 'Devices of the run.', 'devices.count'),
  latest('do_run_devices_waiting', 'Devices that have not arrived yet.', 'devices.waitingCount'),
  latest('do_run_devices_connected', 'Devices with an open connection.', 'devices.connectedCount'),
  scoped(
    'group',
    'counter',
    'do_run_devices_completed_total',
    'Devices that got everything they wanted.',
    'devices.completedCount',
  ),
  scoped('group', 'counter', 'do_run_devices_failed_total', 'Devices that gave up.', 'devices.failedCount'),
  byCause(
    'do_run_devices_fallen_back_total',
    'Devices that left their cache host for the CDN, by the cause of the first time.',
    'fallback.byCause',
    fallbackCauses,
  ),
  {
    ...{ type: 'histogram', name: 'do_run_device_completion_seconds', labels: ['group'] },
    help: 'From the arrival of a device to its last wanted byte.',
    histograms: (state) =>
      state.terms.groups.flatMap((group, _, { length }) =>
        // Of one group alone: that of all devices.
        histogramOf(
          state,
          length === 1 ? 'devices.completionMs' : `group.${group}.devices.completionMs`,
          completionBoundsSeconds,
          { group },
        ),
      ),
  },

  scoped('group', 'gauge', 'do_run_wanted_bytes', 'Bytes that the devices want.', 'fleet.wantedBytes'),
  scoped('group', 'counter', 'do_run_received_bytes_total', 'Body bytes that devices received, by where from.', {
    cache: 'fleet.bytesFromCacheServer',
    cdn: 'fleet.bytesFromCdn',
  }),
  scoped(
    'group',
    'counter',
    'do_run_useful_bytes_total',
    'Body bytes received that the device kept.',
    'fleet.usefulBytes',
  ),
  byCause(
    'do_run_refetched_bytes_total',
    'Body bytes received for nothing, and fetched again, by cause.',
    'refetched.bytesByCause',
    refetchCauses,
  ),
  whole(
    'counter',
    'do_run_verified_bytes_total',
    'Received bytes compared with the true content.',
    'integrity.verifiedBytes',
  ),
  whole(
    'counter',
    'do_run_unchecked_bytes_total',
    'Received bytes that were not compared.',
    'integrity.uncheckedBytes',
  ),
  whole(
    'counter',
    'do_run_corrupt_bytes_total',
    'Received bytes that differ from the true content.',
    'integrity.corruptBytes',
  ),

  scoped('group', 'counter', 'do_run_ranges_total', 'Ranges that devices received in full.', 'fleet.rangeCount'),
  whole('counter', 'do_run_ranges_failed_total', 'Ranges that did not come whole.', 'range.failedCount'),
  times('do_run_range_latency_seconds', 'From the moment a range was due to its last byte.', 'range.latencyMs'),
  times('do_run_range_service_seconds', 'From the request sent to the last byte.', 'range.serviceMs'),
  times('do_run_range_first_byte_seconds', 'From the request sent to the first body byte.', 'range.firstByteMs'),

  scoped(
    'node',
    'counter',
    'do_run_node_egress_bytes_total',
    "By the node's books: body bytes sent, from the cache (hit) or fetched for this request (miss).",
    { hit: 'hitBytes', miss: 'missBytes' },
  ),
  scoped(
    'node',
    'counter',
    'do_run_node_requests_total',
    "By the node's books: requests for content that it answered.",
    'requestCount',
  ),
  scoped(
    'node',
    'counter',
    'do_run_node_upstream_bytes_total',
    "By the node's books: body bytes received from its parent or the CDN.",
    'upstreamBytes',
  ),
  scoped(
    'node',
    'counter',
    'do_run_node_cpu_seconds_total',
    'Processor time (of one core) that the node took during the run.',
    'cpuMs',
    secondsPerMs,
  ),
  whole('counter', 'do_run_cdn_egress_bytes_total', 'Body bytes that the CDN sent.', 'cdn.egressBytes'),
  whole('counter', 'do_run_cdn_requests_total', 'Requests for content that the CDN answered.', 'cdn.requestCount'),
  whole(
    'counter',
    'do_run_cdn_cpu_seconds_total',
    'Processor time (of one core) that the CDN took during the run.',
    'cdn.cpuMs',
    secondsPerMs,
  ),

  whole(
    'counter',
    'do_run_generator_cpu_seconds_total',
    'Processor time (of one core) that the device processes took.',
    'generator.cpuMs',
    secondsPerMs,
  ),
  whole(
    'gauge',
    'do_run_generator_saturated',
    '1: the load generator is the limit, and times say more about it than about the nodes.',
    'generator.saturated',
  ),
  times('do_run_generator_lateness_seconds', 'How late ranges that were due went out.', 'generator.latenessMs'),
  times(
    'do_run_generator_loop_delay_seconds',
    'How long a moment of the run waited for the event loop of a device process.',
    'generator.eventLoopDelayMs',
  ),
  whole(
    'gauge',
    'do_run_imbalance_bytes',
    'Bytes by which the books of senders and receivers disagree; known once the run has finished.',
    'accounting.imbalanceBytes',
  ),
];

/** Every metric with what is known of it; `labels`: of every sample. */
export function runFamilies(state: RunState, labels: Labels): readonly MetricFamily[] {
  return runMetrics.map((metric): MetricFamily => {
    const { name, help } = metric;
    if (metric.type === 'histogram') {
      const histograms = metric.histograms(state).map((each) => ({ ...each, labels: { ...labels, ...each.labels } }));
      return { name, help, type: metric.type, histograms };
    }
    const samples = metric.samples(state).map((each) => ({ ...each, labels: { ...labels, ...each.labels } }));
    return { name, help, type: metric.type, samples };
  });
}
