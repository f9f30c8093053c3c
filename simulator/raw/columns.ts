// The columns of raw data: what each is called, what it means, how a row says it. Parquet, CSV and docs/raw-data.md have them
// in this order.

import type { RowView } from '../world/live/raw/row-batch.ts';

/** Version of the columns: changes when one is renamed, or means something else. */
export const rawSchema = 1;

export type RawColumn = {
  /** Unit last. */
  readonly name: string;
  readonly kind: 'text' | 'whole32' | 'whole64' | 'double' | 'boolean';
  /** Whether a row may be without it. */
  readonly isOptional: boolean;
  readonly meaning: string;
  of(row: RowView, names: RawNames): string | number | boolean | undefined;
};

/** What rows name by its place. */
export type RawNames = { readonly groups: readonly string[]; readonly nodes: readonly string[] };

const always = { isOptional: false } as const;
const optional = { isOptional: true } as const;

/** The CDN comes after the nodes. */
const sourceOf = (server: number | undefined, { nodes }: RawNames): string | undefined =>
  server === undefined ? undefined : server < nodes.length ? 'cacheServer' : 'cdn';

export const rawColumns: readonly RawColumn[] = [
  {
    ...{ name: 'device', kind: 'whole32', ...always },
    meaning: 'its number in the fleet, as in `devices.csv`',
    of: (row) => row.device,
  },
  {
    ...{ name: 'groupId', kind: 'text', ...always },
    meaning: "the id of the device's group",
    of: (row, { groups }) => groups[row.group] ?? '',
  },
  {
    ...{ name: 'source', kind: 'text', ...optional },
    meaning: '`cacheServer` or `cdn`',
    of: (row, names) => sourceOf(row.server, names),
  },
  {
    ...{ name: 'node', kind: 'text', ...optional },
    meaning: 'the id of the node; null for the CDN',
    of: (row, { nodes }) => (row.server === undefined ? undefined : nodes[row.server]),
  },
  {
    ...{ name: 'object', kind: 'text', ...optional },
    meaning: 'the id of the content; null on a connection that was lost before anything was asked',
    of: (row) => row.object,
  },
  {
    ...{ name: 'offsetBytes', kind: 'whole64', ...optional },
    meaning: 'where the range begins in the object',
    of: (row) => row.offsetBytes,
  },
  {
    ...{ name: 'askedBytes', kind: 'whole64', ...optional },
    meaning: 'how long the range is; without a Range field the size of the object',
    of: (row) => row.askedBytes,
  },
  {
    ...{ name: 'receivedBytes', kind: 'whole64', ...always },
    meaning: 'body bytes that came, useful or not; bodies of errors and redirects do not count',
    of: (row) => row.receivedBytes,
  },
  {
    ...{ name: 'status', kind: 'whole32', ...optional },
    meaning: 'HTTP status; null when no head of an answer came',
    of: (row) => row.status,
  },
  {
    ...{ name: 'clientPort', kind: 'whole32', ...optional },
    meaning:
      "the device's end of the connection; rows with the same one went over the same connection, until it was closed",
    of: (row) => row.clientPort,
  },
  {
    ...{ name: 'intendedMs', kind: 'double', ...optional },
    meaning: 'when the range was due; latency counts from here',
    of: (row) => row.intendedMs,
  },
  {
    ...{ name: 'sentMs', kind: 'double', ...optional },
    meaning: 'when the request was written to its connection; null: it never was',
    of: (row) => row.sentMs,
  },
  {
    ...{ name: 'firstByteMs', kind: 'double', ...optional },
    meaning: 'when the first byte of the body came; null: none did',
    of: (row) => row.firstByteMs,
  },
  {
    ...{ name: 'endMs', kind: 'double', ...always },
    meaning: 'when the last byte had come, or the request was given up',
    of: (row) => row.endMs,
  },
  {
    ...{ name: 'complete', kind: 'boolean', ...always },
    meaning:
      'whether the answer came to its end: then it is one of `fleet.rangeCount`, and its times are in `range.…Ms`',
    of: (row) => row.isComplete,
  },
  {
    ...{ name: 'outcome', kind: 'text', ...always },
    meaning: '`ok`, `aborted`, `resent`, `redirected`, or the cause of a failure',
    of: (row) => row.outcome,
  },
];
