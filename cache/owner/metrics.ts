// The node's numbers for Prometheus, from one table: what stands there is what is served, and what docs/node-numbers.md lists.
//
// Without a client library: the counters live in the workers' books, added up here; a library's registry would be a
// second set of them.

import { type MetricSample, prometheusText } from '../../common/prometheus-text.ts';
import type { Tally } from '../books.ts';
import type { Figures } from './numbers.ts';

export type Metric = {
  /** Ends in `_total` when it is a counter. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** Names of labels, for the documentation. */
  readonly labels: readonly string[];
  samples(figures: Figures, build: Build): readonly MetricSample[];
};

export type Build = { readonly version: string; readonly node: string };

type Read = (figures: Figures) => number;

const counter = (name: string, help: string, read: Read): Metric => ({
  ...{ name, type: 'counter', help, labels: [] },
  samples: (figures) => [{ value: read(figures) }],
});
const gauge = (name: string, help: string, read: Read): Metric => ({
  ...{ name, type: 'gauge', help, labels: [] },
  samples: (figures) => [{ value: read(figures) }],
});
const perDrive = (name: string, help: string, read: (drive: Figures['drives'][number]) => number): Metric => ({
  ...{ name, type: 'gauge', help, labels: ['drive'] },
  samples: ({ drives }) => drives.map((drive) => ({ labels: { drive: drive.path }, value: read(drive) })),
});

/** All metrics, in the order in which they are served. */
export const metrics: readonly Metric[] = [
  {
    ...{ name: 'do_node_egress_bytes_total', type: 'counter', labels: ['source'] },
    help: 'Body bytes sent to clients, from the cache (hit) or fetched for this request (miss).',
    samples: ({ books }) => [
      { labels: { source: 'hit' }, value: books.hitBytes },
      { labels: { source: 'miss' }, value: books.missBytes },
    ],
  },
  counter('do_node_health_bytes_total', 'Body bytes of the test object, not in egress.', (f) => f.books.healthBytes),
  counter('do_node_requests_total', 'Requests whose head had come.', (f) => f.books.requestCount),
  {
    ...{ name: 'do_node_answers_total', type: 'counter', labels: ['status', 'outcome'] },
    help: 'Answers that are over, by status (0: none was sent) and how the cache took part.',
    samples: ({ books }) =>
      Object.entries(books.answers).map(([name, value]) => {
        const [status = '', outcome = ''] = name.split(' ');
        return { labels: { status, outcome }, value };
      }),
  },
  counter('do_node_errors_total', 'Requests that the node refused by itself.', (f) => f.books.errorCount),
  counter('do_node_aborted_total', 'Answers that a client did not wait for.', (f) => f.books.abortedCount),
  counter('do_node_connections_total', 'Connections of clients accepted.', (f) => f.books.connectionCount),
  counter(
    'do_node_connections_refused_total',
    'Connections turned away because there were too many.',
    (f) => f.connectionsRefusedCount,
  ),
  gauge('do_node_connections_open', 'Connections of clients open now.', (f) => f.books.connectionsOpen),
  counter('do_node_upstream_bytes_total', 'Body bytes received from upstream.', (f) => f.books.upstreamBytes),
  counter('do_node_upstream_requests_total', 'Requests made to upstream.', (f) => f.books.upstreamRequestCount),
  {
    ...{ name: 'do_node_upstream_errors_total', type: 'counter', labels: ['cause'] },
    help: 'Requests to upstream without an answer, or with a broken one, by cause.',
    samples: ({ books }) => byName(books.upstreamErrors, 'cause'),
  },
  gauge('do_node_fetches', 'Fetches of missing bytes under way.', (f) => f.fills.fetchCount),
  gauge('do_node_waiters', 'Requests that wait for bytes.', (f) => f.fills.waitingCount),
  perDrive('do_node_drive_size_bytes', 'What of a drive may be filled.', (drive) => drive.sizeBytes),
  perDrive('do_node_drive_used_bytes', 'What of a drive is filled, blocks and metadata counted.', (d) => d.usedBytes),
  perDrive('do_node_drive_failed', '1: the drive failed and is not used.', (d) => (d.failure === undefined ? 0 : 1)),
  gauge('do_node_stored_bytes', 'Bytes of content stored.', (f) => f.index.storedBytes),
  gauge('do_node_objects', 'Names of which anything is known.', (f) => f.fills.objectCount),
  gauge(
    'do_node_generations',
    'Generations of objects in the index; one that lies on several drives counts on each.',
    (f) => f.index.generationCount,
  ),
  gauge('do_node_generations_warm', 'Of them, those that were in use lately.', (f) => f.index.warmGenerationCount),
  counter(
    'do_node_evicted_extents_total',
    'Extents taken away: for room, by purge, or with a failed drive.',
    (f) => f.index.evictedExtentCount,
  ),
  counter('do_node_evicted_bytes_total', 'Blocks of those extents.', (f) => f.index.evictedBytes),
  gauge('do_node_workers_expected', 'Workers that should be there.', (f) => f.workersExpected),
  gauge('do_node_workers_ready', 'Workers that take connections.', (f) => f.workersReady),
  counter('do_node_workers_lost_total', 'Workers that died and were replaced.', (f) => f.books.lostWorkerCount),
  counter(
    'do_node_access_log_dropped_total',
    'Lines of the access log that could not be written.',
    (f) => f.books.accessLogDroppedCount,
  ),
  {
    ...{ name: 'do_node_owner_loop_delay_seconds', type: 'gauge', labels: ['statistic'] },
    help: "Delay of the owner's event loop in the last full 15 s.",
    samples: ({ loopDelay }) => [
      { labels: { statistic: 'median' }, value: loopDelay.medianMs / 1000 },
      { labels: { statistic: 'p99' }, value: loopDelay.p99Ms / 1000 },
      { labels: { statistic: 'max' }, value: loopDelay.maxMs / 1000 },
    ],
  },
  {
    ...{ name: 'do_node_resident_memory_bytes', type: 'gauge', labels: ['role', 'pid'] },
    help: 'Resident memory of a process of the node.',
    samples: ({ processes }) =>
      processes.map(({ role, pid, residentBytes }) => ({ labels: { role, pid: String(pid) }, value: residentBytes })),
  },
  counter('do_node_cpu_seconds_total', 'Processor time of all processes of the node.', (f) => f.books.cpuMs / 1000),
  gauge('do_node_uptime_seconds', 'Time since the node was started.', (f) => f.uptimeMs / 1000),
  {
    ...{ name: 'do_node_build_info', type: 'gauge', labels: ['version', 'node'] },
    help: 'Always 1; the labels say what runs: the version, and that of Node.',
    samples: (_figures, { version, node }) => [{ labels: { version, node }, value: 1 }],
  },
];

/** The whole answer to a scrape. */
export function exposition(figures: Figures, build: Build): string {
  return prometheusText(
    metrics.map(({ name, type, help, samples }) => ({ name, type, help, samples: samples(figures, build) })),
  );
}

function byName(tally: Tally, label: string): MetricSample[] {
  return Object.entries(tally).map(([name, value]) => ({ labels: { [label]: name }, value }));
}
